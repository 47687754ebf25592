"""From what the user asks for to camera angles: regular sweeps and well-spread views."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vqc.errors import InputError

Angles = tuple[float, float, float]
"""azimuth_deg, elevation_deg, tilt_deg."""

MAX_VIEWS = 10_000_000
DEFAULT_ELEVATION_DEG = 40.0
DEFAULT_TILT_DEG = 15.0
FULL_RANGES = (
    (0.0, 360.0),
    (-DEFAULT_ELEVATION_DEG, DEFAULT_ELEVATION_DEG),
    (-DEFAULT_TILT_DEG, DEFAULT_TILT_DEG),
)


def parse_axis(text: str, name: str) -> tuple[float, ...]:
    """`start:stop:step`, `start:stop` (1° steps) or one number → angles, both ends included."""
    try:
        numbers = [float(piece) for piece in text.split(":")]
    except ValueError:
        numbers = []
    if not 1 <= len(numbers) <= 3 or not all(map(math.isfinite, numbers)):
        raise InputError(
            f"--{name}: expected START:STOP:STEP in degrees, such as 0:360:15, got {text!r}"
        )
    if len(numbers) == 1:
        return (_tidy(numbers[0]),)
    start, stop, step = (*numbers, 1.0)[:3]
    if step <= 0 or stop < start:
        raise InputError(
            f"--{name} {text}: makes no view; expected START ≤ STOP and a STEP above 0"
        )
    count = math.floor((stop - start) / step + 1e-9) + 1
    if count > MAX_VIEWS:
        raise InputError(f"--{name} {text}: {count:,} angles; the limit is {MAX_VIEWS:,}")
    return tuple(_tidy(start + k * step) for k in range(count))


def default_axes(step_deg: float) -> tuple[tuple[float, ...], ...]:
    """Azimuth once around, elevation within ±40°, tilt within ±15°, at multiples of the step."""
    if not (math.isfinite(step_deg) and 0 < step_deg <= 360):
        raise InputError(f"--step-deg: expected degrees in (0, 360], got {step_deg}")
    if 360 / step_deg > MAX_VIEWS:
        raise InputError(f"--step-deg {step_deg}: makes more than {MAX_VIEWS:,} views")
    azimuth = tuple(_tidy(k * step_deg) for k in range(math.ceil(360 / step_deg - 1e-9)))
    return azimuth, *(_through_zero(b, step_deg) for b in (DEFAULT_ELEVATION_DEG, DEFAULT_TILT_DEG))


def sweep(
    azimuth_deg: Sequence[float], elevation_deg: Sequence[float], tilt_deg: Sequence[float]
) -> list[Angles]:
    """Every combination, tilt fastest; an azimuth that repeats another modulo 360 is dropped."""
    _require_elevations(elevation_deg)
    azimuths = list(dict.fromkeys(_tidy(angle % 360) for angle in azimuth_deg))
    count = len(azimuths) * len(elevation_deg) * len(tilt_deg)
    if not 0 < count <= MAX_VIEWS:
        raise InputError(f"the ranges make {count:,} views; expected 1 to {MAX_VIEWS:,}")
    return [(a, e, t) for a in azimuths for e in elevation_deg for t in tilt_deg]


def spread(
    count: int,
    azimuth_deg: Sequence[float],
    elevation_deg: Sequence[float],
    tilt_deg: Sequence[float],
) -> list[Angles]:
    """The first `count` views of one endless, evenly spread sequence between the ranges' ends.

    Even over the sphere's surface (sine of the elevation is uniform), by the additive
    recurrence on the generalised golden ratio in three dimensions (Roberts, "The
    Unreasonable Effectiveness of Quasirandom Sequences", 2018). More views only append.
    """
    if not 0 < count <= MAX_VIEWS:
        raise InputError(f"--views: expected 1 to {MAX_VIEWS:,}, got {count:,}")
    _require_elevations(elevation_deg)
    golden = 1.2207440846057596  # the real root of x^4 = x + 1
    low_az, high_az = min(azimuth_deg), max(azimuth_deg)
    low_sin, high_sin = (math.sin(math.radians(f(elevation_deg))) for f in (min, max))
    views = []
    for k in range(count):
        u, v, w = ((0.5 + (k + 1) * golden**-p) % 1.0 for p in (1, 2, 3))
        views.append(
            (
                round((low_az + u * (high_az - low_az)) % 360, 4) % 360,
                round(math.degrees(math.asin(low_sin + v * (high_sin - low_sin))), 4),
                round(min(tilt_deg) + w * (max(tilt_deg) - min(tilt_deg)), 4),
            )
        )
    return views


def _require_elevations(elevation_deg: Sequence[float]) -> None:
    for angle in elevation_deg:
        if not -90 <= angle <= 90:
            raise InputError(f"--elevation: expected angles in [-90, 90], got {angle:g}")


def _through_zero(bound: float, step: float) -> tuple[float, ...]:
    reach = math.floor(bound / step + 1e-9)
    return tuple(_tidy(k * step) for k in range(-reach, reach + 1))


def _tidy(angle: float) -> float:
    """Without the dust of repeated addition, and without a negative zero."""
    return round(angle, 9) + 0.0
