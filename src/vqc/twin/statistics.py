"""A picture → a few numbers that tell the camera more than the scene: pure functions.

Each goes with one thing that a camera does, so that the look can be set by them: `STATISTICS` says
which. All count the pixels of the picture as it is trained on, not those of the original photo.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vqc.sensor import srgb_to_linear
from vqc.types import Box, ByteArray, FloatArray

STATISTICS = (
    "brightness",
    "contrast",
    "red",
    "blue",
    "colourfulness",
    "noise, dark",
    "noise, bright",
    "edge width",
)
"""What `measure` gives: mean of the luma, its 95th less its 5th percentile (both of 1), logarithm
to base 2 of red and blue ÷ green, mean distance of the colours from the middle one (of 1), variance
of the noise in the darker and the brighter half (levels²), squared width of the steepest edges
(px²)."""
NOISE_DARK, NOISE_BRIGHT, EDGE = 5, 6, 7

_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
_LOW, _HIGH = 12, 243  # levels; beyond them a channel may be clipped, and its ratio says nothing
_NEUTRAL = 0.5
_BLOCK_PX = 16
_FLATTEST = 0.1
_CLIPPED = 0.01
_REACH_PX, _ALONG_PX = 4, 5
_STRONGEST, _SHARPEST, _LEAST_STEP = 0.02, 0.1, 24.0
_FEWEST = 50
_MEAN_PX = 4

Plane = NDArray[np.float32]
"""(H, W): one channel, in levels from 0 to 255."""


def measure(rgb: ByteArray, boxes: Sequence[Box]) -> FloatArray:
    """(H, W, 3) sRGB → (8,), in the order of `STATISTICS`; NaN where the picture tells nothing.

    boxes: of the parts, in pixels. Light and colours count half by what is in them: it is the same
    thing in photos and in renders, while the rest is a table here and another one there.
    """
    small = _quarter(rgb)
    tones = [_tones(small.reshape(-1, 3))]
    inside = [crop.reshape(-1, 3) for crop in (_crop(small, box) for box in boxes) if crop.size]
    if inside:
        tones.append(_tones(np.concatenate(inside)))
    green = np.ascontiguousarray(rgb[..., 1]).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # both NaN
        tone = np.nanmean(np.array(tones), axis=0)
    return np.array([*tone, *noise(green), edge_width(green) ** 2])


def _quarter(rgb: ByteArray) -> ByteArray:
    """Means of 4 × 4 pixels, in which noise neither widens the contrast nor passes for colour."""
    import cv2

    size = tuple(max(1, side // _MEAN_PX) for side in rgb.shape[1::-1])
    small: ByteArray = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    return small


def _crop(small: ByteArray, box: Box) -> ByteArray:
    x0, y0, x1, y1 = (max(round(v / _MEAN_PX), 0) for v in box)
    return small[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]


def _tones(pixels: ByteArray) -> tuple[float, ...]:
    """Brightness, contrast, red, blue and colourfulness of (N, 3) pixels."""
    luma = pixels @ _LUMA / 255
    low, high = np.percentile(luma, (5, 95))
    colour = pixels[:, [0, 2]] / 255 - luma[:, None]
    colour = np.hypot(*(colour - np.median(colour, axis=0)).T)
    return float(luma.mean()), float(high - low), *balance(pixels), float(colour.mean())


def balance(rgb: ByteArray) -> tuple[float, float]:
    """Red and blue ÷ green in linear light, as logarithms to base 2, of the more neutral half.

    rgb: (N, 3) sRGB.

    Neutral is what is nearest to the picture's own median: grey, where a cast turned it, too.
    """
    flat = rgb[(rgb.min(axis=1) >= _LOW) & (rgb.max(axis=1) <= _HIGH)]
    if len(flat) < _FEWEST:
        return np.nan, np.nan
    light = np.log2(srgb_to_linear(flat))
    ratios = light[:, [0, 2]] - light[:, [1]]
    away = np.abs(ratios - np.median(ratios, axis=0)).sum(axis=1)
    count = max(1, round(_NEUTRAL * len(away)))
    nearest = np.argpartition(away, count - 1)[:count]
    red, blue = ratios[nearest].mean(axis=0)
    return float(red), float(blue)


def noise(channel: Plane) -> tuple[float, float]:
    """Variance of the noise in the darker and the brighter half of the blocks, levels².

    Of each half the flattest tenth counts, flat being what varies little in means over 4 × 4
    pixels, where noise hardly shows; so the noise itself does not choose. In them it is what
    Immerkaer's operator leaves, which no plane and no slope passes ("Fast noise variance
    estimation", 1996).
    """
    import cv2

    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
    rest = cv2.filter2D(channel, -1, mask, borderType=cv2.BORDER_REFLECT)
    level = _blocks(channel, _BLOCK_PX).mean(axis=(1, 2))
    outside = _blocks((channel <= 0) | (channel >= 255), _BLOCK_PX).mean(axis=(1, 2))
    left = np.square(_blocks(rest, _BLOCK_PX)).mean(axis=(1, 2))
    cells = _blocks(channel, _BLOCK_PX).reshape(-1, 4, 4, 4, 4).mean(axis=(2, 4))
    structure = cells.reshape(-1, 16).var(axis=1)
    usable = outside < _CLIPPED
    if not usable.any():
        return np.nan, np.nan
    level, left, structure = level[usable], left[usable], structure[usable]
    dark = level <= np.median(level)
    halves = []
    for half in (dark, ~dark if (~dark).any() else dark):
        count = max(1, round(_FLATTEST * int(half.sum())))
        flattest = np.argsort(structure[half], kind="stable")[:count]
        halves.append(float(np.median(left[half][flattest])))
    return halves[0], halves[1]


def edge_width(channel: Plane) -> float:
    """Width of the sharper edges in pixels: rise over 8 pixels ÷ the steepest rise over one.

    Of the strongest rises, across and down, the sharpest tenth: shadows and what is out of focus
    are wider. 1 is a step between two pixels, less has been sharpened. Means of five pixels along
    the edge are compared, so that noise does not pass for steepness.
    """
    import cv2

    widths = []
    for plane in (channel, np.ascontiguousarray(channel.T)):
        if plane.shape[1] <= 4 * _REACH_PX:
            continue
        calm = cv2.blur(plane, (1, _ALONG_PX), borderType=cv2.BORDER_REFLECT)
        rise = np.abs(calm[:, 2 * _REACH_PX :] - calm[:, : -2 * _REACH_PX])
        steps = np.abs(np.diff(calm, axis=1))
        kernel = np.ones((1, 2 * _REACH_PX), np.uint8)
        steepest = cv2.dilate(steps, kernel, anchor=(0, 0))[:, : rise.shape[1]]
        limit = max(float(np.quantile(rise[:, ::3], 1 - _STRONGEST)), _LEAST_STEP)
        strong = rise >= limit
        widths.append(rise[strong] / np.maximum(steepest[strong], 1))
    found = np.concatenate(widths) if widths else np.zeros(0)
    return float(np.quantile(found, _SHARPEST)) if len(found) >= _FEWEST else np.nan


def place(box: Box, width: int, height: int) -> tuple[float, float, float]:
    """A look's size, x and y of a box: longer side ÷ the frame's shorter one, centre ÷ frame."""
    x0, y0, x1, y1 = box
    size = max(x1 - x0, y1 - y0) / min(width, height)
    return size, (x0 + x1) / 2 / width, (y0 + y1) / 2 / height


def center(values: FloatArray) -> FloatArray:
    """(N, K) → (K,): the mean of the middle four fifths of each column; NaN counts as absent.

    Of the noise it is the lower quartile: a texture passes for noise, and nothing for less of it.
    Of the edges it is the median, since in some pictures nothing has a clear edge.
    """
    means = []
    for number, column in enumerate(values.T):
        known = np.sort(column[~np.isnan(column)])
        cut = len(known) // 10
        if not len(known):
            means.append(np.nan)
        elif number in (NOISE_DARK, NOISE_BRIGHT):
            means.append(float(np.quantile(known, 0.25)))
        elif number == EDGE:
            means.append(float(np.median(known)))
        else:
            means.append(float(known[cut : len(known) - cut].mean()))
    return np.array(means)


def tamed(values: FloatArray) -> FloatArray:
    """(N, K) without gaps and outliers: NaN becomes the median, and all lie within 3 deviations.

    The deviation is 1.4826 times the median absolute one, the standard deviation of a bell curve.
    """
    with np.errstate(all="ignore"):
        middle = np.nan_to_num(np.nanmedian(values, axis=0)) if len(values) else 0.0
    known = np.where(np.isnan(values), middle, values)
    reach = 3 * 1.4826 * np.median(np.abs(known - middle), axis=0)
    return np.clip(known, middle - reach, middle + reach)


def _blocks(plane: NDArray[np.generic], side: int) -> NDArray[np.generic]:
    """(H, W) → (N, side, side); what is over at the right and below is left out."""
    rows, cols = (n // side for n in plane.shape)
    whole = plane[: rows * side, : cols * side].reshape(rows, side, cols, side)
    return whole.swapaxes(1, 2).reshape(-1, side, side)
