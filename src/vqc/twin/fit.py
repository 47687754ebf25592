"""Statistics of photos and of renders → a look whose renders have those of the photos.

Places are read off the boxes. The sensor is found by simulation: eight settings are moved until the
eight statistics of the renders are those of the photos, in each step by Newton's method, whose
derivatives are first measured and then kept up to date after Broyden ("A class of methods for
solving nonlinear simultaneous equations", 1965). What the photos differ by among
themselves, less what renders with one same sensor do, is the spread of the settings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vqc.look.distributions import Constant, Distribution, LogUniform, Uniform
from vqc.look.draw import LENGTHS_AT_PX
from vqc.look.schema import CameraLook, Look, SensorLook, rules
from vqc.shot import SensorDraw
from vqc.twin import families
from vqc.twin.families import Moments, of_field, of_values, shrunk
from vqc.twin.statistics import EDGE, NOISE_BRIGHT, NOISE_DARK, STATISTICS, center, tamed
from vqc.types import FloatArray

FITTED = (
    *("camera.size", "camera.x", "camera.y", "sensor.exposure_ev", "sensor.contrast"),
    *("sensor.red", "sensor.blue", "sensor.saturation", "sensor.shot_noise", "sensor.read_noise"),
    *("sensor.defocus_px", "sensor.sharpen", "sensor.resolution", "sensor.motion_px"),
    "sensor.jpeg",
)
"""The fields that a fit may change. The last but one are how a picture gets soft besides defocus:
one number is measured, so defocus stands for all of them, resolution is 1 and motion 0."""

EV, CONTRAST, RED, BLUE, SATURATION, SHOT, READ, SOFT = range(8)
_LOGARITHMS = {CONTRAST: "contrast", RED: "red", BLUE: "blue", SATURATION: "saturation"}
# Settings: exposure in EV; contrast, red, blue and saturation as logarithms; the variances of the
# noise; softness, which is the squared radius of the defocus, or less than 0, for sharpening.
_STEP = np.array([0.4, 0.15, 0.1, 0.1, 0.2, 4e-4, 1e-4, 1.0])
_LOW = np.array([-4, -1, -1.2, -1.2, -2.5, 0, 0, -2.0])
_HIGH = np.array([4, 1, 1.2, 1.2, 1.1, 0.04, 0.02, 60.0])
_TURNS, _STEPS_A_TURN, _LONGEST, _RIDGE, _NEAR = 2, 4, 4.0, 0.003, 0.2
MOST_ROUNDS = 1 + _TURNS * (len(STATISTICS) + _STEPS_A_TURN)
"""Simulations that `solve` takes at most."""
_MORE = 1.3

Simulate = Callable[[FloatArray], FloatArray]
"""Settings (8,) → statistics (N, 8) of renders with that sensor, always of the same light."""


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """Settings, what they give, and the derivatives of the statistics there, (8, 8)."""

    settings: FloatArray
    values: FloatArray
    slopes: FloatArray


def with_places(look: Look, places: FloatArray, photos: int) -> Look:
    """The look with size, x and y as in (M, 3) places, from so many photos."""
    camera, rule = look.camera, rules(CameraLook)["size"]
    size = places[:, 0]
    logs = np.log(size)
    if families.is_bell(logs, size, -float(logs.sum())):
        of = shrunk(of_values(size), photos, of_field(camera, "size"))
        found = families.normal(of, rule.low, rule.high)
    else:
        of = shrunk(of_values(logs), photos, of_field(camera, "size", np.log))
        found = families.log_uniform(of, rule.low, rule.high)
    fields: dict[str, Any] = {"size": found}
    for name, values in (("x", places[:, 1]), ("y", places[:, 2])):
        of = shrunk(of_values(values), photos, of_field(camera, name))
        kind = families.normal if families.is_bell(values, values) else families.uniform
        fields[name] = kind(of, 0.0, 1.0)
    return replace(look, camera=replace(camera, **fields))


def start(look: SensorLook) -> FloatArray:
    """Settings of a look, its means; softness such that its derivative can be seen."""
    found = np.array([moments.mean for moments in base_moments(look)])
    found[SOFT] = max(found[SOFT], 1.0)
    settings: FloatArray = np.clip(found, _LOW, _HIGH)
    return settings


def base_moments(look: SensorLook) -> list[Moments]:
    """Mean and deviation of each setting in a look."""
    sharpen = of_field(look, "sharpen")
    soft = of_field(look, "defocus_px", np.square)
    return [
        of_field(look, "exposure_ev"),
        *(of_field(look, name, np.log) for name in _LOGARITHMS.values()),
        of_field(look, "shot_noise", np.square),
        of_field(look, "read_noise", np.square),
        Moments(soft.mean - sharpen.mean, float(np.hypot(soft.deviation, sharpen.deviation))),
    ]


def set_to(draw: SensorDraw, settings: FloatArray, height: int, jpeg: int) -> SensorDraw:
    """A frame's sensor with the settings; what is not among them stays as it was drawn."""
    logs: dict[str, Any] = {name: float(np.exp(settings[k])) for k, name in _LOGARITHMS.items()}
    radius = float(max(settings[SOFT], 0.0)) ** 0.5
    return replace(
        draw,
        exposure_ev=float(settings[EV]),
        shot_noise=float(settings[SHOT]) ** 0.5,
        read_noise=float(settings[READ]) ** 0.5,
        defocus_px=radius * height / LENGTHS_AT_PX,
        sharpen=float(max(-settings[SOFT], 0.0)),
        resolution=1.0,
        motion_px=0.0,
        jpeg=jpeg,
        **logs,
    )


def solve(photos: FloatArray, simulate: Simulate, settings: FloatArray) -> Solution:
    """The settings with which the middle of the simulated statistics is that of (N, 8) photos."""
    target = center(photos)
    weight = 1 / _tolerance(target)
    here = _point(settings, simulate)
    ridge = _RIDGE
    for _ in range(_TURNS):
        here = _differentiated(here, simulate)
        for _ in range(_STEPS_A_TURN):
            off = np.nan_to_num((target - center(here.values)) * weight)
            if np.abs(off).max() < _NEAR:
                break
            there = _point(_next(here, off, weight, ridge), simulate)
            there = replace(there, slopes=_updated(here, there))
            left = np.nan_to_num((target - center(there.values)) * weight)
            if np.linalg.norm(left) < np.linalg.norm(off):
                here, ridge = there, max(ridge / 3, _RIDGE)
            else:
                here, ridge = replace(here, slopes=there.slopes), ridge * 10
    return here


def spreads(photos: FloatArray, found: Solution) -> FloatArray:
    """(8,) standard deviations of the settings among (N, 8) photos; 0 where none can be told."""
    if len(photos) < 3:
        return np.zeros(len(STATISTICS))
    weight = 1 / _tolerance(center(photos))
    back = _inverse(found.slopes, weight) * weight
    seen, still = (np.cov(tamed(v), rowvar=False) for v in (photos, found.values))
    excess: FloatArray = np.diag(back @ (seen - still) @ back.T) * _STEP**2
    return np.sqrt(np.maximum(excess, 0))


def with_sensor(
    look: Look, found: Solution, spread: FloatArray, quality: FloatArray, photos: int
) -> Look:
    """The look with the sensor that was found; quality: (N,) JPEG of the photos, in effect."""
    base, bounds = look.sensor, rules(SensorLook)
    of = [
        shrunk(Moments(float(mean), float(deviation)), photos, before)
        for mean, deviation, before in zip(found.settings, spread, base_moments(base), strict=True)
    ]
    fields: dict[str, Distribution] = {
        name: families.log_uniform(of[k], bounds[name].low or 0.01, bounds[name].high)
        for k, name in _LOGARITHMS.items()
    }
    fields["exposure_ev"] = families.normal(of[EV], -6, 6)
    fields["shot_noise"], fields["read_noise"] = (
        _root(of[k], 0.0, bounds["read_noise"].high) for k in (SHOT, READ)
    )
    fields["defocus_px"] = _root(of[SOFT], 0.0, bounds["defocus_px"].high)
    less = Moments(-of[SOFT].mean, of[SOFT].deviation)
    fields["sharpen"] = families.uniform(less, 0.0, bounds["sharpen"].high)
    fields |= {"resolution": Constant(1), "motion_px": Constant(0)}
    jpeg = shrunk(of_values(quality), photos, of_field(base, "jpeg"))
    low, high = (round(end) for end in families.uniform(jpeg, 1, 100).stated)  # type: ignore[arg-type]
    fields["jpeg"] = Uniform(low, high) if low < high else Constant(low)
    settled: dict[str, Any] = {name: _settled(value) for name, value in fields.items()}
    return replace(look, sensor=replace(base, **settled))


def wider_renders(photos: FloatArray, found: Solution) -> tuple[str, ...]:
    """Statistics in which renders with a constant sensor differ more among themselves than photos.

    That is the scene's doing, which a fit leaves alone.
    """
    with np.errstate(all="ignore"):
        seen, still = (tamed(v).std(axis=0) for v in (photos, found.values))
    names = zip(STATISTICS, seen, still, strict=True)
    return tuple(name for name, a, b in list(names)[:NOISE_DARK] if b > _MORE * a)


def _point(settings: FloatArray, simulate: Simulate) -> Solution:
    size = len(STATISTICS)
    return Solution(settings, simulate(settings), np.zeros((size, size)))


def _differentiated(at: Solution, simulate: Simulate) -> Solution:
    """With slopes, a column for each setting, in units of its step."""
    columns, middle = list[FloatArray](), center(at.values)
    for k, step in enumerate(_STEP):
        # inwards, where a step outwards would leave the bounds
        sign = 1.0 if at.settings[k] + step <= _HIGH[k] else -1.0
        moved = at.settings.copy()
        moved[k] += sign * step
        rise: FloatArray = sign * (center(simulate(moved)) - middle)
        columns.append(np.nan_to_num(rise))
    slopes: FloatArray = np.array(columns).T
    return replace(at, slopes=slopes)


def _next(at: Solution, off: FloatArray, weight: FloatArray, ridge: float) -> FloatArray:
    """The settings that should bring statistics, `off` by so many tolerances, to their target.

    The least squares within the bounds: where one setting can go no further, the others make of it
    what they can. A little ridge keeps what nothing tells where it is.
    """
    from scipy.optimize import lsq_linear

    weighted = np.vstack([at.slopes * weight[:, None], np.sqrt(ridge) * np.eye(len(_STEP))])
    room = [(ends - at.settings) / _STEP for ends in (_LOW, _HIGH)]
    low, high = np.maximum(room[0], -_LONGEST) - 1e-9, np.minimum(room[1], _LONGEST) + 1e-9
    move = lsq_linear(weighted, np.append(off, np.zeros(len(_STEP))), (low, high)).x
    settings: FloatArray = np.clip(at.settings + move * _STEP, _LOW, _HIGH)
    return settings


def _inverse(slopes: FloatArray, weight: FloatArray) -> FloatArray:
    """Weighted statistics → steps, with the ridge."""
    weighted = slopes * weight[:, None]
    square = weighted.T @ weighted + _RIDGE * np.eye(len(slopes))
    inverse: FloatArray = np.linalg.solve(square, weighted.T).astype(float)
    return inverse


def _updated(here: Solution, there: Solution) -> FloatArray:
    """Broyden's: the slopes of `here`, changed as little as explains the step to `there`."""
    move = (there.settings - here.settings) / _STEP
    length = float(move @ move)
    if length < 1e-12:
        return here.slopes
    rise = np.nan_to_num(center(there.values) - center(here.values))
    return here.slopes + np.outer(rise - here.slopes @ move, move) / length


def _tolerance(target: FloatArray) -> FloatArray:
    """(8,) by how much statistics may differ and nobody would mind."""
    known = np.nan_to_num(target)
    tolerance = np.array([0.01, 0.01, 0.03, 0.03, 0.003, 0.0, 0.0, 0.0])
    for k in (NOISE_DARK, NOISE_BRIGHT):
        tolerance[k] = 0.1 + 0.05 * known[k]
    tolerance[EDGE] = 0.05 + 0.03 * known[EDGE]
    return tolerance


def _root(of: Moments, low: float, high: float) -> Distribution:
    """A uniform from the moments of its square."""
    square = families.uniform(of, low**2, high**2)
    ends = (families.short(float(end) ** 0.5) for end in square.stated)
    return Uniform(*ends)


def _settled(given: Distribution) -> Distribution:
    """A range without width as the one number that it is."""
    ends = set(given.stated)
    is_range = isinstance(given, Uniform | LogUniform)
    return Constant(ends.pop()) if is_range and len(ends) == 1 else given
