"""Masks on a picture: each class in its colour, with its area in words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vqc.formats import rle
from vqc.tasks.contract import Picture
from vqc.tasks.drawing import colour_of
from vqc.tasks.segment.answers import Masks
from vqc.types import ByteArray

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

_TINT = 0.45
_TEXT = 0.03  # of the mean of width and height
_LEAST_TEXT_PX = 11
_PANEL_PX = 640
"""Longest side of a panel of `beside`."""
_GAP_PX = 6
_NAMES = ("photo", "truth", "prediction")


def draw(picture: Picture, prediction: Masks) -> ByteArray:
    """(H, W, 3) uint8: tint and outline of every mask; the picture itself stays as it is."""
    drawn = overlay(picture.rgb, _pairs(prediction), prediction.classes)
    pixels = prediction.size[0] * prediction.size[1]
    lines = [
        (
            f"{mask.class_name}: {_percent(mask.area_px / pixels)} ({mask.area_px:,} px)",
            colour_of(mask.class_name, prediction.classes),
        )
        for mask in prediction.masks
    ] or [("nothing found", "#404040")]
    return _write(drawn, lines)


def overlay(
    rgb: ByteArray,
    masks: Sequence[tuple[str, NDArray[np.bool_]]],
    classes: Sequence[str],
) -> ByteArray:
    """A copy of the picture with (H, W) masks by class: tinted inside, outlined."""
    import cv2

    drawn = rgb.copy()
    for name, mask in masks:
        colour = np.array(tuple(bytes.fromhex(colour_of(name, classes)[1:])), np.float32)
        inside = drawn[mask].astype(np.float32)
        drawn[mask] = np.rint(inside * (1 - _TINT) + colour * _TINT).astype(np.uint8)
        inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8))
        drawn[mask & (inner == 0)] = colour.astype(np.uint8)
    return drawn


def beside(rgb: ByteArray, truth: ByteArray, prediction: Masks) -> ByteArray:
    """Photo, truth and prediction in a row, or below each other for wide pictures.

    truth: (H, W, C) of 0 and 1.
    """
    import cv2

    classes = prediction.classes
    true = [(name, truth[:, :, k] > 0) for k, name in enumerate(classes)]
    panels = [rgb, overlay(rgb, true, classes), overlay(rgb, _pairs(prediction), classes)]
    height, width = rgb.shape[:2]
    scale = min(1.0, _PANEL_PX / max(height, width))
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        panels = [np.asarray(cv2.resize(p, size, interpolation=cv2.INTER_AREA)) for p in panels]
    axis = 0 if width > 2 * height else 1
    panels = [_write(p, [(n, "#404040")]) for p, n in zip(panels, _NAMES, strict=True)]
    gap_shape = list(panels[0].shape)
    gap_shape[axis] = _GAP_PX
    gap = np.full(gap_shape, 255, np.uint8)
    return np.concatenate([panels[0], gap, panels[1], gap, panels[2]], axis=axis)


def _pairs(prediction: Masks) -> list[tuple[str, NDArray[np.bool_]]]:
    return [(mask.class_name, rle.decode(mask.code)) for mask in prediction.masks]


def _percent(share: float) -> str:
    """Three digits: 12.3 %, 0.0123 %."""
    return f"{100 * share:#.3g} %"


def _write(drawn: ByteArray, lines: Sequence[tuple[str, str]]) -> ByteArray:
    """Lines of white text on their colours, in the upper left corner; those that fit."""
    drawn = drawn.copy()
    text_px = max(_LEAST_TEXT_PX, round(_TEXT * sum(drawn.shape[:2]) / 2))
    top = 0
    for text, colour in lines:
        tile = _tile(" ".join(text.split()), colour, text_px)  # line breaks cannot be drawn
        space = drawn[top : top + tile.shape[0], : tile.shape[1]]
        space[:] = tile[: space.shape[0], : space.shape[1]]
        top += tile.shape[0]
    return drawn


@lru_cache(maxsize=512)
def _tile(text: str, colour: str, text_px: int) -> ByteArray:
    from PIL import Image, ImageDraw

    font, pad = _font(text_px), max(1, text_px // 6)
    ascent, descent = font.getmetrics()
    tile = Image.new("RGB", (round(font.getlength(text)) + 2 * pad, ascent + descent), colour)
    ImageDraw.Draw(tile).text((pad, 0), text, fill="white", font=font)
    return np.asarray(tile, np.uint8)


@lru_cache(maxsize=8)
def _font(text_px: int) -> FreeTypeFont:
    """DejaVu, which matplotlib brings along: it has letters that Pillow's own font lacks."""
    import matplotlib
    from PIL import ImageFont

    file = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    return ImageFont.truetype(file, text_px)
