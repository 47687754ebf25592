"""A rendered set on disk while it is being made: what is there, what is whole, when it is done.

A set's folder is unfinished until its manifest.jsonl appears. Until then every finished
frame has a line in a journal under `.partial/`, and counts as there only where its files
have the bytes that the line promises. Nothing is locked: several commands with the same
recipe may work in one folder, since every file has one possible content.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from vqc import __version__, journal
from vqc.errors import InputError, ManifestError, VqcError
from vqc.files import replace_file
from vqc.formats import yolo
from vqc.frames import SCRATCH, Plan
from vqc.manifest import CLASSES, FILE_NAME, RECIPE, read_manifest, write_manifest
from vqc.recipe import read_recipe
from vqc.render.devices import is_software
from vqc.types import Frame, Manifest, Progress

RENDERERS = "renderers"
"""The field of a manifest's header that names what drew the frames."""


def is_rendered_set(folder: Path) -> bool:
    """Whether a folder holds a rendered set, finished or not, and nothing else of value."""
    if {entry.name for entry in folder.iterdir()} <= {SCRATCH, CLASSES}:
        return True
    return "\nkind: render\n" in (_read_text(folder / RECIPE) or "")


def known_classes(folder: Path) -> list[str]:
    """The classes of the set so far, in the order of their numbers."""
    return (_read_text(folder / CLASSES) or "").splitlines()


def plan_of(folder: Path) -> Plan:
    """A set as its folder tells; enough to look at it and to finish it, not to render.

    Raises InputError where no rendered set is, RecipeError where its recipe does not read.
    """
    if not (folder.is_dir() and (folder / RECIPE).exists() and is_rendered_set(folder)):
        raise InputError(f"{folder}: expected the folder of a rendered set, with its {RECIPE}")
    return Plan(folder, read_recipe(folder / RECIPE), tuple(known_classes(folder)), {}, 1)


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
    same = manifest.recipe_sha256 == plan.recipe.sha256() and len(manifest.frames) == frames
    return manifest if same and all(_are_whole(plan, manifest.frames, on_progress)) else None


def adopt(plan: Plan, wanted: set[str]) -> dict[str, Frame]:
    """Prepare the folder and return the records of all frames that are there and whole.

    A finished set that is about to grow becomes an unfinished one first: its lines go to
    a journal before its manifest goes away.
    """
    folder = plan.folder
    (folder / SCRATCH).mkdir(parents=True, exist_ok=True)
    text = plan.recipe.to_yaml()
    before = _read_text(folder / FILE_NAME)
    if before is not None and _read_text(folder / RECIPE) != text:
        journal.keep(folder / SCRATCH, before.splitlines()[1:], renderers(folder))
        (folder / FILE_NAME).unlink(missing_ok=True)  # another command may have been first
    replace_file(folder / RECIPE, text.encode(), folder / SCRATCH)
    classes = yolo.names_text(plan.classes)
    replace_file(folder / CLASSES, classes.encode(), folder / SCRATCH)
    return whole_records(plan, wanted)


def whole_records(
    plan: Plan, wanted: set[str], on_progress: Progress = lambda done, total: None
) -> dict[str, Frame]:
    """Of the frames that are wanted the records of those that are there and whole."""
    records = {i: f for i, f in records_of(plan.folder).items() if i in wanted}
    whole = _are_whole(plan, list(records.values()), on_progress)
    return {i: f for (i, f), ok in zip(records.items(), whole, strict=True) if ok}


def records_of(folder: Path) -> dict[str, Frame]:
    """Every frame that some run recorded, whole lines only."""
    frames: dict[str, Frame] = {}
    if (folder / FILE_NAME).exists():
        with contextlib.suppress(ManifestError):
            frames = {f.image: f for f in read_manifest(folder).frames}
    return frames | journal.frames_in(folder / SCRATCH)


def renderers(folder: Path) -> tuple[str, ...]:
    """What drew the frames of a set so far, by OpenGL's names, sorted."""
    found = journal.renderers_in(folder / SCRATCH)
    with contextlib.suppress(InputError, ManifestError):
        names = read_manifest(folder).extra.get(RENDERERS, ())
        found += tuple(name for name in names if isinstance(name, str))
    return tuple(sorted(set(found)))


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
    write_manifest(plan.folder, manifest, plan.folder / SCRATCH)
    tidy(plan.folder)
    return manifest


def tidy(folder: Path) -> None:
    """Remove what only an unfinished set needs, where the set is finished."""
    if (folder / FILE_NAME).exists():
        shutil.rmtree(folder / SCRATCH, ignore_errors=True)


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
