"""From which probability a pixel counts, and how many must: chosen on val, for each class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqc.tasks.segment.counts import Counts, share
from vqc.types import FloatArray

MIDDLE = 50
"""Hundredths; where there is no val to choose on."""
TRIED = range(5, 96)
_AREAS = (0, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
_GAIN = 1e-4
"""A minimum area must help by so much, so that it is not there by chance alone."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """hundredths: from which a pixel counts, for each class. least_px: a picture with fewer
    pixels of the class than that shows none; 0 for no such rule."""

    hundredths: tuple[int, ...]
    least_px: tuple[int, ...]


def middle(classes: int) -> Thresholds:
    """Half of the probability, and every pixel counts."""
    return Thresholds((MIDDLE,) * classes, (0,) * classes)


def choose(counts: Counts) -> Thresholds:
    """The best mean Dice of each class, nothing against nothing being 1.

    Of equally good ones the threshold nearest to the middle of them, and the smallest area.
    """
    classes = counts.true.shape[1]
    found, areas = [], []
    for k in range(classes):
        table = np.stack([_dice(counts, k, area) for area in _AREAS])
        best = int(np.argmax(table.max(1) > table.max() - _GAIN))
        found.append(_middle_of_best(table[best]))
        areas.append(_AREAS[best])
    return Thresholds(tuple(found), tuple(areas))


def _dice(counts: Counts, k: int, least_px: int) -> FloatArray:
    """(len(TRIED),): mean Dice of one class at each threshold."""
    tried = slice(TRIED.start, TRIED.stop)
    found = counts.found[:, k, tried]
    is_enough = found >= least_px
    both = counts.both[:, k, tried] * is_enough
    dice: FloatArray = share(2 * both, found * is_enough + counts.true[:, k, None], empty=1.0)
    means: FloatArray = dice.mean(0)
    return means


def _middle_of_best(dice: FloatArray) -> int:
    """A plateau has its threshold in the middle, where chance moves the result least."""
    best = np.flatnonzero(dice >= dice.max() - 1e-12)
    # By rounding the maximum itself may come later than the first that is as good.
    plateau = best[best - best[0] == np.arange(len(best))]  # those that follow without a gap
    return TRIED[int(plateau[(len(plateau) - 1) // 2])]
