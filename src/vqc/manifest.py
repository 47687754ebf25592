"""Manifests on disk: one JSON object a line, the same bytes for the same content.

In: `Manifest`. Out: manifest.jsonl, and back. docs/format.md is the contract, contract.py
its rules for single lines, verify.py compares a folder with its manifest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vqc.contract import FRAME, HEADER, OBJECT, VERSION, frame_faults, header_faults
from vqc.errors import InputError, ManifestError, OutputError
from vqc.files import replace_file
from vqc.formats.yolo import label_path
from vqc.types import Annotation, Fault, Frame, Manifest, Parent

FILE_NAME = "manifest.jsonl"
RECIPE, CLASSES, DATA_YAML = "recipe.yaml", "classes.txt", "data.yaml"
"""The texts beside it; the last in mixed sets only."""
DECIMALS = 9
"""Numbers of known fields are rounded to this many decimals."""

_ZERO_DIGEST = "0" * 64
_SAID_ONLY_IF_TRUE = ("simulated", "same_shoot")
_SHOWN_FAULTS = 20
_OBJECT_NAMES = {
    "class": "class_name",
    "part": "part_name",
    "box": "box_xyxy",
    "amodal_box": "amodal_box_xyxy",
}
_ATTRIBUTE = {key: _OBJECT_NAMES.get(key, key) for key in OBJECT}


def frame_to_json(frame: Frame) -> str:
    """One line of a manifest, without its line end.

    Raises ManifestError for what JSON cannot hold (NaN, infinity, foreign objects).
    """
    record: dict[str, Any] = {key: getattr(frame, key) for key in FRAME}
    record["view"] = _plain(frame.view)
    for flag in _SAID_ONLY_IF_TRUE:
        if not record[flag]:
            del record[flag]
    if frame.objects is not None:
        record["objects"] = [_object_record(note, frame.image) for note in frame.objects]
    return _to_json(record, frame.extra, frame.image)


def frame_from_json(line: str, where: str) -> Frame:
    """The frame of one line, checked against the contract; unknown fields go to `extra`.

    where: file and line number, for messages. Raises ManifestError with every fault.
    """
    frame, faults = _frame(line)
    if frame is None:
        raise ManifestError("\n".join(f"{where}: {fault}" for fault in faults))
    return frame


def header_to_json(manifest: Manifest, digest: str | None = None) -> str:
    """The first line of a manifest, without its line end.

    digest: of the whole file, see `digest_of`; left out where None.
    """
    record: dict[str, Any] = {"vqc_manifest": VERSION}
    record |= {key: getattr(manifest, key) for key in list(HEADER)[1:-2]}
    record["parents"] = [{"name": p.name, "sha256": p.sha256} for p in manifest.parents]
    if digest is not None:
        record["digest"] = digest
    return _to_json(record, manifest.extra, "header")


def digest_of(data: bytes, digest: str) -> str:
    """sha256 of a manifest's bytes, with the digest that they hold written as 64 zeros."""
    return hashlib.sha256(with_zero_digest(data, digest)).hexdigest()


def with_zero_digest(data: bytes, digest: str) -> bytes:
    """A manifest, or its first line, with its digest written as zeros."""
    return _with_digest(data, digest, _ZERO_DIGEST)


def write_manifest(folder: Path | str, manifest: Manifest, scratch: Path | None = None) -> Path:
    """Write a folder's manifest.jsonl, frames sorted by image; whole or not at all.

    scratch: see `replace_file`.
    Raises ManifestError where `read_manifest` would not take it (nothing is written), and
    OutputError where the folder cannot be written to.
    """
    lines = [frame_to_json(f) for f in sorted(manifest.frames, key=lambda f: f.image)]
    data = _to_bytes(manifest, lines)
    _require_none(parse(data)[1], FILE_NAME)
    return _store(Path(folder), data, scratch)


def write_lines(folder: Path | str, head: Manifest, lines: Sequence[str]) -> Path:
    """Write a manifest from lines of sound ones; they are not checked again.

    head: gives the header, its frames are not looked at. lines: frames without line ends,
    sorted by image. Raises as `write_manifest` does, but for faults in the lines.
    """
    return _store(Path(folder), _to_bytes(head, lines), None)


def _to_bytes(manifest: Manifest, lines: Sequence[str]) -> bytes:
    """The file's bytes, with zeros for the digest."""
    try:
        return "\n".join([header_to_json(manifest, _ZERO_DIGEST), *lines, ""]).encode()
    except UnicodeEncodeError as error:
        raise ManifestError(f"manifest {manifest.name}: not UTF-8 text: {error}") from None


def _store(folder: Path, data: bytes, scratch: Path | None) -> Path:
    digest = hashlib.sha256(data).hexdigest()
    path = folder / FILE_NAME
    if not folder.is_dir():
        raise OutputError(f"{path}: cannot be written: there is no such folder")
    try:
        replace_file(path, _with_digest(data, _ZERO_DIGEST, digest), scratch)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None
    return path


def read_manifest(path: Path | str) -> Manifest:
    """The manifest of a folder, or of the file itself.

    Raises InputError where there is no such folder, and ManifestError where it holds no
    manifest or one with faults: all of them, with file, line and field.
    """
    file = find_manifest(Path(path))
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None
    manifest, faults = parse(data)
    _require_none(faults, str(file))
    assert manifest is not None  # no faults, so there is one
    return manifest


def find_manifest(path: Path) -> Path:
    """The manifest's file in a folder; raises as `read_manifest` does."""
    file = path / FILE_NAME if path.is_dir() else path
    if file.is_file():
        return file
    if not path.exists():
        raise InputError(f"{path}: there is no such folder or file")
    raise ManifestError(
        f"{path}: holds no {FILE_NAME}: either the set is unfinished (give the command that "
        "makes it once more, it goes on where it stopped) or vqc did not make this folder"
    )


def parse(data: bytes) -> tuple[Manifest | None, list[Fault]]:
    """What the bytes of a manifest say, and every fault, in the order of the lines.

    The manifest holds the frames without fault; it is None where the header has one.
    """
    try:
        lines = data.decode().split("\n")
    except UnicodeDecodeError as error:
        at = data.count(b"\n", 0, error.start) + 1
        return None, [Fault(FILE_NAME, at, f"not UTF-8: {error.reason}")]
    faults = []
    if b"\r" in data:
        at = data.count(b"\n", 0, data.index(b"\r")) + 1
        faults.append(Fault(FILE_NAME, at, "a carriage return: lines end with LF alone"))
    if lines.pop():
        faults.append(Fault(FILE_NAME, len(lines) + 1, "cut off: the last line has no end"))
    header, header_wrong = _record(lines[0] if lines else "")
    header_wrong = header_wrong or header_faults(header)
    if header_wrong:
        return None, faults + [Fault(FILE_NAME, 1, message) for message in header_wrong]
    frames, frames_wrong = _frames(lines[1:], header["classes"])
    manifest = Manifest(
        **{key: header[key] for key in ("kind", "name", "recipe_sha256", "created_by")},
        classes=tuple(header["classes"]),
        frames=tuple(frames),
        parents=tuple(Parent(p["name"], p["sha256"]) for p in header.get("parents", ())),
        extra=_extra(header, HEADER),
    )
    return manifest, faults + frames_wrong


def _frames(lines: Sequence[str], classes: Sequence[str]) -> tuple[list[Frame], list[Fault]]:
    """Frames and faults of the lines after the header, also those of lines together."""
    frames: list[Frame] = []
    faults: list[Fault] = []
    line_of: dict[str, int] = {}
    known = set(classes)
    for number, line in enumerate(lines, start=2):
        frame, wrong = _frame(line)
        if frame is not None:
            labels = label_path(frame.image)
            if frame.image in line_of:
                wrong.append(f"image: line {line_of[frame.image]} has the same one")
            elif labels in line_of:
                wrong.append(f"image: would share {labels} with line {line_of[labels]}")
            elif frames and frame.image < frames[-1].image:
                wrong.append(f"image: not sorted, it comes before {frames[-1].image}")
            for i, note in enumerate(frame.objects or ()):
                if note.class_name not in known:
                    wrong.append(f"objects[{i}].class: {note.class_name!r} is not in the header")
            line_of.setdefault(frame.image, number)
            line_of.setdefault(labels, number)
            if not wrong:
                frames.append(frame)
        faults += [Fault(FILE_NAME, number, message) for message in wrong]
    return frames, faults


def _frame(line: str) -> tuple[Frame | None, list[str]]:
    record, faults = _record(line)
    faults = faults or frame_faults(record)
    if faults:
        return None, faults
    known: dict[str, Any] = {key: record[key] for key in FRAME if key in record}
    if known.get("objects") is not None:
        known["objects"] = tuple(map(_annotation, known["objects"]))
    return Frame(**known, extra=_extra(record, FRAME)), []


def _annotation(record: Mapping[str, Any]) -> Annotation:
    known: dict[str, Any] = {name: record.get(key) for key, name in _ATTRIBUTE.items()}
    for name in ("box_xyxy", "amodal_box_xyxy", "pose"):
        if known[name] is not None:
            known[name] = tuple(known[name])
    return Annotation(**known, extra=_extra(record, _ATTRIBUTE))


def _object_record(note: Annotation, where: str) -> dict[str, Any]:
    record = {key: getattr(note, name) for key, name in _ATTRIBUTE.items()}
    return _merged(_plain(record), note.extra, where)


def _extra(record: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in known}


def _merged(record: dict[str, Any], extra: Mapping[str, Any], where: str) -> dict[str, Any]:
    twice = sorted(record.keys() & extra.keys())
    if twice:
        raise ManifestError(f"{where}: extra holds known fields: {', '.join(twice)}")
    return record | dict(sorted(extra.items()))


def _to_json(record: dict[str, Any], extra: Mapping[str, Any], where: str) -> str:
    try:
        return json.dumps(_merged(record, extra, where), ensure_ascii=False, allow_nan=False)
    except (ValueError, TypeError) as error:
        raise ManifestError(f"{where}: cannot be written as JSON: {error}") from None


def _plain(value: Any) -> Any:
    """The value with floats rounded: 15.0 becomes 15, and there is no -0."""
    if isinstance(value, float):
        rounded = round(float(value), DECIMALS)
        return int(rounded) if rounded.is_integer() else rounded
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("a field is there twice")
    return record


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number of JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def _record(line: str) -> tuple[dict[str, Any], list[str]]:
    try:
        record = _DECODER.decode(line)
    except (ValueError, RecursionError) as error:
        return {}, [f"not JSON: {error}"]
    return (record, []) if type(record) is dict else ({}, ["expected a JSON object"])


def _with_digest(data: bytes, old: str, new: str) -> bytes:
    """Quotes inside a text are escaped, so the first such place is the header's field."""
    field = '"digest": "{}"'
    return data.replace(field.format(old).encode(), field.format(new).encode(), 1)


def _require_none(faults: Sequence[Fault], file: str) -> None:
    if not faults:
        return
    shown = [f"{file}:{fault.line}: {fault.message}" for fault in faults[:_SHOWN_FAULTS]]
    more = len(faults) - len(shown)
    raise ManifestError("\n".join(shown + ([f"... and {more} more faults"] if more else [])))
