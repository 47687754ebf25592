"""How well scores tell defects from good: AUROC, average precision, F1, and the same for pixels.

In: distances, higher where something is wrong. Out: shares. NumPy only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vqc.types import FloatArray, IntArray

MOST_FALSE = 0.3
"""PRO is the area up to this false positive rate (Bergmann et al. 2021)."""


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """Counts at every threshold that makes a difference, from the highest down.

    thresholds: (N,), falling; a frame counts from its threshold on. hits, alarms: (N,), defects
    and good frames that count. defects, good: of each in all.
    """

    thresholds: FloatArray
    hits: IntArray
    alarms: IntArray
    defects: int
    good: int

    @property
    def precision(self) -> FloatArray:
        found: FloatArray = self.hits / (self.hits + self.alarms)
        return found

    @property
    def recall(self) -> FloatArray:
        return _share(self.hits, self.defects)

    @property
    def false_alarm_rate(self) -> FloatArray:
        return _share(self.alarms, self.good)

    @property
    def f1(self) -> FloatArray:
        """2 hits ÷ (2 hits + alarms + missed)."""
        found: FloatArray = 2 * self.hits / (self.hits + self.alarms + self.defects)
        return found


def sweep(distances: FloatArray, is_defect: NDArray[np.bool_]) -> Sweep:
    """Every threshold between (N,) distances; equal ones count together."""
    order = np.argsort(-distances, kind="stable")
    falling, wrong = distances[order], is_defect[order]
    places = np.flatnonzero(np.diff(falling, append=-np.inf))
    hits = np.cumsum(wrong.astype(np.int64))[places]
    alarms = np.cumsum((~wrong).astype(np.int64))[places]
    return Sweep(falling[places], hits, alarms, int(is_defect.sum()), int((~is_defect).sum()))


def auroc(distances: FloatArray, is_defect: NDArray[np.bool_]) -> float:
    """The chance that a defect lies above a good frame, ties half; NaN where one is missing."""
    found = sweep(distances, is_defect)
    if not found.defects or not found.good:
        return math.nan
    return _area(found.false_alarm_rate, found.recall)


def average_precision(distances: FloatArray, is_defect: NDArray[np.bool_]) -> float:
    """Precision at each gain of recall, weighted by it; NaN where there is no defect."""
    found = sweep(distances, is_defect)
    if not found.defects:
        return math.nan
    return float((found.precision * np.diff(found.recall, prepend=0.0)).sum())


def best_f1(distances: FloatArray, is_defect: NDArray[np.bool_]) -> float:
    """NaN where there is no defect."""
    found = sweep(distances, is_defect)
    return float(found.f1.max()) if found.defects else math.nan


def at_threshold(calls: NDArray[np.bool_], is_defect: NDArray[np.bool_]) -> dict[str, float]:
    """Precision, recall and F1 of what was called a defect; NaN where undefined."""
    hits, called, defects = int((calls & is_defect).sum()), int(calls.sum()), int(is_defect.sum())
    return {
        "precision": hits / called if called else math.nan,
        "recall": hits / defects if defects else math.nan,
        "F1": 2 * hits / (called + defects) if defects else math.nan,
    }


# Pixels -----------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class PixelCounts:
    """Heat of good pixels and of defect regions, counted frame by frame in bins.

    edges: (B − 1,) rising; bin b holds heat from edges[b − 1] up to edges[b]. overlaps: (B,), the
    shares of each region's pixels, added up over the regions. Memory grows neither with the frames
    nor with the regions.
    """

    edges: FloatArray
    good: IntArray = field(init=False)
    defect: IntArray = field(init=False)
    overlaps: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        self.good = np.zeros(len(self.edges) + 1, np.int64)
        self.defect = np.zeros(len(self.edges) + 1, np.int64)
        self.overlaps = np.zeros(len(self.edges) + 1)

    def add(self, heat: NDArray[np.floating], mask: NDArray[np.bool_]) -> None:
        """heat, mask: (H, W). A region is what hangs together, over corners too."""
        import cv2

        bins = np.searchsorted(self.edges, heat.ravel(), side="right").reshape(heat.shape)
        size = len(self.good)
        self.good += np.bincount(bins[~mask], minlength=size)
        if not mask.any():
            return
        inside = bins[mask]
        self.defect += np.bincount(inside, minlength=size)
        _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
        regions = labels[mask]
        shares = 1 / np.bincount(regions)[regions]
        self.overlaps += np.bincount(inside, shares, minlength=size)

    def auroc(self) -> float:
        """Over all pixels; NaN where one kind is missing."""
        if not self.good.sum() or not self.defect.sum():
            return math.nan
        return _area(_from_above(self.good), _from_above(self.defect))

    def pro(self, most: float = MOST_FALSE) -> float:
        """Mean overlap with the regions, over false positive rates up to `most`, in [0, 1].

        Each region counts the same, however small. Bergmann et al., The MVTec Anomaly Detection
        Dataset, IJCV 2021.
        """
        if not self.good.sum() or not self.defect.sum():
            return math.nan
        overlap, rate = _from_above(self.overlaps), _from_above(self.good)
        inside = rate <= most
        x = np.append(rate[inside], most)
        y = np.append(overlap[inside], np.interp(most, *_rising(rate, overlap)))
        return _area(x, y) / most


def edges_of(heats: Sequence[NDArray[np.floating]], bins: int = 4000) -> FloatArray:
    """Bins that are finest where most values are and at the top, from (h, w) maps."""
    values = np.concatenate([heat.ravel() for heat in heats]).astype(np.float64)
    shares = np.unique(np.concatenate([np.linspace(0, 1, bins // 2), 1 - np.geomspace(1e-6, 1)]))
    spread = np.linspace(values.min(), values.max(), bins // 2)
    return np.unique(np.concatenate([np.quantile(values, shares), spread]))


def _from_above(counts: FloatArray | IntArray) -> FloatArray:
    """(B + 1,): the share that counts, as the threshold falls bin by bin."""
    reached = np.cumsum(counts[::-1])
    return np.concatenate([[0.0], reached / reached[-1]])


def _rising(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Of equal x the last, whose y is the highest."""
    last = np.append(np.diff(x) > 0, True)
    return x[last], y[last]


def _area(x: FloatArray, y: FloatArray) -> float:
    """Trapezia below a curve that begins at 0."""
    x, y = np.concatenate([[0.0], x]), np.concatenate([[0.0], y])
    return float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum())


def _share(counts: IntArray, of: int) -> FloatArray:
    found: FloatArray = counts / of if of else np.full(len(counts), math.nan)
    return found
