"""CVAT's XML 1.1, for images (a list of pictures) and for video (tracks over frames).

Coordinates are pixels between edges, so they need no shift. A mask is a list of run lengths,
the first one of background, along the rows of its own rectangle.
"""

from __future__ import annotations

import re
import xml.sax
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vqc.errors import InputError
from vqc.formats import rle
from vqc.formats.labels import (
    Ambiguous,
    Labelled,
    Pictures,
    Wrong,
    box_around,
    inside,
    number,
    size_for_mask,
    turned,
    upright,
    whole,
)
from vqc.formats.source import SPLITS, Item, Listing, Reading, Thing, split_of, stem
from vqc.formats.xml_lines import Node, read_xml
from vqc.types import Fault

_LOOKED_AT = 20
_HEAD = 4096
_ROOT = re.compile(rb"<annotations[\s>]")
_SHAPES = ("box", "polygon", "mask", "ellipse")
_PASSED_OVER = ("polyline", "points", "cuboid", "skeleton")
_FRAME = re.compile(r"(?:.*/)?frame_([0-9]+)")
_SLACK_PX = 0.5
"""How far over the border a shape may reach; the rest of it is cut off."""

_Size = tuple[int, int]


def evidence(listing: Listing) -> str | None:
    """An XML file with CVAT's root element."""
    files = sorted(listing.ending(".xml"), key=lambda f: (f.count("/"), f))[:_LOOKED_AT]
    found = next((file for file in files if _is_cvat(listing, file)), None)
    return None if found is None else f"{found} has CVAT's <annotations>"


def read(listing: Listing, unlabelled_is_empty: bool = False) -> Reading:
    """Every `<image>`, or every picture of a video. One without shapes was looked at.

    `objects` stays None where nothing but such as points is marked, and, if the source holds no
    shape at all, where tags label a picture.
    """
    files = [file for file in listing.ending(".xml") if _is_cvat(listing, file)]
    if not files:
        raise InputError("expected an .xml with CVAT's <annotations>; found none")
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
    expected = f"an <image> in {', '.join(files[:3])}"
    return labelled.reading(
        listing.images, expected, unlabelled_is_empty, list(reader.classes), reader.notes()
    )


class _Reader:
    """What several files say together; `file` is the one at hand."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.pictures = Pictures(listing.images)
        self.labelled = Labelled()
        self.file = ""
        self.classes: dict[str, None] = {}
        self.passed_over: Counter[str] = Counter()
        self.subsets: set[str] = set()
        self.has_shapes = False

    def read_file(self, file: str) -> None:
        root = _root(self.listing, file)
        if isinstance(root, Fault):
            self.labelled.faults.append(root)
            return
        self.file = file
        labels = (node for meta in root.find("meta") for node in meta.walk() if node.tag == "label")
        declared = (name.text.strip() for label in labels for name in label.find("name"))
        self.classes |= dict.fromkeys(filter(None, declared))
        for image in root.find("image"):
            try:
                self._read_image(image)
            except Wrong as error:
                self.labelled.faults.append(self._fault(image, error))
        tracks = list(root.find("track"))
        if tracks or any(n.text.strip() == "interpolation" for n in root.find("meta/task/mode")):
            self._read_video(tracks, _video_size(root))

    def notes(self) -> list[str]:
        notes = []
        if self.passed_over:
            kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(self.passed_over.items()))
            notes.append(f"shapes without an area are passed over: {kinds}")
        if self.subsets:
            notes.append(f"subsets that are no split: {', '.join(sorted(self.subsets))}")
        return notes

    def _read_image(self, image: Node) -> None:
        picture = self._picture(image)
        size = None
        faults: list[Fault] = []
        objects: list[Thing] = []
        try:
            size = _size(image.attributes)
        except Wrong as error:
            faults.append(self._fault(image, error))
        for node in image.children:
            objects += self._shape(node, node.attributes.get("label"), size, faults)
        tags = list(image.find("tag"))
        if len(tags) > 1:
            names = ", ".join(tag.attributes.get("label", "") for tag in tags)
            faults.append(self._fault(tags[1], f"expected one a picture, got {names}"))
        label = tags[0].attributes.get("label") if tags else None
        others = any(node.tag in _PASSED_OVER for node in image.children)
        marked = None if others and not objects else tuple(objects)
        item = Item(
            picture, self.file, self._split(image, picture), marked, label, stated_size=size
        )
        self.labelled.add(replace(item, faults=tuple(faults)), image.line)

    def _read_video(self, tracks: Sequence[Node], size: _Size | None) -> None:
        """Every picture named like a frame, below the file's folder, was looked at."""
        folder = self.file.rpartition("/")[0]
        below = [f for f in self.pictures.files if f.startswith(f"{folder}/" if folder else "")]
        frames = {int(found[1]): f for f in below if (found := _FRAME.fullmatch(stem(f)))}
        objects: dict[int, list[Thing]] = {at: [] for at in frames}
        faults: dict[int, list[Fault]] = {at: [] for at in frames}
        others: set[int] = set()
        for track in tracks:
            for shape in track.children:
                is_shape = shape.tag in (*_SHAPES, *_PASSED_OVER)
                if not is_shape or shape.attributes.get("outside") == "1":
                    continue
                try:
                    at = whole(shape.attributes.get("frame"), "frame")
                    if at not in frames:
                        raise Wrong(f"there is no picture frame_{at:06d}")
                except Wrong as error:
                    self.labelled.faults.append(self._fault(shape, error))
                else:
                    name = track.attributes.get("label")
                    objects[at] += self._shape(shape, name, size, faults[at])
                    others |= {at} if shape.tag in _PASSED_OVER else set()
        for at, picture in frames.items():
            marked = None if at in others and not objects[at] else tuple(objects[at])
            item = Item(picture, self.file, split_of(picture), marked, stated_size=size)
            self.labelled.add(replace(item, faults=tuple(faults[at])))

    def _shape(
        self, node: Node, name: str | None, size: _Size | None, faults: list[Fault]
    ) -> list[Thing]:
        """The object of an element, or none; what is wrong with it goes to the faults."""
        if node.tag in _PASSED_OVER:
            self.passed_over[node.tag] += 1
        if node.tag not in _SHAPES:
            return []
        self.has_shapes = True
        try:
            if not name:
                raise Wrong("label: expected a class, got nothing")
            if self.classes and name not in self.classes:
                raise Wrong(f"label: {name!r} is none of the labels that the file declares")
            return [_thing(node, name, size)]
        except Wrong as error:
            faults.append(self._fault(node, error))
            return []

    def _picture(self, image: Node) -> str:
        """By name; below the folder of its subset where that is one."""
        name, subset = image.attributes.get("name", ""), image.attributes.get("subset", "")
        if not name:
            raise Wrong("name: expected the picture's path, got nothing")
        below = f"{subset}/{name}" if subset else name
        try:
            return self.pictures.find(below, self.file)
        except Ambiguous:
            return self.pictures.find(name, self.file)

    def _split(self, image: Node, picture: str) -> str | None:
        subset = image.attributes.get("subset", "")
        if subset and subset.lower() not in (*SPLITS, "default"):
            self.subsets.add(subset)
        return SPLITS.get(subset.lower()) or split_of(picture)

    def _fault(self, node: Node, message: object) -> Fault:
        return Fault(self.file, node.line, f"<{node.tag}> {message}")


def _root(listing: Listing, file: str) -> Node | Fault:
    try:
        return read_xml(listing.root / file)
    except xml.sax.SAXParseException as error:
        return Fault(file, error.getLineNumber(), f"no XML: {error.getMessage()}")
    except LookupError as error:
        return Fault(file, None, f"expected UTF-8 text, got another encoding ({error})")
    except ValueError as error:
        text = f"refused ({type(error).__name__}): expected XML without entities"
        return Fault(file, None, text)
    except OSError as error:
        return Fault(file, None, f"cannot be read: {error.strerror or error}")


def _is_cvat(listing: Listing, file: str) -> bool:
    try:
        with (listing.root / file).open("rb") as stream:
            return _ROOT.search(stream.read(_HEAD)) is not None
    except OSError:
        return False


def _size(given: Mapping[str, str]) -> _Size | None:
    if "width" not in given or "height" not in given:
        return None
    return whole(given["width"], "width", 1), whole(given["height"], "height", 1)


def _video_size(root: Node) -> _Size | None:
    """What `original_size` says; None where it is not there or no size."""
    found = (n for meta in root.find("meta") for n in meta.walk() if n.tag == "original_size")
    given = next(({c.tag: c.text.strip() for c in node.children} for node in found), {})
    try:
        return _size(given)
    except Wrong:
        return None


def _thing(node: Node, name: str, size: _Size | None) -> Thing:
    given = node.attributes
    extra = {"occluded": True} if given.get("occluded") == "1" else {}
    if node.tag == "ellipse":
        raise Wrong("vqc reads no ellipse: draw a polygon or mask instead")
    if node.tag == "polygon":
        return Thing(name, polygons=(_polygon(given, size),), line=node.line, extra=extra)
    if node.tag == "mask":
        if size is None:
            raise Wrong("the picture's width and height are missing, which a mask needs")
        return Thing(name, rle=rle.encode(_mask(given, size)), line=node.line, extra=extra)
    return Thing(name, box=_box(given, size), line=node.line, extra=extra)


def _box(given: Mapping[str, str], size: _Size | None) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (number(given.get(key), key) for key in ("xtl", "ytl", "xbr", "ybr"))
    box = upright(x0, y0, x1, y1)
    rotation = number(given.get("rotation", "0"), "rotation")
    if rotation % 360:
        corners = turned(box, ((x0 + x1) / 2, (y0 + y1) / 2), rotation)
        return box_around(corners, size or (np.inf, np.inf))
    if size is not None:
        (x0, y0), (x1, y1) = inside([(x0, y0), (x1, y1)], size, _SLACK_PX)
    return upright(x0, y0, x1, y1)


def _polygon(given: Mapping[str, str], size: _Size | None) -> tuple[tuple[float, float], ...]:
    points = []
    for pair in given.get("points", "").split(";"):
        xy = [number(value, "points") for value in pair.split(",")]
        if len(xy) != 2:
            raise Wrong(f"points: expected x,y pairs parted by ';', got {pair!r}")
        points.append((xy[0], xy[1]))
    if len(points) < 3:
        raise Wrong(f"points: expected at least three, got {len(points)}")
    return tuple(points) if size is None else inside(points, size, _SLACK_PX)


def _mask(given: Mapping[str, str], size: _Size) -> NDArray[np.bool_]:
    """(H, W) of the whole picture."""
    left, top = (whole(given.get(key), key) for key in ("left", "top"))
    width, height = (whole(given.get(key), key, 1) for key in ("width", "height"))
    if left + width > size[0] or top + height > size[1]:
        raise Wrong(
            f"a mask from {left}, {top} of {width} x {height} in a picture of {size[0]} x {size[1]}"
        )
    shape = size_for_mask(*size)
    runs = [whole(value, "rle") for value in given.get("rle", "").split(",")]
    if sum(runs) != width * height:
        raise Wrong(f"rle: covers {sum(runs)} pixels, expected {width} x {height}")
    is_set = np.arange(len(runs)) % 2 == 1
    full = np.zeros(shape, bool)
    part = np.repeat(is_set, runs).reshape(height, width)
    full[top : top + height, left : left + width] = part
    if not part.any():
        raise Wrong("rle: marks no pixel")
    return full
