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
from vqc.scene import LabelRules
from vqc.views import Angles, spread, sweep

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
class RenderRecipe:
    """Everything asked for, resolved."""

    name: str
    seed: int
    picture: Picture
    labels: LabelRules
    mesh: MeshSettings
    sources: tuple[Source, ...]
    views: tuple[ViewBlock, ...]

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise InputError(f"--seed: expected a whole number from 0, got {self.seed}")

    def all_angles(self) -> list[Angles]:
        """Every view once, in the order in which they were asked for: the index is for good."""
        return list(dict.fromkeys(a for block in self.views for a in block.angles()))

    def to_yaml(self) -> str:
        """Deterministic text; its SHA-256 is the recipe's."""
        import yaml

        record = {"vqc_recipe": VERSION, "kind": "render", **_plain(dataclasses.asdict(self))}
        return yaml.safe_dump(record, sort_keys=False, allow_unicode=True, width=100)

    def sha256(self) -> str:
        return hashlib.sha256(self.to_yaml().encode()).hexdigest()


def read_recipe(path: Path) -> RenderRecipe:
    """Raises RecipeError where the file is not a render recipe of this version."""
    import yaml

    try:
        record = yaml.safe_load(path.read_text(encoding="utf-8"))
        if record.pop("vqc_recipe") != VERSION or record.pop("kind") != "render":
            raise ValueError("another kind or version")
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
            views=tuple(
                ViewBlock(
                    tuple(b["azimuth_deg"]),
                    tuple(b["elevation_deg"]),
                    tuple(b["tilt_deg"]),
                    b["spread"],
                )
                for b in record["views"]
            ),
        )
    except (
        *(OSError, ValueError, TypeError, KeyError, AttributeError),
        *(InputError, yaml.YAMLError),
    ) as error:
        raise RecipeError(
            f"{path}: not a render recipe that this vqc reads ({error}); "
            "choose another --name, or replace the set with --fresh"
        ) from error


def grow(old: RenderRecipe, new: RenderRecipe, folder: Path) -> RenderRecipe:
    """The old recipe with the new one's views and sources added behind its own.

    Raises RecipeError, naming every difference, where anything else differs.
    """
    before, after = _flat(old), _flat(new)
    differences = [
        f"  {key}: the set has {before.get(key)!r}, asked for {after.get(key)!r}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
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
    if differences:
        raise RecipeError(
            f"{folder} holds a set made by another recipe:\n" + "\n".join(differences) + "\n"
            "Give the same options to go on with it, another --name for a second set, "
            "or --fresh to delete it and start again."
        )
    there_already = set(old.all_angles())
    return replace(
        old,
        sources=old.sources + tuple(s for s in new.sources if s.key not in known),
        views=old.views + tuple(b for b in new.views if not there_already.issuperset(b.angles())),
    )


def _flat(recipe: RenderRecipe) -> dict[str, Any]:
    """Every setting that must not change, under a dotted name."""
    record = _plain(dataclasses.asdict(recipe))
    found: dict[str, Any] = {"seed": record["seed"]}
    for group in ("picture", "labels", "mesh"):
        found.update({f"{group}.{key}": value for key, value in record[group].items()})
    return found


def _plain(value: Any) -> Any:
    """Tuples and mappings as YAML's own lists and dictionaries."""
    if isinstance(value, Mapping):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value
