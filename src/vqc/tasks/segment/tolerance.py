"""F1 with a tolerance, as CrackForest is usually scored: a thin line beside the truth is right.

Precision is the share of predicted pixels within so many px of the truth, recall the share of true
pixels within so many px of the prediction; counts are summed over the set.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vqc.tasks.segment.counts import share
from vqc.types import FloatArray, IntArray

Bools = NDArray[np.bool_]


def near(predicted: Bools, truth: Bools, tolerance_px: float) -> tuple[int, int]:
    """Predicted pixels near the truth, and true pixels near the prediction; (H, W) each.

    Near is a distance of pixel centres of at most `tolerance_px`.
    """
    return _near(predicted, truth, tolerance_px), _near(truth, predicted, tolerance_px)


def _near(these: Bools, those: Bools, tolerance_px: float) -> int:
    import cv2

    if not these.any() or not those.any():
        return 0
    reach = int(tolerance_px)
    places = np.arange(-reach, reach + 1)
    disc = (places[:, None] ** 2 + places**2 <= tolerance_px**2).astype(np.uint8)
    grown = cv2.dilate(those.astype(np.uint8), disc)
    return int((these & (grown > 0)).sum())


def metrics(
    near_found: IntArray, near_true: IntArray, found: IntArray, true: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Precision, recall and F1, (C,) each, of (N, C) counts; undefined as without tolerance."""
    empty = np.where(true.sum(0) > 0, 0.0, np.nan)
    precision = share(near_found.sum(0), found.sum(0), empty)
    recall = share(near_true.sum(0), true.sum(0))
    both = precision + recall
    f1: FloatArray = np.where(both > 0, 2 * precision * recall / np.where(both > 0, both, 1), both)
    f1 = np.where((true.sum(0) == 0) & (found.sum(0) > 0), 0.0, f1)
    return precision, recall, f1
