"""COCO's boxes, polygons and run lengths, as their JSON gives them → those of a `Thing`.

Every function raises Wrong with what was expected and what is there instead.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from vqc.errors import ManifestError
from vqc.formats import rle
from vqc.formats.labels import Wrong, number, size_for_mask, whole
from vqc.formats.source import Point
from vqc.types import Box

_SHOWN_CHARS = 60
_LARGE = 1e15


def box_of(value: object) -> Box:
    if not isinstance(value, list) or len(value) != 4:
        raise Wrong(f"bbox: expected x, y, width, height, got {shown(value)}")
    x, y, w, h = (number(v, "bbox") for v in value)
    if min(w, h) <= 0:
        raise Wrong(f"bbox: expected a width and height above 0, got {w:g} and {h:g}")
    return (x, y, x + w, y + h)


def segmentation_of(value: Any) -> tuple[tuple[tuple[Point, ...], ...], dict[str, Any] | None]:
    if isinstance(value, dict):
        return (), _mask(value)
    if value in (None, [], [[]]):
        return (), None
    if not isinstance(value, list):
        raise Wrong(f"segmentation: expected polygons or run lengths, got {shown(value)}")
    outlines = value if isinstance(value[0], list) else [value]
    polygons = tuple(_polygon(outline, i) for i, outline in enumerate(outlines))
    xs, ys = ([point[axis] for polygon in polygons for point in polygon] for axis in (0, 1))
    if max(xs) == min(xs) or max(ys) == min(ys):
        raise Wrong("segmentation: expected outlines around some area, got points on one line")
    return polygons, None


def _polygon(value: Any, i: int) -> tuple[Point, ...]:
    name = f"segmentation[{i}]"
    if not isinstance(value, list) or len(value) < 6 or len(value) % 2:
        got = f"{len(value)} numbers" if isinstance(value, list) else shown(value)
        raise Wrong(f"{name}: expected at least 3 pairs x, y, got {got}")
    numbers = _numbers(value, name)
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def _numbers(values: list[Any], name: str) -> list[float]:
    """All at once where they are sound: outlines may have thousands of points."""
    if all(type(v) in (float, int) and -_LARGE < v < _LARGE for v in values):
        return list(map(float, values))
    return [number(value, name) for value in values]


def _mask(value: Mapping[str, Any]) -> dict[str, Any]:
    """COCO's run lengths, compressed; text that Python printed as bytes is taken as meant."""
    size, counts = value.get("size"), value.get("counts")
    if not isinstance(size, list) or len(size) != 2:
        raise Wrong(f"segmentation.size: expected height, width, got {shown(size)}")
    height, width = size_for_mask(*(whole(v, "segmentation.size", 1) for v in reversed(size)))
    try:
        if isinstance(counts, list):
            mask = rle.from_runs([height, width], counts)
        elif isinstance(counts, str):
            text = ast.literal_eval(counts).decode() if counts.startswith("b'") else counts
            mask = {"size": [height, width], "counts": text}
        else:
            raise Wrong(f"segmentation.counts: expected text or a list, got {shown(counts)}")
        area = rle.area(mask)
    except (ManifestError, ValueError, SyntaxError) as error:
        raise Wrong(f"segmentation: {error}") from None
    if not area:
        raise Wrong("segmentation: expected a mask of some pixels, got an empty one")
    return mask


def shown(value: object) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[: _SHOWN_CHARS - 1]}…"
