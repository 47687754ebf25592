"""Text on pictures, as tasks draw their answers: a colour for each class, white letters on it."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vqc.inspection.sheet import PALETTE
from vqc.types import ByteArray

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont


def colour_of(name: str, classes: Sequence[str]) -> str:
    """The colour of a class, as `#rrggbb`."""
    number = classes.index(name) if name in classes else zlib.crc32(name.encode())
    return PALETTE[number % len(PALETTE)]


@lru_cache(maxsize=512)
def text_tile(text: str, colour: str, text_px: int) -> ByteArray:
    """(h, w, 3): white letters, `text_px` high, on a colour given as `#rrggbb`."""
    from PIL import Image, ImageDraw

    font, pad = _font(text_px), max(1, text_px // 6)
    ascent, descent = font.getmetrics()
    width = round(font.getlength(text)) + 2 * pad
    tile = Image.new("RGB", (width, ascent + descent), colour)
    ImageDraw.Draw(tile).text((pad, 0), text, fill="white", font=font)
    return np.asarray(tile, np.uint8)


@lru_cache(maxsize=8)
def _font(text_px: int) -> FreeTypeFont:
    """DejaVu, which matplotlib brings along: it has letters that Pillow's own font lacks."""
    import matplotlib
    from PIL import ImageFont

    file = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    return ImageFont.truetype(file, text_px)
