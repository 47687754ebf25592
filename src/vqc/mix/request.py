"""What a mix shall hold, as the user says it; every fault of it is told at once."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from vqc.counts import Count
from vqc.errors import InputError
from vqc.formats import BoxKind
from vqc.mix.splits import SplitRules

Select = Literal["random", "diverse"]
ORIGINAL_STUDY = 40
"""Photos a class, and backgrounds, that the original study chose and tested with."""

_MOST, _MOST_RATIO = 10**9, 10**6


@dataclass(frozen=True, slots=True)
class Request:
    """What a mix shall hold.

    cad: renders in all, balanced over classes. real: photos of each class. background: empty
    photos, None for as many as `real`. unlabelled: photos that nobody labelled, in train only.
    ratio: renders to real training frames, instead of cad.
    per_class_val, per_class_test: photos of each class, and backgrounds, at most; None for all.
    val_cad: renders in val. min_visibility: objects of which less shows go without a label.
    allow_short, allow_leaks: go on where a class has too few frames, or where val or test
    hold pictures that train holds too.
    """

    cad: Count = 0
    real: Count = 0
    background: Count | None = None
    ratio: float | None = None
    per_class_val: int | None = ORIGINAL_STUDY
    per_class_test: int | None = ORIGINAL_STUDY
    val_cad: int = 0
    splits: SplitRules = field(default_factory=SplitRules)
    select: Select = "random"
    weights: Path | None = None
    seed: int = 0
    grey: bool = False
    box: BoxKind = "modal"
    min_visibility: float = 0.0
    allow_short: bool = False
    allow_leaks: bool = False
    unlabelled: Count = 0

    def __post_init__(self) -> None:
        faults = [
            f"{name}: expected a whole number from 0 to {_MOST:,}, got {value}"
            for name, value in (
                ("--cad", self.cad), ("--real", self.real), ("--background", self.background),
                ("--per-class-val", self.per_class_val), ("--val-cad", self.val_cad),
                ("--per-class-test", self.per_class_test), ("--unlabelled", self.unlabelled),
            )
            if isinstance(value, int) and not 0 <= value <= _MOST
        ]  # fmt: skip
        if self.seed < 0:
            faults.append(f"--seed: expected a whole number from 0, got {self.seed}")
        if self.ratio is not None and self.cad:
            faults.append("--ratio and --cad both say how many renders: give one of them")
        if self.ratio is not None and not 0 < self.ratio <= _MOST_RATIO:
            faults.append(f"--ratio: expected above 0 and up to {_MOST_RATIO:,}, got {self.ratio}")
        if not any((self.cad, self.real, self.background, self.unlabelled, self.val_cad)):
            faults.append("nothing asked for: --cad N renders in all, --real M photos a class")
        if self.select not in get_args(Select):
            faults.append(f"--select: expected random or diverse, got {self.select}")
        if self.select == "diverse" and self.real == self.backgrounds == "all":
            faults.append("--select diverse chooses among photos: with --real all it cannot")
        if self.box not in get_args(BoxKind):
            faults.append(f"--box: expected modal or amodal, got {self.box}")
        if self.weights is not None and self.select != "diverse":
            faults.append("--weights is for --select diverse")
        if not 0 <= self.min_visibility <= 1:
            faults.append(f"--min-visibility: expected 0 to 1, got {self.min_visibility}")
        if faults:
            raise InputError("\n".join(faults))

    @property
    def backgrounds(self) -> Count:
        """Empty photos that shall train."""
        return self.real if self.background is None else self.background

    @property
    def default_name(self) -> str:
        """Such as cad500-real10 or cad0-realall; what else differs wants a name of its own."""
        renders = f"cad{self.cad}" if self.ratio is None else f"ratio{self.ratio:g}"
        more = f"-unlabelled{self.unlabelled}" if self.unlabelled else ""
        return f"{renders}-real{self.real}{more}" + (f"-seed{self.seed}" if self.seed else "")

    def record(self) -> dict[str, Any]:
        """Plain values by field; those that came later only where they are used.

        So the recipe of a mix without them is as it ever was.
        """
        record = asdict(self)
        if not record["unlabelled"]:
            del record["unlabelled"]
        if record["splits"]["val_sessions"] is None:
            del record["splits"]["val_sessions"]
        return record


def number_of(count: Count, least: int) -> int:
    """The number itself; for "all" the least that is expected."""
    return least if count == "all" else count


def limit_of(count: Count) -> int | None:
    """The number itself; for "all" none."""
    return None if count == "all" else count
