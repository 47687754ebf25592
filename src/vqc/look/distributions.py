"""Distributions of one number or one word: what a look's fields hold.

A field of a look's YAML is a number or a word (always that), or one of

    {uniform: [low, high]}        {log_uniform: [low, high]}      {normal: [mean, deviation]}
    {choice: [a, b, c]}           {choice: {a: 3, b: 1}}          the second with weights

Every draw takes exactly one number from its generator, a fixed value too. So another distribution
in one field leaves what the same generator gives to the fields after it as it was.
"""

from __future__ import annotations

import difflib
import math
import re
import reprlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from statistics import NormalDist
from typing import Any

import numpy as np

from vqc.errors import InputError

_HUGE = 1e15
_BELL = NormalDist()
_TAIL = _BELL.cdf(-4.0)
"""What lies beyond four deviations counts as there: so the ends of all draws can be checked."""
_WHOLE = re.compile(r"[+-]?[0-9]{1,15}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_REPR = reprlib.Repr()
_REPR.maxlevel, _REPR.maxstring, _REPR.maxother = 2, 60, 60


class Distribution(ABC):
    """Base of all. Each is hashable, and equal to another of the same kind and numbers."""

    __slots__ = ()

    def draw(self, rng: np.random.Generator) -> float | str:
        """One value."""
        return self.at(rng.random())

    @abstractmethod
    def at(self, share: float) -> float | str:
        """The value that a share of [0, 1) stands for: the inverse of the distribution function."""

    @property
    @abstractmethod
    def stated(self) -> tuple[float | str, ...]:
        """The values that it names, which must fit where it stands; not a normal's deviation."""


@dataclass(frozen=True, slots=True)
class Constant(Distribution):
    """Always the same number or word."""

    value: float | str

    def __post_init__(self) -> None:
        if not (is_number(self.value) or is_word(self.value)):
            raise InputError(
                f"expected a number, a word or a distribution, got {shown(self.value)}"
            )

    def at(self, share: float) -> float | str:
        return self.value

    @property
    def stated(self) -> tuple[float | str, ...]:
        return (self.value,)


@dataclass(frozen=True, slots=True)
class Uniform(Distribution):
    """Every number from low to high alike."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _require_pair("uniform: [low, high]", self.low, self.high)
        _require_order("uniform", self.low, self.high)

    def at(self, share: float) -> float:
        return min(self.low + share * (self.high - self.low), self.high)

    @property
    def stated(self) -> tuple[float | str, ...]:
        return self.low, self.high


@dataclass(frozen=True, slots=True)
class LogUniform(Distribution):
    """From low to high, every factor alike: as often from 1 to 2 as from 2 to 4."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _require_pair("log_uniform: [low, high]", self.low, self.high)
        _require_order("log_uniform", self.low, self.high)
        if self.low <= 0:
            raise InputError(f"expected log_uniform: [low, high] above 0, got {self.low:g}")

    def at(self, share: float) -> float:
        low, high = math.log(self.low), math.log(self.high)
        return min(max(math.exp(low + share * (high - low)), self.low), self.high)

    @property
    def stated(self) -> tuple[float | str, ...]:
        return self.low, self.high


@dataclass(frozen=True, slots=True)
class Normal(Distribution):
    """The bell curve as far as four deviations; a field's bounds clip it."""

    mean: float
    deviation: float

    def __post_init__(self) -> None:
        _require_pair("normal: [mean, deviation]", self.mean, self.deviation)
        if self.deviation < 0:
            raise InputError(f"expected a normal's deviation from 0, got {self.deviation:g}")

    def at(self, share: float) -> float:
        within = min(max(share, _TAIL), 1 - _TAIL)
        return self.mean + self.deviation * _BELL.inv_cdf(within)

    @property
    def stated(self) -> tuple[float | str, ...]:
        return (self.mean,)


@dataclass(frozen=True, slots=True)
class Choice(Distribution):
    """One of several numbers, or one of several words; all alike, or with weights above 0."""

    values: tuple[float | str, ...]
    weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not self.values:
            raise InputError("expected choice: with one value or more, got none")
        if not (all(map(is_number, self.values)) or all(map(is_word, self.values))):
            raise InputError(
                f"expected choice: of numbers, or of words, not mixed, got {_listed(self.values)}"
            )
        if len(set(self.values)) < len(self.values):
            raise InputError(
                f"expected each value of choice: once, got {_listed(self.values)}; "
                "weights make one more frequent: {choice: {a: 3, b: 1}}"
            )
        if self.weights is None:
            return
        if len(self.weights) != len(self.values):
            raise InputError(
                f"expected a weight for each of {len(self.values)} values, got {len(self.weights)}"
            )
        for value, weight in zip(self.values, self.weights, strict=True):
            if not is_number(weight) or weight <= 0:
                # YAML reads {1:6} as one word without a value
                space = ", with a space after each colon" if weight is None else ""
                raise InputError(
                    f"expected weights above 0, such as {{choice: {{a: 3, b: 1}}}}{space}; "
                    f"got {shown(weight)} for {shown(value)}"
                )

    def at(self, share: float) -> float | str:
        edges = list(accumulate(self.weights or (1,) * len(self.values)))
        for value, edge in zip(self.values, edges, strict=True):
            if share * edges[-1] < edge:
                return value
        return self.values[-1]

    @property
    def stated(self) -> tuple[float | str, ...]:
        return self.values


_PAIRS: Mapping[str, type[Uniform] | type[LogUniform] | type[Normal]] = {
    "uniform": Uniform,
    "log_uniform": LogUniform,
    "normal": Normal,
}
_HOLDS = {"uniform": "[low, high]", "log_uniform": "[low, high]", "normal": "[mean, deviation]"}
KINDS = (*_PAIRS, "choice")
"""The keys of a distribution in YAML."""


def parse(value: Any, where: str) -> Distribution:
    """A distribution from a value of YAML; InputError, which begins with `where`, for any other.

    Text that reads as a number is one, since YAML takes 1e-3 for a text.
    """
    try:
        return _parsed(value)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def plain(distribution: Distribution) -> Any:
    """What `parse` makes the same distribution of; equal ones give the same.

    Draws follow the order of a choice's values: whoever writes the record keeps its keys unsorted.
    """
    match distribution:
        case Constant(value):
            return _short(value)
        case Uniform(low, high):
            return {"uniform": [_short(low), _short(high)]}
        case LogUniform(low, high):
            return {"log_uniform": [_short(low), _short(high)]}
        case Normal(mean, deviation):
            return {"normal": [_short(mean), _short(deviation)]}
        case Choice(values, None):
            return {"choice": [_short(value) for value in values]}
        case Choice(values, weights):
            pairs = zip(values, weights or (), strict=True)
            return {"choice": {_short(value): _short(weight) for value, weight in pairs}}
    raise TypeError(f"not a distribution: {distribution!r}")


def flow(record: Any) -> str:
    """A plain value as one line of YAML: {uniform: [0, 360]}."""
    if isinstance(record, Mapping):
        return "{" + ", ".join(f"{key}: {flow(value)}" for key, value in record.items()) + "}"
    if isinstance(record, list):
        return "[" + ", ".join(map(flow, record)) + "]"
    return "null" if record is None else str(record)


def is_number(value: Any) -> bool:
    """Whether a value is a finite number; true and false are none."""
    plain_number = isinstance(value, int | float) and not isinstance(value, bool)
    return plain_number and -_HUGE <= value <= _HUGE


def is_word(value: Any) -> bool:
    """Whether a value is a word: a letter, and then letters, digits, - or _."""
    return isinstance(value, str) and _WORD.fullmatch(value) is not None


def shown(value: Any) -> str:
    """A value in a message, however large it is."""
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    return str(value) if is_number(value) else _REPR.repr(value)


def did_you_mean(name: Any, known: Iterable[str]) -> str:
    """The end of a message on an unknown name: the nearest known one, and all."""
    listed = list(known)
    near = difflib.get_close_matches(str(name).lower()[:100], listed, 1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"{hint} Known: {', '.join(listed)}"


def _parsed(value: Any) -> Distribution:
    if not isinstance(value, Mapping):
        return Constant(_scalar(value))
    if len(value) != 1:
        got = ", ".join(str(key)[:60] for key in value) or "none"
        raise InputError(f"expected one key of {', '.join(KINDS)}, got {got}")
    kind, inner = next(iter(value.items()))
    if kind in _PAIRS:
        if not isinstance(inner, list | tuple) or len(inner) != 2:
            raise InputError(f"expected {kind}: {_HOLDS[kind]}, two numbers, got {shown(inner)}")
        return _PAIRS[kind](*map(_scalar, inner))
    if kind != "choice":
        raise InputError(f"there is no distribution {shown(kind)}{did_you_mean(kind, KINDS)}")
    if isinstance(inner, Mapping):
        weights = tuple(map(_scalar, inner.values()))
        return Choice(tuple(map(_scalar, inner)), weights)
    if not isinstance(inner, list | tuple):
        raise InputError(
            f"expected choice: [a, b] or choice: {{a: 3, b: 1}}, with weights, got {shown(inner)}"
        )
    return Choice(tuple(map(_scalar, inner)))


def _scalar(value: Any) -> Any:
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value


def _short(value: float | str) -> float | str:
    """1 for 1.0, so that equal distributions have one text."""
    if isinstance(value, str):
        return value
    return int(value) if value == int(value) else float(value)


def _require_pair(form: str, *numbers: Any) -> None:
    wrong = [shown(number) for number in numbers if not is_number(number)]
    if wrong:
        raise InputError(f"expected {form}, two finite numbers, got {' and '.join(wrong)}")


def _require_order(kind: str, low: float, high: float) -> None:
    if low > high:
        raise InputError(f"expected {kind}: [low, high], the smaller first, got [{low}, {high}]")


def _listed(values: Iterable[Any]) -> str:
    return shown(list(values))
