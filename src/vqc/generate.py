"""One render job: a recipe and STEP files → a finished set, however often it is interrupted."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from vqc import engines, store
from vqc.cad import read_each
from vqc.errors import IncompleteError, InputError
from vqc.frames import (
    FrameMaker,
    Job,
    LookMaker,
    Maker,
    Plan,
    cannot_write,
    image_path,
    intrinsics_of,
    read_source,
    require_assets,
    scene_of,
)
from vqc.geometry import distance_for_fill
from vqc.manifest import RECIPE, frame_from_json
from vqc.recipe import RenderRecipe, grow, read_recipe, subject
from vqc.scene import require_fits
from vqc.types import Frame, Manifest, Progress, Scene


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


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a render job would take, measured on a few of its frames."""

    frames: int
    missing: int
    seconds: float
    megabytes: float


def prepare(
    recipe: RenderRecipe,
    paths: Mapping[str, Path],
    root: Path,
    workers: int,
    fresh: bool = False,
    on_progress: Progress = lambda done, total: None,
) -> tuple[Plan, tuple[str, ...]]:
    """Read the STEP files, check all that can be checked, and compare with what is there.

    Returns the plan and notes for the user. Writes nothing. on_progress counts STEP files.
    Raises InputError, CadError or RecipeError.
    """
    folder = root / recipe.name
    if folder.exists() and not (folder.is_dir() and store.is_rendered_set(folder)):
        raise InputError(f"{folder} is there and is no rendered set; choose another --name")
    if not fresh and (folder / RECIPE).exists():
        old = read_recipe(folder / RECIPE)
        recipe, paths = _with_known_keys(old, recipe, paths)
        recipe = grow(old, recipe, folder)
        _require_paths(folder, recipe, paths)
    present = [s for s in recipe.sources if s.key in paths]
    read: list[Path] = []

    def advance(path: Path) -> None:
        read.append(path)
        on_progress(len(read), len(present))

    source_at = {paths[s.key]: s for s in present}
    assemblies = read_each(
        lambda path: read_source(recipe, source_at[path], path), list(source_at), workers, advance
    )
    require_fits(assemblies, recipe.labels)
    if recipe.look is not None:
        require_assets(recipe.look, recipe, paths)
    scenes = [scene_of(recipe, s, a) for s, a in zip(present, assemblies, strict=True)]
    if recipe.picture.depth:
        recipe = _with_depth_scales(
            recipe, {s.key: x.scene for s, x in zip(present, scenes, strict=True)}
        )
    there = [] if fresh else store.known_classes(folder)
    classes = tuple(dict.fromkeys([*there, *(c for s in scenes for c in s.classes)]))
    notes = [
        f"{source.file}: {note}"
        for source, assembly, scene in zip(present, assemblies, scenes, strict=True)
        for note in (*assembly.notes, *scene.notes)
    ]
    threads = max(1, len(os.sched_getaffinity(0)) // workers)
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
            store.clear(folder)
        if (manifest := store.finished(plan, len(jobs))) is not None:
            on_progress(len(jobs), len(jobs))
            return Summary(folder, manifest, 0, len(jobs), time.monotonic() - started)
        records = store.adopt(plan, {image for image, _ in jobs})
        found = len(records)
        missing = [job for image, job in jobs if image not in records]
        on_progress(found, len(jobs))
        if missing:
            set_aside = _work(plan, workers, missing, records, on_progress, len(jobs))
            if set_aside:
                raise IncompleteError(_incomplete(folder, recipe, set_aside, len(jobs)))
        manifest = store.finish(plan, records)
    except OSError as error:
        raise cannot_write(folder, error) from None
    return Summary(folder, manifest, len(missing), found, time.monotonic() - started)


def estimate(plan: Plan, workers: int, fresh: bool = False) -> Estimate:
    """Render a few frames of every source into a throw-away folder and extrapolate."""
    jobs = _jobs(plan.recipe)
    there = {} if fresh else store.records_of(plan.folder)
    missing = [job for image, job in jobs if image not in there]
    sample = missing[:: max(1, len(missing) // (4 * workers))][: 4 * workers]
    if not sample:
        return Estimate(len(jobs), 0, 0.0, 0.0)
    with tempfile.TemporaryDirectory(prefix="vqc-dry-run-") as scratch:
        trial = replace(plan, folder=Path(scratch))
        started = time.monotonic()
        first = None
        for outcome in engines.run(partial(_maker(trial), trial), sample, workers, _groups(sample)):
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
    if recipe.look is not None:
        jobs = [Job(subject(recipe, index), index) for index in range(recipe.look.count)]
    else:
        jobs = [
            Job(number, index, view)
            for number in range(len(recipe.sources))
            for index, view in enumerate(recipe.all_angles())
        ]
    suffix = recipe.picture.format
    return [(image_path(recipe.sources[job.source], job.index, suffix), job) for job in jobs]


def _maker(plan: Plan) -> type[Maker]:
    return FrameMaker if plan.recipe.look is None else LookMaker


def _groups(jobs: Sequence[Job]) -> list[int]:
    """A worker stays with one part of a sweep; in a look all parts are there at once."""
    return [0 if job.angles is None else job.source for job in jobs]


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
    count = min(workers, len(missing))
    outcomes = engines.run(partial(_maker(plan), plan), missing, count, _groups(missing))
    journal_path = store.new_journal(plan.folder)
    with (
        journal_path.open("a", encoding="utf-8") as journal,
        contextlib.closing(outcomes),
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


def _with_known_keys(
    old: RenderRecipe, new: RenderRecipe, paths: Mapping[str, Path]
) -> tuple[RenderRecipe, dict[str, Path]]:
    """Sources that the set has keep their keys, though two files of one stem get longer ones."""
    keys = {s.key for s in old.sources}
    known = {(s.sha256, s.class_name): s.key for s in old.sources}
    sources = [
        s if s.key in keys else replace(s, key=known.get((s.sha256, s.class_name), s.key))
        for s in new.sources
    ]
    moved = {s.key: paths[before.key] for before, s in zip(new.sources, sources, strict=True)}
    assets = {} if new.look is None else {a.sha256: paths[a.sha256] for a in new.look.assets}
    return replace(new, sources=tuple(sources)), {**moved, **assets}


def _require_paths(folder: Path, recipe: RenderRecipe, paths: Mapping[str, Path]) -> None:
    """Raise InputError where frames are missing of a source whose STEP file was not given."""
    gone = {number: s.file for number, s in enumerate(recipe.sources) if s.key not in paths}
    there = store.records_of(folder) if gone else {}
    lacking = sorted({job.source for image, job in _jobs(recipe) if image not in there} & set(gone))
    if lacking:
        files = ", ".join(gone[number] for number in lacking)
        raise InputError(f"{folder} lacks frames of {files}; give --step for it, too")


def _with_depth_scales(recipe: RenderRecipe, scenes: Mapping[str, Scene]) -> RenderRecipe:
    """Millimetres a unit of 16 bits: 1, 2 or 5 times a power of ten, so that all depths fit."""
    steps = [float(f"{digit}e{power}") for power in range(-9, 9) for digit in (1, 2, 5)]
    sources = []
    for source in recipe.sources:
        if source.key in scenes:
            radius = scenes[source.key].radius_mm
            distance = distance_for_fill(radius, recipe.picture.fill, intrinsics_of(recipe))
            scale = next(s for s in steps if (distance + radius) * 1.01 <= 65535 * s)
            source = replace(source, depth_mm_per_unit=scale)
        sources.append(source)
    return replace(recipe, sources=tuple(sources))


def _angles_text(job: Job) -> str:
    return "(azimuth {:g}, elevation {:g}, tilt {:g})".format(*job.angles) if job.angles else ""


def _incomplete(
    folder: Path, recipe: RenderRecipe, set_aside: Iterable[tuple[Job, str]], total: int
) -> str:
    lines = [
        f"  {image_path(recipe.sources[job.source], job.index, recipe.picture.format)} "
        f"{_angles_text(job)}: {why}"
        for job, why in set_aside
    ]
    return (
        f"{folder}: {len(lines)} of {total} frames could not be made; the rest is finished:\n"
        + "\n".join(lines)
        + "\nThe same command tries them again; until then the set has no manifest."
    )
