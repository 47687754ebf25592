"""What the colours on a sheet mean: in lines of names, as many as they need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vqc.figures.boxes import font
from vqc.figures.style import PAPER, short
from vqc.tasks.drawing import colour_of

if TYPE_CHECKING:
    from PIL import Image

Key = Sequence[tuple[str, str]]
"""Names with their colours, as `#rrggbb`."""

LINE_PX = 26
_LEFT_PX, _FONT_PX, _APART_PX, _LETTERS = 8, 14, 20, 40


def mask_key(record: Mapping[str, Any], classes: Sequence[str]) -> Key:
    """The colours of masks, for sheets that show some; empty where a task answers otherwise.

    record: of any answer of the evaluation. classes: of the set, in their order.
    """
    return [(name, colour_of(name, classes)) for name in classes] if "masks" in record else []


def draw_key(entries: Key, width: int) -> Image.Image:
    """A strip of that width with a patch of each colour and its name; no line for no entry."""
    from PIL import Image, ImageDraw

    letters = font(_FONT_PX, bold=True)
    words = [(short(text, _LETTERS), colour) for text, colour in entries]
    places, x, line = [], _LEFT_PX, 0
    for text, _ in words:
        length = int(letters.getlength(text)) + _FONT_PX + 6
        if x + length > width and x > _LEFT_PX:
            x, line = _LEFT_PX, line + 1
        places.append((x, line * LINE_PX + 2))
        x += length + _APART_PX
    strip = Image.new("RGB", (width, LINE_PX * (line + 1) if words else 0), PAPER)
    draw = ImageDraw.Draw(strip)
    for (text, colour), (x, y) in zip(words, places, strict=True):
        draw.rectangle((x, y + 1, x + _FONT_PX, y + _FONT_PX + 1), fill=colour)
        draw.text((x + _FONT_PX + 6, y), text, fill=colour, font=letters)
    return strip
