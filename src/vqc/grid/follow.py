"""How far a grid is, told while it goes on.

In: the small files that workers keep up to date, and the book. Out: `Status`, now and then.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
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


class Follower:
    """Tells the status every second, from a thread that imports nothing.

    trials: those that are trained now. folder: where the workers' files are.
    """

    def __init__(self, book: Book, trials: Sequence[Trial], folder: Path, tell: Tell) -> None:
        self._book, self._folder, self._tell = book, folder, tell
        self._trials = {trial.name: trial for trial in trials}
        self._begun = time.monotonic()
        self._resumed: dict[str, int] = {}  # pictures that a training had seen before
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Follower:
        self._tell(self.status())
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        self._tell(self.status())

    def _follow(self) -> None:
        while not self._over.wait(EVERY_S):
            self._tell(self.status())

    def status(self) -> Status:
        book = self._book
        running, seen, left = [], 0, 0
        told = {file.stem: _read(file) for file in sorted(self._folder.glob("*.json"))}
        for name, trial in self._trials.items():
            now, state = told.get(name), book.results[name].state
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


def _read(file: Path) -> dict[str, Any] | None:
    """A worker's file; None where it is gone by now."""
    try:
        found: dict[str, Any] = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    return found
