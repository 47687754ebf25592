"""The photo budget: scores of many trainings → what more photos, or more renders, would gain.

The method is Bayesian regression. The expected score is a surface over two warped axes, renders
in all and photos of each class:

- An axis is warped by 1 - (1 + x/h)^-p, scaled to 0 at none and 1 at the most tried. That runs
  from nearly a logarithm (small p) over a hyperbola (p = 1) to nearly an exponential (large p
  and h), the usual shapes of learning curves [1].
- The surface is a plane with an interaction, plus a Gaussian process (Matérn 3/2, [2] ch. 4)
  that bends it: curves saturate, and many renders may hurt where photos are few.
- Equal trainings differ by about 3 mAP50 points. The variance has a scaled inverse-χ² prior that
  counts as 6 trainings: repeats sharpen it, and one run a cell still works ([3] section 2.6).

Shapes, sizes, smoothness and noise are integrated over, not fitted: 2,048 quasi-random draws
from their prior, weighted by their likelihood ([2] ch. 5). The single best fit would be surer
than a dozen cells allow.

An interval holds the difference of two *expected* scores, not of two trainings, with probability
80 % (`LEVEL`). Nothing can be told (`unknown`) from fewer than 6 trainings, 3 cells or 2 levels
of what is added, beyond twice the most tried, or from an interval too wide to act on
(`verdict`). No fit sees a bend that lies at or beyond the most photos tried: where a curve stops
rising there, intervals for twice the photos hold the truth more rarely, in simulations 6 to 7
times in 10.

[1] Viering, Loog: The Shape of Learning Curves: a Review. IEEE TPAMI 45(6), 2023.
[2] Rasmussen, Williams: Gaussian Processes for Machine Learning. MIT Press, 2006.
[3] Gelman et al.: Bayesian Data Analysis, 3rd ed. CRC Press, 2013.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Literal

import numpy as np

from vqc.errors import InputError
from vqc.types import FloatArray, IntArray

LEVEL = 0.8
"""The probability with which an interval holds the truth."""

LEVEL_WORDS = "A range in brackets holds the true mean gain about 8 times in 10."

Verdict = Literal["gain", "loss", "none", "unknown"]

_WORTH = 1.0  # mAP50 points: less is not worth a word
_NOTHING = 3.0  # points: what "no gain" may overlook, the noise of one training
_WIDE = 8.0  # points: an interval on both sides of zero is of no use when it is wider
_FEWEST_RUNS, _FEWEST_CELLS, _FEWEST_LEVELS = 6, 3, 2
_FURTHEST = 2  # times the most tried

_NOISE, _NOISE_RUNS = 0.03, 6  # sd between equal trainings, and how many runs that counts as
_MIDDLE = 0.5  # prior mean and sd of the score
_DRAWS_LOG2 = 11
_DROPPED = 5e-4  # draws that together weigh less are dropped
_BLOCK = 200_000  # numbers in an array while the draws are weighed


@dataclass(frozen=True, slots=True)
class Point:
    """One training: renders in all, photos of each class, and its mAP50 in [0, 1]."""

    cad: int
    real: int
    score: float


@dataclass(frozen=True, slots=True)
class Gain:
    """What `cad` more renders in all and `real` more photos of each class would bring.

    expected, low, high: mAP50 points, of 100; the truth is in [low, high] with probability LEVEL.
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
    _surface: _Surface = field(repr=False)

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
    surface = _fit(points)
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


@dataclass(frozen=True, slots=True, eq=False)
class _Draws:
    """K draws of all but the surface itself; (2, K) are of renders and photos, others (K,).

    power, knee: p and h of the warp, h as a share of the most tried. reach: how far the bends
    of the warped axes go. slope, cross, bend: sd of plane, interaction and Gaussian process.
    noise: variance between equal trainings. Scores are of 1.
    """

    power: FloatArray
    knee: FloatArray
    reach: FloatArray
    slope: FloatArray
    cross: FloatArray
    bend: FloatArray
    noise: FloatArray

    def take(self, which: IntArray) -> _Draws:
        return _Draws(*(getattr(self, column.name)[..., which] for column in fields(self)))


@dataclass(frozen=True, slots=True, eq=False)
class _Surface:
    """The posterior: a mixture of K Gaussian processes, given `runs` trainings of n cells.

    cells: (n, 2) renders, photos. weight: (K,). whiten: (K, n, n) inverses of the Cholesky
    factors of the covariance of the cells' means; pull: (K, n, 1) its inverse times their
    deviations.
    """

    cells: FloatArray
    runs: int
    draws: _Draws
    weight: FloatArray
    whiten: FloatArray
    pull: FloatArray


def _prior(spread: float, freedom: int) -> _Draws:
    """Draws from the prior; of the noise, from what it is once the repeats are known.

    spread: sum of squares around the cells' means. freedom: trainings less cells.
    """
    from scipy.special import ndtri
    from scipy.stats import chi2, qmc

    even = qmc.Sobol(10, scramble=False).random_base2(_DRAWS_LOG2).T + 0.5**_DRAWS_LOG2 / 2
    normal = ndtri(even)
    return _Draws(
        power=0.02 + 3 * even[:2],
        knee=2 * 60 ** -even[2:4],
        reach=0.8 * np.exp(0.5 * normal[4:6]),
        slope=0.25 * np.exp(0.5 * normal[6]),
        cross=0.15 * np.exp(0.7 * normal[7]),
        bend=0.08 * np.exp(0.6 * normal[8]),
        noise=(_NOISE_RUNS * _NOISE**2 + spread) / chi2.ppf(even[9], _NOISE_RUNS + freedom),
    )


def _warp(draws: _Draws, settings: FloatArray, most: FloatArray) -> FloatArray:
    """(m, 2) renders and photos → (2, K, m): 0 at none, 1 at the most tried."""
    share = (settings / np.maximum(most, 1)).T[:, None, :]
    power, knee = draws.power[..., None], draws.knee[..., None]
    rise = np.expm1(-power * np.log1p(share / knee))
    return np.asarray(rise / np.expm1(-power * np.log1p(1 / knee)))


def _covariance(draws: _Draws, a: FloatArray, b: FloatArray) -> FloatArray:
    """Of scores before any training, (K, n, m), at warped (2, K, n, 1) and (2, K, 1, m)."""
    slope, cross, bend = (sd[:, None, None] for sd in (draws.slope, draws.cross, draws.bend))
    reach = draws.reach[..., None, None] / math.sqrt(3)
    gap = a / reach - b / reach
    far = np.sqrt(gap[0] ** 2 + gap[1] ** 2)
    along = slope * a * (slope * b)
    plane = along[0] + along[1] + (cross / slope**2) ** 2 * along[0] * along[1]
    return np.asarray(_MIDDLE**2 + plane + bend**2 * (1 + far) * np.exp(-far))


def _fit(points: Sequence[Point]) -> _Surface:
    table = np.array(sorted((p.cad, p.real, p.score) for p in points), np.float64)
    cells, cell = np.unique(table[:, :2], axis=0, return_inverse=True)
    repeats = np.bincount(cell.ravel())
    means = np.bincount(cell.ravel(), table[:, 2]) / repeats
    spread = float(((table[:, 2] - means[cell.ravel()]) ** 2).sum())
    draws = _prior(spread, len(table) - len(cells))

    def conditioned(part: _Draws) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Log likelihood, whiten and pull of some draws."""
        at = _warp(part, cells, cells.max(axis=0))
        noise = part.noise[:, None, None] * np.diag(1 / repeats)
        root = np.linalg.cholesky(_covariance(part, at[..., None], at[..., None, :]) + noise)
        whiten = np.linalg.inv(root)
        white = whiten @ (means - _MIDDLE)[:, None]
        size = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
        fit = -0.5 * (white[..., 0] ** 2).sum(axis=1) - size
        return np.asarray(fit), np.asarray(whiten), whiten.swapaxes(1, 2) @ white

    count = len(draws.noise)
    blocks = np.array_split(np.arange(count), 1 + count * len(cells) ** 2 // _BLOCK)
    fits = np.concatenate([conditioned(draws.take(block))[0] for block in blocks])
    weight = np.exp(fits - fits.max())
    weight /= weight.sum()
    order = np.argsort(-weight, kind="stable")
    keep = order[: 1 + int((np.cumsum(weight[order]) < 1 - _DROPPED).sum())]
    part, weight = draws.take(keep), weight[keep] / weight[keep].sum()
    return _Surface(cells, len(table), part, weight, *conditioned(part)[1:])


def _moments(
    surface: _Surface, settings: FloatArray, base: tuple[int, int] | None = None
) -> tuple[FloatArray, FloatArray]:
    """Mean and sd, (K, m) each, of the score at (m, 2) settings, or of what it gains on base."""
    draws, most = surface.draws, surface.cells.max(axis=0)
    cells = _warp(draws, surface.cells, most)[..., None, :]
    at = _warp(draws, settings, most)[..., None, :]
    shared = _covariance(draws, at.swapaxes(2, 3), cells)
    mean, variance = np.full(1, _MIDDLE), _covariance(draws, at, at)[:, 0]
    if base is not None:
        origin = _warp(draws, np.array([base], np.float64), most)[..., None]
        shared = shared - _covariance(draws, origin, cells)
        both = _covariance(draws, origin, at)[:, 0]
        mean, variance = np.zeros(1), variance + _covariance(draws, origin, origin)[:, 0] - 2 * both
    white = surface.whiten @ shared.swapaxes(1, 2)
    variance = np.maximum(variance - (white**2).sum(axis=1), 1e-12)
    return mean + (shared @ surface.pull)[..., 0], np.sqrt(variance)


def _interval(
    surface: _Surface, moments: tuple[FloatArray, FloatArray]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean, low and high of the mixture, (m,) each, by bisection."""
    from scipy.special import ndtr

    mean, sd = moments
    ends = []
    for probability in ((1 - LEVEL) / 2, (1 + LEVEL) / 2):
        low, high = (mean - 6 * sd).min(axis=0), (mean + 6 * sd).max(axis=0)
        for _ in range(30):
            middle = (low + high) / 2
            below = surface.weight @ ndtr((middle - mean) / sd) < probability
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        ends.append(high)
    return surface.weight @ mean, ends[0], ends[1]


def _gains(
    surface: _Surface, start: tuple[int, int], steps: Sequence[tuple[int, int]]
) -> tuple[Gain, ...]:
    """What steps, pairs of more renders and more photos, gain over the start."""
    if not steps:
        return ()
    goals, most = np.add(start, steps).astype(np.float64), surface.cells.max(axis=0)
    score = np.clip(surface.weight @ _moments(surface, np.array([start], np.float64))[0], 0, 1)
    answer = _interval(surface, _moments(surface, goals, start))
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


def _curve(surface: _Surface, x: FloatArray, settings: FloatArray) -> Curve:
    answer = _interval(surface, _moments(surface, settings))
    return Curve(x, *(np.clip(value, 0, 1) for value in answer))
