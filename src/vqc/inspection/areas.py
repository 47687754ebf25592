"""How large what is masked is: defects of each class, from few pixels to whole sheets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqc.inspection.columns import Columns
from vqc.types import FloatArray

EDGES_A_DECADE = 5


@dataclass(frozen=True, slots=True)
class AreaRow:
    """The masks of one class.

    frames: that show one. area_px: least, middle and largest. share: the middle one, as a share
    of its frame.
    """

    class_name: str
    frames: int
    masks: int
    area_px: tuple[int, int, int]
    share: float


def areas(of: Columns) -> list[AreaRow]:
    """One row for every class that has masks, in the order of the classes."""
    found = []
    for number, name in enumerate(of.classes):
        mine = (of.class_number == number) & of.has_mask
        if mine.any():
            px = of.area_px[mine]
            spread = (px.min(), np.median(px), px.max())
            found.append(
                AreaRow(
                    name,
                    len(np.unique(of.frame[mine])),
                    int(mine.sum()),
                    (int(spread[0]), round(float(spread[1])), int(spread[2])),
                    float(f"{np.median(of.area_share[mine]):.3g}"),
                )
            )
    return found


def edges(of: Columns) -> FloatArray:
    """Bounds of bins, equal in the logarithm, that hold every mask's area in pixels."""
    px = of.area_px[of.has_mask]
    low, high = (np.log10(max(1.0, value)) for value in (px.min(), px.max()))
    first, last = np.floor(low * EDGES_A_DECADE), np.floor(high * EDGES_A_DECADE) + 1
    powers: FloatArray = 10 ** (np.arange(first, last + 1) / EDGES_A_DECADE)
    return powers
