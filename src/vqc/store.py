"""A rendered set on disk while it is being made: what is there, what is whole, when it is done.

A set's folder is unfinished until its manifest.jsonl appears. Until then every finished
frame has a line in a journal under `.partial/`, and counts as there only where its files
have the bytes that the line promises. Nothing is locked: several commands with the same
recipe may work in one folder, since every file has one possible content.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from vqc import __version__
from vqc.errors import ManifestError, VqcError
from vqc.files import replace_file
from vqc.formats import yolo
from vqc.frames import SCRATCH, Plan
from vqc.manifest import CLASSES, FILE_NAME, RECIPE, frame_from_json, read_manifest, write_manifest
from vqc.types import Frame, Manifest


def is_rendered_set(folder: Path) -> bool:
    """Whether a folder holds a rendered set, finished or not, and nothing else of value."""
    if {entry.name for entry in folder.iterdir()} <= {SCRATCH, CLASSES}:
        return True
    return "\nkind: render\n" in (_read_text(folder / RECIPE) or "")


def known_classes(folder: Path) -> list[str]:
    """The classes of the set so far, in the order of their numbers."""
    return (_read_text(folder / CLASSES) or "").splitlines()


def new_journal(folder: Path) -> Path:
    """A journal file for one writer alone."""
    return folder / SCRATCH / f"{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl"


def clear(folder: Path) -> None:
    """Remove all that a folder holds; the folder, or the link to it, stays."""
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def finished(plan: Plan, frames: int) -> Manifest | None:
    """The manifest, where the set is complete and whole: then nothing need be written."""
    try:
        manifest = read_manifest(plan.folder)
    except VqcError:
        return None
    same = manifest.recipe_sha256 == plan.recipe.sha256() and len(manifest.frames) == frames
    return manifest if same and all(_are_whole(plan, manifest.frames)) else None


def adopt(plan: Plan, wanted: set[str]) -> dict[str, Frame]:
    """Prepare the folder and return the records of all frames that are there and whole.

    A finished set that is about to grow becomes an unfinished one first: its lines go to
    a journal before its manifest goes away.
    """
    folder = plan.folder
    (folder / SCRATCH).mkdir(parents=True, exist_ok=True)
    text = plan.recipe.to_yaml()
    manifest = folder / FILE_NAME
    if manifest.exists() and _read_text(folder / RECIPE) != text:
        lines = manifest.read_text(encoding="utf-8").splitlines(keepends=True)[1:]
        replace_file(new_journal(folder), "".join(lines).encode())
        manifest.unlink()
    replace_file(folder / RECIPE, text.encode(), folder / SCRATCH)
    classes = yolo.names_text(plan.classes)
    replace_file(folder / CLASSES, classes.encode(), folder / SCRATCH)
    records = {i: f for i, f in records_of(folder).items() if i in wanted}
    whole = _are_whole(plan, list(records.values()))
    return {i: f for (i, f), ok in zip(records.items(), whole, strict=True) if ok}


def records_of(folder: Path) -> dict[str, Frame]:
    """Every frame that some run recorded, whole lines only."""
    frames: dict[str, Frame] = {}
    if (folder / FILE_NAME).exists():
        with contextlib.suppress(ManifestError):
            frames = {f.image: f for f in read_manifest(folder).frames}
    for path in sorted((folder / SCRATCH).glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True):
            if line.endswith("\n"):
                with contextlib.suppress(ManifestError):
                    frame = frame_from_json(line, str(path))
                    frames[frame.image] = frame
    return frames


def finish(plan: Plan, records: Mapping[str, Frame]) -> Manifest:
    """Write the manifest, which makes the set a finished one, and tidy up."""
    recipe = plan.recipe
    manifest = Manifest(
        kind="render",
        name=recipe.name,
        classes=plan.classes,
        frames=tuple(records[image] for image in sorted(records)),
        recipe_sha256=recipe.sha256(),
        created_by=f"vqc {__version__}",
    )
    write_manifest(plan.folder, manifest, plan.folder / SCRATCH)
    shutil.rmtree(plan.folder / SCRATCH, ignore_errors=True)
    return manifest


def _are_whole(plan: Plan, frames: Sequence[Frame]) -> list[bool]:
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda frame: _is_whole(plan, frame), frames))


def _is_whole(plan: Plan, frame: Frame) -> bool:
    """Whether all files of a frame have exactly the bytes that its record promises."""
    text = yolo.label_text(frame.objects or (), plan.classes, frame.width, frame.height)
    promised = {
        frame.image: frame.sha256,
        yolo.label_path(frame.image): hashlib.sha256(text.encode()).hexdigest(),
    }
    promised |= {
        str(frame.extra[k]): str(frame.extra[f"{k}_sha256"])
        for k in ("depth", "normals")
        if k in frame.extra
    }
    try:
        return all(
            hashlib.sha256((plan.folder / path).read_bytes()).hexdigest() == sha256
            for path, sha256 in promised.items()
        )
    except OSError:
        return False


def _read_text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
