"""The set that is there already, and what a source adds to it.

What the set has keeps its index, its name and its bytes: pictures are known again by their
path in the source, videos by path and content. Anything else but more of them is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vqc.errors import InputError, RecipeError
from vqc.formats.source import Item, stem
from vqc.intake.pictures import Job, Taken, index_of
from vqc.intake.request import Recipe, differences, read_recipe
from vqc.intake.sessions import Rule, require_column, session_of
from vqc.intake.source import Found
from vqc.manifest import RECIPE, frame_to_json, read_manifest
from vqc.types import Fault, Frame, Manifest

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Former:
    """The set as it was found."""

    recipe: Recipe
    manifest: Manifest

    def pictures(self) -> dict[str, Frame]:
        """Frames by their file in the source, those of videos left out."""
        return {f.extra["file"]: f for f in self.manifest.frames if "time_s" not in f.extra}

    def clips(self) -> dict[str, list[Frame]]:
        """The frames of each video, in their order."""
        found: dict[str, list[Frame]] = {}
        for frame in sorted(self.manifest.frames, key=lambda f: index_of(f.image)):
            if "time_s" in frame.extra:
                found.setdefault(frame.extra["file"], []).append(frame)
        return found

    def next_index(self) -> int:
        return max((index_of(frame.image) + 1 for frame in self.manifest.frames), default=0)


def find_former(folder: Path, fresh: bool) -> Former | None:
    """The set that is at this place; None where there is none, or where it is not wanted.

    Raises InputError where something else is there, RecipeError and ManifestError where the
    set cannot be read.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    try:
        is_intake = "\nkind: intake\n" in (folder / RECIPE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        is_intake = False
    if not is_intake:
        raise InputError(f"{folder} is there and is no set of photos; choose another --name")
    if fresh:
        return None
    former = Former(read_recipe(folder / RECIPE), read_manifest(folder))
    odd = [frame.image for frame in former.manifest.frames if not _is_ours(frame)]
    if odd:
        raise RecipeError(
            f"{folder}: {odd[0]} has no index or no field `file`, so other software wrote it; "
            "choose another --name, or replace the set with --fresh"
        )
    return former


def require_same(folder: Path, former: Former, recipe: Recipe, found: Found) -> None:
    """Raise RecipeError where options differ, or files of the set are gone from the source."""
    lines = differences(former.recipe, recipe)
    there = {item.file for item in found.reading.items}
    lines += [f"{file}: no longer in the source" for file in former.pictures() if file not in there]
    for file, sha256 in former.recipe.videos.items():
        if file not in found.videos:
            lines.append(f"{file}: no longer in the source")
        elif found.videos[file] != sha256:
            lines.append(f"{file}: another video than the set was made from")
    _require_none(folder, lines)


def require_unchanged(folder: Path, taken: Iterable[Taken]) -> None:
    """Raise RecipeError where a picture of the set, or what is said of it, is another now.

    Whether its session also trains may change, as more pictures come.
    """
    lines = []
    for one in taken:
        if one.former is None:
            continue
        if one.frame is None:
            lines.append(f"{one.file}: has faults now")
        else:
            now, before = (replace(f, same_shoot=False) for f in (one.frame, one.former))
            if frame_to_json(now) != frame_to_json(before):
                lines.append(f"{one.file}: changed, the picture or its labels")
    _require_none(folder, lines)


def is_same(before: Manifest, now: Manifest) -> bool:
    """Whether two manifests say the same, apart from the vqc that wrote them."""
    if (before.classes, before.recipe_sha256) != (now.classes, now.recipe_sha256):
        return False
    return list(map(frame_to_json, before.frames)) == list(map(frame_to_json, now.frames))


def jobs_of(items: Sequence[Item], rule: Rule, former: Former | None) -> list[Job]:
    """One for every picture; a session that cannot be told is a fault of its picture.

    Raises InputError where no picture has the column that the rule wants.
    """
    if items:
        require_column(items, rule)
    known: Mapping[str, Frame] = former.pictures() if former else {}
    following = former.next_index() if former else 0
    jobs = []
    for item in sorted(items, key=lambda item: item.file):
        frame = known.get(item.file)
        index = following if frame is None else index_of(frame.image)
        following += frame is None
        session = session_of(item, rule)
        if isinstance(session, Fault):
            item = replace(item, faults=(*item.faults, session))
        jobs.append(Job(item, index, None if isinstance(session, Fault) else session, frame))
    return jobs


def _is_ours(frame: Frame) -> bool:
    digits = stem(frame.image).rpartition("_")[2]
    return digits.isdecimal() and isinstance(frame.extra.get("file"), str)


def _require_none(folder: Path, lines: Sequence[str]) -> None:
    if not lines:
        return
    more = [f"... and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    shown = "\n".join(f"  {line}" for line in [*lines[:_SHOWN], *more])
    raise RecipeError(
        f"{folder} holds a set that was made otherwise:\n{shown}\n"
        "Give the same options and source to go on with it, another --name for a second set, "
        "or --fresh to replace it."
    )
