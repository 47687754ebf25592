"""An answer for people: the photo, its heat map beside it, and the verdict in words."""

from __future__ import annotations

import math
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
_TEXT, _LEAST_TEXT_PX = 0.045, 11
"""Height of the letters, of the geometric mean of the drawing's sides, and the least, px."""
_WIDEST = (
    "DEFECT  score 0.000",
    f"defect from {HALF:g} on, group 00",
    "16 of 16 maps are all zero (grey)",
)
"""Text is as large as these lines allow, whatever is said: drawings keep their size."""
_LEAST_SIDE_PX = 220
"""Smaller pictures are enlarged, or nobody could read what stands on them."""
_LEAST_WIDTH_PX = 260
_MAP_GAP, _ZERO = 0.015, 128
"""Between maps, of the shorter side; the grey of a map that holds nothing."""


def draw(
    picture: Picture, prediction: Anomalies, truth: NDArray[np.bool_] | None = None
) -> ByteArray:
    """(H', W', 3) uint8: photo | heat map | scale, the verdict above; the picture stays as it is.

    truth: (H, W), what is wrong, outlined on the photo. The colours go from dark to bright;
    the middle of the scale is the heat that good frames seldom reach. Bottleneck maps take the
    place of heat map and scale where they were asked for, since each has a range of its own.
    Pictures of one size give one size.
    """
    photo = _enlarged(picture.rgb)
    if truth is not None:
        photo = outlined(photo, truth)
    height, width = photo.shape[:2]
    gap = np.full((height, max(2, round(_GAP * (height + width) / 2)), 3), 255, np.uint8)
    if prediction.bottleneck is not None:
        beside = [bottleneck_sheet(prediction.bottleneck, height, width)]
    else:
        heat = enlarged_heat(prediction.heat, prediction.covers, height, width)
        beside = [heat_picture(heat, prediction.scale.hot), gap, _bar(height, width)]
    body = np.hstack([photo, gap, *beside])
    lacking = max(0, _LEAST_WIDTH_PX - body.shape[1])
    body = np.pad(body, ((0, 0), (0, lacking), (0, 0)), constant_values=255)
    return np.asarray(np.vstack([_headline(prediction, *body.shape[:2]), body]), np.uint8)


def heat_picture(heat: NDArray[np.float32], hot: float) -> ByteArray:
    """(H, W, 3): heat (H, W) in colours; `hot` is the middle of the scale."""
    shares = np.clip(heat / (2 * hot), 0, 1)
    return np.asarray(colours()[np.rint(shares * 255).astype(np.uint8)], np.uint8)


def enlarged_heat(
    heat: NDArray[np.float32], covers: tuple[float, float], height: int, width: int
) -> NDArray[np.float32]:
    """(height, width) of a coarser (h, w) map, bilinear; what lies beyond the picture is cut off.

    covers: what the map spans, in heights and widths of the picture.
    """
    import cv2

    spanned = (round(width * covers[1]), round(height * covers[0]))
    whole = cv2.resize(heat, spanned, interpolation=cv2.INTER_LINEAR)
    return np.asarray(whole[:height, :width], np.float32)


def bottleneck_sheet(maps: NDArray[np.float32], height: int, width: int) -> ByteArray:
    """(height, width, 3): sixteen maps (16, h, w) in rows of four with white gaps.

    Each goes from its lowest to its highest; one that is zero all over is grey.
    """
    import cv2

    sheet = np.full((height, width, 3), 255, np.uint8)
    gap = max(1, round(_MAP_GAP * min(height, width)))
    tops, lefts = ([round(k * (side + gap) / 4) for k in range(5)] for side in (height, width))
    for number, values in enumerate(maps):
        row, column = divmod(number, 4)
        size = (lefts[column + 1] - gap - lefts[column], tops[row + 1] - gap - tops[row])
        if min(size) < 1:
            continue
        tile = cv2.resize(_in_colours(values), size, interpolation=cv2.INTER_NEAREST)
        y, x = tops[row], lefts[column]
        sheet[y : y + size[1], x : x + size[0]] = tile
    return sheet


def _in_colours(values: NDArray[np.float32]) -> ByteArray:
    if not values.any():
        return np.full((*values.shape, 3), _ZERO, np.uint8)
    low = values.min()
    shares = (values - low) / max(values.max() - low, 1e-9)
    return np.asarray(colours()[np.rint(shares * 255).astype(np.uint8)], np.uint8)


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


def _bar(height: int, width: int) -> ByteArray:
    """The scale of colours, the hottest on top, a white line at its middle."""
    wide = max(8, round(_BAR * (height + width) / 2))
    shares = np.rint(np.linspace(255, 0, height)).astype(np.uint8)
    bar = np.repeat(colours()[shares][:, None], wide, axis=1)
    middle = height // 2
    bar[max(0, middle - 1) : middle + 1] = 255
    return bar


def _headline(prediction: Anomalies, height: int, width: int) -> ByteArray:
    """Lines of text on the colour of the verdict, as wide as the drawing of (height, width)."""
    colour = DEFECT_COLOUR if prediction.is_anomaly else GOOD_COLOUR
    words = [
        f"{prediction.verdict.upper()}  score {prediction.score:.3f}",
        f"defect from {HALF:g} on, group {prediction.group}",
    ]
    if prediction.bottleneck is not None:
        zero = int((~prediction.bottleneck.any((1, 2))).sum())
        words.append(f"{zero} of {len(prediction.bottleneck)} maps are all zero (grey)")
    text_px = _text_px(height, width)
    head = []
    for line in words:
        tile = text_tile(line, colour, text_px)
        row = np.empty((tile.shape[0], width, 3), np.uint8)
        row[:] = tuple(bytes.fromhex(colour[1:]))
        row[:, : min(width, tile.shape[1])] = tile[:, :width]
        head.append(row)
    return np.vstack(head)


def _text_px(height: int, width: int) -> int:
    """Readable on wide and on tall drawings; as large as the lines allow."""
    wanted = max(_LEAST_TEXT_PX, round(_TEXT * math.sqrt(height * width)))
    longest = max(int(text_tile(line, GOOD_COLOUR, wanted).shape[1]) for line in _WIDEST)
    return max(_LEAST_TEXT_PX, min(wanted, wanted * width // longest))
