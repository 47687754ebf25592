"""What a search has found so far, and the files that say so: tune.json, tune.csv, tune.png."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vqc.counts import counted
from vqc.errors import IncompleteError, OutputError
from vqc.files import replace_file
from vqc.runs import json_bytes
from vqc.tune.budget import spent_s
from vqc.tune.commands import commands
from vqc.tune.decide import Tune
from vqc.tune.propose import importances
from vqc.tune.result import Result, best_first, best_of

RECORD, TABLE, PICTURE = "tune.json", "tune.csv", "tune.png"
VERSION = 1


@dataclass(slots=True, eq=False)
class Book:
    """The state of a search. results: finished trials, in their order; the journal adds to them.
    exhausted: nothing new was left to try."""

    tune: Tune
    results: Sequence[Result]
    exhausted: bool = False

    @property
    def done(self) -> list[Result]:
        return [result for result in self.results if result.score is not None]

    @property
    def ranking(self) -> list[Result]:
        return best_first(self.results, self.tune.task.headline)

    @property
    def best(self) -> Result | None:
        return best_of(self.results, self.tune.task.headline)

    @property
    def constant(self) -> list[str]:
        """What all trials have in common, in words."""
        tune = self.tune
        seen = [] if tune.images is None else [f"{tune.images:,} pictures an epoch"]
        seen += [] if tune.epochs is None else [counted(tune.epochs, "epoch")]
        if tune.images is not None and tune.epochs is not None:
            total = tune.images * tune.epochs
            seen.append(f"so every trial sees {total:,} (fewer where it stops early)")
        shoots = ", ".join(tune.val.sessions)
        val = f"val: {len(tune.val.frames):,} pictures of {shoots} ({tune.val.mark})"
        return [
            *([", ".join(seen)] if seen else []),
            val,
            f"seed {tune.asked.seed} of mixes and trainings",
        ]

    @property
    def notes(self) -> list[str]:
        found = list(dict.fromkeys(self.tune.notes))
        if len(self.done) > 1:
            found.append(
                f"the best of {len(self.done):,} trials on val, which chose it, is no honest "
                "score; equal trainings differ as well, so trials close to it are as good"
            )
        if self.exhausted:
            found.append("nothing new was left to try in this space")
        return found

    @property
    def importance(self) -> dict[str, float] | None:
        """How much each searched axis decides, the greatest share first; None where unknown."""
        return importances(self.tune.space, self.results, self.tune.task.headline)

    def require_best(self) -> None:
        """IncompleteError where no trial has a score."""
        if self.best is None:
            why = self.results[-1].failure if self.results else "none was tried"
            raise IncompleteError(f"{self.tune.folder}: no trial has a score; the last one: {why}")

    def commands(self) -> list[str]:
        """The lines that repeat the best trial; none where there is no trial with a score."""
        best = self.best
        return [] if best is None else commands(self.tune, self.tune.cell(best.values))

    def run_of(self, result: Result) -> Path | None:
        """The folder of a trial's run."""
        return self.tune.runs / result.run if result.run else None

    def record(self) -> dict[str, Any]:
        """The content of tune.json."""
        tune, headline, best = self.tune, self.tune.task.headline, self.best
        return {
            "vqc_tune": VERSION,
            "name": tune.name,
            "task": tune.task.name,
            "metric": headline.metric,
            "higher_is_better": headline.higher_is_better,
            "space": tune.space.texts(),
            "constant": self.constant,
            "val": {"sessions": list(tune.val.sessions), "same_shoot": tune.val.same_shoot},
            "best": None if best is None else self._row(best),
            "commands": self.commands(),
            "importance": self.importance,
            "trials": [self._row(result) for result in self.results],
            "seconds": round(spent_s(self.results), 1),
            "notes": self.notes,
        }

    def _row(self, result: Result) -> dict[str, Any]:
        folder = self.run_of(result)
        return {
            "trial": result.number,
            "state": "failed" if result.score is None else "done",
            "score": result.score,
            "values": dict(result.values),
            "metrics": dict(result.metrics),
            "epochs": result.epochs,
            "best_epoch": result.best_epoch,
            "seconds": result.seconds,
            "run": None if folder is None else os.path.relpath(folder),
            "failure": result.failure,
        }

    def table(self) -> str:
        """The content of tune.csv: a row for each trial, the best first."""
        axes = [axis.name for axis in self.tune.space.axes]
        metrics = list(dict.fromkeys(name for result in self.results for name in result.metrics))
        after = ("epochs", "best_epoch", "seconds", "run", "failure")
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["trial", "state", *axes, *metrics, *after])
        for result in self.ranking:
            row = self._row(result)
            cells = [*(result.values[axis] for axis in axes), *map(result.metrics.get, metrics)]
            writer.writerow([row["trial"], row["state"], *cells, *(row[key] for key in after)])
        return text.getvalue()

    def write(self) -> None:
        """Put tune.json and tune.csv there, whole; OutputError where that fails."""
        folder = self.tune.folder
        try:
            replace_file(folder / RECORD, json_bytes(self.record()))
            replace_file(folder / TABLE, self.table().encode())
        except OSError as error:
            raise OutputError(f"{folder}: cannot be written: {error.strerror or error}") from None

    def draw(self) -> None:
        """Put tune.png there, where any trial has a score; OutputError where that fails."""
        from vqc.tune import picture

        tune = self.tune
        title, out = f"Search {tune.name}", tune.folder / PICTURE
        picture.draw(self.results, tune.task.headline, self.importance, out, title)
