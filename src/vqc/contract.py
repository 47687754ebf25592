"""The rules of docs/format.md for one line of a manifest: JSON values in, faults out.

A rule is a test and what it expects, in words. A fault is one sentence that begins with
the field. HEADER, FRAME and OBJECT list the fields in the order in which they are written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Record = Mapping[str, Any]
Rule = tuple[Callable[[Any], bool], str]

VERSION = 1

SET_NAME = "letters, digits, '.', '_', '-' and spaces, not beginning with '.', at most 200 bytes"
"""What `is_set_name` expects, in words."""
_LONGEST_NAME = 200  # most file systems take 255; a temporary folder's name is longer
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_HEX = re.compile("[0-9a-f]+")
_HUGE = 1e15


def frame_faults(record: Record) -> list[str]:
    """Everything wrong with a frame's line; whether its classes exist is not looked at."""
    faults = _faults(record, FRAME, _FRAME_NEEDS)
    if faults:
        return faults
    faults += [f"view.{fault}" for fault in _faults(record.get("view") or {}, _VIEW, ())]
    for i, thing in enumerate(record.get("objects") or ()):
        wrong = _object_faults(thing, record["width"], record["height"])
        faults += [f"objects[{i}].{fault}" for fault in wrong]
    return faults


def header_faults(record: Record) -> list[str]:
    """Everything wrong with the first line of a manifest."""
    version = record.get("vqc_manifest")
    if version != VERSION:
        hint = "a newer vqc wrote it: update" if type(version) is int else "this is no header"
        return [f"vqc_manifest: expected {VERSION}, got {_short(version)}: {hint}"]
    faults = _faults(record, HEADER, _HEADER_NEEDS)
    for i, parent in enumerate([] if faults else record.get("parents", [])):
        faults += [f"parents[{i}].{fault}" for fault in _faults(parent, _PARENT, _PARENT)]
    return faults


def is_inside_path(value: Any) -> bool:
    """Whether a value is a plain relative path with '/', which cannot leave its folder."""
    return is_text(value) and "\\" not in value and not {"", ".", ".."} & set(value.split("/"))


def is_text(value: Any) -> bool:
    """Whether a value is a text with something in it and no control characters."""
    return type(value) is str and value != "" and not _CONTROL.search(value)


def is_set_name(text: str) -> bool:
    """Whether a text can name a set, which is a folder's name too; see SET_NAME."""
    plain = all(c.isalnum() or c in "._- " for c in text) and text == text.strip()
    return plain and text[:1] not in ("", ".") and len(text.encode()) <= _LONGEST_NAME


def is_sha256(value: Any) -> bool:
    """Whether a value is 64 lower-case hex digits."""
    return _is_hex(value, 64)


def _object_faults(record: Record, width: int, height: int) -> list[str]:
    faults = _faults(record, OBJECT, _OBJECT_NEEDS)
    if faults:
        return faults
    box, mask = record["box"], record.get("mask")
    if box and not (box[0] >= 0 and box[1] >= 0 and box[2] <= width and box[3] <= height):
        faults.append(f"box: reaches over the frame of {width} x {height}: {box}")
    if box is None and record.get("visibility"):
        faults.append(f"box: null, though the visibility is {record['visibility']}")
    if mask and mask["size"] != [height, width]:
        faults.append(f"mask: expected the frame's size {[height, width]}, got {mask['size']}")
    return faults


def _faults(record: Record, rules: Mapping[str, Rule], needs: Iterable[str]) -> list[str]:
    faults = [f"{key}: missing, expected {rules[key][1]}" for key in needs if key not in record]
    for key, value in record.items():
        if key in rules and not rules[key][0](value):
            faults.append(f"{key}: expected {rules[key][1]}, got {_short(value)}")
    return faults


def _short(value: Any) -> str:
    shown = ascii(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def _is_hex(value: Any, digits: int) -> bool:
    return type(value) is str and len(value) == digits and _HEX.fullmatch(value) is not None


def _is_image(value: Any) -> bool:
    """Ultralytics finds labels by the last folder called images, so there is only the first."""
    if not is_inside_path(value):
        return False
    first, *folders, name = value.split("/") if "/" in value else ("", "")
    stem, _, suffix = name.rpartition(".")
    return first == "images" and "images" not in folders and stem != "" and suffix != ""


def _is_classes(value: Any) -> bool:
    if type(value) is not list or not all(is_text(v) and v == v.strip() for v in value):
        return False
    return len(set(value)) == len(value)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and -_HUGE < value < _HUGE


def _is_whole(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 < value < 1_000_000


def _numbers(count: int) -> Rule:
    def test(value: Any) -> bool:
        return type(value) is list and len(value) == count and all(map(_is_number, value))

    return test, f"{count} numbers"


def _is_box(value: Any) -> bool:
    return _numbers(4)[0](value) and value[0] < value[2] and value[1] < value[3]


def _is_mask(value: Any) -> bool:
    if type(value) is not dict or set(value) != {"size", "counts"}:
        return False
    size = value["size"]
    return type(value["counts"]) is str and type(size) is list and all(map(_is_size, size))


def _list_of_objects(value: Any) -> bool:
    return type(value) is list and all(type(v) is dict for v in value)


def _one_of(*names: str) -> Rule:
    return lambda value: value in names, "one of " + ", ".join(names)


def _or_null(rule: Rule) -> Rule:
    test, expected = rule
    return lambda value: value is None or test(value), f"{expected}, or null"


_TEXT: Rule = (is_text, "a text")
_SHA256: Rule = (is_sha256, "64 lower-case hex digits")
_NUMBER: Rule = (_is_number, "a number")
_SIZE: Rule = (_is_size, "a whole number of pixels")
_BOX: Rule = (_is_box, "[x0, y0, x1, y1] with x0 < x1 and y0 < y1")
_FLAG: Rule = (lambda value: type(value) is bool, "true or false")

HEADER: Mapping[str, Rule] = {
    "vqc_manifest": (lambda value: type(value) is int and value == VERSION, str(VERSION)),
    "kind": _one_of("render", "intake", "mix"),
    "name": _TEXT,
    "classes": (_is_classes, "a list of different names"),
    "created_by": _TEXT,
    "recipe_sha256": _SHA256,
    "parents": (_list_of_objects, "a list of objects"),
    "digest": _SHA256,
}
_HEADER_NEEDS = ("kind", "name", "classes", "created_by", "recipe_sha256")
_PARENT: Mapping[str, Rule] = {"name": _TEXT, "sha256": _SHA256}
_VIEW: Mapping[str, Rule] = {
    "azimuth_deg": _NUMBER,
    "elevation_deg": _NUMBER,
    "tilt_deg": _NUMBER,
    "distance_mm": _NUMBER,
    "intrinsics": _or_null(_numbers(4)),
}
FRAME: Mapping[str, Rule] = {
    "image": (_is_image, "a path images/….… with '/', no '..' and no second folder 'images'"),
    "sha256": _SHA256,
    "phash": (lambda value: _is_hex(value, 16), "16 lower-case hex digits"),
    "width": _SIZE,
    "height": _SIZE,
    "source": _one_of("cad", "real"),
    "simulated": _FLAG,
    "session": _TEXT,
    "split": _or_null(_one_of("train", "val", "test")),
    "same_shoot": _FLAG,
    "label": _or_null(_TEXT),
    "condition": _or_null(_TEXT),
    "seed": _or_null((_is_whole, "a whole number from 0")),
    "view": _or_null((lambda value: type(value) is dict, "an object")),
    "objects": _or_null((_list_of_objects, "a list of objects")),
}
_FRAME_NEEDS = ("image", "sha256", "phash", "width", "height", "source", "session")
OBJECT: Mapping[str, Rule] = {
    "class": _TEXT,
    "part": _or_null(_TEXT),
    "instance": _or_null((_is_whole, "a whole number from 0")),
    "box": _or_null(_BOX),
    "amodal_box": _or_null(_BOX),
    "visibility": _or_null((lambda v: _is_number(v) and 0 <= v <= 1, "a number from 0 to 1")),
    "truncated": _or_null(_FLAG),
    "mask": _or_null((_is_mask, '{"size": [h, w], "counts": text}')),
    "pose": _or_null(_numbers(16)),
}
_OBJECT_NEEDS = ("class", "box")
