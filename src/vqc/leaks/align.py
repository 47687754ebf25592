"""Two thumbnails → whether they show the same picture: laid over each other, then compared.

Pure functions on arrays. Only small movements are tried, since every picture would match
some other one if it could be turned and scaled at will.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vqc.leaks.thumbs import (
    MIRRORS,
    SIDE_PX,
    WINDOWS,
    Floats,
    window_to_thumb,
)
from vqc.types import ByteArray

_REACH_PX, _BORDER_PX = 8, 20
_COARSE_PX, _FINE_PX, _PATCH_PX = 4.0, 1.5, 5
_TEXTURE = 1.0
"""Standard deviation, in grey levels, below which a patch is plain."""
_AGREES = 0.6
_HOPELESS = 0.2
"""Below this correlation of the middle no finer alignment is tried; copies had 0.33 and more."""
_SURE = 0.7
"""Below this the alignment is tried once more, on what has the same contrast everywhere."""
_ENOUGH_PX = 200
"""With less texture than this in common, no likeness is claimed."""


def compare(
    train: ByteArray, other: ByteArray, starts: Sequence[int]
) -> tuple[float, tuple[bool, bool]]:
    """How alike two thumbnails are, 0 to 1, and which sides of `other` were swapped for it.

    starts: windows of `other` to begin with, as a `Candidate` has them.

    The likeness is the share of the textured places, in either picture, where small patches
    agree (correlation of 0.6 or more) once the two lie over each other. Things that moved on
    their own take their part from it. Evangelidis and Psarakis, "Parametric Image Alignment
    using Enhanced Correlation Coefficient Maximization" (2008), for the fine alignment.
    """
    first, seconds = train.astype(np.float32), [_mirrored(other, m) for m in MIRRORS]
    normal, normals = _normalised(first), [_normalised(second) for second in seconds]
    found = []
    for start in starts:
        mirror, window = divmod(start, WINDOWS)
        peak, moved = _shift(normal, normals[mirror], window_to_thumb(window))
        found.append((peak, -mirror, moved))
    peak, mirror, moved = max(found, key=lambda start: start[:2])
    if peak < _HOPELESS:
        return 0.0, MIRRORS[-mirror]
    second = seconds[-mirror]
    detail = _detail(first, _COARSE_PX), _detail(second, _COARSE_PX)
    score = _agreement(first, second, _refine(*detail, moved, blur_px=5))
    if score < _SURE:
        fine = _refine(normal, normals[-mirror], moved, blur_px=3)
        score = max(score, _agreement(first, second, fine))
    return score, MIRRORS[-mirror]


def _mirrored(thumb: ByteArray, mirror: tuple[bool, bool]) -> Floats:
    across, down = mirror
    turned = thumb[:, ::-1] if across else thumb
    return np.ascontiguousarray(turned[::-1] if down else turned, np.float32)


def _detail(grey: Floats, sigma_px: float) -> Floats:
    """What is finer than sigma: no shading, no brightness."""
    import cv2

    return np.asarray(grey - cv2.GaussianBlur(grey, (0, 0), sigma_px), np.float32)


def _normalised(grey: Floats) -> Floats:
    """Detail with the same contrast everywhere, so that one bright edge does not rule."""
    import cv2

    detail = _detail(grey, _COARSE_PX)
    power = cv2.GaussianBlur(detail * detail, (0, 0), _COARSE_PX)
    return np.asarray(detail / np.sqrt(power + _TEXTURE**2), np.float32)


def _warp(grey: Floats, warp: Floats, nearest: bool = False, outside: int | None = None) -> Floats:
    import cv2

    flags = (cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR) | cv2.WARP_INVERSE_MAP
    border = cv2.BORDER_REFLECT if outside is None else cv2.BORDER_CONSTANT
    size = (SIDE_PX, SIDE_PX)
    return np.asarray(
        cv2.warpAffine(grey, warp, size, flags=flags, borderMode=border, borderValue=outside or 0)
    )


def _shift(first: Floats, second: Floats, warp: Floats) -> tuple[float, Floats]:
    """The best move of a few pixels after a warp, and the correlation that it gives."""
    import cv2

    inner = slice(_BORDER_PX, -_BORDER_PX)
    score = cv2.matchTemplate(
        _warp(second, warp), np.ascontiguousarray(first[inner, inner]), cv2.TM_CCOEFF_NORMED
    )
    near = slice(_BORDER_PX - _REACH_PX, _BORDER_PX + _REACH_PX + 1)
    score = np.nan_to_num(score[near, near], posinf=0, neginf=0)
    y, x = np.unravel_index(int(score.argmax()), score.shape)
    moved = warp.copy()
    moved[:, 2] += warp[:, :2] @ np.array([x - _REACH_PX, y - _REACH_PX], np.float32)
    return float(score.max()), moved


def _refine(first: Floats, second: Floats, warp: Floats, blur_px: int) -> Floats:
    """The affine warp that correlates best, if it is near; else the warp as it was."""
    import cv2

    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-3)
    try:
        _, found = cv2.findTransformECC(
            first, second, warp.copy(), cv2.MOTION_AFFINE, stop, None, blur_px
        )
    except cv2.error:  # no texture, or it ran away
        return warp
    fine = np.asarray(found, np.float32)
    return fine if _is_small(fine) else warp


def _is_small(warp: Floats) -> bool:
    """Scaled by less than a quarter, turned by less than 8 degrees, hardly sheared."""
    linear = warp[:, :2].astype(np.float64)
    if not np.isfinite(linear).all():
        return False
    large, small = np.linalg.svd(linear, compute_uv=False)
    turn_deg = np.degrees(np.arctan2(linear[1, 0] - linear[0, 1], np.trace(linear)))
    return bool(small > 0.8 and large < min(1.25, 1.15 * small) and abs(turn_deg) < 8)


def _agreement(first: Floats, second: Floats, warp: Floats) -> float:
    inside = _warp(np.ones_like(second), warp, nearest=True, outside=0) > 0
    a, b = _detail(first, _FINE_PX), _detail(_warp(second, warp), _FINE_PX)
    mean_a, mean_b = _patch_mean(a), _patch_mean(b)
    var_a = np.maximum(_patch_mean(a * a) - mean_a**2, 0)
    var_b = np.maximum(_patch_mean(b * b) - mean_b**2, 0)
    correlation = (_patch_mean(a * b) - mean_a * mean_b) / np.sqrt(np.maximum(var_a * var_b, 1e-9))
    textured = inside & (np.maximum(var_a, var_b) > _TEXTURE**2)
    if textured.sum() < _ENOUGH_PX:
        return 0.0
    return float((correlation[textured] > _AGREES).mean())


def _patch_mean(values: Floats) -> NDArray[np.float32]:
    import cv2

    size = (_PATCH_PX, _PATCH_PX)
    return np.asarray(cv2.boxFilter(values, -1, size, borderType=cv2.BORDER_REFLECT))
