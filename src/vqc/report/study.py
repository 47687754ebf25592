"""The study's comparison from the cells of a grid: all CAD, few photos, mixed, all photos."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from vqc.counts import count_words, rank_of
from vqc.figures import bars
from vqc.figures.style import spelled
from vqc.report import html
from vqc.report.grids import GridReport, Place
from vqc.report.html import Markup, tag


def roles(grid: GridReport, sign: int = 1) -> list[tuple[str, Place]]:
    """The cells of the study's rows, those that there are; what is two of them stands once.

    Of all CAD the most renders, of few photos the fewest, of mixed the best with so few. Further
    settings are those of the chosen cell. A cell without a score has no row, and no other stands
    for it. sign: -1 where less is better.
    """
    kept = grid.chosen.combination if grid.chosen else grid.combinations[0]
    mine = [place for place in grid.places if place.combination == kept]
    only_photos = sorted((p for p in mine if not p.cell.cad), key=lambda p: rank_of(p.cell.real))
    only_cad = [place for place in mine if not place.cell.real]
    both = [place for place in mine if place.cell.cad and place.cell.real]
    fewest = min((place.cell.real for place in both), key=rank_of, default=0)
    mixed = [p for p in both if p.cell.real == fewest and _has_score(p, grid)]
    found: list[tuple[str, Place | None]] = [
        ("all CAD", _best(only_cad, lambda p: p.cell.cad)),
        ("few photos", only_photos[0] if only_photos else None),
        ("mixed", _best(mixed, lambda p: sign * p.cell.mean(grid.metric))),
        ("optimised", grid.chosen),
        ("all photos", only_photos[-1] if len(only_photos) > 1 else None),
    ]
    names: dict[str, list[str]] = {}
    for role, place in found:
        if place is not None and _has_score(place, grid):
            names.setdefault(place.name, []).append(role)
    by_name = {place.name: place for place in mine}
    return [(", ".join(those), by_name[name]) for name, those in names.items()]


def _has_score(place: Place, grid: GridReport) -> bool:
    return math.isfinite(place.cell.mean(grid.metric))


def _best(places: Sequence[Place], rank: Callable[[Place], float]) -> Place | None:
    return max(places, key=rank, default=None)


def study(grid: GridReport, metrics: Sequence[str], sign: int, out: Path) -> Markup | None:
    """Table and bars; None with fewer than two rows. The figure goes into the folder `out`."""
    found = roles(grid, sign)
    if len(found) < 2:
        return None
    rows = [
        [
            html.join([place.cell.label, tag("small", role, class_="kind")], " "),
            *(html.score(place.cell.scores.get(name, ()), bool(grid.mark)) for name in metrics),
            count_words(place.cell.real),
            f"{place.cell.cad:,}",
        ]
        for role, place in found
    ]
    file = out / "grid-study.png"
    drawn = bars.runs(
        [bars.Bar(f"{role}: {p.cell.label}", p.cell.scores, grid.mark) for role, p in found],
        file,
        f"Compared on val ({grid.val})",
        metrics,
    )
    heads = ["training set", *map(spelled, metrics), "photos a class", "CAD frames"]
    alt = "bars of the scores of all CAD, few photos, mixed and chosen training sets"
    return html.join(
        [
            tag("h3", "All CAD, few photos, mixed, all photos ", html.marked(grid.mark)),
            html.table(heads, rows),
            html.figure(drawn, alt, grid.mark, wide=True) if drawn else None,
        ]
    )
