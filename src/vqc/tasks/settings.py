"""Settings of a task: from names and values, as typed after `--set` or read from YAML, to fields.

In: a config dataclass and a mapping. Out: typed values for its fields, or every fault at once.
A field is a setting where its metadata holds `help`, a few words; `low` and `high` may stand
beside it, the least and the largest number allowed:

    epochs: int = field(default=100, metadata={"help": "passes over the set", "low": 1})
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from vqc.errors import InputError

_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_NOTHING = ("none", "null")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


LARGEST_SEED = 2**32 - 1
"""That every generator of random numbers takes."""


NONE_HELP = "; none: "
"""Stands in a help before what holds where the setting is None."""


def about(text: str, **limits: float) -> dict[str, Any]:
    """The metadata of a field that is a setting: its help, and `low` and `high` if bounded."""
    return {"help": text, **limits}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as `vqc tasks NAME` shows it. kind: what it may be, in words."""

    name: str
    kind: str
    default: Any
    help: str


class _MisfitError(ValueError):
    """A value does not fit a type; the caller knows the setting's name."""


def parse(config: type, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Values for the fields of a config dataclass, typed by its annotations.

    settings: names to values, typed or as text. Annotations may be bool, int, float, str,
    None, Literal, list[T] and tuple[T, ...] of these, and unions; a list is written with
    commas, None as `none`. Raises InputError once, for every unknown name, with the nearest
    known one, and every value that does not fit.
    """
    values, faults = sift(config, settings)
    if faults:
        raise InputError("\n".join(faults.values()))
    return values


def sift(config: type, settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The values that `parse` gives, and what is wrong with the others; both by name.

    For a task that finds more faults in the values that fit, and raises all at once. Where a name
    is at fault, its field keeps its default: say nothing of what depends on it.
    """
    fields = {field.name: field for field in _settings(config)}
    hints = get_type_hints(config)
    values, faults = {}, {}
    for name, value in settings.items():
        if name not in fields:
            faults[name] = _unknown(name, list(fields))
            continue
        try:
            values[name] = _within(_fit(hints[name], value), fields[name].metadata)
        except _MisfitError:
            expected = _kind(hints[name], fields[name].metadata)
            faults[name] = f"{name}: expected {expected}, got {_shown(value)}"
    return values, faults


def describe_fields(config: type) -> list[Setting]:
    """Every setting of a config dataclass, in the order of its fields."""
    hints = get_type_hints(config)
    return [
        Setting(
            name=field.name,
            kind=_kind(hints[field.name], field.metadata),
            default=_default(field),
            help=str(field.metadata["help"]),
        )
        for field in _settings(config)
    ]


def _settings(config: type) -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(config) if "help" in field.metadata]


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"{name}: there is no such setting{hint} Known: {', '.join(sorted(known))}"


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None if field.default is dataclasses.MISSING else field.default


def _shown(value: Any) -> str:
    """A value in a message: text as it was typed, or quoted where that would not show."""
    if isinstance(value, str) and value == value.strip() and value:
        return value
    return repr(value)


def _fit(hint: Any, value: Any) -> Any:
    """The value as the annotation wants it; _MisfitError where it does not fit."""
    origin, choices = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _first_fit(choices, value)
    if origin is Literal:
        return _one_of(choices, value)
    if origin in (list, tuple):
        return origin(_fit(choices[0], item) for item in _items(value))
    if hint is type(None):
        if value is None or (isinstance(value, str) and value.lower() in _NOTHING):
            return None
        raise _MisfitError
    if hint not in _NAMES:
        raise TypeError(f"a setting cannot be annotated with {hint!r}")
    return _scalar(hint, value)


def _first_fit(hints: tuple[Any, ...], value: Any) -> Any:
    """None first, so that `none` is nothing where a text could be; then as annotated."""
    for hint in sorted(hints, key=lambda hint: hint is not type(None)):
        try:
            return _fit(hint, value)
        except _MisfitError:
            pass
    raise _MisfitError


def _one_of(choices: tuple[Any, ...], value: Any) -> Any:
    for choice in choices:
        if type(value) is type(choice) and value == choice:
            return choice
        if isinstance(value, str) and value == str(choice):
            return choice
    raise _MisfitError


def _items(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, str):
        return [item.strip() for item in value.split(",")] if value.strip() else []
    return [value]


def _scalar(kind: type, value: Any) -> Any:
    """A value of that very type, or text that reads as one."""
    if kind is str and isinstance(value, str):
        return value
    if kind is bool and isinstance(value, bool):
        return value
    if kind is bool and isinstance(value, str) and value.lower() in _WORDS:
        return _WORDS[value.lower()]
    number = None if isinstance(value, bool) else value
    if kind is int and isinstance(number, int):
        return number
    if kind is int and isinstance(number, str) and _WHOLE.fullmatch(number):
        return int(number)
    if isinstance(number, str) and _NUMBER.fullmatch(number):
        number = float(number)
    if kind is float and isinstance(number, int | float) and math.isfinite(number):
        return float(number)
    raise _MisfitError


def _within(value: Any, metadata: Mapping[str, Any]) -> Any:
    """The value, if it, or each of its items, is a number between `low` and `high`, or none."""
    for item in value if isinstance(value, list | tuple) else (value,):
        if isinstance(item, int | float) and not isinstance(item, bool):
            low, high = metadata.get("low"), metadata.get("high")
            if (low is not None and item < low) or (high is not None and item > high):
                raise _MisfitError
    return value


def _kind(hint: Any, metadata: Mapping[str, Any]) -> str:
    """An annotation in words, such as "a whole number from 1"."""
    low, high = metadata.get("low"), metadata.get("high")
    bounds = "" if low is None else f" from {low}"
    if high is not None:
        bounds += f" to {high}" if bounds else f" up to {high}"
    return _words(hint, bounds)


def _words(hint: Any, bounds: str) -> str:
    origin, choices = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        ordered = sorted(choices, key=lambda choice: choice is type(None))
        return " or ".join(_words(choice, bounds) for choice in ordered)
    if origin is Literal:
        return "one of " + ", ".join(map(str, choices))
    if origin in (list, tuple):
        return f"{_words(choices[0], bounds)}, or several with commas"
    if hint is type(None):
        return "none"
    return _NAMES.get(hint, str(hint)) + (bounds if hint in (int, float) else "")
