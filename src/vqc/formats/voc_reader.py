"""Pascal VOC of other people → `Reading`: one XML file a picture, boxes in pixels.

VOC counts pixels from 1 and its last pixel is inside the box, so x0 = xmin - 1 and x1 = xmax.
Boxes that reach over the border stay as they are: the picture's size is not known yet.
"""

from __future__ import annotations

import math
import re
import xml.sax
from collections.abc import Mapping
from dataclasses import dataclass, field

from vqc.errors import InputError
from vqc.formats.labels import Ambiguous, Labelled, Pictures, Wrong, number
from vqc.formats.source import (
    SPLITS,
    Item,
    Listing,
    Reading,
    Thing,
    by_stem,
    glimpse,
    split_of,
    stem,
    text_of,
)
from vqc.formats.xml_lines import Node, read_xml
from vqc.types import Fault

_ROOT = re.compile(rb"<annotation[\s>]")
_HEAD_BYTES = 4096
_LOOKED_AT = 20
_SHOWN_CHARS = 40
_SETS = ("imagesets", "main")
_EDGES = ("xmin", "ymin", "xmax", "ymax")
_FLAGS: Mapping[str, bool | None] = {
    "0": False, "1": True, "false": False, "true": True, "unspecified": None, "": None,
}  # fmt: skip


def evidence(listing: Listing) -> str | None:
    """An XML file with VOC's root element."""
    files = sorted(listing.ending(".xml"), key=lambda file: (file.count("/"), file))[:_LOOKED_AT]
    found = next((file for file in files if _is_voc(listing, file)), None)
    return None if found is None else f"{found} with VOC's <annotation>"


def read(listing: Listing, unlabelled_is_empty: bool = False) -> Reading:
    """Every picture with its objects and faults; VOC has no list of classes.

    unlabelled_is_empty: a picture without XML was looked at and shows nothing.
    Raises InputError where there is no XML file.
    """
    files = listing.ending(".xml")
    if not files:
        raise InputError("no Pascal VOC: expected an .xml for each picture, found none")
    finder = _Finder(listing)
    splits, notes = _splits(listing, finder)
    labelled = Labelled()
    polygons = 0
    for file in files:
        label = _Label(file)
        root = label.root(listing)
        things = label.things(root) if root else []
        polygons += sum(1 for _ in root.find("object/polygon")) if root else 0
        pictures = finder.pictures(label, root)
        if len(pictures) > 1:
            label.fault(None, f"expected one picture for a label, got {', '.join(pictures)}")
        faults, size = tuple(label.faults), _size(root) if root else None
        for picture in pictures:
            split = splits[picture] if picture in splits else split_of(picture)
            item = Item(picture, file, split, tuple(things), stated_size=size, faults=faults)
            labelled.add(item)
        labelled.faults += () if pictures else faults
    if polygons:
        notes.append(f"outlines of {polygons} objects left out: their boxes are taken")
    expected = "an .xml of the same name (one without <object> says background)"
    return labelled.reading(listing.images, expected, unlabelled_is_empty, notes=notes)


class _Finder:
    """The pictures of a source, by what a label is called and by what it says."""

    def __init__(self, listing: Listing) -> None:
        self.by_stem = by_stem(listing.images)
        self.stems = Pictures(self.by_stem)
        own = {stem(file) for file in listing.ending(".xml")}
        free = [image for image in listing.images if stem(image) not in own]
        self.free_stems, self.free = Pictures(by_stem(free)), Pictures(free)
        self.folders = {_folder(image) for image in listing.images}

    def pictures(self, label: _Label, root: Node | None) -> list[str]:
        """The picture of the label's own name, else the one that it states; a fault if none.

        Where pictures lie beside the label, only these count, and a picture with a label beside
        it has no other: two shoots may have the same names.
        """
        stated, own = _content(root, "filename"), stem(label.file)
        is_beside = _folder(label.file) in self.folders
        try:
            if is_beside:
                found = self.by_stem.get(own, [])
            else:
                found = [p for s in _found(self.free_stems, own) for p in self.by_stem[s]]
            if not found and stated:
                near = _found(self.free, stated, label.file)
                found = [p for p in near if not is_beside or _folder(p) == _folder(own)]
        except Ambiguous as error:
            label.fault(None, str(error))
            return []
        if not found and root:
            label.fault(None, f"expected a picture of the same name or {stated!r}, got none")
        named = [picture for picture in found if picture.rpartition("/")[2] == stated]
        return named if len(named) == 1 else found


@dataclass(frozen=True, slots=True)
class _Label:
    """One XML file and all that is wrong with it."""

    file: str
    faults: list[Fault] = field(default_factory=list)

    def fault(self, node: Node | None, message: str) -> None:
        self.faults.append(Fault(self.file, node.line if node else None, message))

    def root(self, listing: Listing) -> Node | None:
        from defusedxml.common import DefusedXmlException

        try:
            root = read_xml(listing.root / self.file)
        except xml.sax.SAXParseException as error:
            text = f"expected XML, got {error.getMessage()}"
            self.faults.append(Fault(self.file, error.getLineNumber(), text))
        except DefusedXmlException as error:
            text = f"expected XML without DTD and entities, got {type(error).__name__}"
            self.fault(None, text)
        except OSError as error:
            self.fault(None, f"cannot be read: {error.strerror or error}")
        except (ValueError, LookupError) as error:
            self.fault(None, f"expected UTF-8 text, got another encoding ({error})")
        else:
            if root.tag == "annotation":
                return root
            self.fault(root, f"expected VOC's <annotation>, got <{root.tag}>")
        return None

    def things(self, root: Node) -> list[Thing]:
        first: dict[object, int] = {}
        things = []
        for node in root.find("object"):
            thing = self._thing(node)
            if thing is None:
                continue
            before = first.setdefault((thing.class_name, thing.box), node.line)
            if before != node.line:
                self.fault(node, f"expected objects that differ, got that of line {before} again")
            things.append(thing)
        return things

    def _thing(self, node: Node) -> Thing | None:
        told = len(self.faults)
        name, bndbox = self._only(node, "name"), self._only(node, "bndbox")
        if name and not name.text.strip():
            self.fault(name, "name: expected a class, got nothing")
        edges = [self._edge(bndbox, tag) for tag in _EDGES] if bndbox else []
        truncated, difficult, occluded = (
            self._flag(node, tag) for tag in ("truncated", "difficult", "occluded")
        )
        if len(self.faults) > told or not (name and bndbox):
            return None
        x0, y0, x1, y1 = edges[0] - 1, edges[1] - 1, edges[2], edges[3]
        if x1 <= x0 or y1 <= y0:
            got = ", ".join(f"{tag} {edge:g}" for tag, edge in zip(_EDGES, edges, strict=True))
            self.fault(bndbox, f"bndbox: expected minima up to the maxima, got {got}")
            return None
        flags = {"difficult": difficult, "occluded": occluded}
        extra = {tag: True for tag, is_set in flags.items() if is_set}
        return Thing(
            name.text.strip(),
            "px",
            (x0, y0, x1, y1),
            truncated=truncated,
            line=node.line,
            extra=extra,
        )

    def _only(self, parent: Node, tag: str) -> Node | None:
        found = list(parent.find(tag))
        if len(found) == 1:
            return found[0]
        self.fault(parent, f"expected one <{tag}> in <{parent.tag}>, got {len(found) or 'none'}")
        return None

    def _edge(self, bndbox: Node, tag: str) -> float:
        node = self._only(bndbox, tag)
        try:
            return math.nan if node is None else number(node.text.strip(), tag)
        except Wrong as error:
            self.fault(node, str(error))
            return math.nan

    def _flag(self, parent: Node, tag: str) -> bool | None:
        for node in parent.find(tag):
            text = node.text.strip()
            if text.lower() not in _FLAGS:
                self.fault(node, f"{tag}: expected 0 or 1, got {text[:_SHOWN_CHARS]!r}")
                return None
            return _FLAGS[text.lower()]
        return None


def _is_voc(listing: Listing, file: str) -> bool:
    return _ROOT.search(glimpse(listing.root / file, _HEAD_BYTES)) is not None


def _found(pictures: Pictures, stated: str, beside: str = "") -> list[str]:
    """The picture that is meant, if there is one. Raises Ambiguous."""
    try:
        return [pictures.find(stated, beside)]
    except Ambiguous:
        raise
    except Wrong:
        return []


def _folder(file: str) -> str:
    return file.rpartition("/")[0]


def _content(root: Node | None, path: str) -> str:
    return next((node.text.strip() for node in root.find(path)), "") if root else ""


def _size(root: Node) -> tuple[int, int] | None:
    """Width and height where both are stated as whole numbers above 0."""
    texts = _content(root, "size/width"), _content(root, "size/height")
    if not all(re.fullmatch("[0-9]{1,9}", text) for text in texts):
        return None
    width, height = map(int, texts)
    return (width, height) if width and height else None


def _splits(listing: Listing, finder: _Finder) -> tuple[dict[str, str | None], list[str]]:
    """What ImageSets/Main/{train,val,test}.txt say, and notes."""
    claims: dict[str, set[str]] = {}
    notes = []
    for file in listing.ending(".txt"):
        *folders, name = stem(file).lower().split("/")
        if "imagesets" not in folders or folders[-1] not in _SETS or name not in SPLITS:
            continue
        text = text_of(listing.root, file)
        lines = [line.strip() for line in text.split("\n")] if isinstance(text, str) else []
        missing = []
        for line in filter(None, lines):
            try:
                for picture in finder.by_stem[finder.stems.find(line)]:
                    claims.setdefault(picture, set()).add(SPLITS[name])
            except Wrong:
                missing.append(line)
        if isinstance(text, Fault):
            notes.append(f"{text}: its split is not kept")
        if missing:
            notes.append(
                f"{file}: names {len(missing)} pictures that are not here, as {missing[0]}"
            )
    torn = sum(len(claimed) > 1 for claimed in claims.values())
    if torn:
        notes.append(f"{torn} pictures are in several lists of ImageSets: no split is kept")
    return {p: c.copy().pop() if len(c) == 1 else None for p, c in claims.items()}, notes
