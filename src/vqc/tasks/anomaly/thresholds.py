"""From which distance on a frame has a defect, and how a distance becomes a score.

In: distances of frames that did not train. Out: a threshold and a `Scale`. Pure functions.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vqc.errors import InputError
from vqc.tasks.anomaly.measures import sweep
from vqc.types import FloatArray

QUANTILE = 0.99
"""Of good frames, where no defect is known."""
MEDIAN_SCORE, HALF = 0.1, 0.5
_STEEPEST, _FLATTEST = 64.0, 1.0
_LARGEST_MARGIN = 700.0
SLACK = 1.25
"""How far above the largest one of the good frames seen a new frame's usual distance may lie.

On KolektorSDD (cross-validated over items, three splits) 99 in 100 good frames of other items lie
below 1.05 times it, the oddest one at 1.36 times, black, white, grey and noisy ones at 1.75 times
and more.
"""
FAR_OUT, LEAST_FAR = 3.0, 0.1
"""Which good frames do not count for that: those farther above the upper quartile than three times
the distance between the quartiles (Tukey, Exploratory Data Analysis, 1977: far out), and than
a tenth of the upper quartile, lest frames that hardly differ rule each other out.
"""
_ROUNDING = 1e-9
"""Of a batch that is a quarter of the frames, the far out end is its own value."""
LEAST_GOOD = 10
"""Fewer good frames than this in val say too little by themselves."""
RuleName = Literal["auto", "f1", "false-alarms", "quantile"]


@dataclass(frozen=True, slots=True)
class Rule:
    """value: the false-alarm rate or the quantile; unused by the others."""

    name: RuleName
    value: float = QUANTILE

    @property
    def needs(self) -> tuple[bool, bool]:
        """Whether val must show good frames, and defects."""
        return self.name in ("f1", "false-alarms"), self.name == "f1"


def read_rule(text: str) -> Rule:
    """auto, f1, false-alarms:0.01 or quantile:0.99. Raises InputError for anything else."""
    name, colon, number = text.partition(":")
    if name in ("auto", "f1") and not colon:
        return Rule("auto" if name == "auto" else "f1")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if name in ("false-alarms", "quantile") and 0 <= value <= 1:
        return Rule("quantile" if name == "quantile" else "false-alarms", value)
    raise InputError(
        "threshold: expected auto, f1, false-alarms:0.01 or quantile:0.99 (shares from 0 to 1), "
        f"got {text}"
    )


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """Distances of frames to choose a threshold by.

    val, is_defect: (N,), of val frames. train: of training frames, each judged without itself.
    """

    val: FloatArray
    is_defect: NDArray[np.bool_]
    train: FloatArray

    @property
    def good(self) -> FloatArray:
        """Of the good frames: those of val, with those of training where val has few."""
        good = self.val[~self.is_defect]
        return good if len(good) >= LEAST_GOOD else np.concatenate([good, self.train])


def require(rule: Rule, good: int, defects: int) -> None:
    """Raises InputError where val lacks what the rule needs. good, defects: frames of val."""
    needs_good, needs_defects = rule.needs
    missing = [
        *(["good frames"] if needs_good and not good else []),
        *(["frames with a defect"] if needs_defects and not defects else []),
    ]
    if missing:
        raise InputError(
            f"threshold: {rule.name} needs {' and '.join(missing)} in val, which has {good} good "
            f"frames and {defects} with a defect; mix with --val-sessions or --val-fraction, or "
            "use quantile:0.99"
        )


def choose(rule: Rule, held: Held) -> float:
    """The distance from which on a frame has a defect.

    auto is f1 where val shows both kinds, else the quantile. A group of frames that lacks what
    f1 or false-alarms needs takes the quantile as well.
    """
    defects = int(held.is_defect.sum())
    good = len(held.val) - defects
    if rule.name in ("auto", "f1") and good and defects:
        return _best_f1(held.val, held.is_defect)
    if rule.name == "false-alarms" and good:
        return _with_false_alarms(held.val[~held.is_defect], rule.value)
    share = rule.value if rule.name == "quantile" else QUANTILE
    return _above(float(np.quantile(held.good, share)))


def _best_f1(distances: FloatArray, is_defect: NDArray[np.bool_]) -> float:
    """Halfway between the last frame that counts at the best F1 and the next one."""
    found = sweep(distances, is_defect)
    best = int(found.f1.argmax())
    at = float(found.thresholds[best])
    if best + 1 == len(found.thresholds):
        return at
    return (at + float(found.thresholds[best + 1])) / 2


def _with_false_alarms(good: FloatArray, rate: float) -> float:
    """The lowest threshold that no more than this share of good frames reaches."""
    allowed = math.floor(rate * len(good) + 1e-9)
    falling = np.sort(good)[::-1]
    if allowed >= len(good):
        return float(falling[-1])
    return _above(float(falling[allowed]))


def _above(value: float) -> float:
    return math.nextafter(value, math.inf)


# Scores -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scale:
    """From a distance to a score: 1 / (1 + (threshold / distance) ** power).

    It rises from 0 to 1, is 0.5 at the threshold and MEDIAN_SCORE at the median good frame,
    wherever that lies clearly below. hot: of a heat map, the heat that good frames seldom
    reach. limit: the most that is taken off a frame's peak as usual for it.
    """

    threshold: float
    power: float
    hot: float
    limit: float

    def distance(self, peak: float, usual: float) -> float:
        """Of a frame, from its highest distances and from what is usual for it."""
        return float(distances_of(np.array([peak]), np.array([usual]), self.limit)[0])

    def is_anomaly(self, distance: float) -> bool:
        """Whether a frame counts as a defect: the one rule, wherever frames are judged."""
        return distance >= self.threshold

    def margin(self, distance: float) -> float:
        """The logit of the score, which never runs into its ends: what frames are ranked by.

        About 0 at the threshold; whether a frame lies past it `is_anomaly` says.
        """
        if distance <= 0:
            return -_LARGEST_MARGIN
        found = self.power * (math.log(distance) - math.log(self.threshold))
        return max(-_LARGEST_MARGIN, found)

    def score(self, distance: float) -> float:
        return 1 / (1 + math.exp(-self.margin(distance)))

    def record(self) -> dict[str, Any]:
        return asdict(self)


def distances_of(peaks: FloatArray, usuals: FloatArray, limit: float) -> FloatArray:
    """(N,): how far the peaks of frames stand out of what is usual for each, up to the limit.

    Beyond the limit a frame is odd all over, as no good one is, and that counts.
    """
    found: FloatArray = np.maximum(0.0, peaks - np.minimum(usuals, limit))
    return found


def limit_of(usuals: FloatArray) -> float:
    """usuals: of good frames. One that is far out is itself odd all over, and does not count."""
    low, high = np.quantile(usuals, [0.25, 0.75]).tolist()
    far = high + max(FAR_OUT * (high - low), LEAST_FAR * high)
    return SLACK * float(usuals[usuals <= far * (1 + _ROUNDING)].max())


def scale_of(threshold: float, good: FloatArray, hottest: FloatArray, limit: float) -> Scale:
    """good: distances of good frames. hottest: the highest heat of each of them."""
    threshold = max(threshold, 1e-12)
    middle = float(np.median(good))
    power = _STEEPEST
    if middle > 0:
        gap = math.log(threshold / middle)
        wanted = math.log(1 / MEDIAN_SCORE - 1)
        power = wanted / gap if gap > 0 else _FLATTEST
    hot = max(float(np.quantile(hottest, QUANTILE)), 1e-12)
    return Scale(threshold, min(max(power, _FLATTEST), _STEEPEST), hot, limit)
