"""A grid of training sets: heatmaps, every set on one axis, and learning curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from vqc.counts import ALL, Count, count_words, rank_of
from vqc.figures.style import (
    COLOURS,
    DASHES,
    HALF_IN,
    INK,
    MARKERS,
    PALE,
    STUDY,
    WIDE_IN,
    canvas,
    mean_and_spread,
    near_axis,
    said,
    short,
    spelled,
)
from vqc.types import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

CAD_LABEL, REAL_LABEL = "CAD frames", "photos a class"
_CELL_IN = (0.86, 0.62)
_LEAST_RANGE = 0.1
"""The colours span at least this much, so that noise does not look like a difference."""
_FAILED = "#d55e00"
_BRIGHT = 0.48
"""From this share of the colour scale on, dark letters stand out more than white ones."""
_BESIDE = 0.08
"""Bars of several metrics stand so far apart, in training sets."""
_CLOSE = 0.09
"""Ticks that are nearer than this share of the axis have their labels turned."""


@dataclass(frozen=True, slots=True)
class GridCell:
    """One training set of a grid.

    cad: CAD frames in all. real: photos of each class. label: such as "150 CAD + 5".
    scores: metric to one value for each finished repeat. failed: repeats that failed.
    """

    cad: int
    real: Count
    label: str
    scores: Mapping[str, tuple[float, ...]]
    failed: int = 0

    def mean(self, metric: str) -> float:
        """Over the finished repeats; NaN where there is none."""
        return mean_and_spread(self.scores.get(metric, ()))[0]


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """What a model of the scores expects at one level.

    level: photos a class or CAD frames, as the line it belongs to. x: (N,). low, middle,
    high: (N,) scores.
    """

    level: int
    x: FloatArray
    low: FloatArray
    middle: FloatArray
    high: FloatArray


def heatmap(
    cells: Sequence[GridCell], metric: str, out: Path, title: str = "", mark: str = ""
) -> Path:
    """Write the mean of a metric over CAD frames and photos, with the spread in each cell.

    A place without training set is hatched, one where every repeat failed is crossed. Of
    several sets in one place the best is shown. The best of all has a frame.
    """
    columns = sorted({cell.cad for cell in cells})
    rows = sorted({cell.real for cell in cells}, key=rank_of)
    shown = {(c.cad, c.real): c for c in sorted(cells, key=lambda c: _rank(c, metric))}
    width = max(HALF_IN, len(columns) * _CELL_IN[0] + 1.45)
    height = max(2.0, len(rows) * _CELL_IN[1] + 0.9)
    with canvas(out, (width, height), title or spelled(metric), mark) as figure:
        panel = figure.subplots()
        values = np.full((len(rows), len(columns)), np.nan)
        for (cad, real), cell in shown.items():
            values[rows.index(real), columns.index(cad)] = cell.mean(metric)
        low, high = _colour_range(values)
        image = panel.imshow(
            values, cmap="viridis", vmin=low, vmax=high, origin="lower", aspect="auto"
        )
        for y, real in enumerate(rows):
            for x, cad in enumerate(columns):
                _draw_cell(panel, x, y, shown.get((cad, real)), metric, (low, high))
        if np.isfinite(values).any():
            row, column = np.unravel_index(np.nanargmax(values), values.shape)
            _frame(panel, float(column), float(row), fill=False, edgecolor=_FAILED, linewidth=3.5)
        panel.set_xticks(range(len(columns)), [f"{cad:,}" for cad in columns])
        panel.set_yticks(range(len(rows)), [count_words(real) for real in rows])
        panel.set(xlabel=CAD_LABEL, ylabel=REAL_LABEL)
        panel.tick_params(length=0)
        figure.colorbar(image, ax=panel, label=f"{spelled(metric)}, mean", pad=0.02)
    return out


def composition(
    cells: Sequence[GridCell],
    out: Path,
    metric: str = "mAP50",
    metrics: Sequence[str] = STUDY,
    mark: str = "",
) -> Path | None:
    """Write every training set on one axis, from the lowest `metric` to the highest.

    A line for each of the metrics: means, with bars for the spread and a point for each
    repeat. None where no cell has a value.
    """
    scored = sorted(
        (c for c in cells if math.isfinite(c.mean(metric))), key=lambda c: (c.mean(metric), c.label)
    )
    if not scored:
        return None
    places = np.arange(len(scored), dtype=float)
    title = f"Scores by training set, sorted by {spelled(metric)}"
    with canvas(
        out, (max(HALF_IN, min(WIDE_IN, 2.6 + 0.62 * len(scored))), 4.6), title, mark
    ) as figure:
        panel = figure.subplots()
        drawn: list[float] = []
        for k, name in enumerate(metrics):
            found = [mean_and_spread(cell.scores.get(name, ())) for cell in scored]
            if not any(count for _, _, count in found):
                continue
            look = {"color": COLOURS[k % len(COLOURS)]}
            spread = [s if math.isfinite(s) else 0 for _, s, _ in found]
            beside = places + _BESIDE * (k - (len(metrics) - 1) / 2)
            panel.errorbar(
                beside, [m for m, _, _ in found], spread, **look, capsize=3, elinewidth=1,
                linestyle=DASHES[k % len(DASHES)], marker=MARKERS[k % len(MARKERS)],
                markersize=5, linewidth=2.4 if name == metric else 1.4, label=spelled(name),
            )  # fmt: skip
            for x, cell in zip(beside.tolist(), scored, strict=True):
                values = cell.scores.get(name, ())
                drawn += values
                if len(values) > 1:
                    panel.plot([x] * len(values), values, ".", markersize=3, alpha=0.6, **look)
        panel.set_xticks(
            places,
            [short(c.label, 32) for c in scored],
            rotation=40,
            ha="right",
            rotation_mode="anchor",
        )
        panel.set_ylim(*near_axis(drawn))
        panel.set_xlim(-0.4, len(scored) - 0.6)
        panel.set_ylabel("score (bars: standard deviation)")
        panel.grid(color="#e4e4e4", linewidth=0.8)
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside lower center", ncols=len(metrics), frameon=False)
    return out


def learning(
    cells: Sequence[GridCell],
    metric: str,
    out: Path,
    against: Literal["real", "cad"] = "real",
    bands: Sequence[Band] = (),
    mark: str = "",
    settings: str = "",
) -> Path | None:
    """Write the score against photos a class, a line a CAD level; or the other way round.

    Points are repeats, lines go through means, bands are what a model expects. All photos stand
    behind the largest number of them. settings: that the cells share, for the title. None where
    no cell has a value.
    """
    scored = [cell for cell in cells if math.isfinite(cell.mean(metric))]
    if not scored:
        return None
    other: Literal["real", "cad"] = "cad" if against == "real" else "real"
    names = {"cad": CAD_LABEL, "real": REAL_LABEL}
    levels = sorted({getattr(cell, other) for cell in scored}, key=rank_of)
    ticks = _ticks([getattr(cell, against) for cell in scored])
    title = f"{spelled(metric)} against {names[against]}" + (f" ({settings})" if settings else "")
    with canvas(out, (HALF_IN, 4.3), title, mark) as figure:
        panel = figure.subplots()
        for k, level in enumerate(levels):
            mine = [cell for cell in scored if getattr(cell, other) == level]
            drawn = [(ticks[getattr(cell, against)], cell.scores[metric]) for cell in mine]
            _draw_level(panel, drawn, k, len(levels), count_words(level))
            for band in bands:
                if band.level == level:
                    colour = _level_colour(k, len(levels))
                    panel.fill_between(band.x, band.low, band.high, color=colour, alpha=0.15, lw=0)
                    panel.plot(band.x, band.middle, color=colour, lw=0.9, linestyle=":")
        _scale_x(panel, ticks)
        aside = " (all: not to scale)" if ALL in ticks else ""
        panel.set(xlabel=names[against] + aside, ylabel=spelled(metric))
        panel.set_ylim(*near_axis([v for cell in scored for v in cell.scores[metric]]))
        panel.grid(color="#e4e4e4", linewidth=0.8)
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
        where = {"loc": "outside lower center", "ncols": min(5, len(levels)), "frameon": False}
        fitted = "; dotted: fitted curve, shaded: its range" if bands else ""
        figure.legend(title=names[other] + fitted, fontsize=9, title_fontsize=9, **where)
    return out


def _draw_level(
    panel: Axes,
    cells: Sequence[tuple[int, tuple[float, ...]]],
    k: int,
    levels: int,
    label: str,
) -> None:
    """cells: each with its place on x, and its scores."""
    look = {"color": _level_colour(k, levels), "marker": MARKERS[k % len(MARKERS)]}
    by_place: dict[int, list[float]] = {}
    for place, scores in cells:
        by_place.setdefault(place, []).extend(v for v in scores if math.isfinite(v))
    places = sorted(by_place)
    means = [float(np.mean(by_place[place])) for place in places]
    panel.plot(places, means, linewidth=1.8, markersize=6, label=label, **look)
    for place in places:
        if len(by_place[place]) > 1:
            repeats = by_place[place]
            panel.plot([place] * len(repeats), repeats, ls="", markersize=3.2, alpha=0.55, **look)


def _level_colour(k: int, levels: int) -> str:
    """Dark to bright with the level, so that the order can be seen; never as pale as paper."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    scale: Colormap = colormaps["viridis"]
    return str(to_hex(scale(0.82 * k / max(1, levels - 1))))


def _ticks(counts: Sequence[Count]) -> dict[Count, int]:
    """Where each stands on x, in order: a number at itself, all at twice the largest."""
    numbers = sorted({count for count in counts if count != ALL})
    found: dict[Count, int] = {number: number for number in numbers}
    if ALL in counts:
        found[ALL] = 2 * max([*numbers, 1])
    return found


def _scale_x(panel: Axes, counts: Mapping[Count, int]) -> None:
    """Levels are the ticks; far apart ones on a logarithmic axis that still holds 0."""
    ticks = list(counts.values())
    above = [tick for tick in ticks if tick > 0]
    if above and above[-1] / above[0] > 8:
        panel.set_xscale("symlog", linthresh=above[0], linscale=0.6)
        panel.xaxis.set_minor_locator(_no_ticks())
    panel.set_xticks(ticks, [count_words(count) for count in counts])
    places = panel.xaxis.get_transform().transform(np.array([*panel.get_xlim(), *ticks]))
    if len(ticks) > 1 and np.diff(places[2:]).min() < _CLOSE * (places[1] - places[0]):
        panel.tick_params(axis="x", rotation=50)


def _no_ticks() -> object:
    from matplotlib.ticker import NullLocator

    return NullLocator()


def _rank(cell: GridCell, metric: str) -> tuple[bool, float]:
    mean = cell.mean(metric)
    return (True, mean) if math.isfinite(mean) else (False, 0.0)


def _colour_range(values: FloatArray) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if not len(known):
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    missing = max(0.0, _LEAST_RANGE - (high - low)) / 2
    return low - missing, high + missing


def _draw_cell(
    panel: Axes, x: int, y: int, cell: GridCell | None, metric: str, ends: tuple[float, float]
) -> None:
    if cell is None:
        _frame(panel, x, y, facecolor="white", edgecolor=PALE, hatch="////", linewidth=0)
        return
    mean, spread, count = mean_and_spread(cell.scores.get(metric, ()))
    failed = f"{cell.failed} failed" if cell.failed else ""
    if not count:
        hatch = "xxx" if failed else "////"
        _frame(panel, x, y, facecolor="white", edgecolor=PALE, hatch=hatch, linewidth=0)
        box = {"facecolor": "white", "edgecolor": "none", "pad": 2}
        text = failed or "no score"
        where = {"ha": "center", "va": "center", "fontsize": 9}
        panel.text(x, y, text, color=_FAILED if failed else INK, bbox=box, **where)
        return
    bright = (mean - ends[0]) / (ends[1] - ends[0]) > _BRIGHT
    lines = [said(mean, spread), f"n={count}" + (f", {failed}" if failed else "")]
    panel.text(
        x, y, "\n".join(lines), ha="center", va="center", fontsize=9,
        color=INK if bright else "white",
    )  # fmt: skip


def _frame(panel: Axes, x: float, y: float, **look: object) -> None:
    from matplotlib.patches import Rectangle

    inset = 0.03 if look.get("fill") is False else 0.0
    side = 1 - 2 * inset
    panel.add_patch(Rectangle((x - 0.5 + inset, y - 0.5 + inset), side, side, **look))
