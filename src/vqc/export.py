"""A set → a folder that other tools read: YOLO, COCO or Pascal VOC.

Only frames that somebody labelled go out. No pixel is copied where a link will do.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from vqc.errors import InputError, ManifestError, OutputError
from vqc.formats import BoxKind, yolo
from vqc.formats.coco import to_coco
from vqc.formats.voc import to_voc_xml
from vqc.manifest import find_manifest, read_manifest
from vqc.types import Frame, Manifest

Format = Literal["yolo", "coco", "voc"]
Note = Callable[[str], None]

_LINKS: tuple[tuple[str, Callable[[Path, Path], object]], ...] = (
    ("hard links", lambda source, target: target.hardlink_to(source)),
    ("symbolic links", lambda source, target: target.symlink_to(source)),
    ("copies", shutil.copyfile),
)
_SHOWN = 5


def export(
    folder: Path | str,
    fmt: Format,
    out: Path | str,
    box: BoxKind = "modal",
    on_note: Note = lambda text: None,
) -> Path:
    """Write a set's labelled frames as another format; whole or not at all.

    out: a new or empty folder outside the set; returned.
    on_note: gets one sentence for what was left out, how images were placed, and what a
        reader of the result should know.
    Raises InputError, ManifestError or OutputError; nothing is left behind then.
    """
    root, target = find_manifest(Path(folder)).parent, Path(out)
    _check_request(root, fmt, target, box)
    manifest = _labelled(read_manifest(folder), on_note)
    sources = [(root / frame.image).resolve() for frame in manifest.frames]
    _require(sources, f"{root}: images are missing; vqc verify lists every fault")
    if fmt == "yolo":
        manifest = _in_split_folders(manifest, on_note)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
    try:
        for path, text in _texts(manifest, fmt, box).items():
            _write(temporary / path, text)
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
    if target.is_file() or (target.is_dir() and any(target.iterdir())):
        faults.append(f"{target} is there already and not empty: choose another place")
    if target.resolve().is_relative_to(root.resolve()):
        faults.append(f"{target} lies inside the set {root}: choose a place outside it")
    if faults:
        raise InputError("\n".join(faults))


def _labelled(manifest: Manifest, on_note: Note) -> Manifest:
    frames = tuple(frame for frame in manifest.frames if frame.objects is not None)
    left_out = [frame.image for frame in manifest.frames if frame.objects is None]
    if not frames:
        raise ManifestError(f"{manifest.name}: no frame is labelled, so there is nothing to export")
    if left_out:
        shown = ", ".join(left_out[:_SHOWN]) + (", ..." if len(left_out) > _SHOWN else "")
        all_frames = len(manifest.frames)
        on_note(f"left out {len(left_out)} of {all_frames} frames, nobody labelled them: {shown}")
    return replace(manifest, frames=frames)


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

    def moved(frame: Frame) -> Frame:
        split = frame.split or "train"
        rest = frame.image.removeprefix("images/").removeprefix(f"{split}/")
        return replace(frame, image=f"images/{split}/{rest}", split=split)

    frames = tuple(map(moved, manifest.frames))
    if len({yolo.label_path(frame.image) for frame in frames}) < len(frames):
        raise ManifestError(f"{manifest.name}: two images would share a name in images/<split>")
    return replace(manifest, frames=frames)


def _texts(manifest: Manifest, fmt: Format, box: BoxKind) -> dict[str, str]:
    """Every text file of the export: path → content."""
    if fmt == "coco":
        content = json.dumps(to_coco(manifest, box), ensure_ascii=False, allow_nan=False)
        return {"annotations.json": content + "\n"}
    texts = {"data.yaml": yolo.data_yaml(manifest)} if fmt == "yolo" else {}
    for frame in manifest.frames:
        labels = yolo.label_path(frame.image)
        if fmt == "yolo":
            size = (frame.width, frame.height)
            objects = frame.objects or ()
            texts[labels] = yolo.label_text(objects, manifest.classes, *size, box)
        else:
            stem = labels.removeprefix("labels/").removesuffix(".txt")
            texts[f"annotations/{stem}.xml"] = to_voc_xml(frame, manifest.name, box)
    return texts


def _place(pairs: Iterable[tuple[Path, Path]]) -> str:
    """Link or copy every image, each in the first way that works; returns the ways taken."""
    taken: dict[str, None] = {}
    for source, target in pairs:
        target.parent.mkdir(parents=True, exist_ok=True)
        for i, (name, place) in enumerate(_LINKS):
            try:
                place(source, target)
            except OSError:
                if i == len(_LINKS) - 1:
                    raise
            else:
                taken[name] = None
                break
    return " and ".join(taken)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def _require(files: Iterable[Path], message: str) -> None:
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        shown = [*missing[:_SHOWN], *(["..."] if len(missing) > _SHOWN else [])]
        raise ManifestError("\n  ".join([message, *shown]))
