"""A grid that is decided and not yet trained: its trainings, and where everything goes.

runs/grids/<name>/    grid.yaml (what was asked, and what came of it), grid.json, grid.csv,
                      pictures, worker.log
runs/cells/<task>/    the run of every training, whichever grid asked for it
datasets/cells/       the sets that they train on
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vqc.errors import OutputError
from vqc.files import replace_file
from vqc.grid.book import Book
from vqc.grid.layout import Drawing, Trial
from vqc.tasks import find

ASKED = "grid.yaml"
VERSION = 1


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

    asked: plain values; the same for the same command. cut: what the time left of it.
    """

    name: str
    asked: Mapping[str, Any]
    drawing: Drawing
    trials: Sequence[Trial]
    places: Places
    workers: Workers
    cut: Cut | None = None
    notes: tuple[str, ...] = ()

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


def earlier(folder: Path, asked: Mapping[str, Any]) -> tuple[Cut | None, list[str]]:
    """How an earlier command of the same grid shared out the time; a note on another grid there."""
    import yaml

    try:
        old = yaml.safe_load((folder / ASKED).read_bytes())
        if old["asked"] != asked:
            return None, [f"{folder} held another grid; its tables are replaced, its runs stay"]
        cut = old["resolved"].get("cut")
        return cut and Cut(int(cut["repeats"]), dict(cut["epochs"]), str(cut["words"])), []
    except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError):
        return None, []
