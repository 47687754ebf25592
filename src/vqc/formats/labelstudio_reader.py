"""Label Studio's JSON export: a list of tasks, each with its picture and annotations.

Rectangles and polygons come in percent of the picture, brush strokes as run lengths, and
choices label the whole picture. The short form JSON-MIN is read too.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from vqc.errors import InputError
from vqc.formats import brush, rle
from vqc.formats.labels import (
    Ambiguous,
    Labelled,
    Pictures,
    Wrong,
    box_around,
    inside,
    number,
    only,
    turned,
    upright,
    whole,
)
from vqc.formats.labelstudio_task import SHAPES, UNREADABLE, annotation_of, full, image_of
from vqc.formats.source import Item, Listing, Reading, Thing, split_of, text_of
from vqc.types import Fault

_HEAD, _TAIL = 65536, 4096
_LOOKED_AT = 20
_OURS = re.compile(rb'"(result|completions|annotation_id)"\s*:|"data"\s*:\s*\{')
_PREFIX = re.compile(r"[0-9a-f]{8}-")
_UNSAFE = re.compile(r"[^-\w.]")
_BARE = ("rectangle", "polygon", "brush")
_PLACES = frozenset(("x", "points", "vertices"))
_SLACK = 0.01  # percent that rounding may reach over the border


def evidence(listing: Listing) -> str | None:
    """A JSON list of tasks."""
    files = sorted(listing.ending(".json"), key=lambda f: (f.count("/"), f))[:_LOOKED_AT]
    found = next((file for file in files if _is_export(listing, file)), None)
    return None if found is None else f"{found} is a list of Label Studio's tasks"


def read(listing: Listing, unlabelled_is_empty: bool = False) -> Reading:
    """Every task's picture.

    `objects` stays None where nobody annotated, where nothing but such as key points is marked,
    and, if the source holds no shape at all, where choices label a picture.
    """
    files = [file for file in listing.ending(".json") if _is_export(listing, file)]
    if not files:
        raise InputError("expected a .json with a list of tasks; found none")
    reader = _Reader(listing)
    for file in files:
        reader.read_file(file)
    labelled = reader.labelled
    if not labelled.items and labelled.faults:
        raise InputError("\n".join(map(str, labelled.faults)))
    if not reader.has_shapes:
        labelled.items = {
            file: replace(item, objects=None) if item.label is not None else item
            for file, item in labelled.items.items()
        }
    for file in sorted(reader.undone):
        if unlabelled_is_empty and labelled.items[file].objects is None:
            labelled.items[file] = replace(labelled.items[file], objects=())
    expected = f"a task in {', '.join(files[:3])}"
    notes = reader.notes()
    return labelled.reading(listing.images, expected, unlabelled_is_empty, notes=notes)


@dataclass(slots=True)
class _Found:
    """The results of one picture. has_others: something is marked that is no object to vqc."""

    objects: list[Thing] = field(default_factory=list)
    choices: list[str] = field(default_factory=list)
    sizes: set[tuple[int, int]] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    has_others: bool = False


class _Reader:
    """What several files of tasks say together."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.pictures = Pictures(listing.images)
        self.by_safe_name: dict[str, list[str]] = {}
        for file in listing.images:
            self.by_safe_name.setdefault(_safe(file), []).append(file)
        self.labelled = Labelled()
        self.undone: set[str] = set()
        self.passed_over: Counter[str] = Counter()
        self.has_shapes = False

    def read_file(self, file: str) -> None:
        tasks = _tasks(self.listing, file)
        if isinstance(tasks, Fault):
            self.labelled.faults.append(tasks)
            return
        for i, task in enumerate(tasks):
            try:
                self._read_task(file, f"[{i}]", full(task))
            except Wrong as error:
                self.labelled.faults.append(Fault(file, None, f"[{i}]: {error}"))

    def notes(self) -> list[str]:
        notes = []
        if self.undone:
            notes.append(f"{len(self.undone)} tasks have no annotation: nobody labelled them")
        if self.passed_over:
            kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(self.passed_over.items()))
            notes.append(f"results without an area are passed over: {kinds}")
        return notes

    def _read_task(self, file: str, at: str, task: Mapping[str, Any]) -> None:
        picture = self._picture(image_of(task), file)
        item = Item(picture, file, split_of(picture))
        try:
            chosen = annotation_of(task)
        except Wrong as error:
            fault = Fault(file, None, f"{at}{error}")
            self.labelled.add(replace(item, faults=(fault,)))
            return
        if chosen is None:
            self.undone.add(picture)
            self.labelled.add(item)
            return
        place, results = chosen
        self.labelled.add(self._read_results(item, f"{at}{place}", results))

    def _read_results(self, item: Item, at: str, results: Sequence[Any]) -> Item:
        found = _Found()
        shapes = (r for r in results if isinstance(r, dict) and r.get("type") in SHAPES)
        named = {str(shape["id"]) for shape in shapes if shape.get("id") is not None}
        for i, result in enumerate(results):
            try:
                self._read_result(result, named, found)
            except Wrong as error:
                found.wrong.append(f"[{i}]{_point(error)}")
        if len(found.choices) > 1:
            found.wrong.append(f": expected one choice, got {', '.join(found.choices)}")
        if len(found.sizes) > 1:
            found.wrong.append(f": expected one size, got {sorted(found.sizes)}")
        return replace(
            item,
            objects=None if found.has_others and not found.objects else tuple(found.objects),
            label=next(iter(found.choices), None),
            stated_size=next(iter(found.sizes), None),
            faults=tuple(Fault(item.where, None, f"{at}.result{text}") for text in found.wrong),
        )

    def _read_result(self, result: Any, named: Collection[str], found: _Found) -> None:
        """Put one result where it belongs; raises Wrong.

        named: ids of the regions that have a label.
        """
        if not isinstance(result, dict):
            raise Wrong(": expected an object with type and value")
        kind, value = str(result.get("type", "")).lower(), result.get("value")
        if kind != "relation" and not isinstance(value, dict):
            raise Wrong(": expected an object with type and value")
        is_named = str(result.get("id")) in named
        self.has_shapes |= kind in (*SHAPES, *UNREADABLE, *_BARE)
        if kind in SHAPES:
            found.sizes |= _sizes(result)
            found.objects.append(_thing(kind, result))
        elif kind in UNREADABLE:
            raise Wrong(f".type: vqc reads no {kind}; draw a polygon or brush instead")
        elif kind in _BARE and not is_named:
            raise Wrong(f".value: a {kind} without label")
        elif kind == "choices" and not is_named:
            found.choices.append(_label(result["value"], "choices"))
        elif kind not in _BARE:
            self.passed_over[kind or "without type"] += 1
            found.has_others |= isinstance(value, dict) and not _PLACES.isdisjoint(value)

    def _picture(self, stated: str, file: str) -> str:
        """By its path; without the prefix of an upload; as an upload rewrites names."""
        bare = _PREFIX.sub("", stated.rpartition("/")[2], count=1)
        for wanted in (stated, bare):
            try:
                return self.pictures.find(wanted, file)
            except Ambiguous as error:
                raise Wrong(f".data: {error}") from None
            except Wrong:
                continue
        found = self.by_safe_name.get(_safe(bare))
        if not found:
            raise Wrong(f".data: there is no picture {bare!r}")
        return only(bare, found)


def _tasks(listing: Listing, file: str) -> list[Any] | Fault:
    text = text_of(listing.root, file)
    if isinstance(text, Fault):
        return text
    try:
        tasks = json.loads(text)
    except json.JSONDecodeError as error:
        return Fault(file, error.lineno, f"no JSON: {error.msg}")
    except (ValueError, RecursionError) as error:
        return Fault(file, None, f"no JSON: {error}")
    if not isinstance(tasks, list):
        return Fault(file, None, f"expected a list of tasks, got {type(tasks).__name__}")
    return tasks


def _is_export(listing: Listing, file: str) -> bool:
    try:
        with (listing.root / file).open("rb") as stream:
            head = stream.read(_HEAD)
            stream.seek(max(stream.seek(0, 2) - _TAIL, len(head)))
            both = head + stream.read(_TAIL)
    except OSError:
        return False
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return start.startswith(b"[") and _OURS.search(both) is not None


def _sizes(result: Mapping[str, Any]) -> set[tuple[int, int]]:
    if result.get("original_width") is None:
        return set()
    return {_size(result)}


def _size(result: Mapping[str, Any]) -> tuple[int, int]:
    width, height = (
        whole(result.get(k), f".{k}", 1) for k in ("original_width", "original_height")
    )
    return width, height


def _thing(kind: str, result: Mapping[str, Any]) -> Thing:
    value = result["value"]
    label = _label(value, kind)
    if result.get("image_rotation"):
        raise Wrong(f".image_rotation: expected 0, got {result['image_rotation']}: turn the file")
    if "points" in value:
        return Thing(label, "fraction", polygons=(_polygon(value["points"]),))
    if "rle" in value:
        width, height = _size(result)
        if not isinstance(value["rle"], list):
            raise Wrong(".value.rle: expected a list")
        mask = brush.decode(value["rle"], width, height)
        if not mask.any():
            raise Wrong(".value.rle: a brush stroke that marks no pixel")
        return Thing(label, rle=rle.encode(mask))
    x, y, w, h = (number(value.get(k), f".value.{k}") for k in ("x", "y", "width", "height"))
    box = upright(x, y, x + w, y + h)
    rotation = number(value.get("rotation") or 0, ".value.rotation")
    if rotation % 360:
        size = _size(result)
        x0, y0, x1, y1 = (v * size[i % 2] / 100 for i, v in enumerate(box))
        corners = turned((x0, y0, x1, y1), (x0, y0), rotation)
        return Thing(label, box=box_around(corners, size))
    (x0, y0), (x1, y1) = inside([(box[0], box[1]), (box[2], box[3])], (100, 100), _SLACK)
    return Thing(label, "fraction", box=(x0 / 100, y0 / 100, x1 / 100, y1 / 100))


def _polygon(points: Any) -> tuple[tuple[float, float], ...]:
    if not isinstance(points, list) or len(points) < 3:
        raise Wrong(".value.points: expected at least three points")
    found = []
    for k, point in enumerate(points):
        if not isinstance(point, list) or len(point) != 2:
            raise Wrong(f".value.points[{k}]: expected x and y")
        x, y = (number(v, f".value.points[{k}]") for v in point)
        found.append((x, y))
    return tuple((x / 100, y / 100) for x, y in inside(found, (100, 100), _SLACK))


def _label(value: Mapping[str, Any], kind: str) -> str:
    names = value.get(kind)
    if not isinstance(names, list) or len(names) != 1 or not isinstance(names[0], str):
        raise Wrong(f".value.{kind}: expected one label, got {str(names)[:60]}")
    if not names[0].strip():
        raise Wrong(f".value.{kind}: expected one label, got an empty one")
    return names[0].strip()


def _point(error: Wrong) -> str:
    text = str(error)
    return text if text.startswith((".", ":")) else f".value: {text}"


def _safe(file: str) -> str:
    """A file's name as an upload rewrites it: blanks to _, odd characters left out."""
    return _UNSAFE.sub("", file.rpartition("/")[2].replace(" ", "_"))
