"""Frames of HDR videos, as phones record them by default → 8-bit sRGB.

In: (H, W, 3) uint16 in BT.2020 colours with the PQ or HLG curve. Out: (H, W, 3) uint8.

Curves: ITU-R BT.2100. White paper is 203 cd/m², which is 75 % of the HLG signal: BT.2408.
Highlights above it are bent into what sRGB has left; everything below three quarters of
white is as it would be in an ordinary video.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from vqc.types import ByteArray, FloatArray

PQ, HLG = 16, 18
"""The transfer characteristics of ITU-T H.273 that are HDR."""

_WHITE_NITS = 203.0
_WHITE_HLG = 0.2650  # of scene light, at 75 % of the signal
_TOP = 8.0  # the brightest that is told apart, in units of white
_KNEE = 0.75
_BT2020_TO_SRGB = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    np.float32,
)


def to_sdr(rgb: NDArray[np.uint16], curve: int) -> ByteArray:
    """An HDR picture, full range of 16 bits, as sRGB bytes. curve: PQ or HLG."""
    import cv2

    light = cv2.transform(np.take(_light(curve), rgb), _BT2020_TO_SRGB)
    steps = np.clip(light, 0, _TOP, out=light)
    steps *= 65535 / _TOP
    srgb: ByteArray = np.take(_srgb(), steps.astype(np.uint16))
    return srgb


@cache
def _light(curve: int) -> NDArray[np.float32]:
    """(65536,): signal → light, where white paper is 1."""
    signal = np.linspace(0, 1, 65536)
    if curve == HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
        return (scene / _WHITE_HLG).astype(np.float32)
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    root = signal ** (1 / m2)
    nits = 10000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    return (nits / _WHITE_NITS).astype(np.float32)


@cache
def _srgb() -> ByteArray:
    """(65536,): light from 0 to the top → sRGB byte, highlights bent."""
    light: FloatArray = np.linspace(0, _TOP, 65536)
    bent = 1 - (1 - _KNEE) * np.exp((_KNEE - light) / (1 - _KNEE))
    light = np.where(light < _KNEE, light, bent)
    srgb = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return (srgb * 255).round().astype(np.uint8)
