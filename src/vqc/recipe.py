"""The recipe of a rendered set: everything that its bytes follow from, and nothing else.

It holds hashes of inputs, never paths, worker counts or clock times. A set grows by more
views or more sources; what it has keeps its place, so both are lists that only get longer.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from vqc.cad import MeshSettings
from vqc.contract import is_text
from vqc.errors import InputError, RecipeError
from vqc.look.reading import look_from_record, look_to_record
from vqc.look.schema import Look
from vqc.scene import LabelRules
from vqc.views import MAX_VIEWS, Angles, spread, sweep

VERSION = 1
MAX_SIDE_PX = 16384  # what software OpenGL draws in one piece


@dataclass(frozen=True, slots=True)
class Source:
    """One STEP file: its key names the folder and files of its frames."""

    key: str
    file: str
    sha256: str
    class_name: str
    depth_mm_per_unit: float | None = None


@dataclass(frozen=True, slots=True)
class ViewBlock:
    """Camera angles asked for in one go: every combination, or `spread` views in their ranges."""

    azimuth_deg: tuple[float, ...]
    elevation_deg: tuple[float, ...]
    tilt_deg: tuple[float, ...]
    spread: int | None = None

    def angles(self) -> list[Angles]:
        if self.spread is None:
            return sweep(self.azimuth_deg, self.elevation_deg, self.tilt_deg)
        return spread(self.spread, self.azimuth_deg, self.elevation_deg, self.tilt_deg)


@dataclass(frozen=True, slots=True)
class Picture:
    """How a view becomes a picture, and which layers go with it."""

    width: int = 1024
    height: int = 768
    fov_deg: float = 30.0
    fill: float = 0.8
    up: Literal["z", "y"] = "z"
    color: Literal["cad", "grey"] = "cad"
    background: tuple[int, int, int] = (255, 255, 255)
    format: Literal["jpg", "png"] = "jpg"
    aa: int = 2
    masks: bool = False
    depth: bool = False
    normals: bool = False
    condition: str | None = None

    def __post_init__(self) -> None:
        faults = []
        if not 1 <= self.aa <= 4:
            raise InputError(
                f"--aa: expected 1 (off) to 4 samples along a pixel's side, got {self.aa}"
            )
        for side in ("width", "height"):
            pixels = getattr(self, side)
            if not 16 <= pixels <= MAX_SIDE_PX // self.aa:
                faults.append(
                    f"--size: expected a {side} of 16 to {MAX_SIDE_PX // self.aa} pixels "
                    f"(with --aa {self.aa}), got {pixels}"
                )
        if self.condition is not None and not is_text(self.condition):
            faults.append(f"--condition: expected a text on one line, got {self.condition!r}")
        if not 1 <= self.fov_deg <= 120:
            faults.append(f"--fov: expected 1 to 120 degrees, got {self.fov_deg:g}")
        if not 0.01 <= self.fill <= 4:
            faults.append(f"--fill: expected 0.01 to 4, got {self.fill:g}")
        if faults:
            raise InputError("\n".join(faults))


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that pictures are made with, beside the sources."""

    file: str
    sha256: str


@dataclass(frozen=True, slots=True)
class LookBlock:
    """A look, what it draws from, and how many frames; assets are sorted by their hashes."""

    look: Look
    count: int
    backgrounds: tuple[Asset, ...] = ()
    distractors: tuple[Asset, ...] = ()
    environment: Asset | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MAX_VIEWS:
            raise InputError(f"--count: expected 1 to {MAX_VIEWS:,} frames, got {self.count:,}")

    @property
    def assets(self) -> tuple[Asset, ...]:
        last = () if self.environment is None else (self.environment,)
        return self.backgrounds + self.distractors + last


@dataclass(frozen=True, slots=True)
class RenderRecipe:
    """Everything asked for, resolved. A set has views or a look, never both."""

    name: str
    seed: int
    picture: Picture
    labels: LabelRules
    mesh: MeshSettings
    sources: tuple[Source, ...]
    views: tuple[ViewBlock, ...]
    look: LookBlock | None = None

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise InputError(f"--seed: expected a whole number from 0, got {self.seed}")

    def all_angles(self) -> list[Angles]:
        """Every view once, in the order in which they were asked for: the index is for good."""
        return list(dict.fromkeys(a for block in self.views for a in block.angles()))

    @property
    def frames(self) -> int:
        """How many the set has when it is finished."""
        if self.look is not None:
            return self.look.count
        return len(self.sources) * len(self.all_angles())

    def to_yaml(self) -> str:
        """Deterministic text; its SHA-256 is the recipe's."""
        import yaml

        own = _plain(dataclasses.asdict(replace(self, look=None)))
        del own["look"]
        record = {"vqc_recipe": VERSION, "kind": "render", **own}
        if self.look is not None:
            del record["views"]
            assets = _plain(dataclasses.asdict(replace(self.look, look=Look())))
            record["look"] = {**assets, "look": look_to_record(self.look.look)}
        return yaml.safe_dump(record, sort_keys=False, allow_unicode=True, width=100)

    def sha256(self) -> str:
        return hashlib.sha256(self.to_yaml().encode()).hexdigest()


def read_recipe(path: Path) -> RenderRecipe:
    """Raises RecipeError where the file cannot be read, or is no whole recipe of this version."""
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        what = f"{path}: cannot be read: {error.strerror or error}"
        raise RecipeError(f"{what}; make it readable, {_ADVICE}") from None
    except UnicodeDecodeError as error:
        raise RecipeError(_no_recipe(path, f"not UTF-8: {error.reason}")) from None
    try:
        if not text.endswith("\n"):
            raise ValueError("cut off: its last line has no line end")
        return _from_record(yaml.safe_load(text), path)
    except KeyError as error:
        what = f"{error.args[0]!r} is missing, as where a file was cut off"
        raise RecipeError(_no_recipe(path, what)) from None
    except yaml.MarkedYAMLError as error:
        at = "" if error.problem_mark is None else f"line {error.problem_mark.line + 1}: "
        raise RecipeError(_no_recipe(path, f"no YAML: {at}{error.problem}")) from None
    except (TypeError, AttributeError) as error:
        what = f"entries are missing, as where a file was cut off, or not known here ({error})"
        raise RecipeError(_no_recipe(path, what)) from None
    except (ValueError, RecursionError, InputError, yaml.YAMLError) as error:
        raise RecipeError(_no_recipe(path, str(error))) from None


_ADVICE = (
    "put a sound copy of it there, or render under another --name; --fresh deletes the set and "
    "starts over"
)


def _no_recipe(path: Path, what: str) -> str:
    return f"{path}: not a render recipe that this vqc reads: {what}; {_ADVICE}"


def _from_record(record: Any, path: Path) -> RenderRecipe:
    """Raises whatever Python does where the record is of another shape."""
    if not isinstance(record, dict):
        raise ValueError("expected lines such as 'kind: render'")
    for key, expected in (("vqc_recipe", VERSION), ("kind", "render")):
        if record[key] != expected:
            raise ValueError(f"{key}: expected {expected}, got {record[key]!r}")
    picture = {**record["picture"], "background": tuple(record["picture"]["background"])}
    labels = record["labels"]
    return RenderRecipe(
        name=record["name"],
        seed=record["seed"],
        picture=Picture(**picture),
        labels=LabelRules(
            labels["by"], labels["classes"], tuple(labels["ignore"]), tuple(labels["drop"])
        ),
        mesh=MeshSettings(**record["mesh"]),
        sources=tuple(Source(**s) for s in record["sources"]),
        views=() if "look" in record else tuple(map(_view_block, record["views"])),
        look=_look_block(record["look"], path) if "look" in record else None,
    )


def _view_block(record: Mapping[str, Any]) -> ViewBlock:
    azimuth, elevation, tilt = (
        tuple(record[f"{axis}_deg"]) for axis in ("azimuth", "elevation", "tilt")
    )
    return ViewBlock(azimuth, elevation, tilt, record["spread"])


def _look_block(record: Mapping[str, Any], path: Path) -> LookBlock:
    environment = record["environment"]
    return LookBlock(
        look_from_record(record["look"], str(path)),
        record["count"],
        tuple(Asset(**a) for a in record["backgrounds"]),
        tuple(Asset(**a) for a in record["distractors"]),
        None if environment is None else Asset(**environment),
    )


def subject(recipe: RenderRecipe, index: int) -> int:
    """Which source a frame of a look shows: classes in turn, and in turn the files of a class."""
    by_class: dict[str, list[int]] = {}
    for number, source in enumerate(recipe.sources):
        by_class.setdefault(source.class_name, []).append(number)
    turn, which = divmod(index, len(by_class))
    own = list(by_class.values())[which]
    return own[turn % len(own)]


def grow(old: RenderRecipe, new: RenderRecipe, folder: Path) -> RenderRecipe:
    """The old recipe with the new one's views and sources added behind its own.

    Raises RecipeError, naming every difference, where anything else differs.
    """
    before, after = _flat(old), _flat(new)
    both_looks = old.look is not None and new.look is not None
    differences = [
        f"  {key}: the set has {before.get(key)!r}, asked for {after.get(key)!r}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key) and (both_looks or not key.startswith("look."))
    ]
    known = {s.key: s for s in old.sources}
    for source in new.sources:
        there = known.get(source.key, source)
        differences += [
            f"  source {source.key}: the set has {name} {getattr(there, name)!r}, "
            f"asked for {getattr(source, name)!r}"
            for name in ("sha256", "class_name")
            if getattr(there, name) != getattr(source, name)
        ]
    if old.look is not None and [s.key for s in old.sources] != [s.key for s in new.sources]:
        names = [", ".join(source.file for source in r.sources) for r in (old, new)]
        differences.append(f"  sources of a look: the set has {names[0]}, asked for {names[1]}")
    if differences:
        raise RecipeError(
            f"{folder} holds a set made by another recipe:\n" + "\n".join(differences) + "\n"
            "Give the same options to go on with it, another --name for a second set, "
            "or --fresh to delete it and start again."
        )
    if old.look is not None and new.look is not None:
        return replace(old, look=max(old.look, new.look, key=lambda block: block.count))
    there_already = set(old.all_angles())
    return replace(
        old,
        sources=old.sources + tuple(s for s in new.sources if s.key not in known),
        views=old.views + tuple(b for b in new.views if not there_already.issuperset(b.angles())),
    )


def _flat(recipe: RenderRecipe) -> dict[str, Any]:
    """Every setting that must not change, under a dotted name."""
    record = _plain(dataclasses.asdict(replace(recipe, look=None)))
    found: dict[str, Any] = {"seed": record["seed"], "look": "plain", "views": "asked for"}
    for group in ("picture", "labels", "mesh"):
        found.update({f"{group}.{key}": value for key, value in record[group].items()})
    if recipe.look is not None:
        found |= {"look": recipe.look.look.name, "views": "drawn by the look"}
        for section, fields in look_to_record(recipe.look.look).items():
            if isinstance(fields, dict):
                found.update({f"look.{section}.{key}": value for key, value in fields.items()})
        for name in ("backgrounds", "distractors", "environment"):
            found[f"look.{name}"] = _Files(getattr(recipe.look, name) or ())
    return found


class _Files:
    """Assets by their bytes, few words long where it is shown."""

    def __init__(self, assets: Asset | tuple[Asset, ...]) -> None:
        self._assets = (assets,) if isinstance(assets, Asset) else assets
        self._bytes = {asset.sha256 for asset in self._assets}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Files) and self._bytes == other._bytes

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        names = sorted(asset.file for asset in self._assets)
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        return ", ".join(names[:3]) + more if names else "None"


def _plain(value: Any) -> Any:
    """Tuples and mappings as YAML's own lists and dictionaries."""
    if isinstance(value, Mapping):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value
