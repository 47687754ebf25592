"""COCO's JSON of other people → `Reading`: boxes, polygons and run-length masks, in pixels.

Boxes are x, y, width, height from the picture's corner. A picture that a file lists without
annotations was looked at and is empty; one that no file lists has no label.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vqc.errors import InputError
from vqc.formats.coco_shapes import box_of, segmentation_of, shown
from vqc.formats.labels import Ambiguous, Labelled, Pictures, Wrong
from vqc.formats.source import SPLITS, Item, Listing, Reading, Thing, glimpse, split_of, text_of
from vqc.types import Fault

_LISTS = ("images", "annotations", "categories")
_KEY = re.compile(rb'"(images|annotations|categories)"\s*:\s*\[|"(image_id)"\s*:')
_HEAD_BYTES = 1 << 16

_Record = Mapping[str, Any]


def evidence(listing: Listing) -> str | None:
    """A JSON file with COCO's lists at its beginning or end."""
    found = next((f for f in listing.ending(".json") if _is_coco(listing.root / f)), None)
    return None if found is None else f"{found} with COCO's images and annotations"


def read(listing: Listing, unlabelled_is_empty: bool = False) -> Reading:
    """Every picture with its objects and faults, from all COCO files of the source.

    unlabelled_is_empty: a picture that no file lists was looked at and shows nothing.
    Raises InputError where no COCO file can be read.
    """
    files = [file for file in listing.ending(".json") if _is_coco(listing.root / file)]
    opened = {file: _opened(listing.root, file) for file in files}
    faults = [found for found in opened.values() if isinstance(found, Fault)]
    contents = {file: c for file, c in opened.items() if not isinstance(c, Fault)}
    if not contents:
        told = "".join(f"\n{fault}" for fault in faults)
        raise InputError(
            f"no COCO file: expected a .json with images, annotations and categories{told}"
        )
    collector = _Collector(listing, _used_categories(contents.values()))
    collector.labelled.faults += faults
    for file, content in contents.items():
        collector.read_file(file, content)
    expected = f"an entry under images in {', '.join(contents)}"
    return collector.labelled.reading(
        listing.images, expected, unlabelled_is_empty, list(collector.classes), collector.notes()
    )


@dataclass(slots=True)
class _Draft:
    """One entry under images; file: the picture, None where it is not here."""

    file: str | None
    split: str | None
    size: tuple[int, int] | None
    things: list[Thing] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    first: dict[object, int] = field(default_factory=dict)


class _Collector:
    """What several COCO files say together; used: the category ids of all annotations."""

    def __init__(self, listing: Listing, used: set[int | str]) -> None:
        self.images = listing.images
        self.pictures = Pictures(listing.images)
        self.of_split: dict[str | None, Pictures] = {}
        self.used = used
        self.labelled = Labelled()
        self.classes: dict[str, None] = {}
        self.dropped: dict[str, None] = {}
        self.keypoints = 0

    def notes(self) -> list[str]:
        notes = [
            f"category {name!r} (id 0) is Roboflow's placeholder, no object has it: dropped"
            for name in self.dropped
        ]
        return notes + ([f"keypoints of {self.keypoints} objects left out"] * bool(self.keypoints))

    def read_file(self, file: str, content: _Record) -> None:
        names = self._categories(file, content)
        drafts = self._images(file, content)
        first: dict[int | str, int] = {}
        for i, entry in self._records(file, content, "annotations"):
            faults = self.labelled.faults  # until it is known what picture is concerned
            try:
                image_id = _id(entry, "image_id")
                if image_id not in drafts:
                    raise Wrong(f"image_id: expected the id of an image, got {image_id!r}")
                draft = drafts[image_id]
                faults = draft.faults
                if "id" in entry:
                    _require_new(_id(entry, "id"), i, first, "id: expected ids that differ")
                thing = self._thing(entry, names)
                _require_new(_content(thing), i, draft.first, "bbox: expected objects that differ")
                draft.things.append(thing)
            except Wrong as error:
                faults.append(Fault(file, None, f"annotations[{i}].{error}"))
        for draft in drafts.values():
            self._add(draft, file)

    def _add(self, draft: _Draft, file: str) -> None:
        if draft.file is None:
            self.labelled.faults += draft.faults
            return
        things, faults = tuple(draft.things), tuple(draft.faults)
        self.labelled.add(
            Item(draft.file, file, draft.split, things, stated_size=draft.size, faults=faults)
        )

    def _records(self, file: str, content: _Record, key: str) -> Iterator[tuple[int, _Record]]:
        for i, entry in enumerate(content[key]):
            if isinstance(entry, dict):
                yield i, entry
            else:
                fault = f"{key}[{i}]: expected an object, got {shown(entry)}"
                self.labelled.faults.append(Fault(file, None, fault))

    def _categories(self, file: str, content: _Record) -> dict[int | str, str]:
        names: dict[int | str, str] = {}
        first: dict[object, int] = {}
        for i, entry in self._records(file, content, "categories"):
            try:
                found, name = _id(entry, "id"), _text(entry, "name")
                is_unused = found == 0 and found not in self.used
                if is_unused and entry.get("supercategory") == "none":
                    self.dropped[name] = None
                    continue
                names.setdefault(found, name)
                self.classes[name] = None
                _require_new(
                    ("id", found), i, first, f"id: expected ids that differ, got {found!r}"
                )
                _require_new(name, i, first, f"name: expected names that differ, got {name!r}")
            except Wrong as error:
                self.labelled.faults.append(Fault(file, None, f"categories[{i}].{error}"))
        return names

    def _images(self, file: str, content: _Record) -> dict[int | str, _Draft]:
        drafts: dict[int | str, _Draft] = {}
        for i, entry in self._records(file, content, "images"):
            picture, faults, image_id = None, [], None
            try:
                picture = self._find(_text(entry, "file_name"), file)
            except Wrong as error:
                faults.append(Fault(file, None, f"images[{i}].{error}"))
            try:
                image_id = _id(entry, "id")
                if image_id in drafts:
                    raise Wrong(f"id: expected ids that differ, got {image_id!r} again")
            except Wrong as error:
                faults.append(Fault(file, None, f"images[{i}].{error}"))
            split = _split(entry, picture or "", file)
            draft = _Draft(picture, split, _size(entry), faults=faults)
            if image_id is None:
                self._add(draft, file)
            elif image_id in drafts:  # nobody can tell whose the annotations are
                drafts[image_id].faults += faults
                self._add(draft, file)
            else:
                drafts[image_id] = draft
        return drafts

    def _find(self, stated: str, file: str) -> str:
        """The picture; where several have its name, the one in the JSON file's own split."""
        split = _split_of_json(file)
        try:
            try:
                return self.pictures.find(stated, file)
            except Ambiguous:
                if split is None:
                    raise
            if split not in self.of_split:
                self.of_split[split] = Pictures(i for i in self.images if split_of(i) == split)
            return self.of_split[split].find(stated, file)
        except Wrong as error:
            raise Wrong(f"file_name: {error}") from None

    def _thing(self, entry: _Record, names: Mapping[int | str, str]) -> Thing:
        category = _id(entry, "category_id")
        if category not in names:
            raise Wrong(f"category_id: expected the id of a category, got {category!r}")
        box = box_of(entry["bbox"]) if entry.get("bbox") not in (None, []) else None
        polygons, mask = segmentation_of(entry.get("segmentation"))
        if box is None and not polygons and mask is None:
            raise Wrong("bbox: expected x, y, width, height, got nothing")
        crowd = entry.get("iscrowd") or 0
        if crowd not in (0, 1):
            raise Wrong(f"iscrowd: expected 0 or 1, got {shown(crowd)}")
        self.keypoints += bool(entry.get("keypoints"))
        extra = {"iscrowd": 1} if crowd else {}
        return Thing(names[category], "px", box, polygons, mask, extra=extra)


def _is_coco(path: Path) -> bool:
    """Whether the beginning and the end of a file hold two of COCO's keys."""
    text = glimpse(path, _HEAD_BYTES)
    keys = {key for match in _KEY.finditer(text) for key in match.groups() if key}
    return text.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"{" and len(keys) > 1


def _opened(root: Path, file: str) -> dict[str, Any] | Fault:
    """The content of a COCO file, its three lists checked."""
    text = text_of(root, file)
    if isinstance(text, Fault):
        return text
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        return Fault(file, error.lineno, f"expected JSON, got {error.msg} in column {error.colno}")
    except (ValueError, RecursionError) as error:
        return Fault(file, None, f"expected JSON that can be read, got: {error}")
    if not isinstance(content, dict):
        return Fault(file, 1, f"expected an object with {', '.join(_LISTS)}")
    wrong = [key for key in _LISTS if not isinstance(content.get(key), list)]
    if wrong:
        got = ", ".join(shown(content.get(key)) for key in wrong)
        return Fault(file, None, f"{', '.join(wrong)}: expected lists, got {got}")
    return content


def _used_categories(contents: Iterable[_Record]) -> set[int | str]:
    notes = (note for content in contents for note in content["annotations"])
    ids = (note.get("category_id") for note in notes if isinstance(note, dict))
    return {found for found in ids if isinstance(found, int | str)}


def _require_new(key: object, i: int, first: dict[Any, int], expected: str) -> None:
    before = first.setdefault(key, i)
    if before != i:
        raise Wrong(f"{expected}, got that of [{before}] again")


def _id(entry: _Record, key: str) -> int | str:
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise Wrong(f"{key}: expected a whole number, got {shown(value)}")
    return value


def _text(entry: _Record, key: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value.strip():
        raise Wrong(f"{key}: expected a name, got {shown(value)}")
    return value.strip()


def _split_of_json(file: str) -> str | None:
    """The split in a JSON file's folders, or else the only one in its own name.

    >>> _split_of_json("annotations/instances_val2017.json")
    'val'
    """
    words = re.findall(r"[a-z]+", file.rpartition("/")[2].lower())
    found = {SPLITS[word] for word in words if word in SPLITS}
    return split_of(file) or (found.pop() if len(found) == 1 else None)


def _split(entry: _Record, picture: str, file: str) -> str | None:
    """The split that vqc's own export says, else that of the folders or the JSON file."""
    stated = entry.get("split", "")
    if stated is None or (isinstance(stated, str) and stated in SPLITS):
        return None if stated is None else SPLITS[stated]
    return split_of(picture) or _split_of_json(file)


def _size(entry: _Record) -> tuple[int, int] | None:
    width, height = entry.get("width"), entry.get("height")
    if type(width) is int and type(height) is int and min(width, height) > 0:
        return width, height
    return None


def _content(thing: Thing) -> tuple[object, ...]:
    return (thing.class_name, thing.box, thing.polygons, thing.rle and thing.rle["counts"])
