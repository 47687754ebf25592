"""A grid that is decided and not yet trained: its trainings, and where everything goes.

runs/grids/<name>/    grid.yaml (what was asked, and what came of it), grid.json, grid.csv,
                      pictures, worker.log
runs/cells/<task>/    the run of every training, whichever grid asked for it
datasets/cells/       the sets that they train on
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vqc.errors import OutputError, RecipeError
from vqc.files import replace_file
from vqc.grid.book import Book
from vqc.grid.layout import Drawing, Trial
from vqc.tasks import find

ASKED = "grid.yaml"
VERSION = 1
_LONGEST = 200
"""Letters of a value in a message."""


@dataclass(frozen=True, slots=True)
class Workers:
    """How many trainings go on at a time, and on what.

    devices: one for each; None leaves it to the settings. threads: of each; None for its own
    choice.
    """

    devices: tuple[str | None, ...] = (None,)
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class Places:
    """root: holds runs. sets: holds the sets of cells."""

    root: Path = Path("runs")
    sets: Path = Path("datasets/cells")


@dataclass(frozen=True, slots=True)
class Cut:
    """What a time allows: fewer repeats, and other numbers of epochs. words: in a sentence."""

    repeats: int
    epochs: Mapping[int, int]
    words: str


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """All that is decided before anything is trained.

    asked: plain values; the same for the same command. cut: what the time left of it. fresh: it
    may take the place of another grid.
    """

    name: str
    asked: Mapping[str, Any]
    drawing: Drawing
    trials: Sequence[Trial]
    places: Places
    workers: Workers
    cut: Cut | None = None
    notes: tuple[str, ...] = ()
    fresh: bool = False

    @property
    def task(self) -> str:
        return self.drawing.request.task

    @property
    def folder(self) -> Path:
        return self.places.root / "grids" / self.name

    @property
    def runs(self) -> Path:
        return self.places.root / "cells" / self.task

    def book(self) -> Book:
        """What is there already; a run is known again by its name."""
        book = Book(self.name, self.drawing, self.trials, self.runs, find(self.task).headline)
        book.notes = [*self.drawing.notes, *self.notes, *([self.cut.words] if self.cut else [])]
        return book


def write_asked(grid: Grid) -> None:
    """Put grid.yaml there; OutputError where that fails."""
    import yaml

    resolved: dict[str, Any] = {
        "val": grid.drawing.val,
        "same_shoot": grid.drawing.same_shoot,
        "trainings": [
            {"run": t.name, "cell": t.drawn.cell.name, "images": t.images, "epochs": t.epochs}
            for t in grid.trials
        ],
    }
    if grid.cut is not None:
        resolved["cut"] = {
            "repeats": grid.cut.repeats,
            "epochs": dict(grid.cut.epochs),
            "words": grid.cut.words,
        }
    record = {"vqc_grid": VERSION, "name": grid.name, "asked": dict(grid.asked)}
    text = yaml.safe_dump(
        record | {"resolved": resolved}, sort_keys=False, allow_unicode=True, width=100
    )
    try:
        replace_file(grid.folder / ASKED, text.encode())
    except OSError as error:
        raise OutputError(f"{grid.folder}: cannot be written: {error.strerror or error}") from None


def require_same(grid: Grid) -> None:
    """Raises RecipeError where the folder holds another grid, unless it may take its place.

    The same grid with more cells or repeats, or in another time, is no other one.
    """
    clash = clash_of(grid.folder, grid.asked)
    if clash and not grid.fresh:
        raise RecipeError(clash)


def clash_of(folder: Path, asked: Mapping[str, Any]) -> str:
    """What differs from the grid that is there; empty where none is, or where it only grows."""
    old = _there(folder).get("asked")
    if not isinstance(old, Mapping):
        return ""
    changed = [
        "  the sets that cells are mixed from, or their manifests"
        if key == "sources"
        else f"  {key}: {_short(old.get(key))} there, {_short(asked.get(key))} asked for"
        for key in dict.fromkeys([*old, *asked])
        if key != "budget_minutes" and not _grows(key, old.get(key), asked.get(key))
    ]
    if not changed:
        return ""
    return (
        "\n".join([f"{folder} holds another grid; these differ:", *changed])
        + "\nGive another --name, or --fresh to replace its tables; its trainings stay in any case"
    )


def _there(folder: Path) -> Mapping[str, Any]:
    """What grid.yaml holds; nothing where there is none that reads."""
    import yaml

    try:
        found = yaml.safe_load((folder / ASKED).read_bytes())
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}
    return found if isinstance(found, Mapping) else {}


def _grows(key: str, old: Any, new: Any) -> bool:
    """Whether a value is the same, or that of a grid that has all that the old one has."""
    if old == new:
        return True
    try:
        if key in ("cad", "real"):
            return set(old) <= set(new)
        if key == "axes":
            return set(old) == set(new) and all(set(old[name]) <= set(new[name]) for name in old)
        if key == "settings":  # the note of `asked` on larger cells proposes this one
            return {**old, "epoch_images": 0} == {**new, "epoch_images": 0}
        return bool(key == "repeats" and old <= new)
    except TypeError:
        return False


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def planned(folder: Path) -> tuple[list[str], Path]:
    """Names of all trainings of the grid in a folder, each once, and the folder of their runs.

    No names where no grid is.
    """
    there = _there(folder)
    try:
        names = [str(t["run"]) for t in there["resolved"]["trainings"]]
        task = str(there["asked"]["task"])
    except (KeyError, TypeError):
        return [], folder
    return list(dict.fromkeys(names)), folder.parent.parent / "cells" / task


def earlier(folder: Path, asked: Mapping[str, Any]) -> Cut | None:
    """How an earlier command of the same grid shared out the time."""
    there = _there(folder)
    try:
        cut = there["resolved"].get("cut") if there["asked"] == asked else None
        return cut and Cut(int(cut["repeats"]), dict(cut["epochs"]), str(cut["words"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
