"""How many pixels of each probability are right, of every picture and class.

A probability p is kept as its hundredths, floor(100 p): a pixel counts at threshold t, in
hundredths, where that is at least t. From these counts alone follow Dice, IoU, precision and recall
at every threshold, in memory that does not depend on the size of the pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqc.tasks.segment.tiles import Maps
from vqc.types import ByteArray, FloatArray, IntArray

LEVELS = 101
"""0 to 100 hundredths."""


def hundredths(maps: Maps) -> ByteArray:
    """Probabilities as 0 to 100."""
    found: ByteArray = (maps.clip(0, 1) * 100).astype(np.uint8)
    return found


def histogram(levels: ByteArray, truth: NDArray[np.uint8]) -> NDArray[np.int32]:
    """(C, 2, LEVELS): the pixels of each class that are not true and that are, by probability.

    levels: (C, H, W) hundredths. truth: (H, W, C) of 0 and 1.
    """
    rows = []
    for k, level in enumerate(levels):
        place = level.astype(np.int32) + LEVELS * truth[:, :, k]
        rows.append(np.bincount(place.ravel(), minlength=2 * LEVELS).reshape(2, LEVELS))
    return np.array(rows, np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """both, found: (N, C, LEVELS) pixels that are predicted and true, and predicted, at each
    threshold in hundredths. true: (N, C) pixels of the class."""

    both: IntArray
    found: IntArray
    true: IntArray

    @classmethod
    def of(cls, histograms: Sequence[NDArray[np.int32]]) -> Counts:
        """From the `histogram` of every picture."""
        table = np.array(histograms).reshape(len(histograms), -1, 2, LEVELS)
        from_there_on = table[..., ::-1].cumsum(-1, dtype=np.int64)[..., ::-1]
        both = from_there_on[:, :, 1]
        return cls(both, from_there_on.sum(2), both[:, :, 0])

    def at(self, thresholds: Sequence[int], least_px: Sequence[int]) -> Chosen:
        """At a threshold for each class; less than `least_px` in a picture is nothing."""
        number = np.arange(self.true.shape[1])
        both, found = self.both[:, number, thresholds], self.found[:, number, thresholds]
        is_enough = found >= np.array(least_px)
        return Chosen(both * is_enough, found * is_enough, self.true)


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """both, found, true: (N, C) pixels that are right, predicted, and there."""

    both: IntArray
    found: IntArray
    true: IntArray

    def dice(self) -> FloatArray:
        """(N, C); 1 where nothing is there and nothing was found."""
        return share(2 * self.both, self.found + self.true, empty=1.0)

    def dice_present(self) -> FloatArray:
        """(C,): mean Dice of the pictures that show the class; NaN where none does."""
        shown = self.true > 0
        return share((self.dice() * shown).sum(0), shown.sum(0))

    def iou(self) -> FloatArray:
        """(C,): over all pixels of the set; NaN where there is none of either kind."""
        both = self.both.sum(0)
        return share(both, self.found.sum(0) + self.true.sum(0) - both)

    def precision(self) -> FloatArray:
        """(C,) of pixels; 0 where nothing was found of what is there."""
        empty = np.where(self.true.sum(0) > 0, 0.0, np.nan)
        return share(self.both.sum(0), self.found.sum(0), empty)

    def recall(self) -> FloatArray:
        """(C,) of pixels; NaN for a class that is not there."""
        return share(self.both.sum(0), self.true.sum(0))

    def f1(self) -> FloatArray:
        """(C,) of pixels: Dice over the whole set; NaN where there is nothing of either kind."""
        return share(2 * self.both.sum(0), self.found.sum(0) + self.true.sum(0))


def share(
    part: NDArray[np.number], whole: NDArray[np.number], empty: float | FloatArray = np.nan
) -> FloatArray:
    """part / whole, and `empty` where whole is 0."""
    ratio: FloatArray = np.where(whole > 0, part / np.maximum(whole, 1), empty)
    return ratio


def mean(values: FloatArray) -> float:
    """Of what is defined; NaN where nothing is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
