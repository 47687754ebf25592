"""The surface of a photo budget: the expected score over renders and photos, and how sure it is.

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

[1] Viering, Loog: The Shape of Learning Curves: a Review. IEEE TPAMI 45(6), 2023.
[2] Rasmussen, Williams: Gaussian Processes for Machine Learning. MIT Press, 2006.
[3] Gelman et al.: Bayesian Data Analysis, 3rd ed. CRC Press, 2013.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np

from vqc.types import FloatArray, IntArray

LEVEL = 0.8
"""The probability with which an interval holds the truth."""

_NOISE, _NOISE_RUNS = 0.03, 6  # sd between equal trainings, and how many runs that counts as
_MIDDLE = 0.5  # prior mean and sd of the score
_DRAWS_LOG2 = 11
_DROPPED = 5e-4  # draws that together weigh less are dropped
_BLOCK = 200_000  # numbers in an array while the draws are weighed


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
class Surface:
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


def fit(table: FloatArray) -> Surface:
    """table: (N, 3) renders, photos of each class and score in [0, 1] of trainings, sorted."""
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
        likelihood = -0.5 * (white[..., 0] ** 2).sum(axis=1) - size
        return np.asarray(likelihood), np.asarray(whiten), whiten.swapaxes(1, 2) @ white

    count = len(draws.noise)
    blocks = np.array_split(np.arange(count), 1 + count * len(cells) ** 2 // _BLOCK)
    fits = np.concatenate([conditioned(draws.take(block))[0] for block in blocks])
    weight = np.exp(fits - fits.max())
    weight /= weight.sum()
    order = np.argsort(-weight, kind="stable")
    keep = order[: 1 + int((np.cumsum(weight[order]) < 1 - _DROPPED).sum())]
    part, weight = draws.take(keep), weight[keep] / weight[keep].sum()
    return Surface(cells, len(table), part, weight, *conditioned(part)[1:])


def mean_at(surface: Surface, settings: FloatArray) -> FloatArray:
    """The expected score, (m,), at (m, 2) renders and photos."""
    mean: FloatArray = surface.weight @ _moments(surface, settings)[0]
    return mean


def interval(
    surface: Surface, settings: FloatArray, base: tuple[int, int] | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean, low and high, (m,) each, of the score at (m, 2) settings, or of what it gains on base.

    The ends hold LEVEL of the mixture, by bisection.
    """
    from scipy.special import ndtr

    mean, sd = _moments(surface, settings, base)
    ends = []
    for probability in ((1 - LEVEL) / 2, (1 + LEVEL) / 2):
        low, high = (mean - 6 * sd).min(axis=0), (mean + 6 * sd).max(axis=0)
        for _ in range(30):
            middle = (low + high) / 2
            below = surface.weight @ ndtr((middle - mean) / sd) < probability
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        ends.append(high)
    return surface.weight @ mean, ends[0], ends[1]


def _moments(
    surface: Surface, settings: FloatArray, base: tuple[int, int] | None = None
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
