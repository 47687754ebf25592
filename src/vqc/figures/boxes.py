"""Boxes and labels drawn on photos."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vqc.types import Box

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

LABEL_PX, LABEL_FONT_PX = 22, 17
"""Height of a label and of its letters; tiles are shown smaller than they are."""
_DASH_PX = 7


def draw_box(picture: Image.Image, box: Box, colour: str, dashed: bool = False) -> None:
    """Outside of the half-open box, on a white edge that shows on dark and coloured ground."""
    from PIL import ImageDraw

    draw = ImageDraw.Draw(picture)
    x0, y0, x1, y1 = (round(v) for v in box)
    x0, y0 = max(x0, 3), max(y0, 3)
    x1, y1 = max(min(x1, picture.width - 3), x0), max(min(y1, picture.height - 3), y0)
    draw.rectangle((x0 - 4, y0 - 4, x1 + 3, y1 + 3), outline="white")
    if not dashed:
        draw.rectangle((x0 - 3, y0 - 3, x1 + 2, y1 + 2), outline=colour, width=3)
        return
    corners = ((x0 - 3, y0 - 3), (x1, y0 - 3), (x1, y1), (x0 - 3, y1))
    for (ax, ay), (bx, by) in zip(corners, (*corners[1:], corners[0]), strict=True):
        _draw_dashes(draw, min(ax, bx), min(ay, by), max(ax, bx), max(ay, by), colour)


def _draw_dashes(
    draw: ImageDraw.ImageDraw, x0: int, y0: int, x1: int, y1: int, colour: str
) -> None:
    """A line of three pixels along one axis, in colour and white by turns."""
    along_x = x1 - x0 >= y1 - y0
    start, end = (x0, x1) if along_x else (y0, y1)
    for number, a in enumerate(range(start, end + 3, _DASH_PX)):
        b = min(a + _DASH_PX - 1, end + 2)
        shade = "white" if number % 3 == 2 else colour
        draw.rectangle((a, y0, b, y0 + 2) if along_x else (x0, a, x0 + 2, b), fill=shade)


def write_label(
    picture: Image.Image,
    places: Sequence[tuple[float, float]],
    text: str,
    colour: str,
    taken: Sequence[Box] = (),
) -> Box:
    """White on colour, in the picture, at the first of the places that hides no other label.

    places: left and top. Returns what it covers.
    """
    from PIL import ImageDraw

    draw, letters = ImageDraw.Draw(picture), font(LABEL_FONT_PX)
    wide = draw.textlength(text, font=letters) + 6
    spots = []
    for x, y in places:
        left = max(0.0, min(x - 3, picture.width - wide))
        top = max(0.0, min(y - 2, picture.height - LABEL_PX))
        spots.append((left, top, left + wide, top + LABEL_PX))
    spot = next((s for s in spots if not any(_meet(s, other) for other in taken)), spots[0])
    left, top, right, bottom = spot
    draw.rectangle((left, top, right, bottom - 1), fill=colour)
    draw.text((left + 3, top + 1), text, fill="white", font=letters)
    return spot


def around(box: Box) -> list[tuple[float, float]]:
    """Where a label of a box may stand: above it, below it, or inside."""
    return [(box[0], box[1] - LABEL_PX), (box[0], box[3] + 2), (box[0], box[1] + 2)]


def _meet(one: Box, other: Box) -> bool:
    return all(one[k] < other[k + 2] and other[k] < one[k + 2] for k in (0, 1))


@functools.cache
def font(size_px: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Matplotlib's own font: Pillow's knows no Greek, no Cyrillic and few signs."""
    from matplotlib import get_data_path
    from PIL import ImageFont

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(get_data_path()) / "fonts" / "ttf" / name), size_px)
