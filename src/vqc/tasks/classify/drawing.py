"""A class on a picture: its name and probability on a tile in the corner."""

from __future__ import annotations

from vqc.tasks.classify.answers import Answer
from vqc.tasks.contract import Picture
from vqc.tasks.drawing import colour_of, text_tile
from vqc.types import ByteArray

_TEXT, _LEAST_TEXT_PX, _SMALLEST_TEXT_PX = 0.05, 12, 7
"""Height of the letters, of the mean of width and height, and the least, px; on pictures that are
too narrow for that it shrinks to the smallest that can still be read."""
_NONE, _NONE_COLOUR = "none of these", "#555555"


def draw(picture: Picture, prediction: Answer) -> ByteArray:
    """(H, W, 3) uint8: the picture with its class at the top left; the picture itself stays.

    For none of these the likeliest class stands in brackets.
    """
    drawn = picture.rgb.copy()
    height, width = drawn.shape[:2]
    name = prediction.class_name
    likeliest = prediction.classes[int(prediction.probabilities.argmax())]
    colour = _NONE_COLOUR if name is None else colour_of(name, prediction.classes)
    said = f"{_NONE} ({likeliest} {prediction.score:.2f})" if name is None else None
    text = said or f"{name} {prediction.score:.2f}"
    tile = _fitting_tile(" ".join(text.split()), colour, height, width)[:height, :width]
    drawn[: tile.shape[0], : tile.shape[1]] = tile
    return drawn


def _fitting_tile(text: str, colour: str, height: int, width: int) -> ByteArray:
    """As large as suits a picture of (height, width), and smaller where it is too narrow for it.

    At the smallest letters it may still be wider than the picture.
    """
    text_px = max(_LEAST_TEXT_PX, round(_TEXT * (height + width) / 2))
    tile = text_tile(text, colour, text_px)
    while tile.shape[1] > width and text_px > _SMALLEST_TEXT_PX:
        text_px = max(_SMALLEST_TEXT_PX, min(text_px - 1, text_px * width // tile.shape[1]))
        tile = text_tile(text, colour, text_px)
    return tile
