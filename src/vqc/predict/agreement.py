"""How far two networks' answers to the same pictures are apart.

In: what each proposes before overlapping boxes are merged. Out: the largest differences.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vqc.types import FloatArray

BOX_TOLERANCE_PX, SCORE_TOLERANCE = 1.0, 0.01
"""How far a box, in pixels of the network's input, and a score may be from the original's."""
SUREST = 100
"""Proposals of each picture whose boxes are compared; the faint ones are never reported."""


def compare(
    mine: Sequence[FloatArray], theirs: Sequence[FloatArray], is_merged: bool
) -> tuple[int, float, float]:
    """How many boxes were compared, and the largest difference of a box, px, and of a score.

    mine, theirs: for each picture (N, 4 + K): centre, width, height and a score for each
    class of every place, both in the same order. is_merged: (N, 6) instead: x0, y0, x1, y1,
    score and class, where the network itself merges boxes, in any order.
    Infinity where the shapes differ or a box has no counterpart, NaN where an answer holds it.
    """
    count, largest = 0, np.zeros(2)
    for a, b in zip(mine, theirs, strict=True):
        if a.shape != b.shape:
            return count, np.inf, np.inf
        boxes, scores = _merged_differences(a, b) if is_merged else _differences(a, b)
        count += len(boxes)
        # np.maximum keeps a NaN, which max() may lose.
        largest = np.maximum(largest, [boxes.max(initial=0.0), scores.max(initial=0.0)])
    return count, float(largest[0]), float(largest[1])


def _differences(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Of the surest boxes, as corners, and of all scores."""
    surest = np.argsort(-a[:, 4:].max(axis=1), kind="stable")[:SUREST]
    boxes = np.abs(_corners(a[surest]) - _corners(b[surest])).max(axis=1)
    return boxes, np.abs(a[:, 4:] - b[:, 4:]).ravel()


def _corners(rows: FloatArray) -> FloatArray:
    """(N, 4): x0, y0, x1, y1 of centre, width and height."""
    half = rows[:, 2:4] / 2
    return np.concatenate([rows[:, :2] - half, rows[:, :2] + half], axis=1)


def _merged_differences(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Of each of the surest and the nearest of its class and score; equal scores may swap."""
    boxes: list[float] = []
    scores: list[float] = []
    for row in a[np.argsort(-a[:, 4], kind="stable")[:SUREST]]:
        fits = b[(b[:, 5] == row[5]) & (np.abs(b[:, 4] - row[4]) <= SCORE_TOLERANCE)]
        if not len(fits):
            boxes.append(np.inf)
            scores.append(np.inf)
            continue
        apart = np.abs(fits[:, :4] - row[:4]).max(axis=1)
        best = int(apart.argmin())
        boxes.append(float(apart[best]))
        scores.append(abs(float(fits[best, 4] - row[4])))
    return np.array(boxes), np.array(scores)
