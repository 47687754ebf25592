"""Numbers that were measured → the distribution that a look draws them from."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vqc.look.distributions import Distribution, LogUniform, Normal, Uniform
from vqc.look.schema import Section, rules
from vqc.types import FloatArray

_SHARES = (np.arange(512) + 0.5) / 512
_ENOUGH = 8
"""From fewer values no family is told from another."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean and standard deviation."""

    mean: float
    deviation: float


def of_values(values: FloatArray) -> Moments:
    """Of a sample; one value has no deviation that could be told."""
    return Moments(float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else 0.0)


def of_field(
    section: Section, name: str, scale: Callable[[FloatArray], FloatArray] = lambda x: x
) -> Moments:
    """Of what a look's field draws, on a scale such as np.log."""
    rule, given = rules(type(section))[name], getattr(section, name)
    drawn = np.array([float(given.at(share)) for share in _SHARES.tolist()])
    scaled = scale(np.clip(drawn, rule.low, rule.high))
    return Moments(float(scaled.mean()), float(scaled.std()))


def shrunk(seen: Moments, count: int, base: Moments) -> Moments:
    """What `count` photos show, and what was thought before, as if that were one more photo.

    The mean and the variance are those of both together, each photo counting alike. The variance
    of the mean itself is added, seen variance ÷ count: few photos leave a wide distribution, many
    that of the photos.
    """
    share = count / (count + 1)
    variance = share * seen.deviation**2 + (1 - share) * base.deviation**2
    variance += seen.deviation**2 / count
    return Moments(share * seen.mean + (1 - share) * base.mean, math.sqrt(variance))


def is_bell(flat: FloatArray, bell: FloatArray, slope: float = 0.0) -> bool:
    """Whether a normal of `bell` is likelier than a uniform of `flat`: the same values, scaled.

    slope: logarithm of d flat / d bell, summed over the values. The uniform reaches
    as far as (n + 1) ÷ (n - 1) times the seen range, where its ends are expected to lie.
    """
    n = len(flat)
    if n < _ENOUGH or np.ptp(flat) <= 0:
        return False
    even = -n * math.log(np.ptp(flat) * (n + 1) / (n - 1)) + slope
    normal = -n * (math.log(bell.std()) + 0.5 * math.log(2 * math.pi * math.e))
    return bool(normal > even)


def uniform(of: Moments, low: float, high: float) -> Distribution:
    """The uniform of these moments, within bounds."""
    return Uniform(*_ends(of, low, high))


def log_uniform(of: Moments, low: float, high: float) -> Distribution:
    """The log-uniform whose logarithm has these moments, within bounds."""
    ends = _ends(of, math.log(low), math.log(high))
    return LogUniform(*(short(min(max(math.exp(end), low), high)) for end in ends))


def normal(of: Moments, low: float, high: float) -> Distribution:
    """The normal of these moments; its mean within bounds."""
    return Normal(short(min(max(of.mean, low), high)), short(of.deviation))


def short(value: float) -> float:
    """Four digits: no photo says more."""
    return float(f"{value:.4g}")


def _ends(of: Moments, low: float, high: float) -> tuple[float, float]:
    half = math.sqrt(3) * of.deviation
    ends = (min(max(of.mean + side * half, low), high) for side in (-1, 1))
    first, last = ends
    return short(first), short(last)
