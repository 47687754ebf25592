"""Detections on a picture: a box, the class and the score of each object."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vqc.tasks.contract import Picture
from vqc.tasks.detect.answers import Detections
from vqc.tasks.drawing import colour_of, text_tile
from vqc.types import ByteArray

_LINE, _TEXT = 0.0025, 0.022  # of the mean of width and height
_LEAST_LINE_PX, _LEAST_TEXT_PX = 2, 12
_GRID_PX = 4

Edges = tuple[int, int, int, int]


def draw(picture: Picture, prediction: Detections, classes: Sequence[str] = ()) -> ByteArray:
    """(H, W, 3) uint8: the picture with its objects; the picture itself stays as it is.

    classes: in the order of their colours; without them, or for one that is not among them,
    a name always has the same colour, but two names may share one.
    Lines lie outside of the boxes, so that they hide nothing of the object. The surest are
    on top.
    """
    drawn = picture.rgb.copy()
    mean_px = sum(drawn.shape[:2]) / 2
    line_px = max(_LEAST_LINE_PX, round(_LINE * mean_px))
    text_px = max(_LEAST_TEXT_PX, round(_TEXT * mean_px))
    ids = prediction.track_ids or (None,) * len(prediction.scores)
    found = list(
        zip(prediction.boxes_xyxy, prediction.class_names, prediction.scores, ids, strict=True)
    )
    colours = [colour_of(name, classes) for name in prediction.class_names]
    lines = [
        _outline(drawn, box, line_px, colour)
        for (box, *_), colour in zip(reversed(found), reversed(colours), strict=True)
    ]
    tiles = []
    for (_, name, score, track), colour in zip(found, colours, strict=True):
        number = "" if track is None else f" #{track}"
        text = " ".join(f"{name}{number} {score:.2f}".split())  # line breaks cannot be drawn
        tiles.append(text_tile(text, colour, text_px))
    places = _places(list(reversed(lines)), tiles, drawn.shape[:2])
    for (left, top), tile in reversed(list(zip(places, tiles, strict=True))):
        height, width = drawn.shape[:2]
        drawn[top : top + tile.shape[0], left : left + tile.shape[1]] = tile[
            : height - top, : width - left
        ]
    return drawn


def _outline(drawn: ByteArray, box: Sequence[float], line_px: int, colour: str) -> Edges:
    """Draw around a half-open box, inside only at the picture's border; gives the outer edges."""
    height, width = drawn.shape[:2]
    x0, y0 = (max(0, round(float(v)) - line_px) for v in box[:2])
    x1 = min(width, round(float(box[2])) + line_px)
    y1 = min(height, round(float(box[3])) + line_px)
    rgb = _rgb(colour)
    drawn[y0 : y0 + line_px, x0:x1] = rgb
    drawn[max(y0, y1 - line_px) : y1, x0:x1] = rgb
    drawn[y0:y1, x0 : x0 + line_px] = rgb
    drawn[y0:y1, max(x0, x1 - line_px) : x1] = rgb
    return x0, y0, x1, y1


def _places(
    edges: Sequence[Edges], tiles: Sequence[ByteArray], size: tuple[int, ...]
) -> list[tuple[int, int]]:
    """Left and top of each text: at a corner of its box where no text of a surer one is yet.

    Above the box, below it, inside; where everything is taken, the first of these counts.
    """
    height, width = size
    taken = np.zeros((height // _GRID_PX + 1, width // _GRID_PX + 1), bool)
    places = []
    for (x0, y0, x1, y1), tile in zip(edges, tiles, strict=True):
        tall, wide = tile.shape[:2]
        tops = [top for top in (y0 - tall, y1, y0, y1 - tall) if 0 <= top <= height - tall]
        lefts = [min(x0, max(0, width - wide)), max(0, x1 - wide)]
        spots = [(left, top) for top in tops or [0] for left in lefts]
        spans = [_span(left, top, tile) for left, top in spots]
        best = next((k for k, span in enumerate(spans) if not taken[span].any()), 0)
        taken[spans[best]] = True
        places.append(spots[best])
    return places


def _span(left: int, top: int, tile: ByteArray) -> tuple[slice, slice]:
    """The part of the grid that a text covers."""
    rows = slice(top // _GRID_PX, (top + tile.shape[0] - 1) // _GRID_PX + 1)
    return rows, slice(left // _GRID_PX, (left + tile.shape[1] - 1) // _GRID_PX + 1)


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))
