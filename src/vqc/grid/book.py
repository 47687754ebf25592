"""What became of every training of a grid, and the files that say so.

In: trainings and their run folders. Out: grid.json and grid.csv, whole at any moment.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from vqc.counts import rank_of
from vqc.errors import InputError, OutputError
from vqc.files import replace_file
from vqc.grid.layout import Cell, Drawing, Trial
from vqc.runs import RESULT, json_bytes, read_run
from vqc.tasks.contract import Headline

RECORD, TABLE = "grid.json", "grid.csv"
VERSION = 1

State = Literal["done", "failed", "waiting"]


@dataclass(frozen=True, slots=True)
class Result:
    """Of one training; failure: why there is none.

    chosen_on: the split that its metrics are of; None where it has none to compare.
    """

    state: State
    metrics: Mapping[str, float] = field(default_factory=dict)
    epochs: int | None = None
    best_epoch: int | None = None
    seconds: float | None = None
    failure: str | None = None
    chosen_on: str | None = None


@dataclass(slots=True, eq=False)
class Book:
    """The state of a grid.

    cells: training sets with their settings, in the order of the axes. runs: holds the run
    folders. results: by the name of the run. chosen, budget: as they stand in grid.json.
    """

    name: str
    drawing: Drawing
    trials: Sequence[Trial]
    runs: Path
    headline: Headline
    results: dict[str, Result] = field(default_factory=dict)
    chosen: dict[str, Any] | None = None
    budget: dict[str, Any] | None = None
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for trial in self.trials:
            self.look(trial.name)

    def look(self, name: str) -> Result:
        """Note what the run folder says now."""
        self.results[name] = result = _result(self.runs / name)
        return result

    def fail(self, name: str, why: str) -> None:
        self.results[name] = Result("failed", failure=why)

    def in_state(self, state: State) -> list[Trial]:
        """Trainings in a state, each once, though several cells may share one."""
        by_name = {trial.name: trial for trial in self.trials}
        return [t for name, t in by_name.items() if self.results[name].state == state]

    @property
    def cells(self) -> list[Cell]:
        return list({trial.drawn.cell.name: trial.drawn.cell for trial in self.trials}.values())

    def trials_of(self, cell: Cell) -> list[Trial]:
        return [trial for trial in self.trials if trial.drawn.cell.name == cell.name]

    def scores(self, cell: Cell, metric: str | None = None) -> list[float]:
        """A metric of the finished repeats, by default the headline; only finite values."""
        key = metric or self.headline.metric
        values = [self.results[t.name].metrics.get(key, math.nan) for t in self.trials_of(cell)]
        return [value for value in values if math.isfinite(value)]

    def best(self) -> tuple[Cell, float] | None:
        """The cell with the best mean, among those with the most finished repeats.

        Of equals the one with the fewest photos, then renders.
        """
        scored = [(cell, self.scores(cell)) for cell in self.cells]
        most = max((len(values) for _, values in scored), default=0)
        if not most:
            return None
        sign = -1 if self.headline.higher_is_better else 1
        means = [(cell, math.fsum(v) / most) for cell, v in scored if len(v) == most]
        return min(means, key=lambda pair: (sign * pair[1], rank_of(pair[0].real), pair[0].cad))

    def ranked(self) -> list[Cell]:
        """Cells by the mean headline, the best first; those without a score last."""
        sign = -1 if self.headline.higher_is_better else 1

        def rank(cell: Cell) -> tuple[bool, float]:
            scores = self.scores(cell)
            return not scores, sign * math.fsum(scores) / max(len(scores), 1)

        return sorted(self.cells, key=rank)

    @property
    def metrics(self) -> list[str]:
        """Names of all metrics, in the order in which the task gives them."""
        found = (name for t in self.trials for name in self.results[t.name].metrics)
        return list(dict.fromkeys(found))

    def record(self) -> dict[str, Any]:
        """The content of grid.json."""
        request = self.drawing.request
        return {
            "vqc_grid": VERSION,
            "name": self.name,
            "task": request.task,
            "metric": self.headline.metric,
            "axes": {
                "cad": list(request.cad),
                "real": list(request.real),
                **{name: list(values) for name, values in request.axes.items()},
            },
            "cells": [self._cell_record(cell) for cell in self.cells],
            "chosen": self.chosen,
            "budget": self.budget,
            "notes": self.notes,
            "val": {
                "name": self.drawing.val,
                "same_shoot": self.drawing.same_shoot,
                "mark": self.drawing.mark,
            },
        }

    def _cell_record(self, cell: Cell) -> dict[str, Any]:
        return {
            "name": cell.name,
            "cad": cell.cad,
            "real": cell.real,
            "settings": dict(cell.settings),
            "repeats": [self._repeat_record(trial) for trial in self.trials_of(cell)],
        }

    def _repeat_record(self, trial: Trial) -> dict[str, Any]:
        result = self.results[trial.name]
        return {
            "seed": trial.drawn.seed,
            "state": result.state,
            "metrics": plain(result.metrics),
            "run": os.path.relpath(self.runs / trial.name),
            "failure": result.failure,
            "chosen_on": result.chosen_on,
            "epochs": result.epochs,
            "best_epoch": result.best_epoch,
            "images": trial.images,
            "seconds": result.seconds,
        }

    def table(self) -> str:
        """The content of grid.csv: a row for each training of each cell."""
        axes = list(dict.fromkeys(key for cell in self.cells for key in cell.settings))
        metrics = self.metrics
        after = ("epochs", "best_epoch", "images", "seconds", "run", "failure")
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["cell", "cad", "real", *axes, "seed", "state", *metrics, *after])
        for cell in self.cells:
            place = [cell.name, cell.cad, cell.real, *(cell.settings[axis] for axis in axes)]
            for trial in self.trials_of(cell):
                row = self._repeat_record(trial)
                values = [row["metrics"].get(name) for name in metrics]
                rest = [row[key] for key in after]
                writer.writerow([*place, row["seed"], row["state"], *values, *rest])
        return text.getvalue()

    def write(self, folder: Path) -> None:
        """Put both files there, whole; OutputError where that fails."""
        try:
            replace_file(folder / RECORD, json_bytes(self.record()))
            replace_file(folder / TABLE, self.table().encode())
        except OSError as error:
            raise OutputError(f"{folder}: cannot be written: {error.strerror or error}") from None


def plain(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """Metrics as JSON can hold them: what is not defined is null."""
    return {name: value if math.isfinite(value) else None for name, value in metrics.items()}


def _result(folder: Path) -> Result:
    """What a run folder says; one that is not finished, or not whole, is still to be trained."""
    if not (folder / RESULT).is_file():
        return Result("waiting")
    try:
        run = read_run(folder)
    except InputError:
        return Result("waiting")
    metrics = run.metrics if run.chosen_on == "val" else {}
    return Result(
        "done", metrics, run.epochs, run.best_epoch, round(run.seconds, 1), chosen_on=run.chosen_on
    )
