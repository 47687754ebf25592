"""How strongly a picture was compressed: its JPEG quality, from tables or from pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from vqc.types import ByteArray, FloatArray

NO_LOSS = 100

# Annex K of ITU-T T.81, row by row.
_LUMA_STEPS = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_JFIF_LUMA = np.array([0.299, 0.587, 0.114])
_ON_STEPS = 0.35
"""Mean squared distance of coefficients from multiples of the steps, that of chance being 1."""
_LEAST_STEP, _FEWEST = 2, 200


def quality_of_tables(tables: Mapping[int, Sequence[int]]) -> int:
    """The quality, 1 to 100, whose luma table is nearest; exact for libjpeg's own.

    tables: a file's quantisation tables, as Pillow gives them. Sorted values are compared, so it
    does not matter whether they stand in rows or in the zigzag.
    """
    found = np.sort(np.array(tables[min(tables)], float))
    away = [np.abs(np.sort(steps(q).ravel()) - found).sum() for q in range(1, 101)]
    return 1 + int(np.argmin(away))


def quality_of_pixels(rgb: ByteArray) -> int:
    """The quality that a decoded picture was last compressed with; `NO_LOSS` where none shows.

    Where it was, the luma's coefficients in blocks of 8 lie near multiples of the steps. Only those
    that are not next to 0 count: these are there in any picture. Of several qualities that fit, the
    lowest holds, since steps divide others. Source of the idea: Fan and de Queiroz,
    "Identification of bitmap compression history", 2003. Finds none above 96 or so.
    """
    rows, cols = (n // 8 for n in rgb.shape[:2])
    luma = rgb[: rows * 8, : cols * 8] @ _JFIF_LUMA - 128
    blocks = luma.reshape(rows, 8, cols, 8).swapaxes(1, 2)[:: max(1, rows // 60)]
    found = (_dct() @ blocks @ _dct().T).reshape(-1, 8, 8)
    found[:, 0, 0] = 0  # a plain ground has the same mean everywhere, compressed or not
    for quality in range(5, NO_LOSS):
        step = steps(quality)
        share = found / step
        telling = (np.abs(share) > 0.5) & (step >= _LEAST_STEP)
        off = (share - np.rint(share))[telling]
        if len(off) >= _FEWEST and 12 * float(np.square(off).mean()) < _ON_STEPS:
            return quality
    return NO_LOSS


def after_scaling(quality: float, shrink: float) -> float:
    """The quality that a picture has in effect once it is `shrink` times smaller.

    The coefficients that remain are 1 ÷ shrink times as large, and so are their steps; a table's
    steps go with 5000 ÷ quality below 50, and with 200 - 2 · quality above.
    """
    scale = (5000 / quality if quality < 50 else 200 - 2 * quality) / shrink
    return 5000 / scale if scale > 100 else 100 - scale / 2


@cache
def steps(quality: int) -> NDArray[np.int64]:
    """(8, 8) libjpeg's steps of the luma for a quality from 1 to 100."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    scaled: NDArray[np.int64] = np.clip((np.array(_LUMA_STEPS) * scale + 50) // 100, 1, 255)
    return scaled


@cache
def _dct() -> FloatArray:
    """(8, 8): the orthonormal cosine transform."""
    k = np.arange(8)
    rows: FloatArray = np.cos(np.pi * (2 * k + 1) * k[:, None] / 16) / 2
    rows[0] /= 2**0.5
    return rows
