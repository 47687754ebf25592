"""A detector looks at frames that did not train it → thresholds, scales and metrics.

Import this late: it loads torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqc.dataset import Dataset
from vqc.pictures import read_picture
from vqc.tasks.anomaly import measures
from vqc.tasks.anomaly.thresholds import Held, Rule, Scale, choose, scale_of
from vqc.tasks.anomaly.trained import Detector
from vqc.tasks.anomaly.truth import DEFECT, state_of
from vqc.tasks.learning.reading import batches
from vqc.types import ByteArray, FloatArray, Frame, IntArray

_READ_AT_ONCE = 4


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """distances, hottest: (N,), of each frame and the highest of its heat map. groups: (N,)."""

    distances: FloatArray
    hottest: FloatArray
    groups: IntArray


NOTHING = Looked(np.empty(0), np.empty(0), np.empty(0, np.int64))


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
        rows.append((found.distance, float(found.heat.max()), group))
        seen(1)
    table = np.array(rows, np.float64).reshape(-1, 3)
    return Looked(table[:, 0], table[:, 1], table[:, 2].astype(np.int64))


def defects_of(frames: Sequence[Frame]) -> NDArray[np.bool_]:
    """(N,): which frames have a defect."""
    return np.array([state_of(frame) == DEFECT for frame in frames], bool)


def scales_of(
    rule: Rule, val: Looked, is_defect: NDArray[np.bool_], train: Looked, groups: int
) -> tuple[Scale, ...]:
    """A threshold and a scale for each group. is_defect: (N,), of the val frames."""
    distances = Held(val.distances, is_defect, train.distances)
    hottest = Held(val.hottest, is_defect, train.hottest)
    found = []
    for group in range(groups):
        mine = (val.groups == group, train.groups == group)
        held = distances.of(*mine)
        if not len(held.good):  # nothing good resembles its centre any more
            mine = (np.ones(len(is_defect), bool), np.ones(len(train.groups), bool))
            held = distances.of(*mine)
        found.append(scale_of(choose(rule, held), held.good, hottest.of(*mine).good))
    return tuple(found)


def metrics_of(
    looked: Looked, is_defect: NDArray[np.bool_], scales: Sequence[Scale]
) -> dict[str, float]:
    """AUROC and F1 of frames, those of them that are defined."""
    pairs = zip(looked.distances.tolist(), looked.groups.tolist(), strict=True)
    margins = np.array([scales[group].margin(distance) for distance, group in pairs])
    found = {
        "AUROC": measures.auroc(margins, is_defect),
        "F1": measures.at_threshold(margins >= 0, is_defect)["F1"],
    }
    return {name: value for name, value in found.items() if math.isfinite(value)}
