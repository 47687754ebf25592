"""A detector looks at frames that did not train it → thresholds, scales and metrics.

Import this late: it loads torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqc.dataset import Dataset
from vqc.pictures import read_picture
from vqc.tasks.anomaly import measures
from vqc.tasks.anomaly.check import require_said
from vqc.tasks.anomaly.config import HEADLINE
from vqc.tasks.anomaly.thresholds import (
    Held,
    Rule,
    Scale,
    choose,
    distances_of,
    limit_of,
    scale_of,
)
from vqc.tasks.anomaly.trained import Detector
from vqc.tasks.anomaly.truth import DEFECT, state_of
from vqc.tasks.learning.reading import batches
from vqc.types import ByteArray, FloatArray, Frame, IntArray

_READ_AT_ONCE = 4


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """peaks, usuals: (N,), see `Judged`. hottest: (N,), of each heat map. groups: (N,)."""

    peaks: FloatArray
    usuals: FloatArray
    hottest: FloatArray
    groups: IntArray

    def of(self, mine: NDArray[np.bool_]) -> Looked:
        """Some of the frames."""
        return Looked(self.peaks[mine], self.usuals[mine], self.hottest[mine], self.groups[mine])

    def distances(self, limit: float) -> FloatArray:
        """(N,): with no more than `limit` taken off as usual."""
        return distances_of(self.peaks, self.usuals, limit)


NOTHING = Looked(np.empty(0), np.empty(0), np.empty(0), np.empty(0, np.int64))


def rgbs(dataset: Dataset, frames: Sequence[Frame]) -> Iterator[ByteArray]:
    """The (H, W, 3) pixels of frames in their order, read ahead on threads."""

    def load(number: int) -> ByteArray:
        return np.asarray(read_picture(dataset.path(frames[number])), np.uint8)

    for some in batches(load, range(len(frames)), _READ_AT_ONCE):
        yield from some


def look(
    detector: Detector,
    dataset: Dataset,
    frames: Sequence[Frame],
    seen: Callable[[int], None],
    numbers: Sequence[int] | None = None,
) -> Looked:
    """Judge frames. numbers: of training frames, whose own patches then do not count."""
    rows = []
    for place, rgb in enumerate(rgbs(dataset, frames)):
        group = detector.group_of(rgb)
        found = detector.judge(rgb, group, None if numbers is None else numbers[place])
        rows.append((found.peak, found.usual, float(found.heat.max()), group))
        seen(1)
    table = np.array(rows, np.float64).reshape(-1, 4)
    return Looked(table[:, 0], table[:, 1], table[:, 2], table[:, 3].astype(np.int64))


def defects_of(frames: Sequence[Frame]) -> NDArray[np.bool_]:
    """(N,): which frames have a defect. Raises InputError for frames of which nobody has said."""
    require_said(frames)
    return np.array([state_of(frame) == DEFECT for frame in frames], bool)


def scales_of(
    rule: Rule, val: Looked, is_defect: NDArray[np.bool_], train: Looked, groups: int
) -> tuple[Scale, ...]:
    """A threshold and a scale for each group. is_defect: (N,), of the val frames."""
    found = []
    for group in range(groups):
        of_val, of_train = val.groups == group, train.groups == group
        if not (of_val & ~is_defect).any() and not of_train.any():
            # nothing good resembles its centre any more
            of_val, of_train = np.ones_like(of_val), np.ones_like(of_train)
        found.append(_scale_of(rule, val.of(of_val), is_defect[of_val], train.of(of_train)))
    return tuple(found)


def _scale_of(rule: Rule, val: Looked, is_defect: NDArray[np.bool_], train: Looked) -> Scale:
    """Of one group. What may be taken off is learnt before there are distances."""
    limit = limit_of(Held(val.usuals, is_defect, train.usuals).good)
    distances = Held(val.distances(limit), is_defect, train.distances(limit))
    hottest = Held(val.hottest, is_defect, train.hottest)
    return scale_of(choose(rule, distances), distances.good, hottest.good, limit)


def metrics_of(
    looked: Looked, is_defect: NDArray[np.bool_], scales: Sequence[Scale]
) -> dict[str, float]:
    """AUROC and F1 of frames, by the threshold of each one's group. Both kinds must be there."""
    rows = zip(looked.groups.tolist(), looked.peaks.tolist(), looked.usuals.tolist(), strict=True)
    found = [(scales[group], scales[group].distance(peak, usual)) for group, peak, usual in rows]
    margins = np.array([scale.margin(distance) for scale, distance in found])
    calls = np.array([scale.is_anomaly(distance) for scale, distance in found], bool)
    return {
        HEADLINE.metric: measures.auroc(margins, is_defect),
        "F1": measures.at_threshold(calls, is_defect)["F1"],
    }
