"""An answer for people: the photo, its heat map beside it, and the verdict in words."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from vqc.tasks.anomaly.answers import Anomalies
from vqc.tasks.anomaly.thresholds import HALF
from vqc.tasks.contract import Picture
from vqc.tasks.drawing import text_tile
from vqc.types import ByteArray

GOOD_COLOUR, DEFECT_COLOUR = "#1b7837", "#b2182b"
TRUTH_COLOUR = (0, 200, 255)
_GAP, _BAR = 0.012, 0.03
_TEXT, _LEAST_TEXT_PX = 0.028, 11
_LEAST_SIDE_PX = 220
"""Smaller pictures are enlarged, or nobody could read what stands on them."""
_LEAST_WIDTH_PX = 260


def draw(
    picture: Picture, prediction: Anomalies, truth: NDArray[np.bool_] | None = None
) -> ByteArray:
    """(H', W', 3) uint8: photo | heat map | scale, the verdict above; the picture stays as it is.

    truth: (H, W), what is wrong, outlined on the photo. The colours go from dark to bright;
    the middle of the scale is the heat that good frames seldom reach. Bottleneck maps take the
    place of the heat map where they were asked for. Pictures of one size give one size.
    """
    photo = _enlarged(picture.rgb)
    if truth is not None:
        photo = outlined(photo, truth)
    height, width = photo.shape[:2]
    gap = np.full((height, max(2, round(_GAP * (height + width) / 2)), 3), 255, np.uint8)
    if prediction.bottleneck is not None:
        beside = _fitted(bottleneck_sheet(prediction.bottleneck), height, width)
    else:
        beside = heat_picture(prediction.heat, prediction.scale.hot, height, width)
    body = np.hstack([photo, gap, beside, gap, _bar(height, width)])
    lacking = max(0, _LEAST_WIDTH_PX - body.shape[1])
    body = np.pad(body, ((0, 0), (0, lacking), (0, 0)), constant_values=255)
    return np.asarray(np.vstack([_headline(prediction, body.shape[1]), body]), np.uint8)


def heat_picture(heat: NDArray[np.float32], hot: float, height: int, width: int) -> ByteArray:
    """(height, width, 3): heat in colours; `hot` is the middle of the scale."""
    shares = np.clip(enlarged_heat(heat, height, width) / (2 * hot), 0, 1)
    return np.asarray(colours()[np.rint(shares * 255).astype(np.uint8)], np.uint8)


def enlarged_heat(heat: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """(height, width) of a coarser (h, w) map, bilinear."""
    import cv2

    return np.asarray(cv2.resize(heat, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def bottleneck_sheet(maps: NDArray[np.float32]) -> ByteArray:
    """(4 h, 4 w, 3): sixteen (h, w) maps side by side, each from its lowest to its highest."""
    low = maps.min((1, 2), keepdims=True)
    span = np.maximum(maps.max((1, 2), keepdims=True) - low, 1e-9)
    tiles = np.rint((maps - low) / span * 255).astype(np.uint8)
    count, high, wide = tiles.shape
    rows = tiles.reshape(count // 4, 4, high, wide).transpose(0, 2, 1, 3)
    return np.asarray(colours()[rows.reshape(count // 4 * high, 4 * wide)], np.uint8)


def outlined(photo: ByteArray, truth: NDArray[np.bool_]) -> ByteArray:
    """The photo with a line around what is wrong; truth: (H, W) of any size."""
    import cv2

    height, width = photo.shape[:2]
    mask = cv2.resize(truth.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    lines, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    drawn = photo.copy()
    thickness = max(1, round(0.004 * (height + width) / 2))
    cv2.drawContours(drawn, lines, -1, TRUTH_COLOUR, thickness)
    return drawn


@cache
def colours() -> ByteArray:
    """(256, 3): matplotlib's inferno."""
    from matplotlib import colormaps

    return np.asarray(np.rint(colormaps["inferno"](np.arange(256))[:, :3] * 255), np.uint8)


def _enlarged(rgb: ByteArray) -> ByteArray:
    import cv2

    height, width = rgb.shape[:2]
    times = -(-_LEAST_SIDE_PX // max(height, width))
    if times <= 1:
        return rgb
    return np.asarray(
        cv2.resize(rgb, (width * times, height * times), interpolation=cv2.INTER_NEAREST), np.uint8
    )


def _fitted(sheet: ByteArray, height: int, width: int) -> ByteArray:
    import cv2

    return np.asarray(cv2.resize(sheet, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def _bar(height: int, width: int) -> ByteArray:
    """The scale of colours, the hottest on top, a white line at its middle."""
    wide = max(8, round(_BAR * (height + width) / 2))
    shares = np.rint(np.linspace(255, 0, height)).astype(np.uint8)
    bar = np.repeat(colours()[shares][:, None], wide, axis=1)
    middle = height // 2
    bar[max(0, middle - 1) : middle + 1] = 255
    return bar


def _headline(prediction: Anomalies, width: int) -> ByteArray:
    """Lines of text on the colour of the verdict, as wide as the drawing."""
    colour = DEFECT_COLOUR if prediction.is_anomaly else GOOD_COLOUR
    words = (
        f"{prediction.verdict.upper()}  score {prediction.score:.3f}",
        f"defect from {HALF:g} on, group {prediction.group}",
    )
    text_px = max(_LEAST_TEXT_PX, round(_TEXT * width))
    head = []
    for line in words:
        tile = text_tile(line, colour, text_px)
        row = np.empty((tile.shape[0], width, 3), np.uint8)
        row[:] = tuple(bytes.fromhex(colour[1:]))
        row[:, : min(width, tile.shape[1])] = tile[:, :width]
        head.append(row)
    return np.vstack(head)
