"""What is asked of a grid: the numbers on its axes, how cells are drawn, and how they train.

In: what was typed. Out: `GridRequest`, with every fault at once.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from vqc.counts import ALL, Count
from vqc.errors import InputError
from vqc.mix import Request

CAD, REAL = (150, 250, 500, 1000), (5, 10, 20)
"""The original study's grid."""
REPEATS = 3
"""The study trained each cell once; equal trainings differ by about 3 mAP50 points."""
MIX_AXES, SETTING_AXES = ("grey", "select"), ("imgsz", "epochs", "freeze")
"""Axes that change what trains, and axes that change how."""

Equal = Literal["images", "epochs"]

_MOST_REPEATS = 100
_NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class GridRequest:
    """What is asked of a grid.

    mix: how cells are drawn; its cad, real and seed are those of no cell. axes: further ones,
    name to values, out of MIX_AXES and SETTING_AXES. settings: of every training. equal: what
    all cells have in common, pictures seen or epochs; None for pictures, where the task can
    repeat small sets. seed: of the first repeat, the next one has the next seed.
    """

    mix: Request
    cad: tuple[int, ...] = CAD
    real: tuple[Count, ...] = REAL
    repeats: int = REPEATS
    axes: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    task: str = "detect"
    settings: Mapping[str, Any] = field(default_factory=dict)
    equal: Equal | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        faults = []
        if not 1 <= self.repeats <= _MOST_REPEATS:
            faults.append(f"--repeats: expected 1 to {_MOST_REPEATS}, got {self.repeats}")
        if self.equal is not None and self.equal not in get_args(Equal):
            faults.append(f"--equal: expected images or epochs, got {self.equal}")
        if self.seed < 0:
            faults.append(f"--seed: expected a whole number from 0, got {self.seed}")
        if self.mix.ratio is not None or self.mix.val_cad:
            faults.append("a grid has numbers of renders on its axis, and none in val")
        taken = [key for key in ("seed", *self.axes) if key in self.settings]
        faults += [f"--set {key}: has an option of its own, --{key}" for key in taken]
        if "epoch_images" in self.settings and self.equal is not None:
            faults.append("--set epoch_images and --equal both say what is seen: give one")
        if not any(self.cad) and not any(self.real):
            faults.append("no cell is left: --cad and --real hold nothing but 0")
        if faults:
            raise InputError("\n".join(faults))

    def combinations(self) -> Iterator[dict[str, Any]]:
        """One value of each further axis, in every combination."""
        for values in itertools.product(*self.axes.values()):
            yield dict(zip(self.axes, values, strict=True))

    def record(self) -> dict[str, Any]:
        """Plain values for everything that decides what the grid holds; no device."""
        template = {k: v for k, v in self.mix.record().items() if k not in _NOT_OF_A_GRID}
        splits = {k: list(v) if isinstance(v, tuple) else v for k, v in template["splits"].items()}
        return {
            "task": self.task,
            "cad": list(self.cad),
            "real": list(self.real),
            "repeats": self.repeats,
            "seed": self.seed,
            "axes": {name: list(values) for name, values in self.axes.items()},
            "equal": self.equal,
            "settings": {k: v for k, v in sorted(self.settings.items()) if k != "device"},
            "mix": template | {"splits": splits},
        }


_NOT_OF_A_GRID = ("cad", "real", "seed", "ratio", "val_cad", "weights")


def numbers(option: str, text: str, least: int = 0) -> tuple[int, ...]:
    """Whole numbers with commas, such as 0,150,500: each once, the smallest first."""
    parts = [part.strip() for part in text.split(",")]
    wrong = [p for p in parts if not _NUMBER.fullmatch(p) or int(p) < least]
    if wrong:
        raise InputError(
            f"{option}: expected whole numbers from {least}, with commas, such as "
            f"{least or 0},{least + 10}, got {text}"
        )
    return tuple(sorted({int(part) for part in parts}))


def counts(option: str, text: str) -> tuple[Count, ...]:
    """As `numbers`, and "all" may be among them, which comes last."""
    parts = [part.strip() for part in text.split(",")]
    given = [part for part in parts if part != ALL]
    if any(not _NUMBER.fullmatch(part) for part in given):
        raise InputError(
            f"{option}: expected whole numbers from 0, or all, with commas, such as 0,10,all, "
            f"got {text}"
        )
    last = (ALL,) if len(given) < len(parts) else ()
    return (*sorted({int(part) for part in given}), *last)


def words(option: str, text: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """Words with commas, each once and in the order of `allowed`."""
    parts = {part.strip() for part in text.split(",")}
    if not parts <= set(allowed):
        raise InputError(f"{option}: expected {' or '.join(allowed)}, with commas, got {text}")
    return tuple(word for word in allowed if word in parts)


def number_or_all(option: str, text: str) -> int | None:
    """A whole number, or None for "all"."""
    if text == "all":
        return None
    if not _NUMBER.fullmatch(text):
        raise InputError(f"{option}: expected a whole number or all, got {text}")
    return int(text)
