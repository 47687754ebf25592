"""What is searched: text such as "lr0=1e-4..1e-2:log" → axes, and their values back to text.

NAME=VALUE             fixed
NAME=VALUE,VALUE,...   one of these
NAME=LOW..HIGH         a number between these, both included; a whole one where both are whole
NAME=LOW..HIGH:log     the same, every order of magnitude alike
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from vqc.errors import InputError

Value = bool | int | float | str | None

MIX_KEYS = ("cad", "real", "ratio", "background", "select")
"""What a mix is asked for; every other name is a setting of the task."""
_WHOLE_KEYS = ("cad", "real", "background")
_DIGITS = 4
"""A value drawn from a range has so many digits, so that it can be read and typed again."""

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_PLAIN = r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_RANGE = re.compile(rf"({_PLAIN})\.\.({_PLAIN})(:log)?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS: Mapping[str, Value] = {"true": True, "false": False, "none": None, "null": None}
_EXPECTED = (
    "expected NAME=LOW..HIGH, NAME=LOW..HIGH:log, NAME=VALUE,VALUE or NAME=VALUE, such as "
    "lr0=1e-4..1e-2:log"
)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several values; a single one is fixed."""

    name: str
    samples: tuple[Value, ...]

    @property
    def is_fixed(self) -> bool:
        return len(self.samples) == 1

    def __str__(self) -> str:
        return ",".join(map(text, self.samples))


@dataclass(frozen=True, slots=True)
class Range:
    """A number from low to high; whole where both are. log: by orders of magnitude."""

    name: str
    low: float
    high: float
    log: bool = False

    @property
    def is_whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def is_fixed(self) -> bool:
        return False

    @property
    def samples(self) -> tuple[Value, ...]:
        """Its ends."""
        return self.low, self.high

    def rounded(self, value: float) -> float:
        """The value with few digits, inside the range."""
        if self.is_whole:
            return int(value)
        return min(max(float(f"{value:.{_DIGITS}g}"), self.low), self.high)

    def __str__(self) -> str:
        return f"{text(self.low)}..{text(self.high)}" + ":log" * self.log


Axis = Choice | Range


@dataclass(frozen=True, slots=True)
class Space:
    """All axes, each name once."""

    axes: tuple[Axis, ...]

    @property
    def searched(self) -> tuple[Axis, ...]:
        """Those that have more than one value."""
        return tuple(axis for axis in self.axes if not axis.is_fixed)

    @property
    def fixed(self) -> dict[str, Value]:
        """The others, by name."""
        return {axis.name: axis.samples[0] for axis in self.axes if axis.is_fixed}

    def find(self, name: str) -> Axis | None:
        return next((axis for axis in self.axes if axis.name == name), None)

    def texts(self) -> dict[str, str]:
        """Every axis as it is typed, sorted."""
        return {axis.name: str(axis) for axis in sorted(self.axes, key=lambda axis: axis.name)}


def parse(texts: Iterable[str]) -> Space:
    """Axes as typed after --space; InputError lists every one that does not fit."""
    axes: list[Axis] = []
    faults: list[str] = []
    for given in texts:
        try:
            axis = _axis(given)
            if any(axis.name == other.name for other in axes):
                raise InputError(f"{axis.name} was given before")
            axes.append(axis)
        except InputError as error:
            faults.append(f"--space {given}: {error}")
    if faults:
        raise InputError("\n".join(faults))
    return Space(tuple(axes))


def text(value: Value) -> str:
    """A value as --space, --set and YAML read it: 0.0001, since YAML takes 1e-04 for a text."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        plain = format(Decimal(repr(value)), "f")
        return plain if "." in plain else f"{plain}.0"
    return str(value)


def _axis(given: str) -> Axis:
    name, sign, spec = (part.strip() for part in given.partition("="))
    if not sign or not spec or not _NAME.fullmatch(name):
        raise InputError(_EXPECTED)
    found = _RANGE.fullmatch(spec)
    if found:
        axis: Axis = _range(name, _number(found[1]), _number(found[2]), bool(found[3]))
    elif spec.endswith(":log") or (".." in spec and "/" not in spec):
        raise InputError(_EXPECTED)
    else:
        axis = Choice(name, _choices([part.strip() for part in spec.split(",")]))
    if name in MIX_KEYS:
        _require_for_mix(axis)
    return axis


def _range(name: str, low: float, high: float, log: bool) -> Range:
    if not low < high < math.inf:
        raise InputError("expected the smaller number first")
    if log and low <= 0:
        raise InputError("expected numbers above 0 before :log")
    if isinstance(low, int) and isinstance(high, int):
        return Range(name, low, high, log)
    return Range(name, float(low), float(high), log)


def _choices(parts: Sequence[str]) -> tuple[Value, ...]:
    if not all(parts):
        raise InputError("expected a value between the commas")
    values: list[Value] = []
    for part in parts:
        value = _value(part)
        if value in values:  # 1, 1.0 and true are one value to the sampler
            raise InputError(f"{part} stands there twice")
        values.append(value)
    return tuple(values)


def _value(part: str) -> Value:
    if part.lower() in _WORDS:
        return _WORDS[part.lower()]
    return _number(part) if _NUMBER.fullmatch(part) else part


def _number(part: str) -> float:
    return int(part) if _WHOLE.fullmatch(part) else float(part)


def _require_for_mix(axis: Axis) -> None:
    """InputError for values that a mix cannot have."""
    for value in axis.samples:
        if axis.name == "select":
            if value not in ("random", "diverse"):
                near = difflib.get_close_matches(str(value), ("random", "diverse"), 1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise InputError(f"expected random or diverse, got {text(value)}{hint}")
        elif axis.name == "background" and value is None:
            continue
        elif isinstance(value, bool) or not isinstance(
            value, int if axis.name in _WHOLE_KEYS else int | float
        ):
            kind = "whole numbers" if axis.name in _WHOLE_KEYS else "numbers, such as 2 for 2:1"
            raise InputError(f"expected {kind}, got {text(value)}")
