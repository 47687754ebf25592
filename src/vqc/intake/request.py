"""What a user asks `vqc intake` for → a recipe: parse, fill in the defaults, check it all.

The recipe holds all that a set of photos follows from besides the source's own files, and
nothing else: no paths of this machine, no worker counts, no clock times.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vqc.contract import SET_NAME, is_set_name, is_text
from vqc.errors import InputError, RecipeError
from vqc.formats.readers import FORMATS
from vqc.intake.sessions import rule_of
from vqc.pictures import LARGEST_MPX

VERSION = 1
DEFAULT_FPS = 2.0
DEFAULT_MAX_MPX = 50.0
_LEAST_SIDE_PX = 16
_NOT_COMPARED = ("skipped", "videos")
"""Fields that follow from the source's files; everything else was asked for."""


@dataclass(frozen=True, slots=True)
class Request:
    """The options of `vqc intake` as they were typed; classes are texts old=new."""

    name: str
    format: str | None = None
    session: str | None = None
    split: str | None = None
    classes: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    background: bool = False
    source: str | None = None
    simulated: bool = False
    fps: float = DEFAULT_FPS
    min_change: float | None = None
    max_side: int | None = None
    max_mpx: float = DEFAULT_MAX_MPX


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything asked for, resolved.

    format: the reader's name; empty until the source was looked at. session: the rule as
    typed; None: one session named like the set, and one for each video. classes: old name →
    new name. skipped: files of the source that --skip-bad left out. videos: SHA-256 of each.
    """

    name: str
    format: str
    session: str | None
    split: str | None
    classes: Mapping[str, str]
    ignore: tuple[str, ...]
    background: bool
    source: str
    simulated: bool
    fps: float
    min_change: float | None
    max_side: int | None
    max_mpx: float
    skipped: tuple[str, ...] = ()
    videos: Mapping[str, str] = field(default_factory=dict)

    @property
    def max_pixels(self) -> int:
        return round(self.max_mpx * 1e6)

    def to_yaml(self) -> str:
        """Deterministic text; its SHA-256 is the recipe's."""
        import yaml

        record = dataclasses.asdict(self)
        record |= {key: list(record[key]) for key in ("ignore", "skipped")}
        record = {"vqc_recipe": VERSION, "kind": "intake", **record}
        return yaml.safe_dump(record, sort_keys=False, allow_unicode=True, width=100)

    def sha256(self) -> str:
        return hashlib.sha256(self.to_yaml().encode()).hexdigest()


def resolve(request: Request) -> Recipe:
    """The recipe, its format still as typed. Raises InputError with every fault."""
    faults = list(_faults(request))
    pairs = [tuple(part.strip() for part in text.rpartition("=")) for text in request.classes]
    wrong = [
        text
        for text, (old, _, new) in zip(request.classes, pairs, strict=True)
        if not (is_text(old) and is_text(new))
    ]
    if wrong:
        faults.append(f"--class: expected old=new, got {', '.join(map(repr, wrong))}")
    classes = {old: new for old, _, new in sorted(pairs)}
    if len(classes) < len({(old, new) for old, _, new in pairs}):
        faults.append("--class: gives one class two new names")
    ignore = tuple(sorted({name.strip() for name in request.ignore}))
    both = sorted(classes.keys() & set(ignore))
    if both:
        faults.append(f"--class and --ignore both name {', '.join(both)}")
    try:
        rule_of(request.session, request.name)
    except InputError as error:
        faults.append(str(error))
    if faults:
        raise InputError("\n".join(faults))
    return Recipe(
        name=request.name,
        format=request.format or "",
        session=request.session,
        split=request.split,
        classes=classes,
        ignore=ignore,
        background=request.background,
        source="cad" if request.simulated else request.source or "real",
        simulated=request.simulated,
        fps=request.fps,
        min_change=request.min_change,
        max_side=request.max_side,
        max_mpx=request.max_mpx,
    )


def read_recipe(path: Path) -> Recipe:
    """Raises RecipeError where the file is not an intake recipe of this version."""
    import yaml

    try:
        record = yaml.safe_load(path.read_text(encoding="utf-8"))
        if record.pop("vqc_recipe") != VERSION or record.pop("kind") != "intake":
            raise ValueError("another kind or version")
        record |= {key: tuple(record[key]) for key in ("ignore", "skipped")}
        return Recipe(**record)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
        raise RecipeError(
            f"{path}: not an intake recipe that this vqc reads ({error}); "
            "choose another --name, or replace the set with --fresh"
        ) from error


def differences(old: Recipe, new: Recipe) -> list[str]:
    """One line for everything that was asked for otherwise."""
    return [
        f"{f.name}: the set has {getattr(old, f.name)!r}, asked for {getattr(new, f.name)!r}"
        for f in dataclasses.fields(Recipe)
        if f.name not in _NOT_COMPARED and getattr(old, f.name) != getattr(new, f.name)
    ]


def _faults(request: Request) -> list[str]:
    found = []
    if not is_set_name(request.name):
        found.append(f"--name: expected {SET_NAME}, got {request.name!r}")
    if request.format not in (None, *FORMATS):
        found.append(f"--format: expected {', '.join(FORMATS)}, got {request.format!r}")
    if request.split not in (None, "train", "val", "test"):
        found.append(f"--split: expected train, val or test, got {request.split!r}")
    if request.source not in (None, "real", "cad"):
        found.append(f"--source: expected real or cad, got {request.source!r}")
    if request.simulated and request.source == "real":
        found.append("--simulated says that the pictures are rendered, --source real that not")
    if not (math.isfinite(request.fps) and request.fps > 0):
        found.append(f"--fps: expected a number above 0, got {request.fps:g}")
    if request.min_change is not None and not 0 < request.min_change < 1:
        found.append(f"--min-change: expected a number between 0 and 1, got {request.min_change:g}")
    if request.max_side is not None and request.max_side < _LEAST_SIDE_PX:
        found.append(f"--max-side: expected pixels from {_LEAST_SIDE_PX}, got {request.max_side}")
    if not 0 < request.max_mpx <= LARGEST_MPX:
        found.append(
            f"--max-mpx: expected megapixels above 0 and up to {LARGEST_MPX}, which is what "
            f"Pillow opens, got {request.max_mpx:g}"
        )
    return found
