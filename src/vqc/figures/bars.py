"""Bars: runs beside each other, and how a run does by groups such as object size."""

from __future__ import annotations

import math
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vqc.figures.style import (
    COLOURS,
    HALF_IN,
    INK,
    STUDY,
    WIDE_IN,
    canvas,
    mean_and_spread,
    said,
    share_axis,
    short,
    spelled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COUNTS = ("objects", "frames", "images", "pictures", "pixels", "count", "n")
"""Names in groups that tell how many there were, not how well it went."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A run, or several repeats of one training, in a comparison.

    scores: metric to one value for each repeat. mark: why they are not honest, or empty.
    """

    label: str
    scores: Mapping[str, tuple[float, ...]]
    mark: str = ""


def runs(
    bars: Sequence[Bar], out: Path, title: str = "Runs compared", metrics: Sequence[str] = STUDY
) -> Path | None:
    """Write one panel for each metric, a bar for each run, from the top in the order given.

    Bars of scores that are not honest are hatched. None where no run has any of the metrics.
    """
    shown = [m for m in metrics if any(mean_and_spread(b.scores.get(m, ()))[2] for b in bars)]
    if not shown:
        return None
    columns = min(len(shown), 4)
    lines = -(-len(shown) // columns)
    height = lines * (0.75 + 0.36 * max(2, len(bars)))
    names, mark = named(bars)
    with canvas(
        out, (WIDE_IN if columns > 2 else 2.2 + 3 * columns, height), title, mark
    ) as figure:
        panels = figure.subplots(lines, columns, sharey=True, squeeze=False).ravel()
        for panel in panels[len(shown) :]:
            panel.set_axis_off()
        for k, (panel, metric) in enumerate(zip(panels, shown, strict=False)):
            for place, bar in enumerate(bars):
                _draw_bar(panel, place, bar.scores.get(metric, ()), COLOURS[k % 7], bool(bar.mark))
            panel.set_title(spelled(metric), fontsize=10, loc="left")
            _tidy(panel, names)
            values = [v for bar in bars for v in bar.scores.get(metric, ())]
            low, high = share_axis(values)
            panel.set_xlim(low, high * 1.32)
    return out


def named(bars: Sequence[Bar]) -> tuple[list[str], str]:
    """The names of the bars, and the mark of the figure.

    With one mark the hatching says whose it is; with several each has a letter.
    """
    marks = list(dict.fromkeys(bar.mark for bar in bars if bar.mark))
    letters = dict(zip(marks, string.ascii_lowercase, strict=False)) if len(marks) > 1 else {}
    told = "; ".join(f"({letters[m]}) {m}" if m in letters else m for m in marks)
    names = [
        short(bar.label, 30) + (f" ({letters[bar.mark]})" if bar.mark in letters else "")
        for bar in bars
    ]
    return names, f"hatched: {told}" if marks else ""


def groups(
    found: Mapping[str, Mapping[str, Mapping[str, float]]],
    out: Path,
    title: str = "By groups",
    mark: str = "",
) -> Path | None:
    """Write one row of panels for each grouping, such as "object size", a panel a score.

    found: grouping to group to values; of those called as in COUNTS one stands with the group's
    name. None where there is no score, or no grouping with two groups to compare.
    """
    table = [(name, rows, _scores_in(rows)) for name, rows in found.items() if len(rows) > 1]
    table = [row for row in table if row[2]]
    if not table:
        return None
    columns = min(3, max(len(scores) for _, _, scores in table))
    heights = [0.8 + 0.33 * max(2, len(rows)) for _, rows, _ in table]
    width = HALF_IN if columns == 1 else WIDE_IN * 0.75
    with canvas(out, (width, sum(heights)), title, mark) as figure:
        parts = figure.subfigures(len(table), 1, height_ratios=heights, squeeze=False)[:, 0]
        for part, (name, rows, scores) in zip(parts, table, strict=True):
            panels = part.subplots(1, columns, sharey=True, squeeze=False)[0]
            for panel in panels[len(scores) :]:
                panel.set_axis_off()
            for k, (panel, score) in enumerate(zip(panels, scores, strict=False)):
                for place, row in enumerate(rows.values()):
                    value = row.get(score, math.nan)
                    _draw_bar(panel, place, (value,), COLOURS[k % 7], bool(mark))
                _tidy(panel, [_group_label(group, row) for group, row in rows.items()])
                panel.set_xlim(0, 1.25)
                # Said once a row: titles of narrow panels would run into each other.
                of = f" by {name}" if k == 0 else ""
                panel.set_title(f"{spelled(score)}{of}", fontsize=10, loc="left")
    return out


def _scores_in(rows: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Names of the shares in a grouping, in their order; three at most."""
    names = dict.fromkeys(name for row in rows.values() for name in row)
    return [
        name
        for name in names
        if name.lower() not in COUNTS
        and all(
            not math.isfinite(row.get(name, 0)) or 0 <= row.get(name, 0) <= 1
            for row in rows.values()
        )
    ][:3]


def _group_label(name: str, row: Mapping[str, float]) -> str:
    counts = {key.lower(): value for key, value in row.items() if key.lower() in COUNTS}
    told = sorted(counts, key=COUNTS.index)[:1]
    return "".join([short(name, 34), *(f", n = {counts[key]:,.0f}" for key in told)])


def _draw_bar(panel: Axes, place: int, values: Sequence[float], colour: str, marked: bool) -> None:
    mean, spread, _ = mean_and_spread(values)
    if not math.isfinite(mean):
        panel.text(0.01, place, "no score", va="center", fontsize=8.5, color=INK)
        return
    look = {"facecolor": "white", "hatch": "////"} if marked else {"facecolor": colour}
    panel.barh(place, mean, height=0.66, edgecolor=colour, linewidth=1, **look)
    end = mean
    if math.isfinite(spread):
        panel.errorbar(mean, place, xerr=spread, color=INK, capsize=3, elinewidth=1)
        end += spread
    panel.text(end, place, f" {said(mean, spread)}", va="center", fontsize=8.5, color=INK)


def _tidy(panel: Axes, names: Sequence[str]) -> None:
    panel.set_yticks(range(len(names)), names, fontsize=9)
    panel.set_ylim(max(2, len(names)) - 0.45, -0.55)
    panel.set_xticks([0, 0.5, 1])
    panel.tick_params(axis="y", length=0, pad=6)
    panel.spines[["top", "right"]].set_visible(False)
