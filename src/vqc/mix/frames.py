"""A plan → the frames of the mix: records, label texts and which files they need.

The lines of the sets that frames come from are kept as they are, but for what a mix changes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
from msgspec import Raw

from vqc.contract import FRAME, is_inside_path
from vqc.errors import ManifestError
from vqc.formats import yolo
from vqc.mix.plan import Plan
from vqc.mix.pool import SPLITS, UNLABELLED, Source, Thing
from vqc.types import Annotation

Record = dict[str, Raw]

FILES = ("image", "depth", "normals")
"""The fields of a frame that name a file."""
JPEG = (".jpg", ".jpeg")
ASIDE = "unlabelled"
"""Folder of pictures that nobody labelled: among those of `train`, plain Ultralytics would take
them for empty ones."""

_record = msgspec.json.Decoder(dict[str, Raw]).decode
_things = msgspec.json.Decoder(list[Thing] | None).decode
_raw_things = msgspec.json.Decoder(list[Raw]).decode


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """One frame of the mix: its record, its label text, and files as pairs source → target."""

    image: str
    record: Record
    labels: str | None
    files: tuple[tuple[str, str], ...]


def drawn_frames(plan: Plan) -> Iterator[Drawn]:
    """Every frame of the plan, set by set; no two have one name.

    Raises ManifestError where two would.
    """
    pool, classes = plan.pool, set(plan.classes)
    split_of = dict(zip(plan.rows.tolist(), plan.split.tolist(), strict=True))
    marked = set(plan.rows[plan.same_shoot].tolist())
    origin: dict[str, str] = {}
    for row, line in pool.lines(plan.rows):
        source, split = pool.sources[pool.source[row]], SPLITS[split_of[row]]
        record = _record(line)
        paths = {key: path for key in FILES if key in record and (path := _path(record[key]))}
        folder = ASIDE if pool.state[row] == UNLABELLED else split
        stem = f"{folder}/{_stem(paths['image'], source)}"
        picture = f"{source.folder}/{paths['image']}"
        if stem in origin:  # before anything is placed: what is there is the parent's own file
            raise ManifestError(
                f"{origin[stem]} and {picture} would both be images/{stem}: rename a set or a file"
            )
        origin[stem] = picture
        files: list[tuple[str, str]] = []
        for key, path in paths.items():
            _, dot, ending = path.rpartition("/")[2].rpartition(".")
            suffix = dot + ending if dot else ""
            if plan.request.grey and key == "image" and suffix.lower() not in JPEG:
                suffix = ".png"
            target = f"{'images' if key == 'image' else key}/{stem}{suffix}"
            files.append((f"{source.folder}/{path}", target))
            record[key] = raw_json(target)
        record["split"] = raw_json(split)
        record.pop("same_shoot", None)
        if row in marked:
            record["same_shoot"] = raw_json(True)
        labels = _labels(record, plan, classes)
        yield Drawn(files[0][1], record, labels, tuple(files))


def _stem(image: str, source: Source) -> str:
    """The name of a picture in the mix, without suffix; its layers have the same."""
    path = image.partition("/")[2].rpartition(".")[0]
    flat = path.rpartition("/")[2] if source.flat else path.replace("/", "__")
    return f"{source.prefix.replace('/', '_')}__{flat}"


def _labels(record: Record, plan: Plan, classes: set[str]) -> str | None:
    """The text of the label file; objects that shall go without a label leave the record."""
    things = _things(record.get("objects", Raw(b"null")))
    if things is None:
        return None
    least = plan.request.min_visibility
    keep = [thing.class_name in classes and thing.is_clear(least) for thing in things]
    if not all(keep):
        raws = [raw for raw, kept in zip(_raw_things(record["objects"]), keep, strict=True) if kept]
        record["objects"] = Raw(b"[" + b", ".join(map(bytes, raws)) + b"]")
    notes = [
        Annotation(
            class_name=thing.class_name,
            instance=thing.instance,
            box_xyxy=thing.box,
            amodal_box_xyxy=thing.amodal_box,
        )
        for thing, kept in zip(things, keep, strict=True)
        if kept
    ]
    size = int(bytes(record["width"])), int(bytes(record["height"]))
    return yolo.label_text(notes, plan.classes, *size, plan.request.box)


def line_of(record: Record) -> str:
    """A record as a line: known fields in their order, then the rest as it was."""
    parts = [f'"{key}": {str(record[key], "utf-8")}' for key in FRAME if key in record]
    parts += [
        f"{json.dumps(key, ensure_ascii=False)}: {str(value, 'utf-8')}"
        for key, value in sorted(record.items())
        if key not in FRAME
    ]
    return "{" + ", ".join(parts) + "}"


def _path(raw: Raw) -> str:
    path = msgspec.json.decode(raw)
    return path if is_inside_path(path) else ""


def raw_json(value: str | bool) -> Raw:
    """A value as it stands in a record."""
    return Raw(json.dumps(value, ensure_ascii=False).encode())
