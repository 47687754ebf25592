"""What a source says of a picture's objects → annotations in pixels of the picture as stored.

Labels count pixels of the picture as it is shown, or, where the label file states a size
that says so, of the picture as it lies in its file, before its EXIF turn. A turn that keeps
the size leaves it open; then the source's other labels decide, as one tool made them all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqc.errors import InputError, ManifestError
from vqc.formats import rle, yolo
from vqc.formats.masks import condition_of
from vqc.formats.source import Item, Point, Thing
from vqc.intake.classes import ClassNames
from vqc.intake.picture import Picture, place_mask, place_points
from vqc.types import Annotation, Box, Fault

Size = tuple[int, int]
"""Width and height in pixels."""

REACH_PX = 1.0
REACH_SHARE = 1e-4
"""How far over the picture's border a label may reach: other tools round."""

_THINNEST_PX = 1e-6


@dataclass(frozen=True, slots=True)
class Labels:
    """objects, condition: as in the manifest. odd_size: the stated one, if not the picture's.

    is_raw: whether labels count pixels before the turn; None where nothing tells.
    """

    objects: tuple[Annotation, ...] | None
    condition: str | None = None
    faults: tuple[Fault, ...] = ()
    odd_size: Size | None = None
    is_raw: bool | None = None


@dataclass(frozen=True, slots=True, eq=False)
class MaskObject:
    """All pixels of one class in a mask picture, by the source's name; (H, W) bool."""

    file: str
    class_name: str
    pixels: NDArray[np.bool_] = field(repr=False)


def place_labels(
    item: Item,
    masks: Sequence[MaskObject],
    picture: Picture,
    names: ClassNames,
    is_raw: bool = False,
    are_defects: bool = True,
) -> Labels:
    """The objects of one picture, those of ignored classes left out, with every fault.

    masks: what the item's mask pictures hold. is_raw: what counts where nothing tells.
    are_defects: whether masks mark defects, so that one without any is of a good part.
    """
    sizes = [item.stated_size, *((t.rle["size"][1], t.rle["size"][0]) for t in _with_rle(item))]
    masks = _renamed(masks, names)
    sizes += [mask.pixels.shape[::-1] for mask in masks]
    stated = next((size for size in sizes if size is not None), None)
    told = _is_raw(picture, stated)
    sheet = _Sheet(picture, is_raw if told is None else told)
    if item.objects is None and not item.masks:
        return Labels(None, _condition(item, names))
    notes, faults = [], []
    for thing in item.objects or ():
        name = names.of(thing.class_name)
        try:
            if name is not None:
                notes.append(_annotation(thing, name, sheet))
        except (InputError, ManifestError) as error:
            faults.append(Fault(item.where, thing.line, f"{thing.class_name}: {error}"))
    for mask in masks:
        try:
            notes.append(_marked(mask.class_name, mask.pixels, sheet))
        except InputError as error:
            faults.append(Fault(mask.file, None, str(error)))
    odd = item.stated_size not in (None, picture.shown_size, picture.raw_size)
    condition = _condition(item, names)
    if condition is None and item.masks and are_defects:
        condition = condition_of({mask.class_name: mask.pixels for mask in masks})
    return Labels(tuple(notes), condition, tuple(faults), item.stated_size if odd else None, told)


def _condition(item: Item, names: ClassNames) -> str | None:
    found = item.condition
    return None if found is None else names.renamed.get(found.strip(), found.strip())


def _renamed(masks: Sequence[MaskObject], names: ClassNames) -> list[MaskObject]:
    """Masks by the set's names; in one file, values that become one class are one object."""
    found: dict[tuple[str, str], NDArray[np.bool_]] = {}
    for mask in masks:
        name = names.of(mask.class_name)
        if name is not None:
            key = (mask.file, name)
            found[key] = found[key] | mask.pixels if key in found else mask.pixels
    return [MaskObject(file, name, pixels) for (file, name), pixels in found.items()]


def _is_raw(picture: Picture, stated: Size | None) -> bool | None:
    """Whether labels count pixels before the turn; None where their size cannot tell."""
    sizes = (picture.raw_size, picture.shown_size)
    return stated == sizes[0] if sizes[0] != sizes[1] and stated in sizes else None


@dataclass(frozen=True, slots=True)
class _Sheet:
    """The picture as its labels see it."""

    picture: Picture
    is_raw: bool

    @property
    def size(self) -> Size:
        """In the pixels that the labels count."""
        return self.picture.raw_size if self.is_raw else self.picture.shown_size

    def points(self, points: Sequence[Point]) -> list[Point]:
        """The same places in the picture as stored, and never outside of it."""
        placed = place_points(points, self.picture, self.is_raw).tolist()
        return _clipped(placed, (self.picture.width, self.picture.height))


def _with_rle(item: Item) -> list[Any]:
    return [thing for thing in item.objects or () if thing.rle is not None]


def _annotation(thing: Thing, name: str, sheet: _Sheet) -> Annotation:
    """Raises InputError or ManifestError with what is wrong."""
    mask: Mapping[str, Any] | None = None
    box: Box | None = None
    if thing.rle is not None:
        height, width = thing.rle["size"]
        _require_size((width, height), sheet)  # before a few bytes claim gigabytes
        marked = _marked(name, rle.decode(thing.rle), sheet)
        mask, box = marked.mask, marked.box_xyxy
    elif thing.polygons:
        outlines = [sheet.points(_inside(thing, points, sheet)) for points in thing.polygons]
        mask = _filled(outlines, sheet.picture)
        box = _bounds([point for outline in outlines for point in outline])
    if thing.box is not None:
        x0, y0, x1, y1 = thing.box
        box = _bounds(sheet.points(_inside(thing, ((x0, y0), (x1, y1)), sheet)))
    if box is None:
        raise InputError("has neither box nor outline")
    return Annotation(
        name, box_xyxy=box, mask=mask, truncated=thing.truncated, extra=dict(thing.extra)
    )


def _inside(thing: Thing, points: Sequence[Point], sheet: _Sheet) -> list[Point]:
    """Points in pixels of the sheet, clipped to it; raises InputError where they lie outside."""
    width, height = sheet.size
    slack_x, slack_y = REACH_PX, REACH_PX
    if thing.unit == "fraction":
        slack_x, slack_y = REACH_SHARE * width, REACH_SHARE * height
        pixels = [yolo.pixel_box((x, y, x, y), width, height)[:2] for x, y in points]
    else:
        pixels = [(float(x), float(y)) for x, y in points]
    if any(
        not (-slack_x <= x <= width + slack_x and -slack_y <= y <= height + slack_y)
        for x, y in pixels
    ):
        x0, y0, x1, y1 = _hull(pixels)
        raise InputError(
            f"reaches out of the picture of {width} x {height} pixels: "
            f"x {x0:g} to {x1:g}, y {y0:g} to {y1:g}"
        )
    return _clipped(pixels, sheet.size)


def _clipped(points: Sequence[Point], size: Size) -> list[Point]:
    width, height = size
    return [(min(max(x, 0.0), width), min(max(y, 0.0), height)) for x, y in points]


def _hull(points: Sequence[Point]) -> Box:
    x, y = [p[0] for p in points], [p[1] for p in points]
    return (min(x), min(y), max(x), max(y))


def _bounds(points: Sequence[Point]) -> Box:
    box = _hull(points)
    if min(box[2] - box[0], box[3] - box[1]) < _THINNEST_PX:
        raise InputError("covers nothing of the picture")
    return box


def _require_size(size: Size, sheet: _Sheet) -> None:
    if size != sheet.size:
        raise InputError(
            f"a mask of {size[0]} x {size[1]} pixels, expected the picture's "
            f"{sheet.size[0]} x {sheet.size[1]}"
        )


def _marked(name: str, pixels: NDArray[np.bool_], sheet: _Sheet) -> Annotation:
    """The object that a mask in pixels of the sheet shows; without mask where it shrank away."""
    height, width = pixels.shape
    _require_size((width, height), sheet)
    around = _around(pixels)
    if around is None:
        raise InputError("a mask without any pixel")
    placed = place_mask(pixels, sheet.picture, sheet.is_raw)
    box = _around(placed)
    if box is not None:
        return Annotation(name, box_xyxy=box, mask=rle.encode(placed))
    x0, y0, x1, y1 = around
    return Annotation(name, box_xyxy=_bounds(sheet.points(((x0, y0), (x1, y1)))))


def _around(pixels: NDArray[np.bool_]) -> Box | None:
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    if not len(rows):
        return None
    return (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))


def _filled(outlines: Sequence[Sequence[Point]], picture: Picture) -> Mapping[str, Any] | None:
    """The pixels inside of any outline, as COCO's own tools fill them; None where none is."""
    from pycocotools import mask as coco

    flat = [[value for point in outline for value in point] for outline in outlines]
    merged = coco.merge(coco.frPyObjects(flat, picture.height, picture.width))
    if not coco.area(merged):
        return None
    counts = merged["counts"]
    size = [picture.height, picture.width]
    return {"size": size, "counts": counts if isinstance(counts, str) else counts.decode("ascii")}
