"""A grid's folder → cells to draw and rows to print; keys that are absent are left out.

grid.json   name, task, metric, axes, notes
            cells: [{name, cad, real, settings, repeats: [{seed, state, metrics, run, failure}]}]
            chosen: {cell, test: [{metrics, mark}]} or null
            budget: {sentences, curves: {photos: [{cad, x, mean, low, high}], renders: [{real, …}]}}
            val: {name, same_shoot}
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vqc import honesty
from vqc.counts import ALL, photos_words
from vqc.errors import InputError
from vqc.figures.grid import Band, GridCell
from vqc.figures.style import spelled
from vqc.runs import read_json

FILE_NAME = "grid.json"
Against = Literal["real", "cad"]
"""What is on x: photos a class, or CAD frames."""
DONE, FAILED, WAITING = "done", "failed", "waiting"
_COMMAND = "; vqc eval "
"""What follows the mark of a score that was refused."""
_CELLS = "cells"
"""The folder below runs in which a grid keeps its trainings."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """One cell and what the page says of it.

    name: the cell's own. combination: its values on further axes, such as "imgsz 640"; empty
    where there are none. states: how many repeats are done, failed or waiting. failures: why,
    each once. runs: folders of the finished repeats.
    """

    cell: GridCell
    name: str
    combination: str
    states: Mapping[str, int]
    failures: tuple[str, ...]
    runs: tuple[Path, ...]

    def said(self) -> str:
        """Such as "500 CAD frames + 20 photos a class"."""
        text = f"{self.cell.cad:,} CAD frames + {photos_words(self.cell.real)}"
        return f"{text}, {self.combination}" if self.combination else text


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """A score on test. metrics: NaN where not defined. mark: why not honest, or empty. command:
    what gives a score that was refused; empty where none was."""

    metrics: Mapping[str, float]
    mark: str
    command: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class GridReport:
    """What a grid found.

    metric: by which cells are compared, as the scores spell it. mark: of every score of a cell;
    they are of val, and val chose. bands: (against, Band) of the photo budget.
    """

    folder: Path
    name: str
    task: str
    metric: str
    places: tuple[Place, ...]
    chosen: Place | None
    tests: tuple[Tested, ...]
    budget: tuple[str, ...]
    bands: tuple[tuple[Against, Band], ...]
    notes: tuple[str, ...]
    val: str
    mark: str

    def count(self, state: str) -> int:
        return sum(place.states.get(state, 0) for place in self.places)

    def why_none(self) -> str:
        """Why no cell is chosen although trainings are done; empty where others are left.

        Without an end mark, as a sentence may go on.
        """
        scores = [v for place in self.places for v in place.cell.scores.get(self.metric, ())]
        if self.chosen or not self.count(DONE) or any(map(math.isfinite, scores)):
            return ""
        if any(place.cell.scores for place in self.places):
            return (
                f"None can be chosen: {spelled(self.metric)} is undefined on val in every training"
            )
        return (
            f"None can be chosen: trainings are done, but task {self.task} gives no score on "
            "val, so training sets cannot be compared"
        )

    @property
    def combinations(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(place.combination for place in self.places))


_ANEW = "its vqc grid command writes it anew"


def is_grid(folder: Path) -> bool:
    return (folder / FILE_NAME).is_file()


def read_grid(folder: Path) -> GridReport:
    """Raises InputError where grid.json does not read or holds no cell."""
    file = folder / FILE_NAME
    record = read_json(file, _ANEW)
    try:
        return _grid(folder, record)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{file}: not a grid ({error!r}); {_ANEW}") from None


def _grid(folder: Path, record: Mapping[str, Any]) -> GridReport:
    task = str(record.get("task") or "")
    places = tuple(_place(folder, task, each) for each in record["cells"])
    if not places:
        raise InputError(f"{folder / FILE_NAME}: the grid has no cell")
    chosen, budget = record.get("chosen") or {}, record.get("budget") or {}
    val = record.get("val") or {}
    named = {place.name: place for place in places}
    tests = tuple(map(_tested, chosen.get("test") or ()))
    return GridReport(
        folder=folder,
        name=str(record.get("name") or folder.name),
        task=task,
        metric=_metric(str(record.get("metric") or ""), places),
        places=places,
        chosen=named.get(str(chosen.get("cell"))),
        tests=tests,
        budget=tuple(map(str, budget.get("sentences") or ())),
        bands=tuple(_bands(budget.get("curves"))),
        notes=tuple(map(str, record.get("notes") or ())),
        val=str(val.get("name") or "val"),
        mark=str(val.get("mark") or honesty.mark(["val split"])),
    )


def _tested(record: Mapping[str, Any]) -> Tested:
    mark, is_refused, command = str(record.get("mark") or "").partition(_COMMAND)
    command = f"vqc eval {command.removesuffix(' gives it')}" if is_refused else ""
    return Tested(_numbers(record.get("metrics")), mark, command)


def _metric(wanted: str, places: Sequence[Place]) -> str:
    """The metric as the scores spell it; the first one they have where none is named."""
    there = dict.fromkeys(name for place in places for name in place.cell.scores)
    for name in there:
        if wanted in (name, spelled(name)):
            return name
    return wanted or next(iter(there), "mAP50")


def _place(folder: Path, task: str, record: Mapping[str, Any]) -> Place:
    cad, photos = int(record["cad"]), record["real"]
    real = ALL if photos == ALL else int(photos)
    repeats = record.get("repeats") or []
    done = [each for each in repeats if each.get("state") == DONE]
    tables = [_numbers(each.get("metrics")) for each in done]
    names = dict.fromkeys(name for table in tables for name in table)
    scores = {n: tuple(table[n] for table in tables if n in table) for n in names}
    states: dict[str, int] = {}
    for each in repeats:
        state = str(each.get("state") or WAITING)
        states[state] = states.get(state, 0) + 1
    combination = _combination(record.get("settings") or {})
    label = f"{cad} CAD + {real}" + (f", {combination}" if combination else "")
    failures = dict.fromkeys(str(each["failure"]) for each in repeats if each.get("failure"))
    return Place(
        cell=GridCell(cad, real, label, scores, states.get(FAILED, 0)),
        name=str(record.get("name") or label),
        combination=combination,
        states=states,
        failures=tuple(failures),
        runs=tuple(_run(folder, task, str(each["run"])) for each in done if each.get("run")),
    )


def _combination(settings: Mapping[str, Any]) -> str:
    words = {True: "yes", False: "no", None: "none"}
    further = {k: v for k, v in settings.items() if k not in ("cad", "real", "seed")}
    return ", ".join(
        f"{key} {words[value] if value is None or value is True or value is False else value}"
        for key, value in further.items()
    )


def _run(folder: Path, task: str, path: str) -> Path:
    """Relative to the grid's folder, or to where the command is given, or where grids train."""
    usual = folder.resolve().parent.parent / _CELLS / task / Path(path).name
    found = (each for each in (folder / path, Path(path), usual) if each.is_dir())
    return next(found, Path(path))


def _numbers(record: Any) -> dict[str, float]:
    return {
        str(key): math.nan if value is None else float(value)
        for key, value in dict(record or {}).items()
    }


def _bands(curves: Any) -> Iterable[tuple[Against, Band]]:
    """What the photo budget expects: against photos at each CAD level, and the reverse."""
    names = ("x", "low", "mean", "high")
    axes: tuple[tuple[str, str, Against], ...] = (
        ("photos", "cad", "real"),
        ("renders", "real", "cad"),
    )
    for key, level, against in axes:
        for each in (curves or {}).get(key) or ():
            x, low, middle, high = (np.array(each[name], np.float64) for name in names)
            yield against, Band(int(each[level]), x, low, middle, high)
