"""A grid in words and rows: what it would train, how its cells compare, what was chosen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from vqc.counts import counted
from vqc.errors import IncompleteError
from vqc.grid.book import Book
from vqc.grid.crew import LOG
from vqc.grid.model import Grid
from vqc.grid.trainings import Estimate
from vqc.mix.splits import TEST, TRAIN, VAL

PLAN_COLUMNS = ("cell", "train", "val", "test", "epochs", "pictures seen", "there")
_METRICS = ("mAP50", "precision", "recall", "F1")
"""Shown after the metric that the grid chooses by."""
_MOST_METRICS = 4
_DIGITS = 3


def plan_record(grid: Grid, estimate: Estimate | None) -> dict[str, Any]:
    """What a grid would train, as plain values; numbers of frames are of the first repeat."""
    book = grid.book()
    cells = []
    for cell in book.cells:
        trials = book.trials_of(cell)
        first = trials[0]
        cells.append(
            {
                "name": cell.name,
                "cad": cell.cad,
                "real": cell.real,
                "settings": dict(cell.settings),
                "train": first.drawn.count(TRAIN),
                "val": first.drawn.count(VAL),
                "test": first.drawn.count(TEST),
                "epochs": first.epochs,
                "seen": first.seen,
                "repeats": len(trials),
                "there": sum(book.results[trial.name].state == "done" for trial in trials),
            }
        )
    notes = [*book.notes, *(estimate.notes if estimate else ())]
    record: dict[str, Any] = {
        "name": grid.name,
        "folder": str(grid.folder),
        "cells": cells,
        "notes": notes,
    }
    if estimate is not None:
        record |= {"missing": estimate.missing, "seconds": estimate.seconds}
    return record


def plan_rows(record: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """A row of PLAN_COLUMNS for each cell."""
    keys = ("name", "train", "val", "test", "epochs", "seen")
    return [
        (
            *("–" if cell[key] is None else cell[key] for key in keys),  # a task without epochs
            f"{cell['there']} of {cell['repeats']}",
        )
        for cell in record["cells"]
    ]


def score_rows(book: Book) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Columns, and a row for each cell, the best first: means and spreads over the repeats."""
    from vqc.figures.style import mean_and_spread, said

    names = _shown(book)
    rows = []
    for cell in book.ranked():
        trials = book.trials_of(cell)
        done = sum(book.results[trial.name].state == "done" for trial in trials)
        scores = (mean_and_spread(book.scores(cell, name)) for name in names)
        told = (said(mean, spread, _DIGITS) for mean, spread, _ in scores)
        rows.append((cell.name, f"{done} of {len(trials)}", *told))
    return ("cell", "trained", *names), rows


def _shown(book: Book) -> list[str]:
    """Names of the metrics in the table: the headline first, then known ones, or any."""
    there = book.metrics
    known = [name for name in _METRICS if name in there]
    first = [name for name in (book.headline.metric,) if name in there]
    return list(dict.fromkeys([*first, *(known or there)]))[:_MOST_METRICS]


def _why_none(book: Book) -> str:
    """Why no cell is chosen."""
    done, task, metric = book.in_state("done"), book.drawing.request.task, book.headline.metric
    if not done:
        return "no training is finished, so no cell is chosen"
    if book.best() is not None:
        return "no cell is chosen yet; the same command goes on and does so after the last training"
    finished = f"{counted(len(done), 'training')} finished"
    if not any(book.results[trial.name].chosen_on == "val" for trial in done):
        return (
            f"{finished}, but task {task} gives no score on val (chosen_on is None): cells cannot "
            "be compared, so none is chosen. Each run stands for itself; vqc eval scores it"
        )
    return f"{finished}, and {metric} is undefined on val in each, so no cell is chosen"


def result_lines(book: Book) -> list[str]:
    """The chosen cell, how it does on test, and what more photos would bring."""
    from vqc.figures.style import mean_and_spread, said

    if book.chosen is None:
        return [_why_none(book)]
    lines = [f"chosen on val: {book.chosen['cell']}"]
    tests, metric = book.chosen["test"], book.headline.metric
    honest = [test["metrics"].get(metric) for test in tests if not test["mark"]]
    known = [math.nan if value is None else value for value in honest]
    if known:
        mean, spread, count = mean_and_spread(known)
        times = counted(count, "training")
        lines.append(f"on test, an honest score: {metric} {said(mean, spread, _DIGITS)} ({times})")
    lines += sorted({f"on test: {test['mark']}" for test in tests if test["mark"]})
    if not book.drawing.has_test:
        lines.append("no test split, so there is no honest score: --test SESSION gives a shoot")
    # What the budget says follows from val, and stands right below what test says.
    told = book.budget["sentences"] if book.budget else ()
    return [*lines, *(f"{sentence} [{book.drawing.mark}]" for sentence in told)]


def require_all(grid: Grid, book: Book) -> None:
    """Raises IncompleteError with every training that failed, and why."""
    failed = book.in_state("failed")
    if failed:
        lines = [f"  {trial.name}: {book.results[trial.name].failure}" for trial in failed]
        raise IncompleteError(
            f"{len(failed)} of {len(book.results)} trainings failed; the rest is finished:\n"
            + "\n".join(lines)
            + f"\nThe same command tries them again; {grid.folder / LOG} has more"
        )
