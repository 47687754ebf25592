"""The photo budget: scores of many trainings → what more photos, or more renders, would gain.

The answers come from a Bayesian regression (`surface`).

An interval holds the difference of two *expected* scores, not of two trainings, with probability
80 % (`surface.LEVEL`). Nothing can be told (`unknown`) from fewer than 6 trainings, 3 cells or 2
levels of what is added, beyond twice the most tried, or from an interval too wide to act on
(`verdict`). No fit sees a bend that lies at or beyond the most photos tried: where a curve stops
rising there, intervals for twice the photos hold the truth more rarely, in simulations 6 to 7
times in 10.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from vqc.errors import InputError
from vqc.grid.surface import Surface, fit, interval, mean_at
from vqc.types import FloatArray

LEVEL_WORDS = "A range in brackets holds the true mean gain about 8 times in 10."

Verdict = Literal["gain", "loss", "none", "unknown"]

_WORTH = 1.0  # mAP50 points: less is not worth a word
_NOTHING = 3.0  # points: what "no gain" may overlook, the noise of one training
_WIDE = 8.0  # points: an interval on both sides of zero is of no use when it is wider
_FEWEST_RUNS, _FEWEST_CELLS, _FEWEST_LEVELS = 6, 3, 2
_FURTHEST = 2  # times the most tried


@dataclass(frozen=True, slots=True)
class Point:
    """One training: renders in all, photos of each class, and its mAP50 in [0, 1]."""

    cad: int
    real: int
    score: float


@dataclass(frozen=True, slots=True)
class Gain:
    """What `cad` more renders in all and `real` more photos of each class would bring.

    expected, low, high: mAP50 points, of 100; the truth is in [low, high] with probability
    surface.LEVEL.
    """

    cad: int
    real: int
    expected: float
    low: float
    high: float
    verdict: Verdict


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """The expected score along an axis, (N,) each: x in frames, the others mAP50 in [0, 1]."""

    x: FloatArray
    mean: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Budget:
    """What a grid of trainings says of the next photos and renders.

    cad, real: the cell to start from. score: its mean mAP50 as measured, in [0, 1].
    photos, renders: gains of a few steps on either axis, the smallest first; empty where the
    grid never left zero.
    """

    cad: int
    real: int
    score: float
    photos: tuple[Gain, ...]
    renders: tuple[Gain, ...]
    _surface: Surface = field(repr=False)

    def gain(self, *, cad: int = 0, real: int = 0) -> Gain:
        """What that many more renders and photos bring; InputError for fewer than none."""
        if cad < 0 or real < 0:
            raise InputError(
                f"wanted 0 or more frames to add, got {cad} renders and {real} photos a class: "
                "to ask about fewer, start from a smaller cell"
            )
        return _gains(self._surface, (self.cad, self.real), [(cad, real)])[0]

    def over_photos(self, cad: int) -> Curve:
        """With `cad` renders, from the fewest photos tried to 1.5 times the most."""
        x = _span(self._surface.cells[:, 1])
        return _curve(self._surface, x, np.column_stack([np.full_like(x, cad), x]))

    def over_renders(self, real: int) -> Curve:
        """With `real` photos a class, from the fewest renders tried to 1.5 times the most."""
        x = _span(self._surface.cells[:, 0])
        return _curve(self._surface, x, np.column_stack([x, np.full_like(x, real)]))


def photo_budget(points: Sequence[Point], start: tuple[int, int] | None = None) -> Budget:
    """Fit the surface and answer for a few sensible steps.

    points: trainings in any order; repeats are points of equal cad and real.
    start: (cad, real) of a cell that was tried; by default the one of the best mean score, of
    equals the one with the fewest photos, then renders.
    Raises InputError for impossible numbers, and for a start that was not tried.
    """
    means = _cell_means(points)
    if start is None:
        start = min(means, key=lambda cell: (-means[cell], cell[1], cell[0]))
    if start not in means:
        tried = ", ".join(f"{cad}:{real}" for cad, real in sorted(means))
        raise InputError(
            f"no training has {start[0]} renders and {start[1]} photos a class: start from one "
            f"of those tried (renders:photos): {tried}"
        )
    surface = fit(np.array(sorted((p.cad, p.real, p.score) for p in points), np.float64))
    photos = _photo_steps(start[1], max(real for _, real in means))
    renders = _render_steps(start[0], {cad for cad, _ in means})
    return Budget(
        *start,
        score=means[start],
        photos=_gains(surface, start, [(0, step) for step in photos]),
        renders=_gains(surface, start, [(step, 0) for step in renders]),
        _surface=surface,
    )


def words(budget: Budget) -> str:
    """The answer in one line, such as

    10 more photos a class: about +3 mAP50 (1 to 5); more CAD frames: no gain
    """
    photos = _answer(budget.photos, "more photos")
    return f"{photos}; {_answer(budget.renders, 'more CAD frames')}"


def gain_words(gain: Gain) -> str:
    """One step in words."""
    added = [f"{gain.cad:,} more CAD frames"] if gain.cad else []
    added += [f"{gain.real:,} more photos a class"] if gain.real else []
    return f"{' and '.join(added) or 'nothing more'}: {_verdict_words(gain)}"


def verdict(expected: float, low: float, high: float) -> Verdict:
    """What an interval in mAP50 points says.

    loss: even the upper end loses 1 point; an upper end just below zero is too often chance,
    since the best cell, where one starts, is best by luck as well. none: less than 1 point
    gained is expected, and the interval ends at 3 or before. gain: at least 1 point is expected,
    and the interval is above zero or no wider than 8. unknown: anything else.
    """
    if high <= -_WORTH:
        return "loss"
    if expected < _WORTH and high <= _NOTHING:
        return "none"
    return "gain" if expected >= _WORTH and (low > 0 or high - low <= _WIDE) else "unknown"


def _answer(gains: tuple[Gain, ...], added: str) -> str:
    """The smallest step that gains even at its low end, else that gains, else what there is."""
    if not gains:
        return f"{added}: not tried"
    good = [gain for gain in gains if gain.verdict == "gain"]
    sure = [gain for gain in good if gain.low >= _WORTH]
    return gain_words((sure or good)[0]) if good else f"{added}: {_verdict_words(gains[-1])}"


def _verdict_words(gain: Gain) -> str:
    span = f"about {gain.expected:+.0f} mAP50 ({round(gain.low)} to {round(gain.high)})"
    return {
        "gain": span,
        "loss": f"a loss, {span}",
        "none": "no gain" if gain.expected < _WORTH / 2 else f"less than +{_WORTH:.0f} mAP50",
        "unknown": "not enough runs to tell",
    }[gain.verdict]


def _photo_steps(start: int, most: int) -> list[int]:
    """Of 2, 5, 10, 20 … those that matter beside the most tried; and doubling."""
    series = {lead * 10**zeros for zeros in range(len(str(most)) + 1) for lead in (1, 2, 5)}
    steps = {start, *(step for step in series if step >= max(2, most / 10))}
    return sorted(step for step in steps if 0 < step <= _FURTHEST * most - start)


def _render_steps(start: int, levels: set[int]) -> list[int]:
    """To every higher level; from the highest, twice as many."""
    return [level - start for level in sorted(levels) if level > start] or [start] * bool(start)


def _cell_means(points: Sequence[Point]) -> dict[tuple[int, int], float]:
    faults = [] if points else ["there are no trainings"]
    cells: dict[tuple[int, int], list[float]] = {}
    for p in points:
        if min(p.cad, p.real) < 0 or not 0 <= p.score <= 1:
            faults.append(
                f"wanted frames of 0 or more and a score from 0 to 1, got {p.cad} renders, "
                f"{p.real} photos a class, score {p.score}"
            )
        cells.setdefault((p.cad, p.real), []).append(p.score)
    if faults:
        raise InputError("\n".join(["no photo budget from these trainings:", *faults]))
    return {cell: math.fsum(scores) / len(scores) for cell, scores in cells.items()}


def _gains(
    surface: Surface, start: tuple[int, int], steps: Sequence[tuple[int, int]]
) -> tuple[Gain, ...]:
    """What steps, pairs of more renders and more photos, gain over the start."""
    if not steps:
        return ()
    goals, most = np.add(start, steps).astype(np.float64), surface.cells.max(axis=0)
    score = np.clip(mean_at(surface, np.array([start], np.float64)), 0, 1)
    answer = interval(surface, goals, start)
    spans = 100 * np.clip(np.stack(answer, axis=1), -score, 1 - score)
    levels = np.array([len(np.unique(axis)) for axis in surface.cells.T])
    lacking = (levels < _FEWEST_LEVELS) & (np.array(steps) > 0) | (goals > _FURTHEST * most)
    few = surface.runs < _FEWEST_RUNS or len(surface.cells) < _FEWEST_CELLS
    return tuple(
        Gain(*step, expected, low, high, "unknown" if lack else verdict(expected, low, high))
        for step, (expected, low, high), lack in zip(
            steps, spans.tolist(), (few | lacking.any(axis=1)).tolist(), strict=True
        )
    )


def _span(tried: FloatArray) -> FloatArray:
    return np.linspace(tried.min(), 1.5 * tried.max(), 61)


def _curve(surface: Surface, x: FloatArray, settings: FloatArray) -> Curve:
    answer = interval(surface, settings)
    return Curve(x, *(np.clip(value, 0, 1) for value in answer))
