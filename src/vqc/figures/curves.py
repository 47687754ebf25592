"""Curves over a recall or a confidence: every class, and all of them together."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vqc.figures.style import (
    DASHES,
    HALF_IN,
    INK,
    PALE,
    PAPER,
    canvas,
    near_axis,
    share_axis,
    short,
)
from vqc.tasks.contract import Curve
from vqc.tasks.drawing import colour_of
from vqc.types import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ALL = "all"
"""The line of all classes together."""
MOST_COLOURED = len(DASHES)
"""Of more classes than this, the lowest few are coloured and the others are grey."""
_LOWEST = 3
_SCORES = ("confidence", "score", "threshold")
OWN = "threshold"
"""What a class's own threshold is called among its metrics."""

Threshold = float | Mapping[str, float]
"""One for all classes, or each class with its own."""


def is_over_score(curve: Curve) -> bool:
    """Whether x is what a threshold is set on, as one of the words of its name says."""
    return any(word in _SCORES for word in re.findall(r"[a-z]+", curve.x_label.lower()))


def in_use(threshold: float, per_class: Mapping[str, Mapping[str, float]]) -> Threshold:
    """The threshold of an evaluation; of each class its own, where its classes differ in it."""
    own = {name: row[OWN] for name, row in per_class.items() if OWN in row}
    if len(set(own.values())) > 1:
        return own
    return next(iter(own.values()), threshold)


def threshold_words(threshold: float, per_class: Mapping[str, Mapping[str, float]]) -> str:
    """`in_use` in words, such as "0.25", or "0.32 to 0.61 (by class)"."""
    found = in_use(threshold, per_class)
    if isinstance(found, Mapping):
        return f"{min(found.values()):.2f} to {max(found.values()):.2f} (by class)"
    return f"{found:.2f}"


def draw(
    curve: Curve,
    out: Path,
    title: str = "",
    mark: str = "",
    threshold: Threshold | None = None,
    classes: Sequence[str] = (),
) -> Path:
    """Write a curve as a PNG.

    threshold: a place on x to point out, or one on the line of each class. classes: all of the
    set in their order, which says their colours; without them those that have a line.
    """
    with canvas(out, (HALF_IN, 4.3), title or curve.name, mark) as figure:
        panel = figure.subplots()
        classes = classes or [name for name in curve.lines if name != ALL]
        _draw_lines(panel, curve, classes)
        if isinstance(threshold, Mapping):
            _mark_own(panel, curve, threshold, classes)
        elif threshold is not None:
            panel.axvline(threshold, color=INK, linewidth=1, linestyle=":")
            top = curve.is_histogram  # whose bins stand on the ground
            panel.annotate(
                f"in use: {threshold:.2f}", (threshold, top), xycoords=("data", "axes fraction"),
                xytext=(3, -3 if top else 3), textcoords="offset points", fontsize=8.5,
                va="top" if top else "bottom",
            )  # fmt: skip
        panel.set(xlabel=curve.x_label, ylabel=curve.y_label, xlim=share_axis(curve.x.tolist()))
        values = [v for line in curve.lines.values() for v in line.tolist()]
        panel.set_ylim(*(near_axis if curve.is_histogram else share_axis)(values))
        panel.grid(color="#e4e4e4", linewidth=0.8)
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside lower center", ncols=2, fontsize=8.5, frameon=False)
    return out


def _mark_own(
    panel: Axes, curve: Curve, thresholds: Mapping[str, float], classes: Sequence[str]
) -> None:
    """A point on the line of each class, where its own threshold is."""
    look = {"markersize": 7, "markeredgecolor": PAPER, "markeredgewidth": 1.2, "zorder": 4}
    for name, place in thresholds.items():
        if name in curve.lines:
            height = float(np.interp(place, curve.x, curve.lines[name]))
            panel.plot(place, height, "o", color=colour_of(name, classes), **look)
    panel.plot([], [], "o", color=INK, label="in use, of each class", **look)


def _draw_lines(panel: Axes, curve: Curve, classes: Sequence[str]) -> None:
    names = [name for name in curve.lines if name != ALL]
    is_alone = len(names) == 1 and _is_same(curve.lines[names[0]], curve.lines.get(ALL))
    coloured = names
    if len(names) > MOST_COLOURED:
        coloured = sorted(names, key=lambda name: _height(curve, name))[:_LOWEST]
        grey = [name for name in names if name not in coloured]
        for k, name in enumerate(grey):
            label = f"{len(grey)} other classes" if k == 0 else None
            panel.plot(curve.x, curve.lines[name], color=PALE, linewidth=0.8, label=label)
    for k, name in enumerate(coloured):
        label = short(name) + (" (among the lowest)" if coloured is not names else "")
        look = {"color": colour_of(name, classes), "linestyle": DASHES[k]}
        if curve.is_histogram:
            _draw_bins(panel, curve.x, curve.lines[name], label=label, **look)
        else:
            panel.plot(curve.x, curve.lines[name], linewidth=1.4, label=label, **look)
    if ALL in curve.lines and not is_alone:
        panel.plot(curve.x, curve.lines[ALL], color=INK, linewidth=2.6, label="all classes")


def _draw_bins(panel: Axes, middles: FloatArray, shares: FloatArray, **look: Any) -> None:
    """The outline of a histogram, with the first and the last bin as wide as the others."""
    width = middles[1] - middles[0]
    x = np.concatenate(([middles[0] - width], middles, [middles[-1] + width]))
    y = np.pad(shares, 1)
    panel.fill_between(x, y, step="mid", color=look["color"], alpha=0.2, linewidth=0)
    panel.plot(x, y, drawstyle="steps-mid", linewidth=1.4, **look)


def _is_same(line: FloatArray, other: FloatArray | None) -> bool:
    """Whether drawing both would hide one: a set of one class."""
    return other is not None and np.array_equal(line, other, equal_nan=True)


def _height(curve: Curve, name: str) -> float:
    """Mean of a line; one that is nowhere defined counts as the highest."""
    line = np.asarray(curve.lines[name])
    known = line[np.isfinite(line)]
    return float(known.mean()) if len(known) else math.inf
