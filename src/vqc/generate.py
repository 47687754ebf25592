"""One render job: a recipe and STEP files → a finished set, however often it is interrupted."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from vqc import engines, store
from vqc.cad import read_each
from vqc.environment import cpu_cores
from vqc.errors import IncompleteError, InputError
from vqc.frames import (
    Plan,
    cannot_write,
    intrinsics_of,
    read_source,
    require_assets,
    scene_of,
)
from vqc.geometry import distance_for_fill
from vqc.making import Work, Workers, groups, jobs_of, maker_of, open_maker
from vqc.manifest import RECIPE
from vqc.recipe import RenderRecipe, grow, read_recipe
from vqc.scene import require_fits
from vqc.shards import Shard, ranges
from vqc.types import Manifest, Progress, Scene

_SHOWN, _LONGEST = 20, 200
"""Parts, and letters of each, in a message about frames that are missing."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a render job did.

    manifest: None for a shard, which writes none. frames: that it is for. made and found count
    them: those of this run, and those that were there already.
    """

    folder: Path
    manifest: Manifest | None
    frames: int
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
    threads = max(1, cpu_cores() // workers)
    return Plan(folder, recipe, classes, paths, threads), tuple(notes)


def render_set(
    plan: Plan,
    workers: Workers,
    fresh: bool = False,
    on_progress: Progress = lambda done, total: None,
    shard: Shard | None = None,
    mixed: bool = False,
) -> Summary:
    """Make every frame that is missing, then the manifest; of a shard, its frames only.

    mixed: whether frames of software and of a GPU may stand in one set.
    Raises LabelError at the first wrong label, OutputError where nothing more can be
    written, InputError where the renderer is of another kind, StoppedError where a scheduler
    wants an end, IncompleteError at the end where frames had to be set aside.
    """
    started = time.monotonic()
    folder = plan.folder
    jobs = jobs_of(plan.recipe)
    mine = jobs if shard is None else shard.of(jobs)
    try:
        if fresh and folder.exists():
            store.clear(folder)
        manifest, found = store.finished(plan, len(jobs)), len(mine)
        if manifest is None:
            records = store.adopt(plan, {image for image, _ in mine})
            found = len(records)
            missing = [job for image, job in mine if image not in records]
            on_progress(found, len(mine))
            if missing:
                Work(plan, workers, shard, mixed).make(missing, records, on_progress)
            if shard is None:
                manifest = store.finish(plan, records, mixed)
            store.tidy(folder)
        else:
            on_progress(len(mine), len(mine))
    except OSError as error:
        raise cannot_write(folder, error) from None
    seconds = time.monotonic() - started
    return Summary(folder, manifest, len(mine), len(mine) - found, found, seconds)


def begin(plan: Plan, fresh: bool = False) -> tuple[int, int]:
    """Lay out a set for shards that are rendered elsewhere: its folder, recipe and classes.

    Returns how many frames are there and whole, and how many there will be.
    """
    images = [image for image, _ in jobs_of(plan.recipe)]
    try:
        if fresh and plan.folder.exists():
            store.clear(plan.folder)
        if store.finished(plan, len(images)) is not None:
            return len(images), len(images)
        return len(store.adopt(plan, set(images))), len(images)
    except OSError as error:
        raise cannot_write(plan.folder, error) from None


def merge(
    folder: Path, mixed: bool = False, on_progress: Progress = lambda done, total: None
) -> Manifest:
    """Join what shards made into one set: the manifest that one machine would have written.

    mixed: see `render_set`. on_progress: frames looked at. Writes nothing where frames are
    missing or spoilt: raises IncompleteError with all of them. InputError where there is no set.
    """
    plan = store.plan_of(folder)
    images = [image for image, _ in jobs_of(plan.recipe)]
    try:
        if (manifest := store.finished(plan, len(images), on_progress)) is not None:
            store.tidy(folder)
            return manifest
        records = store.whole_records(plan, set(images), on_progress)
        missing = [image for image in images if image not in records]
        if missing:
            raise IncompleteError(_missing(folder, missing, len(images)))
        return store.finish(plan, records, mixed)
    except OSError as error:
        raise cannot_write(folder, error) from None


def estimate(plan: Plan, workers: Workers, fresh: bool = False) -> Estimate:
    """Render a few frames of every source into a throw-away folder and extrapolate."""
    jobs = jobs_of(plan.recipe)
    there = {} if fresh else store.records_of(plan.folder)
    missing = [job for image, job in jobs if image not in there]
    count = workers.count
    sample = missing[:: max(1, len(missing) // (4 * count))][: 4 * count]
    if not sample:
        return Estimate(len(jobs), 0, 0.0, 0.0)
    with tempfile.TemporaryDirectory(prefix="vqc-dry-run-") as scratch:
        trial = replace(plan, folder=Path(scratch))
        started = time.monotonic()
        first = None
        outcomes = engines.run(
            partial(open_maker, maker_of(trial), trial),
            sample,
            count,
            groups(sample),
            environments=workers.environments,
        )
        for outcome in outcomes:
            if outcome.failure:
                raise IncompleteError(f"a trial frame failed: {outcome.failure}")
            first = first or time.monotonic()
        ended = time.monotonic()
        size = sum(f.stat().st_size for f in Path(scratch).rglob("*") if f.is_file())
    opening = (first or ended) - started
    each = (ended - (first or ended)) / max(1, len(sample) - 1)
    share = len(missing) / len(sample)
    return Estimate(len(jobs), len(missing), opening + each * len(missing), size * share / 1e6)


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
    missing = {job.source for image, job in jobs_of(recipe) if image not in there}
    lacking = sorted(missing & set(gone))
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


def _missing(folder: Path, images: Sequence[str], total: int) -> str:
    """Frames that are not there, by source and number."""
    numbers: dict[str, list[int]] = {}
    for image in images:
        numbers.setdefault(image.split("/")[1], []).append(int(Path(image).stem[-6:]))
    lines = [f"  {key}: {_short(ranges(found))}" for key, found in numbers.items()]
    more = [f"  ... and {len(lines) - _SHOWN:,} more parts"] if len(lines) > _SHOWN else []
    return "\n".join(
        [
            f"{folder}: {len(images):,} of {total:,} frames are missing or spoilt:",
            *lines[:_SHOWN],
            *more,
            "The command that renders the set makes them; vqc resume, where a scheduler has it",
        ]
    )


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST].rpartition(",")[0] + ", ..."
