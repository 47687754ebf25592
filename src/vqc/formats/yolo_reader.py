"""YOLO of other people → `Reading`: text labels with boxes or polygons, in fractions.

Labels lie in `labels/` where the pictures lie in `images/`, or beside the pictures. A picture
without label file is a fault; an empty file says that nothing is to be seen.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from vqc.errors import InputError
from vqc.formats.labels import unlabelled
from vqc.formats.source import Item, Listing, Reading, Thing, glimpse, stem, text_of
from vqc.formats.yolo_names import Header, name_lists, names_yaml, read_header
from vqc.types import Fault

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_OVERHANG = 1e-4 + 1e-9  # of the frame: how far other tools' rounding may reach over its border
_BOX = ("class", "cx", "cy", "w", "h")
_NO_LABELS = ("classes.txt", "notes.txt", "license.txt", "requirements.txt")
_HEAD_BYTES = 4096
_LOOKED_AT = 5
_SHOWN = 10
_SHOWN_CHARS = 40


def evidence(listing: Listing) -> str | None:
    """Why this looks like YOLO, in a few words; None where it does not."""
    labels = _labels(listing, listing.ending(".txt"))
    found = [label for labels_of_one in labels.values() for label in labels_of_one][:_LOOKED_AT]
    yamls = names_yaml(listing)
    names = [*yamls, *name_lists(listing)]
    if found and names:
        return f"{names[0]} and {found[0]}"
    if any(_begins_as_label(listing.root / label) for label in found):
        return f"boxes in {found[0]}"
    return f"{yamls[0]} with class names" if yamls and listing.images else None


def read(listing: Listing, unlabelled_is_empty: bool = False) -> Reading:
    """Every picture with its objects and faults.

    unlabelled_is_empty: a picture without label file was looked at and shows nothing.
    Raises InputError where no file gives the class names.
    """
    header = read_header(listing)
    if not header.names:
        told = "".join(f"\n{fault}" for fault in header.faults)
        raise InputError(
            "no class names: expected data.yaml with `names:`, or classes.txt with one name a "
            f"line in the order of the class ids; add one of them to the source{told}"
        )
    texts = [file for file in listing.ending(".txt") if file not in header.lists]
    labels = _labels(listing, texts)
    pictures: dict[str, list[str]] = {}
    for image, found in labels.items():
        for label in found:
            pictures.setdefault(label, []).append(image)
    items = [
        _labelled(listing, image, found, header)
        if found
        else _unlabelled(image, header, unlabelled_is_empty)
        for image, found in labels.items()
    ]
    orphans = [f for f in texts if f not in pictures and _is_label(listing.root, f)]
    lonely = "expected a picture of the same name, got a label alone"
    keypoints = f"keypoints are left out ({header.names_file}: kpt_shape)"
    return Reading(
        items=tuple(_alone(item, pictures) for item in items),
        classes=tuple(dict.fromkeys(header.names[i] for i in sorted(header.names))),
        faults=(*header.faults, *(Fault(file, None, lonely) for file in orphans)),
        notes=(*header.notes, *([keypoints] if header.keypoint_columns else [])),
    )


def _labels(listing: Listing, texts: Iterable[str]) -> dict[str, list[str]]:
    """The label files of every picture. What is one's for sure is no other's by chance."""
    at = _by_place(texts)
    sure = {i: [at[p] for p in _sure_places(i) if p in at] for i in listing.images}
    taken = {label for found in sure.values() for label in found}
    return {
        image: found or [at[p] for p in _swapped(image) if p in at and at[p] not in taken]
        for image, found in sure.items()
    }


def _sure_places(image: str) -> list[str]:
    """Where labels usually lie: `labels/` for `images/`, beside the picture, in `labels/` there.

    >>> _sure_places("train/images/a.jpg")[:2]
    ['train/labels/a.txt', 'train/images/a.txt']
    """
    path = stem(image)
    folder, _, name = path.rpartition("/")
    usual = _swapped(image)[:1] if "images" in folder.lower().split("/") else []
    below = f"{folder}/labels/{name}.txt".lstrip("/")
    return list(dict.fromkeys([*usual, f"{path}.txt", below]))


def _swapped(image: str) -> list[str]:
    """The path with `labels` for each of its folders in turn, the last `images` first."""
    *folders, name = stem(image).split("/")
    places = sorted(range(len(folders)), key=lambda i: (folders[i].lower() != "images", -i))
    return ["/".join([*folders[:i], "labels", *folders[i + 1 :], name]) + ".txt" for i in places]


def _by_place(texts: Iterable[str]) -> dict[str, str]:
    """Text files by their path with `labels` in lower case and the suffix too."""
    found = {}
    for file in texts:
        *folders, name = stem(file).split("/")
        lowered = ["labels" if folder.lower() == "labels" else folder for folder in folders]
        found["/".join([*lowered, name]) + ".txt"] = file
    return found


def _unlabelled(image: str, header: Header, is_empty: bool) -> Item:
    expected = f"{_sure_places(image)[0]} (an empty one says background)"
    return replace(unlabelled(image, expected, is_empty), split=header.splits[image])


def _labelled(listing: Listing, image: str, labels: Sequence[str], header: Header) -> Item:
    things: list[Thing] = []
    faults: list[Fault] = []
    text = text_of(listing.root, labels[0])
    if isinstance(text, Fault):
        faults.append(text)
    else:
        things, faults = _objects(text, labels[0], header)
    for second in labels[1:]:
        faults.append(Fault(second, None, f"expected one label for {image}, got {labels[0]} too"))
    return Item(image, labels[0], header.splits[image], tuple(things), faults=tuple(faults))


def _alone(item: Item, pictures: Mapping[str, Sequence[str]]) -> Item:
    """The item, with a fault where its label belongs to several pictures."""
    sharing = pictures.get(item.where, ())
    if len(sharing) < 2:
        return item
    fault = Fault(item.where, None, f"expected one picture for a label, got {', '.join(sharing)}")
    return replace(item, faults=(*item.faults, fault))


def _is_label(root: Path, file: str) -> bool:
    """Whether a text without picture was meant as a label."""
    *folders, name = file.lower().split("/")
    if name in _NO_LABELS or name.startswith("readme"):
        return False
    return "labels" in folders or _begins_as_label(root / file)


def _begins_as_label(path: Path) -> bool:
    head = glimpse(path, _HEAD_BYTES).decode("utf-8-sig", "replace")
    columns = next((line.split() for line in head.split("\n") if line.strip()), [])
    return not isinstance(_numbers(columns), str)


def _objects(text: str, file: str, header: Header) -> tuple[list[Thing], list[Fault]]:
    things: list[Thing] = []
    faults: list[Fault] = []
    first: dict[object, int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        thing = _thing(line.split(), number, header)
        if isinstance(thing, str):
            faults.append(Fault(file, number, thing))
            continue
        before = first.setdefault((thing.class_name, thing.box, thing.polygons), number)
        if before != number:
            fault = f"expected different objects, got the one of line {before} again"
            faults.append(Fault(file, number, fault))
        things.append(thing)
    return things, faults


def _thing(columns: Sequence[str], line: int, header: Header) -> Thing | str:
    """One line's object, or what is wrong with the line."""
    keypoints = header.keypoint_columns
    is_pose = keypoints > 0 and len(columns) == 5 + keypoints
    numbers = _numbers(columns[:5] if is_pose else columns)
    if isinstance(numbers, str):
        return numbers
    class_id, *values = numbers
    if class_id not in header.names:
        known = ", ".join(map(str, sorted(header.names)[:_SHOWN]))
        more = ", …" if len(header.names) > _SHOWN else ""
        return f"class: expected an id of {header.names_file} ({known}{more}), got {columns[0]}"
    name = header.names[int(class_id)]
    if len(values) == 4:
        cx, cy, w, h = values
        return Thing(name, "fraction", (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2), line=line)
    polygon = tuple(zip(values[::2], values[1::2], strict=True))
    return Thing(name, "fraction", polygons=(polygon,), line=line)


def _numbers(columns: Sequence[str]) -> list[float] | str:
    """Class id and fractions of a line, or the first thing that is wrong with them."""
    is_polygon = len(columns) > 6
    names = _BOX if not is_polygon else ("class", *("x", "y") * (len(columns) // 2))
    for name, column in itertools.zip_longest(names[: len(columns)], columns, fillvalue="column"):
        if not _NUMBER.fullmatch(column) or not math.isfinite(float(column)):
            hint = _hint(name, column)
            return f"{name}: expected a number, got {column[:_SHOWN_CHARS]!r}{hint}"
    if len(columns) != 5 and (not is_polygon or len(columns) % 2 == 0):
        hint = " (a confidence or track number of a prediction?)" if len(columns) == 6 else ""
        return (
            "expected 5 columns (class cx cy w h), or the class and at least 3 pairs x y, "
            f"got {len(columns)}{hint}"
        )
    class_id, *values = map(float, columns)
    if not class_id.is_integer() or class_id < 0:
        return f"class: expected a whole number from 0, got {columns[0]}"
    for name, value, column in zip(names[1:], values, columns[1:], strict=True):
        if not -_OVERHANG <= value <= 1 + 2 * _OVERHANG:
            hint = " (pixels? divide them by the picture's width and height)" if value > 2 else ""
            return f"{name}: expected a fraction from 0 to 1, got {column}{hint}"
    fault = _outline_fault(values) if is_polygon else _box_fault(columns, *values)
    return fault or [class_id, *values]


def _hint(name: str, column: str) -> str:
    if "," in column:
        return ": write decimals with a point and columns apart"
    return ": names go into data.yaml" if name == "class" and column[0].isalpha() else ""


def _box_fault(columns: Sequence[str], cx: float, cy: float, w: float, h: float) -> str | None:
    if min(w, h) <= 0:
        return f"w, h: expected fractions above 0, got {columns[3]} {columns[4]}"
    reach = max(w / 2 - cx, cx + w / 2 - 1, h / 2 - cy, cy + h / 2 - 1)
    if reach > _OVERHANG:
        return (
            f"expected a box inside the frame, got {' '.join(columns[1:])}, "
            f"which reaches {reach:.6g} of the frame over its border"
        )
    return None


def _outline_fault(values: Sequence[float]) -> str | None:
    xs, ys = values[::2], values[1::2]
    if max(*xs, *ys) > 1 + _OVERHANG:
        return f"x, y: expected fractions from 0 to 1, got {max(*xs, *ys):.6g}"
    if max(xs) == min(xs) or max(ys) == min(ys):
        return "expected an outline around some area, got points on one line"
    return None
