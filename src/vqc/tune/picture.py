"""The course of a search: every trial's score, the best so far, and which settings matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vqc.figures.style import COLOURS, HALF_IN, INK, PALE, WIDE_IN, canvas, near_axis, spelled
from vqc.tasks.contract import Headline
from vqc.tune.result import Result, best_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HEIGHT_IN = 3.6
_MARK = "val chose the best of these: too good for an honest score"


def draw(
    results: Sequence[Result],
    headline: Headline,
    importance: Mapping[str, float] | None,
    out: Path,
    title: str,
) -> Path | None:
    """Write the picture as a PNG; None where no trial has a score. importance: shares of 1."""
    best = best_of(results, headline)
    if best is None:
        return None
    width = WIDE_IN if importance else HALF_IN
    with canvas(out, (width, _HEIGHT_IN), title, _MARK) as figure:
        panels = figure.subplots(1, 2 if importance else 1, squeeze=False)[0]
        _draw_course(panels[0], results, headline, best)
        if importance:
            _draw_importance(panels[1], importance)
    return out


def _draw_course(panel: Axes, results: Sequence[Result], headline: Headline, best: Result) -> None:
    done = [(r.number, r.score) for r in results if r.score is not None]
    numbers, scores = np.array(done, np.float64).T
    so_far = (np.maximum if headline.higher_is_better else np.minimum).accumulate(scores)
    panel.step(numbers, so_far, where="post", color=COLOURS[1], label="best so far")
    panel.plot(numbers, scores, "o", color=COLOURS[0], markersize=4.5, label="trial")
    failed = [r.number for r in results if r.score is None]
    low, high = near_axis(scores.tolist())
    panel.set_ylim(low, high)
    if failed:
        panel.plot(failed, [low] * len(failed), "x", color=INK, clip_on=False, label="failed")
    panel.plot(best.number, best.score, "o", markersize=10, mfc="none", mec=COLOURS[1])
    panel.annotate(
        f"trial {best.number}: {best.score:.3f}", (best.number, best.score or 0.0),
        xytext=(0, 9), textcoords="offset points", ha="center", fontsize=8.5,
    )  # fmt: skip
    panel.set(xlabel="trial", ylabel=f"{spelled(headline.metric)} on val")
    panel.xaxis.get_major_locator().set_params(integer=True)
    panel.margins(x=0.08)
    _tidy(panel, "y")
    panel.legend(fontsize=8.5, frameon=False, loc="best")


def _draw_importance(panel: Axes, importance: Mapping[str, float]) -> None:
    """Bars, the greatest share on top."""
    names = sorted(importance, key=lambda name: importance[name])
    shares = [importance[name] for name in names]
    panel.barh(names, shares, color=COLOURS[2])
    for place, share in enumerate(shares):
        panel.annotate(
            f"{share:.0%}", (share, place), xytext=(4, 0), textcoords="offset points",
            va="center", fontsize=8.5,
        )  # fmt: skip
    panel.set_xlim(0, max(*shares, 0.01) * 1.15)
    panel.set(xlabel="share in being among the best trials")
    _tidy(panel, "x")


def _tidy(panel: Axes, axis: str) -> None:
    panel.grid(axis=axis, color=PALE, alpha=0.5, linewidth=0.7)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)
