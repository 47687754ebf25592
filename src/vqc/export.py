"""A set → a folder that other tools read: YOLO, COCO, Pascal VOC and others.

Only frames that the format can tell go out. No pixel is copied where a link will do.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from vqc.errors import InputError, ManifestError, OutputError
from vqc.files import link_file
from vqc.formats import BoxKind, yolo
from vqc.formats.coco import to_coco
from vqc.formats.cvat import to_cvat_xml
from vqc.formats.labelstudio import to_label_studio
from vqc.formats.layout import folders_of
from vqc.formats.masks import to_mask
from vqc.formats.severstal import to_severstal_csv
from vqc.formats.source import stem
from vqc.formats.voc import to_voc_xml
from vqc.manifest import CLASSES, find_manifest, read_manifest
from vqc.types import ByteArray, Frame, Manifest

Format = Literal[
    "yolo", "coco", "voc", "labelstudio", "cvat", "severstal", "masks", "classes", "conditions"
]  # fmt: skip
Note = Callable[[str], None]

_WITH_MASKS = ("severstal", "masks")
_BY_FOLDER: dict[str, Callable[[Frame], str | None]] = {
    "classes": lambda frame: frame.label,
    "conditions": lambda frame: frame.condition,
}
"""Formats that say by a folder what a whole picture is."""
_WITHOUT_BOXES = (*_WITH_MASKS, *_BY_FOLDER)
_WITH_TAGS = ("cvat", "labelstudio")
"""Formats that can also say of a picture without shapes what it shows as a whole."""
_SHOWN = 5


def export(
    folder: Path | str,
    fmt: Format,
    out: Path | str,
    box: BoxKind = "modal",
    on_note: Note = lambda text: None,
) -> Path:
    """Write those frames of a set that another format can tell; whole or not at all.

    out: a new or empty folder outside the set; returned.
    on_note: gets one sentence for what was left out, how images were placed, and what a
        reader of the result should know.
    Raises InputError, ManifestError or OutputError; nothing is left behind then.
    """
    root, target = find_manifest(Path(folder)).parent, Path(out)
    _check_request(root, fmt, target, box)
    manifest = _fitting(read_manifest(folder), fmt, on_note)
    if box == "amodal":
        _require_amodal(manifest, on_note)
    sources = [(root / frame.image).resolve() for frame in manifest.frames]
    _require(sources, f"{root}: images are missing; vqc verify lists every fault")
    manifest = _in_folders(manifest, fmt, on_note)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
    try:
        for path, content in _files(manifest, fmt, box):
            (temporary / path).parent.mkdir(parents=True, exist_ok=True)
            (temporary / path).write_bytes(content)
        placed = _place(
            (source, temporary / frame.image)
            for source, frame in zip(sources, manifest.frames, strict=True)
        )
        os.replace(temporary, target)
    except OSError as error:
        raise OutputError(f"{target}: cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    on_note(f"{len(sources)} images placed as {placed}")
    return target


def _check_request(root: Path, fmt: str, target: Path, box: str) -> None:
    faults = []
    if fmt not in get_args(Format):
        faults.append(f"format: expected one of {', '.join(get_args(Format))}, got {fmt!r}")
    if box not in get_args(BoxKind):
        faults.append(f"box: expected one of {', '.join(get_args(BoxKind))}, got {box!r}")
    if box == "amodal" and fmt in _WITHOUT_BOXES:
        faults.append(f"box: {fmt} holds no boxes: leave --box out")
    if target.is_file() or (target.is_dir() and any(target.iterdir())):
        faults.append(f"{target} is there already and not empty: choose another place")
    if target.resolve().is_relative_to(root.resolve()):
        faults.append(f"{target} lies inside the set {root}: choose a place outside it")
    if faults:
        raise InputError("\n".join(faults))


def _fitting(manifest: Manifest, fmt: Format, on_note: Note) -> Manifest:
    """The frames that the format can tell; the others are counted by what is in the way."""
    kept: list[Frame] = []
    left_out: dict[str, list[str]] = {}
    has_shapes = any(frame.objects for frame in manifest.frames)
    for frame in manifest.frames:
        reason = _obstacle(frame, fmt, manifest.classes, has_shapes)
        if reason is None:
            kept.append(frame)
        else:
            left_out.setdefault(reason, []).append(frame.image)
    notes = []
    for reason, images in left_out.items():
        shown = ", ".join(images[:_SHOWN]) + (", ..." if len(images) > _SHOWN else "")
        notes.append(f"left out {len(images)} of {len(manifest.frames)} frames, {reason}: {shown}")
    is_bare = not any(n.box_xyxy is not None for frame in kept for n in frame.objects or ())
    if not kept or (fmt in _WITH_MASKS and left_out and is_bare):
        raise ManifestError("\n".join([f"{manifest.name}: nothing to export as {fmt}", *notes]))
    for note in notes:
        on_note(note)
    return replace(manifest, frames=tuple(kept))


def _obstacle(frame: Frame, fmt: Format, classes: tuple[str, ...], has_shapes: bool) -> str | None:
    """Why a format cannot tell a frame; None where it can. has_shapes: whether the set does."""
    if fmt == "classes":
        return "they have no label" if frame.label is None else None
    if fmt == "conditions":
        return "they have no condition" if frame.condition is None else None
    if frame.objects is None:
        return _without_objects(frame, fmt, has_shapes)
    if fmt not in _WITH_MASKS:
        return None
    shown = [note for note in frame.objects if note.box_xyxy is not None]
    if any(note.mask is None for note in shown):
        return "an object in them has no mask"
    if fmt == "masks" and len({note.class_name for note in shown}) > 1:
        try:
            to_mask(frame, classes)
        except ManifestError as error:
            return str(error)
    return None


def _without_objects(frame: Frame, fmt: Format, has_shapes: bool) -> str | None:
    """As `_obstacle`, of a frame whose objects nobody marked."""
    if frame.label is not None and fmt in _WITH_TAGS:
        return _TAG_AMONG_SHAPES if has_shapes else None
    if frame.label is not None:
        others = "" if has_shapes else ", cvat or labelstudio"
        return f"they have a label and no boxes, which {fmt} cannot say: choose classes{others}"
    if frame.condition is not None:
        return f"they have a condition and no boxes, which {fmt} cannot say: choose conditions"
    return "nobody labelled them"


_TAG_AMONG_SHAPES = (
    "they have a label and no boxes, and beside frames with boxes they would be read as empty: "
    "choose classes"
)


def _require_amodal(manifest: Manifest, on_note: Note) -> None:
    """Renders must have amodal boxes; for photos the drawn ones stand for them."""
    lacking = [
        frame
        for frame in manifest.frames
        if any(note.amodal_box_xyxy is None for note in frame.objects or ())
    ]
    renders = [frame.image for frame in lacking if frame.source == "cad"]
    if renders:
        raise ManifestError(
            f"{manifest.name}: {len(renders)} renders hold an object that has no amodal box, such "
            f"as {renders[0]}: choose modal boxes"
        )
    if lacking:
        on_note(f"{len(lacking)} photos keep the boxes that were drawn: no amodal ones are known")


def _in_folders(manifest: Manifest, fmt: Format, on_note: Note) -> Manifest:
    """The manifest with its images where the format wants them."""
    if fmt == "yolo":
        return _in_split_folders(manifest, on_note)
    if fmt in ("coco", "voc", "cvat"):
        return manifest
    said = _BY_FOLDER.get(fmt)
    return _moved(manifest, _in_split_folder if said is None else partial(_in_named_folder, said))


def _in_split_folders(manifest: Manifest, on_note: Note) -> Manifest:
    """The manifest as a YOLO folder needs it: images/<split>/… as soon as there are splits."""
    splits = {frame.split for frame in manifest.frames}
    if splits == {None}:
        on_note("no frame has a split: everything is train, and val points to the same images")
        return manifest
    if None in splits:
        on_note("frames without a split are exported as train")
    if not {"train", "val"} <= splits | ({"train"} if None in splits else set()):
        on_note("train or val has no frames: data.yaml points it to another split")
    frames = (replace(frame, split=frame.split or "train") for frame in manifest.frames)
    return _moved(replace(manifest, frames=tuple(frames)), _in_split_folder)


def _in_split_folder(frame: Frame) -> str:
    """`images/<split>/…`, or where it is for a frame without one."""
    if frame.split is None:
        return frame.image
    rest = frame.image.removeprefix("images/").removeprefix(f"{frame.split}/")
    return f"images/{frame.split}/{rest}"


def _in_named_folder(said: Callable[[Frame], str | None], frame: Frame) -> str:
    """`<split>/<label>/` and the whole path as a name, for its folders would be classes too."""
    label = str(said(frame))
    if label.startswith(".") or "\\" in label or folders_of(f"{label}/x") != (label,):
        raise ManifestError(f"{frame.image}: {label!r} cannot be the name of a folder")
    rest = frame.image.removeprefix("images/").removeprefix(f"{frame.split}/")
    name = rest.removeprefix(f"{label}/").replace("/", "__")
    return f"{label}/{name}" if frame.split is None else f"{frame.split}/{label}/{name}"


def _moved(manifest: Manifest, place: Callable[[Frame], str]) -> Manifest:
    frames = tuple(replace(frame, image=place(frame)) for frame in manifest.frames)
    seen: dict[str, str] = {}
    for frame, old in zip(frames, manifest.frames, strict=True):
        other = seen.setdefault(stem(frame.image), old.image)
        if other != old.image:
            raise ManifestError(
                f"{manifest.name}: two images would share a name: {other} and {old.image}"
            )
    return replace(manifest, frames=frames)


def _files(manifest: Manifest, fmt: Format, box: BoxKind) -> Iterator[tuple[str, bytes]]:
    """Every file of the export besides the images: path and content."""
    if fmt == "coco":
        yield "annotations.json", _json(to_coco(manifest, box))
    elif fmt == "labelstudio":
        yield "tasks.json", _json(to_label_studio(manifest, box))
    elif fmt == "cvat":
        yield "annotations.xml", to_cvat_xml(manifest, box).encode()
    elif fmt == "severstal":
        yield "masks.csv", to_severstal_csv(manifest).encode()
    elif fmt == "masks":
        yield CLASSES, yolo.names_text(manifest.classes).encode()
    elif fmt == "yolo":
        splits = {frame.split for frame in manifest.frames}
        yield "data.yaml", yolo.data_yaml(manifest.classes, splits).encode()
    with_marks = fmt == "conditions" and _marks_defects(manifest)
    for frame in manifest.frames:
        name = stem(frame.image.removeprefix("images/"))
        if fmt == "yolo":
            size = (frame.width, frame.height)
            text = yolo.label_text(frame.objects or (), manifest.classes, *size, box)
            yield yolo.label_path(frame.image), text.encode()
        elif fmt == "voc":
            yield f"annotations/{name}.xml", to_voc_xml(frame, manifest.name, box).encode()
        elif fmt == "masks":
            yield f"masks/{name}.png", _png(to_mask(frame, manifest.classes))
        elif fmt == "conditions" and with_marks and frame.objects:
            shown = (to_mask(frame, manifest.classes) > 0).astype(np.uint8) * 255
            yield f"ground_truth/{name}_mask.png", _png(shown)


def _marks_defects(manifest: Manifest) -> bool:
    """Whether every object is the defect that the condition names, with its mask."""
    return all(
        frame.objects is not None
        and bool(frame.objects) == (frame.condition != "good")
        and all(n.mask is not None and n.class_name == frame.condition for n in frame.objects)
        for frame in manifest.frames
    )


def _json(content: object) -> bytes:
    return (json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _png(pixels: ByteArray) -> bytes:
    import cv2

    return bytes(cv2.imencode(".png", pixels)[1])


def _place(pairs: Iterable[tuple[Path, Path]]) -> str:
    """Link or copy every image, each in the first way that works; returns the ways taken."""
    taken: dict[str, None] = {}
    for source, target in pairs:
        target.parent.mkdir(parents=True, exist_ok=True)
        taken[link_file(source, target)] = None
    return " and ".join(taken)


def _require(files: Iterable[Path], message: str) -> None:
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        shown = [*missing[:_SHOWN], *(["..."] if len(missing) > _SHOWN else [])]
        raise ManifestError("\n  ".join([message, *shown]))
