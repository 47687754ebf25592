"""Assembly + what the user wants labelled → Scene: which meshes are one object, and its class."""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from vqc.errors import InputError
from vqc.geometry import bounding_sphere, transform
from vqc.types import Assembly, FloatArray, Instance, Part, Scene

Y_UP_TO_Z_UP = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])


@dataclass(frozen=True, slots=True)
class LabelRules:
    """Which objects of a STEP file are labelled, and how.

    by: "file" makes the whole file one object; "part" makes every named leaf component a
        class and each of its placements an object.
    classes: name pattern → class (with by="part"; the first pattern that fits wins).
    ignore: patterns of names that stay unlabelled (with by="part").
    drop: patterns of names that are left out of the picture altogether.
    """

    by: Literal["file", "part"] = "file"
    classes: Mapping[str, str] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class LabelledScene:
    """A scene, the classes in it (sorted), and what was left unlabelled and why."""

    scene: Scene
    classes: tuple[str, ...]
    notes: tuple[str, ...]


def build_scene(
    assembly: Assembly,
    class_name: str,
    rules: LabelRules,
    up: Literal["z", "y"] = "z",
    background: tuple[int, int, int] = (255, 255, 255),
    grey: bool = False,
) -> LabelledScene:
    """Scene of one assembly standing as in its file.

    The framing sphere is that of the whole assembly even where components are dropped, so
    that a good part and one with a component missing are seen from the same places.
    Raises InputError where nothing is left to draw or to label.
    """
    file2world = Y_UP_TO_Z_UP if up == "y" else np.eye(4)
    occurrences = [(part, file2world @ at) for part in assembly.parts for at in part.placements]
    center, radius = bounding_sphere(
        np.concatenate([transform(at, part.vertices_mm) for part, at in occurrences])
    )
    kept = [(p, at) for p, at in occurrences if not _fits(p.name, rules.drop)]
    if not kept:
        raise InputError(f"{assembly.source}: --drop-part leaves nothing of it to draw")
    if rules.by == "file":
        instances = [Instance(class_name, None, tuple(kept), file2world)]
        notes: list[str] = []
    else:
        instances, notes = _by_part(assembly, kept, rules)
    classes = tuple(sorted({i.class_name for i in instances if i.class_name is not None}))
    scene = Scene(tuple(instances), center, radius, background, grey)
    return LabelledScene(scene, classes, tuple(notes))


def _by_part(
    assembly: Assembly, occurrences: Sequence[tuple[Part, FloatArray]], rules: LabelRules
) -> tuple[list[Instance], list[str]]:
    labelled: list[Instance] = []
    rest: list[Instance] = []
    for part, at in occurrences:
        class_name = None
        if part.name is not None and not _fits(part.name, rules.ignore):
            fitting = (c for glob, c in rules.classes.items() if _fits(part.name, (glob,)))
            class_name = next(fitting, part.name)
        (rest if class_name is None else labelled).append(
            Instance(class_name, part.name, ((part, at),), at)
        )
    if not labelled:
        raise InputError(
            f"{assembly.source}: --label-by part finds no component with a name to label; "
            f"components: {component_names(assembly)}; label the whole file with --label-by file"
        )
    unnamed = Counter(_size_text(i.members[0][0]) for i in rest if i.part_name is None)
    sizes = ", ".join(f"{count} of {size} mm" for size, count in sorted(unnamed.items()))
    notes = [f"components without a name stay unlabelled: {sizes}"] if unnamed else []
    ignored = sorted({i.part_name for i in rest if i.part_name is not None})
    notes += [f"ignored: {', '.join(ignored)}"] if ignored else []
    return labelled + rest, notes


def _size_text(part: Part) -> str:
    return " × ".join(f"{side:.3g}" for side in np.ptp(part.vertices_mm, axis=0))


def component_names(assembly: Assembly) -> str:
    """The names of all components, for messages."""
    names = sorted({part.name for part in assembly.parts if part.name is not None})
    return ", ".join(names) or "none has a name"


def require_fits(assemblies: Sequence[Assembly], rules: LabelRules) -> None:
    """Raise InputError where a pattern fits no component of any assembly."""
    options = [("--drop-part", rules.drop)]
    if rules.by == "part":
        options += [("--ignore", rules.ignore), ("--class", tuple(rules.classes))]
    unused = [
        f"{option} {glob}"
        for option, globs in options
        for glob in globs
        if not any(_fits(part.name, (glob,)) for a in assemblies for part in a.parts)
    ]
    if unused:
        found = "; ".join(f"{a.source}: {component_names(a)}" for a in assemblies)
        raise InputError(f"{', '.join(unused)} fits no component; components are: {found}")


def _fits(name: str | None, globs: Sequence[str]) -> bool:
    return name is not None and any(fnmatch.fnmatchcase(name, glob) for glob in globs)
