"""How a scheduler asks for an end: signals that let a command finish what it is at."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
"""Slurm sends the first before it takes a node away, and whatever `--signal` names."""


@contextlib.contextmanager
def asked() -> Iterator[Callable[[], bool]]:
    """Whether one of the signals came meanwhile; outside the main thread none can be heard."""
    heard = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield heard.is_set
        return
    before = {number: signal.signal(number, lambda *_: heard.set()) for number in SIGNALS}
    try:
        yield heard.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore() -> None:
    """Go on whatever is sent; a process started from here ignores it, too."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
