"""A decided search → trial after trial until the budget is spent, and all files.

In: `Tune`. Out: `Book`, and the folder that `folder` describes. Stopped at any moment, the same
search goes on: a trial that was cut off keeps its values, and its training what it had learnt.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from vqc.errors import InputError, VqcError
from vqc.grid.crew import LOG, gathered
from vqc.grid.follow import every_second, told
from vqc.tune.book import Book
from vqc.tune.cells import Work, do, in_a_process
from vqc.tune.decide import Tune
from vqc.tune.folder import claimed, end_running, read_running, write_running
from vqc.tune.journal import Journal
from vqc.tune.propose import propose, require_optuna
from vqc.tune.result import Result
from vqc.tune.space import Value

FAILURES = 5
"""So many failed trials in a row end the search: it is not the settings then."""


@dataclass(frozen=True, slots=True)
class Status:
    """How far a search is.

    number: of the trial under way, or of the one that has just ended. seen, pictures: of the
    trial under way, 0 where unknown. left_s: None while unknown.
    """

    number: int
    done: int
    failed: int
    best: Result | None
    seen: int
    pictures: int
    left_s: float | None


class Watcher(Protocol):
    """Hears how a search goes."""

    def status(self, status: Status) -> None:
        """Now and then, from another thread."""

    def ended(self, result: Result, status: Status) -> None:
        """A trial has its result."""


class Silent:
    """A watcher that says nothing."""

    def status(self, status: Status) -> None: ...

    def ended(self, result: Result, status: Status) -> None: ...


SILENT = Silent()


def search(tune: Tune, watcher: Watcher = SILENT, work: Work = in_a_process) -> Book:
    """Try settings until the budget is spent or nothing new is left.

    A trial that fails is noted, and the search goes on. Raises RecipeError where another search
    has the name, VqcError where one trial after the other fails, OutputError where results
    cannot be written.
    """
    require_optuna()
    with claimed(tune):
        journal = Journal(tune.folder, tune.name, tune.space, tune.task.headline)
        book = Book(tune, journal.results)
        with gathered(tune.folder / LOG) as crew:
            in_a_row = 0
            while in_a_row < FAILURES:
                values = _next(tune, book)
                if values is None:
                    break
                number = len(journal.results) + 1
                write_running(tune.folder, number, values)
                trial = _under_way(tune, values, crew.folder)
                tell = partial(_tell, watcher, book, trial)
                tell()
                with every_second(tell):
                    result = do(tune, number, values, crew, work)
                journal.add(result)
                end_running(tune.folder)
                book.write()
                watcher.ended(result, _status(book, None))
                in_a_row = 0 if result.failure is None else in_a_row + 1
        book.write()
        book.draw()
    if in_a_row == FAILURES:
        raise VqcError(
            f"{FAILURES} trials in a row failed, so the search stops; the last one: "
            f"{journal.results[-1].failure}\nThe same command goes on"
        )
    return book


def _next(tune: Tune, book: Book) -> dict[str, Value] | None:
    """Values of the trial that was cut off, else of a new one; None where the search is over."""
    cut_off = read_running(tune, len(book.results) + 1)
    if cut_off is not None or not tune.asked.budget.is_open(book.results):
        return cut_off
    tried = {result.run or _text(result.values) for result in book.results}

    def is_new(values: Mapping[str, Value]) -> bool:
        key = _key(tune, values)
        return key is not None and key not in tried

    found = propose(tune.space, book.results, tune.task.headline, tune.asked.seed, is_new)
    if found is None:
        book.exhausted = True
    return found


def _key(tune: Tune, values: Mapping[str, Value]) -> str | None:
    """Equal for equal trainings; None for a mix of nothing."""
    try:
        tune.request(values)
    except InputError:
        return None
    try:
        return tune.cell(values).run
    except InputError:
        return _text(values)


def _text(values: Mapping[str, Value]) -> str:
    return json.dumps(dict(values), sort_keys=True)


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """A trial's training. run: its name, pictures: that it sees in all; "" and 0 where unknown.
    begun: as time.monotonic() tells it. folder: where the worker says how far it is."""

    run: str
    pictures: int
    begun: float
    folder: Path


def _under_way(tune: Tune, values: Mapping[str, Value], folder: Path) -> _UnderWay:
    begun = time.monotonic()
    try:
        cell = tune.cell(values)
    except InputError:  # do() notes it as the trial's failure
        return _UnderWay("", 0, begun, folder)
    identity = tune.task.configure(cell.settings).identity()
    pictures = (identity.get("epoch_images") or 0) * (identity.get("epochs") or 0)
    return _UnderWay(cell.run, pictures, begun, folder)


def _tell(watcher: Watcher, book: Book, trial: _UnderWay) -> None:
    watcher.status(_status(book, trial))


def _status(book: Book, trial: _UnderWay | None) -> Status:
    """How far the search is; trial: the one under way, None where it has just ended."""
    now = told(trial.folder, trial.run) if trial else None
    seen, pictures = now["done"] if now else 0, trial.pictures if trial else 0
    running = time.monotonic() - trial.begun if trial else None
    return Status(
        number=len(book.results) + bool(trial),
        done=len(book.done),
        failed=len(book.results) - len(book.done),
        best=book.best,
        seen=seen,
        pictures=pictures,
        left_s=book.tune.asked.budget.left_s(
            book.results, running, seen / pictures if pictures else 0.0
        ),
    )
