"""A rendered set on disk while it is being made: what is there, what is whole, when it is done.

A set's folder is unfinished until its manifest.jsonl appears. Until then every finished
frame has a line in a journal under `.partial/`, and counts as there only where its files
have the bytes that the line promises. Nothing is locked: several commands with the same
recipe may work in one folder, since every file has one possible content.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from vqc import __version__, journal
from vqc.errors import InputError, VqcError
from vqc.files import replace_file
from vqc.formats import yolo
from vqc.frames import SCRATCH, Plan
from vqc.manifest import (
    CLASSES,
    FILE_NAME,
    RECIPE,
    digest_of,
    frame_to_json,
    parse,
    read_manifest,
    write_manifest,
)
from vqc.recipe import RenderRecipe, read_recipe
from vqc.render.devices import is_software
from vqc.types import Frame, Manifest, Progress

RENDERERS = "renderers"
"""The field of a manifest's header that names what drew the frames."""
_CLASSES = (
    "put it back, or give the command that renders the set, with every --step: it writes the file"
)


def is_rendered_set(folder: Path) -> bool:
    """Whether a folder holds a rendered set, finished or not, and nothing else of value.

    Raises InputError where it or its recipe is there and cannot be read.
    """
    try:
        if {entry.name for entry in folder.iterdir()} <= {SCRATCH, CLASSES}:
            return True
        text = (folder / RECIPE).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return False
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be read: {error.strerror or error}") from None
    return "\nkind: render\n" in text


def known_classes(folder: Path) -> list[str]:
    """The classes of the set so far, in the order of their numbers."""
    if (head := _header(folder)) is not None:
        return list(head.classes)
    return (_read_text(folder / CLASSES) or "").split("\n")[:-1]  # a cut name is none


def plan_of(folder: Path) -> Plan:
    """A set as its folder tells; enough to look at it and to finish it, not to render.

    Raises InputError where no rendered set is or its classes are gone, RecipeError where its
    recipe does not read.
    """
    recipe, classes = _recipe_of(folder), known_classes(folder)
    if not classes and not (folder / CLASSES).is_file():
        raise InputError(f"{folder / CLASSES} is missing: it names the set's classes; {_CLASSES}")
    return Plan(folder, recipe, tuple(classes), {}, 1)


def _recipe_of(folder: Path) -> RenderRecipe:
    file = folder / RECIPE
    try:
        there = file.exists()
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror or error}") from None
    kind = re.search(r"^kind: (.+)$", _read_text(file) or "", re.MULTILINE)
    if not there or (kind and kind[1] != "render"):
        got = f", got a set of kind {kind[1]}" if kind else ""
        raise InputError(f"{folder}: expected the folder of a rendered set, with its {RECIPE}{got}")
    return read_recipe(file)


def clear(folder: Path) -> None:
    """Remove all that a folder holds; the folder, or the link to it, stays."""
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def finished(
    plan: Plan, frames: int, on_progress: Progress = lambda done, total: None
) -> Manifest | None:
    """The manifest, where the set is complete and whole: then nothing need be written.

    on_progress: frames looked at.
    """
    try:
        manifest = read_manifest(plan.folder)
    except VqcError:
        return None
    if _read(plan.folder / CLASSES) != yolo.names_text(manifest.classes).encode():
        return None
    same = manifest.recipe_sha256 == plan.recipe.sha256() and len(manifest.frames) == frames
    return manifest if same and all(_are_whole(plan, manifest.frames, on_progress)) else None


def adopt(plan: Plan, wanted: set[str]) -> dict[str, Frame]:
    """Prepare the folder and return the records of all frames that are there and whole.

    A set that is to grow or to be mended becomes an unfinished one first: the lines of its
    manifest go to a journal before it goes away.
    """
    folder = plan.folder
    records = records_of(folder)
    _require_classes(plan, records)
    (folder / SCRATCH).mkdir(parents=True, exist_ok=True)
    if (folder / FILE_NAME).exists():
        lines = [frame_to_json(frame) for frame in _in_manifest(folder)]
        journal.keep(folder / SCRATCH, lines, renderers(folder))
        (folder / FILE_NAME).unlink(missing_ok=True)  # another command may have been first
    replace_file(folder / RECIPE, plan.recipe.to_yaml().encode(), folder / SCRATCH)
    _write_classes(plan)
    return _whole(plan, records, wanted)


def whole_records(
    plan: Plan, wanted: set[str], on_progress: Progress = lambda done, total: None
) -> dict[str, Frame]:
    """Of the frames that are wanted the records of those that are there and whole.

    Raises InputError where the set's classes lack one that a frame shows.
    """
    records = records_of(plan.folder)
    _require_classes(plan, records)
    return _whole(plan, records, wanted, on_progress)


def _whole(
    plan: Plan,
    records: Mapping[str, Frame],
    wanted: set[str],
    on_progress: Progress = lambda done, total: None,
) -> dict[str, Frame]:
    mine = {i: f for i, f in records.items() if i in wanted}
    whole = _are_whole(plan, list(mine.values()), on_progress)
    return {i: f for (i, f), ok in zip(mine.items(), whole, strict=True) if ok}


def _require_classes(plan: Plan, records: Mapping[str, Frame]) -> None:
    shown = {thing.class_name for frame in records.values() for thing in frame.objects or ()}
    if lacking := sorted(shown - set(plan.classes)):
        raise InputError(
            f"{plan.folder / CLASSES}: expected a line for each class that frames of the set show, "
            f"got none for {', '.join(lacking)}; {_CLASSES}"
        )


def records_of(folder: Path) -> dict[str, Frame]:
    """Every frame that some run recorded, whole lines only."""
    frames = {frame.image: frame for frame in _in_manifest(folder)}
    return frames | journal.frames_in(folder / SCRATCH)


def _in_manifest(folder: Path) -> tuple[Frame, ...]:
    """Frames of the manifest, if it is there. A cut one keeps those of its whole lines.

    One with another fault, or of full length with another digest, keeps none: nobody knows what
    else of it is wrong. Raises InputError where it cannot be read.
    """
    file = folder / FILE_NAME
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror or error}") from None
    manifest, faults = parse(data[: data.rfind(b"\n") + 1])
    if manifest is None or faults:
        return ()
    was_changed = len(manifest.frames) >= _recipe_of(folder).frames and not _is_as_written(data)
    return () if was_changed else manifest.frames


def _header(folder: Path) -> Manifest | None:
    """What the first line of the manifest says, without frames; None where it says nothing."""
    try:
        with (folder / FILE_NAME).open("rb") as file:
            return parse(file.readline().rstrip(b"\n") + b"\n")[0]
    except OSError:
        return None


def lost_records(folder: Path) -> str | None:
    """Why frames count as missing though their files are whole; None where that cannot be.

    The records of a finished set are in its manifest alone.
    """
    file = folder / FILE_NAME
    if (data := _read(file)) is not None:
        fault = _damage(data)
        if fault is None:
            return None
        what = f"{file} is damaged ({fault}): what it lost"
    elif any((folder / SCRATCH).glob("*.jsonl")) or not (folder / "images").is_dir():
        return None
    else:
        what = f"{file} is gone, and the records of the frames with it: what has no record"
    return f"{what} counts as missing, though the pictures may be whole; a copy of it helps"


def _damage(data: bytes) -> str | None:
    """The first fault of a manifest's bytes."""
    faults = parse(data)[1]
    if faults:
        return f"line {faults[0].line}: {faults[0].message}"
    return None if _is_as_written(data) else "it was changed or cut after it was written"


def _is_as_written(data: bytes) -> bool:
    """By the digest in its first line, if there is one."""
    digest = json.loads(data.partition(b"\n")[0]).get("digest")
    return digest is None or digest_of(data, digest) == digest


def renderers(folder: Path) -> tuple[str, ...]:
    """What drew the frames of a set so far, by OpenGL's names, sorted."""
    found, head = set(journal.renderers_in(folder / SCRATCH)), _header(folder)
    names = () if head is None else head.extra.get(RENDERERS, ())
    return tuple(sorted(found.union(name for name in names if isinstance(name, str))))


def require_alike(folder: Path, names: Sequence[str]) -> None:
    """Raise InputError where frames were drawn in software and in hardware."""
    soft = [name for name in names if is_software(name)]
    if soft and len(soft) < len(names):
        raise InputError(
            f"{folder}: expected frames of one kind of renderer, got {', '.join(sorted(names))}; "
            "pixels of software and of a GPU may differ in the last bit. Give "
            "--allow-mixed-renderers where that does not matter, or render the set on one kind"
        )


def finish(plan: Plan, records: Mapping[str, Frame], mixed: bool) -> Manifest:
    """Write the manifest, which makes the set a finished one, and tidy up.

    mixed: whether frames of software and of a GPU may stand in it; else raises InputError.
    """
    recipe, drawn_by = plan.recipe, renderers(plan.folder)
    if not mixed:
        require_alike(plan.folder, drawn_by)
    manifest = Manifest(
        kind="render",
        name=recipe.name,
        classes=plan.classes,
        frames=tuple(records[image] for image in sorted(records)),
        recipe_sha256=recipe.sha256(),
        created_by=f"vqc {__version__}",
        extra={RENDERERS: list(drawn_by)} if drawn_by else {},
    )
    _write_classes(plan)
    write_manifest(plan.folder, manifest, plan.folder / SCRATCH)
    tidy(plan.folder)
    return manifest


def tidy(folder: Path) -> None:
    """Remove what only an unfinished set needs, where the set is finished."""
    if (folder / FILE_NAME).exists():
        shutil.rmtree(folder / SCRATCH, ignore_errors=True)


def _write_classes(plan: Plan) -> None:
    text = yolo.names_text(plan.classes)
    replace_file(plan.folder / CLASSES, text.encode(), plan.folder / SCRATCH)


def _are_whole(plan: Plan, frames: Sequence[Frame], on_progress: Progress) -> list[bool]:
    found = []
    with ThreadPoolExecutor() as pool:
        for whole in pool.map(lambda frame: _is_whole(plan, frame), frames):
            found.append(whole)
            on_progress(len(found), len(frames))
    return found


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


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
