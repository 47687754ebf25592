"""How far a grid is, told while it goes on.

In: the small files that workers keep up to date, and the book. Out: `Status`, now and then.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vqc.grid.book import Book
from vqc.grid.layout import Trial

EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Running:
    """A training under way. epochs: finished ones, and all."""

    name: str
    epochs_done: int
    epochs: int | None


@dataclass(frozen=True, slots=True)
class Status:
    """How far a grid is; best: cell and mean headline so far. left_s: None while unknown."""

    done: int
    failed: int
    total: int
    left_s: float | None
    best: tuple[str, float] | None
    running: tuple[Running, ...]


Tell = Callable[[Status], None]


@contextlib.contextmanager
def every_second(do: Callable[[], None]) -> Iterator[None]:
    """Do something every second meanwhile, in a thread; it must import nothing."""
    over = threading.Event()

    def follow() -> None:
        while not over.wait(EVERY_S):
            do()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Follower:
    """Knows how far a grid is, for as long as some of its trainings go on.

    trials: those that are trained now. folder: where the workers' files are.
    """

    def __init__(self, book: Book, trials: Sequence[Trial], folder: Path) -> None:
        self._book, self._folder = book, folder
        self._trials = {trial.name: trial for trial in trials}
        self._begun = time.monotonic()
        self._resumed: dict[str, int] = {}  # pictures that a training had seen before

    def status(self) -> Status:
        book = self._book
        running, seen, left = [], 0, 0
        for name, trial in self._trials.items():
            now, state = told(self._folder, name), book.results[name].state
            if now is not None:
                running.append(Running(name, now["epoch"], trial.epochs))
                self._resumed[name] = now["resumed"] * trial.images
            before = self._resumed.get(name, 0)
            mine = max(0, now["done"] - before) if now is not None else 0
            if state == "done":
                mine = trial.seen - before
            seen += mine
            left += trial.seen - before - mine if state == "waiting" else 0
        rate = seen / max(time.monotonic() - self._begun, 1e-9)
        best = book.best()
        return Status(
            done=len(book.in_state("done")),
            failed=len(book.in_state("failed")),
            total=len({trial.name for trial in book.trials}),
            left_s=max(left, 0) / rate if seen else None,
            best=best and (best[0].name, best[1]),
            running=tuple(running),
        )


def told(folder: Path, name: str) -> dict[str, Any] | None:
    """What a worker last said of a training: `done` pictures, `epoch`, and epochs `resumed`.

    None where it is not under way, or has not begun.
    """
    try:
        found: dict[str, Any] = json.loads(Path(folder, f"{name}.json").read_bytes())
    except (OSError, ValueError):
        return None
    return found
