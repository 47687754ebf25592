"""Perceptual hash: pictures that look alike have hashes that differ in few bits."""

from __future__ import annotations

from functools import cache

import numpy as np

from vqc.types import ByteArray, FloatArray


def phash(rgb: ByteArray) -> str:
    """16 hex digits for an (H, W, 3) picture.

    Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010): the
    8 × 8 lowest cosine frequencies of the picture at 32 × 32 in grey, each compared with
    their median (the constant one left out of it).
    """
    import cv2

    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float64)
    low = (_cosines() @ small @ _cosines().T).round(6).ravel()
    bits = low > np.median(low[1:])
    return np.packbits(bits).tobytes().hex()


@cache
def _cosines() -> FloatArray:
    """(8, 32): the first eight rows of the orthonormal DCT-II matrix."""
    k, n = np.arange(8)[:, None], np.arange(32)[None, :]
    rows: FloatArray = np.cos(np.pi * k * (2 * n + 1) / 64) * np.sqrt(2 / 32)
    rows[0] /= np.sqrt(2)
    return rows
