"""Settings of a task: from names and values, as typed after `--set` or read from YAML, to fields.

In: a config dataclass and a mapping. Out: typed values for its fields, or every fault at once.
A field's metadata may hold `help`, a sentence, and `low` and `high`, the least and the largest
number allowed:

    epochs: int = field(default=100, metadata={"help": "Passes over the set.", "low": 1})
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
    fields = {field.name: field for field in dataclasses.fields(config) if field.init}
    hints = get_type_hints(config)
    values, faults = {}, []
    for name, value in settings.items():
        if name not in fields:
            faults.append(_unknown(name, list(fields)))
            continue
        try:
            values[name] = _within(_fit(hints[name], value), fields[name].metadata)
        except _MisfitError:
            expected = _kind(hints[name], fields[name].metadata)
            faults.append(f"{name}: expected {expected}, got {_shown(value)}")
    if faults:
        raise InputError("\n".join(faults))
    return values


def describe_fields(config: type) -> list[Setting]:
    """Every setting of a config dataclass, in the order of its fields."""
    hints = get_type_hints(config)
    return [
        Setting(
            name=field.name,
            kind=_kind(hints[field.name], field.metadata),
            default=_default(field),
            help=str(field.metadata.get("help", "")),
        )
        for field in dataclasses.fields(config)
        if field.init
    ]


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
    typed = not isinstance(value, str)
    if kind is str and not typed:
        return value
    if kind is bool:
        if isinstance(value, bool):
            return value
        if not typed and value.lower() in _WORDS:
            return _WORDS[value.lower()]
    elif kind is int:
        if typed and isinstance(value, int) and not isinstance(value, bool):
            return value
        if not typed and _WHOLE.fullmatch(value):
            return int(value)
    elif kind is float:
        number = math.nan
        if (typed and isinstance(value, int | float) and not isinstance(value, bool)) or (
            not typed and _NUMBER.fullmatch(value)
        ):
            number = float(value)
        if math.isfinite(number):
            return number
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
    words = _words(hint)
    if low is not None:
        words += f" from {low}"
    if high is not None:
        words += f" up to {high}" if low is None else f" to {high}"
    return words


def _words(hint: Any) -> str:
    origin, choices = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        ordered = sorted(choices, key=lambda choice: choice is type(None))
        return " or ".join(map(_words, ordered))
    if origin is Literal:
        return "one of " + ", ".join(map(str, choices))
    if origin in (list, tuple):
        return f"{_words(choices[0])}, or several with commas"
    return "none" if hint is type(None) else _NAMES.get(hint, str(hint))
