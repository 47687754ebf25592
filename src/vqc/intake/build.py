"""A source and a recipe → a set of photos with its manifest, or every fault that is in the way.

One pass over the pictures, on threads: each is opened, hashed, labelled and put into a
hidden folder. Only when all of them are sound, or the faulty ones may be skipped, does that
folder become the set.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from vqc import __version__
from vqc.errors import InputError
from vqc.intake import grow, picture, place
from vqc.intake.classes import ClassNames
from vqc.intake.grow import Former
from vqc.intake.marks import Marks, marks_of
from vqc.intake.pictures import Taken, Taker
from vqc.intake.request import Recipe, Request, resolve
from vqc.intake.sessions import rule_of, with_same_shoot
from vqc.intake.source import Found, Stage, found_in, silent
from vqc.intake.videos import clips_of, take_clip
from vqc.types import Fault, Frame, Manifest, Progress

State = Literal["new", "extended", "unchanged", "faulty", "dry run"]
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Manner:
    """How to go about it. jobs: threads, by default one for each core."""

    skip_bad: bool = False
    fresh: bool = False
    dry_run: bool = False
    jobs: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What was found in a source, and what became of it.

    state: `faulty` and `dry run` wrote nothing. manifest: the sound frames. faults: every
    one, sorted; the pictures that they belong to are not in the manifest. new: frames that the
    set did not have. turned, shrunk, converted: frames whose bytes are not the source's.
    """

    folder: Path
    state: State
    format: str
    why: str
    manifest: Manifest
    faults: tuple[Fault, ...]
    notes: tuple[str, ...]
    new: int
    turned: int
    shrunk: int
    converted: int


def take_in(
    source: Path,
    request: Request,
    out: Path = Path("datasets"),
    manner: Manner | None = None,
    stage: Stage = silent,
) -> Result:
    """Make or extend the set `out/NAME` from a source.

    stage: opens a progress display, see `Stage`. Where there are faults and they may not be
    skipped, nothing is written. Raises InputError where the source or an option cannot be
    used at all, RecipeError where the set that is there was made otherwise, and OutputError.
    """
    manner = manner or Manner()
    threads = manner.jobs or len(os.sched_getaffinity(0))
    wanted = resolve(request)
    folder = out / wanted.name
    _require_apart(source, folder)
    _prepare()
    with place.workplace(folder, manner.dry_run) as work:
        former = grow.find_former(folder, manner.fresh)
        found = found_in(source, wanted, work, stage)
        recipe = replace(wanted, format=found.format, videos=found.videos)
        if former is not None:
            grow.require_same(folder, former, recipe, found)
        made = None if manner.dry_run else work / "set"
        taker, known = _taker(found, recipe, made, folder, threads)
        taken = _take(taker, found, former, threads, stage)
        faults = _faults(found, taken)
        if former is not None and (manner.skip_bad or not faults):
            grow.require_unchanged(folder, taken)
        recipe = _without_skipped(recipe, found, taken)
        classes = taker.names.in_order(known, former.manifest.classes if former else ())
        frames, shared = with_same_shoot(one.frame for one in taken if one.frame is not None)
        manifest = _manifest(recipe, classes, frames)
        state = _state(former, manifest, bool(faults), manner)
        if state in ("new", "extended"):
            place.finish(work, folder, manifest, recipe)
    return Result(
        folder=folder,
        state=state,
        format=found.format,
        why=found.why,
        manifest=manifest,
        faults=faults,
        notes=(*found.reading.notes, *_notes(taken, frames, shared)),
        new=sum(one.frame is not None and one.former is None for one in taken),
        turned=sum(one.turned for one in taken),
        shrunk=sum(one.shrunk for one in taken),
        converted=sum(one.converted for one in taken),
    )


def _require_apart(source: Path, folder: Path) -> None:
    inside, around = folder.resolve(), source.resolve()
    if inside.is_relative_to(around) or around.is_relative_to(inside):
        raise InputError(
            f"{source} and the set's place {folder} lie in each other: choose another --out"
        )


def _prepare() -> None:
    """Import what readers and threads need, before several of these would do it at once."""
    from pycocotools import mask  # noqa: F401

    picture.prepare()


def _taker(
    found: Found, recipe: Recipe, made: Path | None, folder: Path, threads: int
) -> tuple[Taker, list[str]]:
    """What takes in single pictures, and all classes of the source.

    Raises InputError where the rules for classes do not fit the source.
    """
    marks = marks_of(found.root, found.reading, recipe.max_pixels, threads)
    names = ClassNames(recipe.classes, frozenset(recipe.ignore))
    known = _known_classes(found, marks)
    conditions = [item.condition for item in found.reading.items if item.condition]
    names.require_known([*known, *conditions])
    return Taker(found.root, recipe, names, marks, made, folder), known


def _known_classes(found: Found, marks: Marks) -> list[str]:
    """The source's classes in its own order; those that only its labels name come last."""
    names = [*found.reading.classes, *marks.names.values()]
    for item in found.reading.items:
        names += [thing.class_name for thing in item.objects or ()]
        names += [mask.class_name for mask in item.masks if mask.class_name is not None]
        names += [item.label] if item.label is not None else []
    return list(dict.fromkeys(names))


def _take(
    taker: Taker, found: Found, former: Former | None, threads: int, stage: Stage
) -> list[Taken]:
    """Every picture in the order of the files, then the frames of the videos."""
    with stage("take in", "pictures") as update:
        taken = _without_twins(_take_pictures(taker, found, former, threads, update))
    following = max([former.next_index() if former else 0, *(one.index + 1 for one in taken)])
    for clip in clips_of(found, taker.recipe, former.clips() if former else {}):
        with stage(f"take in {clip.file}", "ms of video") as update:
            frames = take_clip(taker, clip, following, update)
        following = max([following, *(one.index + 1 for one in frames)])
        taken += frames
    return taken


def _take_pictures(
    taker: Taker, found: Found, former: Former | None, threads: int, update: Progress
) -> list[Taken]:
    rule = rule_of(taker.recipe.session, taker.recipe.name)
    jobs = grow.jobs_of(found.reading.items, rule, former)
    pool = ThreadPoolExecutor(threads)
    taken: list[Taken] = []
    try:
        for one in pool.map(taker.take, jobs):
            taken.append(one)
            update(len(taken), len(jobs))
        if _count_before_turn(taken):
            open_ones = [i for i, one in enumerate(taken) if _is_open(one)]
            again = pool.map(lambda i: taker.take(jobs[i], is_raw=True), open_ones)
            for i, one in zip(open_ones, again, strict=True):
                taken[i] = one
    finally:
        pool.shutdown(cancel_futures=True)
    return taken


def _count_before_turn(taken: Iterable[Taken]) -> bool:
    """Whether labels of turned pictures, wherever it can be told, were made before the turn."""
    return {one.is_raw for one in taken if one.turned and one.is_raw is not None} == {True}


def _is_open(one: Taken) -> bool:
    """Whether nothing in a picture and its labels tells if they were made before its turn."""
    return one.turned and one.is_raw is None and one.frame is not None and bool(one.frame.objects)


def _without_twins(taken: Iterable[Taken]) -> list[Taken]:
    """The same, the later of two equal pictures with a fault that names the earlier.

    A sound picture is never given up for an earlier one that has faults of its own.
    """
    done = list(taken)
    first: dict[str, Taken] = {}
    for one in sorted(done, key=lambda one: (one.frame is None, one.former is None, one.index)):
        if one.sha256 is not None:
            first.setdefault(one.sha256, one)
    result = []
    for one in done:
        twin = first[one.sha256] if one.sha256 is not None else one
        if twin is not one and (one.frame is not None or twin.frame is None):
            fault = Fault(one.file, None, f"the same picture as {twin.file}, byte for byte")
            one = replace(one, frame=None, faults=(*one.faults, fault))
        result.append(one)
    return result


def _faults(found: Found, taken: Iterable[Taken]) -> tuple[Fault, ...]:
    """All of them, by their path in the source or in the archive."""
    faults = [*found.reading.faults, *(fault for one in taken for fault in one.faults)]
    prefix = f"{found.prefix}/" if found.prefix else ""
    told = {replace(fault, file=prefix + fault.file) for fault in faults}
    return tuple(sorted(told, key=lambda f: (f.file, f.line or 0, f.message)))


def _without_skipped(recipe: Recipe, found: Found, taken: Iterable[Taken]) -> Recipe:
    """The recipe, with what was left out said in it."""
    skipped = {one.file for one in taken if one.faults}
    skipped |= {fault.file for fault in found.reading.faults}
    videos = {file: sha256 for file, sha256 in recipe.videos.items() if file not in skipped}
    return replace(recipe, skipped=tuple(sorted(skipped)), videos=videos)


def _manifest(recipe: Recipe, classes: tuple[str, ...], frames: Iterable[Frame]) -> Manifest:
    return Manifest(
        kind="intake",
        name=recipe.name,
        classes=classes,
        frames=tuple(sorted(frames, key=lambda frame: frame.image)),
        recipe_sha256=recipe.sha256(),
        created_by=f"vqc {__version__}",
    )


def _state(former: Former | None, manifest: Manifest, is_faulty: bool, manner: Manner) -> State:
    if manner.dry_run:
        return "dry run"
    if not manifest.frames or (is_faulty and not manner.skip_bad):
        return "faulty"
    if former is None:
        return "new"
    return "unchanged" if grow.is_same(former.manifest, manifest) else "extended"


def _notes(taken: Sequence[Taken], frames: Sequence[Frame], shared: Sequence[str]) -> list[str]:
    notes = []
    odd = [one for one in taken if one.odd_size is not None and one.frame is not None]
    if odd:
        width, height = odd[0].odd_size or (0, 0)
        notes.append(
            f"{len(odd)} pictures have another size than their labels state, such as "
            f"{odd[0].file}, stated as {width} x {height}; the picture's own size counts"
        )
    turned = [one for one in taken if _is_open(one)]
    if turned:
        made = (
            "before that turn, as other labels here are"
            if _count_before_turn(taken)
            else "on the upright picture"
        )
        notes.append(
            f"{len(turned)} pictures are turned by EXIF, such as {turned[0].file}, and nothing in "
            "their labels tells whether they were made before the turn: they are taken as made "
            f"{made}; look whether they fit"
        )
    if shared:
        marked = sum(frame.same_shoot for frame in frames)
        notes.append(
            f"{_listed(shared)}: there are pictures to train on too, so the {marked} val and test "
            "frames are marked same_shoot, and no score on them is honest"
        )
    return notes


def _listed(sessions: Sequence[str]) -> str:
    more = f" and {len(sessions) - _SHOWN} more" if len(sessions) > _SHOWN else ""
    return f"session{'s' * (len(sessions) > 1)} {', '.join(sessions[:_SHOWN])}{more}"
