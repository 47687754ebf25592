"""One render job: a recipe and STEP files → a finished set, however often it is interrupted.

A set's folder is unfinished until its manifest.jsonl appears. Until then every finished
frame has a line in a journal under `.partial/`; a frame counts as finished where its line
is there and its files have the bytes that the line promises. Nothing is locked: several
commands with the same recipe may work in one folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from vqc import __version__, engines
from vqc.errors import IncompleteError, InputError, ManifestError
from vqc.formats import yolo
from vqc.frames import (
    SCRATCH,
    FrameMaker,
    Job,
    Plan,
    cannot_write,
    image_path,
    intrinsics_of,
    read_source,
    scene_of,
)
from vqc.geometry import distance_for_fill
from vqc.manifest import FILE_NAME, frame_from_json, read_manifest, write_manifest
from vqc.recipe import RenderRecipe, grow, read_recipe
from vqc.scene import require_fits
from vqc.types import Frame, Manifest

RECIPE = "recipe.yaml"
CLASSES = "classes.txt"

Progress = Callable[[int, int], None]
"""Called with frames finished and frames in all."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a render job did.

    made and found count frames: those of this run, and those that were there already.
    """

    folder: Path
    manifest: Manifest
    made: int
    found: int
    seconds: float
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a render job would take, measured on a few of its frames."""

    frames: int
    missing: int
    seconds: float
    megabytes: float


def prepare(
    recipe: RenderRecipe, paths: Mapping[str, Path], root: Path, workers: int, fresh: bool = False
) -> tuple[Plan, tuple[str, ...]]:
    """Read the STEP files, check all that can be checked, and compare with what is there.

    Returns the plan and notes for the user. Writes nothing.
    Raises InputError, CadError or RecipeError.
    """
    folder = root / recipe.name
    if not fresh and (folder / RECIPE).exists():
        recipe = grow(read_recipe(folder / RECIPE), recipe, folder)
        _require_paths(folder, recipe, paths)
    elif folder.exists() and any(folder.iterdir()) and not _is_ours(folder):
        raise InputError(f"{folder} is not empty and no rendered set; choose another --name")
    present = [s for s in recipe.sources if s.key in paths]
    with ThreadPoolExecutor(workers) as pool:
        assemblies = list(pool.map(lambda s: read_source(recipe, s, paths[s.key]), present))
    require_fits(assemblies, recipe.labels)
    scenes = [scene_of(recipe, s, a) for s, a in zip(present, assemblies, strict=True)]
    if recipe.picture.depth:
        scales = {
            s.key: _depth_scale(recipe, x.scene.radius_mm)
            for s, x in zip(present, scenes, strict=True)
        }
        recipe = replace(
            recipe,
            sources=tuple(
                replace(s, depth_mm_per_unit=scales.get(s.key, s.depth_mm_per_unit))
                for s in recipe.sources
            ),
        )
    there = "" if fresh else _read_text(folder / CLASSES) or ""
    classes = tuple(dict.fromkeys([*there.splitlines(), *(c for s in scenes for c in s.classes)]))
    notes = [
        f"{source.file}: {note}"
        for source, assembly, scene in zip(present, assemblies, scenes, strict=True)
        for note in (*assembly.notes, *scene.notes)
    ]
    threads = max(1, (os.cpu_count() or 1) // workers)
    return Plan(folder, recipe, classes, paths, threads), tuple(notes)


def render_set(
    plan: Plan,
    workers: int,
    fresh: bool = False,
    on_progress: Progress = lambda done, total: None,
) -> Summary:
    """Make every frame that is missing, then the manifest.

    Raises LabelError at the first wrong label, OutputError where nothing more can be
    written, IncompleteError at the end where frames had to be set aside.
    """
    started = time.monotonic()
    folder, recipe = plan.folder, plan.recipe
    jobs = _jobs(recipe)
    try:
        if fresh and folder.exists():
            shutil.rmtree(folder)
        records = _adopt(plan, {image for image, _ in jobs})
        found = len(records)
        missing = [job for image, job in jobs if image not in records]
        on_progress(found, len(jobs))
        if missing:
            set_aside = _work(plan, workers, missing, records, on_progress, len(jobs))
            if set_aside:
                raise IncompleteError(_incomplete(folder, set_aside, len(jobs)))
        manifest = _finish(plan, records)
    except OSError as error:
        raise cannot_write(folder, error) from None
    return Summary(folder, manifest, len(missing), found, time.monotonic() - started, ())


def estimate(plan: Plan, workers: int, fresh: bool = False) -> Estimate:
    """Render a few frames of every source into a throw-away folder and extrapolate."""
    jobs = _jobs(plan.recipe)
    there = {} if fresh else _journal(plan.folder) if plan.folder.exists() else {}
    missing = [job for image, job in jobs if image not in there]
    sample = missing[:: max(1, len(missing) // (4 * workers))][: 4 * workers]
    if not sample:
        return Estimate(len(jobs), 0, 0.0, 0.0)
    with tempfile.TemporaryDirectory(prefix="vqc-dry-run-") as scratch:
        trial = replace(plan, folder=Path(scratch))
        started = time.monotonic()
        first = None
        for outcome in engines.run(partial(FrameMaker, trial), sample, workers):
            if outcome.failure:
                raise IncompleteError(f"a trial frame failed: {outcome.failure}")
            first = first or time.monotonic()
        ended = time.monotonic()
        size = sum(f.stat().st_size for f in Path(scratch).rglob("*") if f.is_file())
    opening = (first or ended) - started
    each = (ended - (first or ended)) / max(1, len(sample) - 1)
    share = len(missing) / len(sample)
    return Estimate(len(jobs), len(missing), opening + each * len(missing), size * share / 1e6)


def _jobs(recipe: RenderRecipe) -> list[tuple[str, Job]]:
    """Every frame of the set: its image path and how to make it, a source after another."""
    angles = recipe.all_angles()
    return [
        (image_path(source, index, recipe.picture.format), Job(number, index, view))
        for number, source in enumerate(recipe.sources)
        for index, view in enumerate(angles)
    ]


def _work(
    plan: Plan,
    workers: int,
    missing: Sequence[Job],
    records: dict[str, Frame],
    on_progress: Progress,
    total: int,
) -> list[tuple[Job, str]]:
    """Run the engine over the missing frames; each line is journalled as it comes."""
    set_aside = []
    journal_path = plan.folder / SCRATCH / f"{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl"
    with (
        journal_path.open("a", encoding="utf-8") as journal,
        contextlib.closing(
            engines.run(partial(FrameMaker, plan), missing, min(workers, len(missing)))
        ) as outcomes,
    ):
        for outcome in outcomes:
            if outcome.failure is not None:
                set_aside.append((missing[outcome.index], outcome.failure))
                continue
            journal.write(outcome.result + "\n")
            journal.flush()
            frame = frame_from_json(outcome.result, str(journal_path))
            records[frame.image] = frame
            on_progress(len(records), total)
    return set_aside


def _adopt(plan: Plan, wanted: set[str]) -> dict[str, Frame]:
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
        _replace(folder / SCRATCH / f"kept-{uuid.uuid4().hex[:8]}.jsonl", "".join(lines))
        manifest.unlink()
    _replace(folder / RECIPE, text)
    _replace(folder / CLASSES, "".join(f"{c}\n" for c in plan.classes))
    records = {i: f for i, f in _journal(folder).items() if i in wanted}
    with ThreadPoolExecutor() as pool:
        whole = pool.map(lambda f: _is_whole(plan, f), records.values())
        return {i: f for (i, f), ok in zip(records.items(), whole, strict=True) if ok}


def _journal(folder: Path) -> dict[str, Frame]:
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


def _finish(plan: Plan, records: Mapping[str, Frame]) -> Manifest:
    recipe = plan.recipe
    manifest = Manifest(
        kind="render",
        name=recipe.name,
        classes=plan.classes,
        frames=tuple(records[image] for image in sorted(records)),
        recipe_sha256=recipe.sha256(),
        created_by=f"vqc {__version__}",
    )
    write_manifest(plan.folder, manifest)
    shutil.rmtree(plan.folder / SCRATCH, ignore_errors=True)
    return manifest


def _require_paths(folder: Path, recipe: RenderRecipe, paths: Mapping[str, Path]) -> None:
    """Raise InputError where frames are missing of a source whose STEP file was not given."""
    gone = {number: s.file for number, s in enumerate(recipe.sources) if s.key not in paths}
    there = _journal(folder) if gone else {}
    lacking = sorted({job.source for image, job in _jobs(recipe) if image not in there} & set(gone))
    if lacking:
        files = ", ".join(gone[number] for number in lacking)
        raise InputError(f"{folder} lacks frames of {files}; give --step for it, too")


def _is_ours(folder: Path) -> bool:
    return any((folder / name).exists() for name in (RECIPE, FILE_NAME, SCRATCH))


def _depth_scale(recipe: RenderRecipe, radius_mm: float) -> float:
    """Millimetres a unit of 16 bits, 1, 2 or 5 times a power of ten, so that all depths fit."""
    farthest = radius_mm + distance_for_fill(radius_mm, recipe.picture.fill, intrinsics_of(recipe))
    power = 1e-6
    while True:
        for digit in (1, 2, 5):
            if farthest * 1.01 <= 65535 * digit * power:
                return float(f"{digit * power:.6g}")
        power *= 10


def _incomplete(folder: Path, set_aside: Iterable[tuple[Job, str]], total: int) -> str:
    lines = [
        f"  view {job.index} of source {job.source} "
        f"(azimuth {job.angles[0]:g}, elevation {job.angles[1]:g}, tilt {job.angles[2]:g}): {why}"
        for job, why in set_aside
    ]
    return (
        f"{folder}: {len(lines)} of {total} frames could not be made; all others are finished:\n"
        + "\n".join(lines)
        + "\nThe same command tries them again; until then the set has no manifest."
    )


def _read_text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None


def _replace(path: Path, text: str) -> None:
    """Write a small text file whole."""
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}")
    temporary.write_text(text, encoding="utf-8", newline="\n")
    os.replace(temporary, path)
