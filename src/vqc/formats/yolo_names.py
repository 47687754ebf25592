"""What a YOLO source says of itself: class names, splits, and which files are no labels.

In: data.yaml of Ultralytics and Roboflow; or darknet's classes.txt, *.names, *.data and lists
of pictures. Out: `Header`. `path:` and `download:` are never followed: every entry is looked
up among the source's own files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vqc.formats.source import SPLITS, Listing, glimpse, text_of
from vqc.formats.yolo_splits import Entry, splits_of
from vqc.types import Fault

if TYPE_CHECKING:
    import yaml

_HAS_NAMES = re.compile(r"^[\"']?names[\"']?\s*:", re.MULTILINE)
_ID = re.compile("[0-9]{1,6}")
_NAME_LISTS = ("classes.txt", "_darknet.labels")
_HEAD_BYTES = 1 << 16
_NOTHING = ("", "~", "null")


@dataclass(frozen=True, slots=True)
class Header:
    """names: class id → name. names_file: where they are from; None where there are none.
    splits: picture → split. lists: text files that are no labels. keypoint_columns: how many
    columns follow the box in a pose label; 0 where there are none.
    """

    names: Mapping[int, str]
    names_file: str | None
    splits: Mapping[str, str | None]
    lists: frozenset[str]
    keypoint_columns: int
    faults: tuple[Fault, ...]
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Found:
    """What one file holds."""

    file: str
    names: dict[int, str]
    entries: list[Entry]
    faults: list[Fault]
    keypoint_columns: int = 0


def read_header(listing: Listing) -> Header:
    """Everything that a source's own lists say, with every fault of theirs."""
    found = [_yaml(listing, file) for file in names_yaml(listing)]
    found += [_name_list(listing, file) for file in name_lists(listing)]
    found += [_darknet_data(listing, file) for file in listing.ending(".data")]
    first = next((f for f in found if f.names), None)
    faults = [fault for f in found for fault in f.faults]
    for other in found:
        if first and other.names and other.names != first.names:
            faults.append(_difference(first, other))
    splits, lists, notes = splits_of(listing, [entry for f in found for entry in f.entries])
    return Header(
        names=first.names if first else {},
        names_file=first.file if first else None,
        splits=splits,
        lists=frozenset({f.file for f in found} | lists),
        keypoint_columns=max((f.keypoint_columns for f in found), default=0),
        faults=tuple(faults),
        notes=tuple(notes),
    )


def names_yaml(listing: Listing) -> list[str]:
    """The yaml files that give class names, outermost first."""
    files = listing.ending(".yaml", ".yml")
    return _outermost(f for f in files if _HAS_NAMES.search(_ends(listing.root / f)))


def name_lists(listing: Listing) -> list[str]:
    """The text files that give one class name a line, outermost first."""
    named = [f for f in listing.files if f.rpartition("/")[2].lower() in _NAME_LISTS]
    return _outermost([*named, *listing.ending(".names")])


def _ends(path: Path) -> str:
    """The ends of a text in whatever encoding; the full reading checks it."""
    data = glimpse(path, _HEAD_BYTES)
    return data.decode(
        "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "replace"
    )


def _outermost(files: Iterable[str]) -> list[str]:
    return sorted(files, key=lambda file: (file.count("/"), file))


def _yaml(listing: Listing, file: str) -> _Found:
    """The nodes themselves are read, for their lines; nothing is built from them."""
    import yaml

    found = _Found(file, {}, [], [])
    text = text_of(listing.root, file)
    if isinstance(text, Fault):
        found.faults.append(text)
        return found
    try:
        top = yaml.compose(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = None if mark is None else mark.line + 1
        got = getattr(error, "problem", None) or type(error).__name__
        found.faults.append(Fault(file, line, f"expected YAML, got text that is not ({got})"))
        return found
    pairs = top.value if isinstance(top, yaml.MappingNode) else []
    fields = {key.value: value for key, value in pairs if isinstance(key, yaml.ScalarNode)}
    if "names" in fields:
        _take_names(fields["names"], found)
        if "nc" in fields:
            _check_count(fields["nc"], found)
    path = next(iter(_texts(fields.get("path"))), "")
    for key, node in fields.items():
        if key in SPLITS:
            found.entries += [Entry(file, SPLITS[key], text, path) for text in _texts(node)]
    points = _texts(fields.get("kpt_shape"))
    if len(points) == 2 and all(map(_ID.fullmatch, points)):
        found.keypoint_columns = int(points[0]) * int(points[1])
    return found


def _texts(node: yaml.Node | None) -> list[str]:
    """The scalars of a node or of a list of them; empty ones left out."""
    import yaml

    items = node.value if isinstance(node, yaml.SequenceNode) else [node]
    scalars = [n.value.strip() for n in items if isinstance(n, yaml.ScalarNode)]
    return [text for text in scalars if text.lower() not in _NOTHING]


def _take_names(node: yaml.Node, found: _Found) -> None:
    import yaml

    items: list[tuple[str, yaml.Node, yaml.Node]] = []
    if isinstance(node, yaml.SequenceNode):
        items = [(str(i), item, item) for i, item in enumerate(node.value)]
    elif isinstance(node, yaml.MappingNode):
        items = [(str(key.value).strip(), key, item) for key, item in node.value]
    if not items:
        line = node.start_mark.line + 1
        found.faults.append(Fault(found.file, line, "names: expected class names, got none"))
    numbered = []
    for key, key_node, item in items:
        line = key_node.start_mark.line + 1
        if not _ID.fullmatch(key):
            message = f"names: expected class ids from 0 as keys, got {key[:60]!r}"
            found.faults.append(Fault(found.file, line, message))
        elif not isinstance(item, yaml.ScalarNode):
            message = f"names[{key}]: expected a name, got a list or mapping"
            found.faults.append(Fault(found.file, line, message))
        else:
            name = item.value.strip()
            numbered.append(
                (int(key), "" if item.style is None and name in _NOTHING else name, line)
            )
    _number(numbered, found)


def _number(numbered: list[tuple[int, str, int]], found: _Found) -> None:
    """Fill in the names: id, name and line of each; empty and repeated ones are faults."""
    first: dict[str, int] = {}
    for class_id, name, line in numbered:
        fault = None
        if class_id in found.names:
            fault = f"class {class_id}: expected one name, got {name!r} after "
            fault += repr(found.names[class_id])
        elif not name:
            fault = f"class {class_id}: expected a name, got nothing"
        elif name in first:
            fault = f"class {class_id}: expected different names, got {name!r}, "
            fault += f"which is class {first[name]} too"
        if fault:
            found.faults.append(Fault(found.file, line, fault))
        if name and class_id not in found.names:
            found.names[class_id] = name
            first.setdefault(name, class_id)


def _check_count(node: yaml.Node, found: _Found) -> None:
    text = _texts(node)[0] if _texts(node) else "nothing"
    line = node.start_mark.line + 1
    right = {str(len(found.names)), str(max(found.names, default=-1) + 1)}
    if found.names and not any(fault.line for fault in found.faults) and text not in right:
        message = f"nc: expected {len(found.names)}, the number of names, got {text}"
        found.faults.append(Fault(found.file, line, message))


def _name_list(listing: Listing, file: str) -> _Found:
    found = _Found(file, {}, [], [])
    text = text_of(listing.root, file)
    if isinstance(text, Fault):
        found.faults.append(text)
    else:
        lines = [line.strip() for line in text.rstrip().split("\n")]
        _number([(i, name, i + 1) for i, name in enumerate(lines) if text.strip()], found)
    return found


def _darknet_data(listing: Listing, file: str) -> _Found:
    found = _Found(file, {}, [], [])
    text = text_of(listing.root, file)
    for line in text.split("\n") if isinstance(text, str) else ():
        key, _, value = (part.strip() for part in line.partition("="))
        if key in SPLITS and value:
            found.entries.append(Entry(file, SPLITS[key], value))
    return found


def _difference(first: _Found, other: _Found) -> Fault:
    ids = sorted(first.names.keys() | other.names.keys())
    at = next(i for i in ids if first.names.get(i) != other.names.get(i))
    expected, got = (repr(f.names[at]) if at in f.names else "none" for f in (first, other))
    return Fault(other.file, None, f"class {at}: expected {expected} as in {first.file}, got {got}")
