"""A book → heatmaps, lines over all sets, learning curves, and what more photos would bring."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from vqc.counts import ALL, photos_words
from vqc.errors import InputError, OutputError
from vqc.grid.book import Book
from vqc.grid.layout import Cell

if TYPE_CHECKING:
    from vqc.figures.grid import Band, GridCell
    from vqc.grid.budget import Gain

Axis = Literal["real", "cad"]
STUDY = ("mAP50", "recall", "precision", "F1")
_BUDGET_METRIC = "mAP50"
_DECIMALS = 4
_LEARNING: tuple[tuple[Axis, Axis, str], ...] = (
    ("real", "cad", "photos"),
    ("cad", "real", "renders"),
)
"""What is on x, what has a line each, and what the curves are called."""
_OURS = ("heatmap-*.png", "learning-*.png", "composition.png")
"""All that is drawn into a grid's folder."""


def photo_budget(book: Book) -> dict[str, Any] | None:
    """What more photos and renders would bring, seen from the chosen cell; None where unknown.

    Only cells with the chosen one's other settings count, and those with a number of photos: where
    all photos were chosen, it is seen from the best of these.
    """
    from vqc.grid import budget

    best = book.best()
    if best is None or book.headline.metric != _BUDGET_METRIC:
        return None
    chosen = best[0]
    cells = [cell for cell in book.cells if cell.combination == chosen.combination]
    points = [
        budget.Point(cell.cad, cell.real, score)
        for cell in cells
        if cell.real != ALL
        for score in book.scores(cell)
    ]
    if not points:
        return None
    try:
        first = next(c for c in (chosen, *book.ranked()) if c in cells and c.real != ALL)
        assert first.real != ALL
        found = budget.photo_budget(points, (first.cad, first.real))
    except InputError as error:
        return {"sentences": [str(error)], "curves": None}
    place = f"from {found.cad:,} CAD frames and {photos_words(found.real)}"
    if chosen.real == ALL:
        place = f"all photos were best; {place}, the best of those with a number of them"
    return {
        "sentences": [
            f"{place}: {budget.words(found)}",
            *(budget.gain_words(gain) for gain in (*found.photos, *found.renders)),
        ],
        "curves": {
            "photos": [
                {"cad": cad, **_curve(found.over_photos(cad))}
                for cad in sorted({point.cad for point in points})
                if _tells(found.photos)
            ],
            "renders": [
                {"real": real, **_curve(found.over_renders(real))}
                for real in sorted({point.real for point in points})
                if _tells(found.renders)
            ],
        },
    }


def _tells(gains: Sequence[Gain]) -> bool:
    """Whether any of the gains can be told; a curve where none can would look as if it were."""
    return any(gain.verdict != "unknown" for gain in gains)


def _curve(curve: Any) -> dict[str, list[float]]:
    names = ("x", "mean", "low", "high")
    return {name: np.round(getattr(curve, name), _DECIMALS).tolist() for name in names}


def draw_pictures(book: Book, folder: Path) -> list[str]:
    """Write all pictures of a grid; notes on what could not be drawn.

    One heatmap for each metric, and one of each for every combination of further settings. Those
    that a grid of this name drew before go first: it may have had other axes or metrics.
    """
    from vqc.figures import grid as figures

    try:
        for name in _OURS:
            for file in sorted(folder.glob(name)):
                file.unlink()
    except OSError as error:
        return [f"pictures: {folder}: cannot be written: {error.strerror or error}"]
    best = book.best()
    if best is None:
        return []
    metric, mark = book.headline.metric, book.drawing.mark
    metrics = [name for name in STUDY if name in book.metrics] or [metric]
    metrics = list(dict.fromkeys([metric, *metrics]))
    combinations = list(dict.fromkeys(cell.combination for cell in book.cells))
    try:
        for combination in combinations:
            mine = [c for c in book.cells if c.combination == combination]
            cells = [_drawn(book, cell, "") for cell in mine]
            tail, settings = f"-{combination}" if combination else "", mine[0].words
            for name in metrics:
                title = f"{name} ({settings})" if settings else ""
                figures.heatmap(cells, name, folder / f"heatmap-{name}{tail}.png", title, mark)
            known = book.budget if combination == best[0].combination else None
            for against, level, curves in _LEARNING:
                bands = _bands(known, curves, level)
                file = folder / f"learning-{curves}{tail}.png"
                figures.learning(cells, metric, file, against, bands, mark, settings)
        every = [_drawn(book, cell, cell.words) for cell in book.cells]
        figures.composition(every, folder / "composition.png", metric, metrics, mark)
    except OutputError as error:
        return [f"pictures: {error}"]
    return []


def _drawn(book: Book, cell: Cell, settings: str) -> GridCell:
    from vqc.figures.grid import GridCell

    states = [book.results[trial.name].state for trial in book.trials_of(cell)]
    return GridCell(
        cad=cell.cad,
        real=cell.real,
        label=f"{cell.cad} CAD + {cell.real}" + (f", {settings}" if settings else ""),
        scores={name: tuple(book.scores(cell, name)) for name in book.metrics},
        failed=states.count("failed"),
    )


def _bands(budget: dict[str, Any] | None, curves: str, level: str) -> Sequence[Band]:
    from vqc.figures.grid import Band

    if budget is None or budget["curves"] is None:
        return ()
    return [
        Band(
            level=curve[level],
            x=np.array(curve["x"]),
            low=np.array(curve["low"]),
            middle=np.array(curve["mean"]),
            high=np.array(curve["high"]),
        )
        for curve in budget["curves"][curves]
    ]
