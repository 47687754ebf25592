"""The fields that a look leaves to chance, the values to show them at, and looks that hold one."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from vqc.errors import InputError
from vqc.look.distributions import (
    Choice,
    Constant,
    Distribution,
    LogUniform,
    Normal,
    Uniform,
    flow,
    plain,
)
from vqc.look.rules import Rule
from vqc.look.schema import Look, rules, sections

COLUMNS = 6
"""So many values of a field stand beside each other."""
SPREAD = 2.0
"""A normal is shown to so many deviations on both sides of its mean."""


@dataclass(frozen=True, slots=True)
class Factor:
    """A field of a look, and the values to show it at.

    field: dotted. written: what the look holds there, as its YAML says it.
    values: numbers or words; 0 and 1 for a share, that is never and always.
    by_chance: False for a share that is 0 or 1.
    """

    field: str
    unit: str
    meaning: str
    written: str
    values: tuple[float | str, ...]
    by_chance: bool = True


def factors(look: Look, names: Sequence[str] = ()) -> tuple[Factor, ...]:
    """The fields that the look leaves to chance, or those of them that are named, in that order.

    names: dotted, or patterns such as sensor.*; a share that is named may be a fixed one.
    Raises InputError, with every name that fits no field, or only fields that never change.
    """
    every = {
        f"{section}.{name}": _factor(f"{section}.{name}", rule, getattr(held, name))
        for section, held in sections(look).items()
        for name, rule in rules(type(held)).items()
    }
    if not names:
        return tuple(f for f in every.values() if f is not None and f.by_chance)
    chosen: dict[str, Factor] = {}
    faults = []
    for name in names:
        fitting = [field for field in every if fnmatchcase(field, name)]
        found = [f for f in map(every.get, fitting) if f and (f.field == name or f.by_chance)]
        chosen |= {f.field: f for f in found}
        if not fitting:
            faults.append(f"--vary {name}: no field of a look{_nearest(name, every)}")
        elif not found:
            faults.append(
                f"--vary {name}: look {look.name!r} leaves nothing to chance there; give the field "
                "a distribution, such as {uniform: [low, high]}"
            )
    if faults:
        raise InputError("\n".join(faults))
    return tuple(chosen.values())


def holding(look: Look, field: str, value: float | str) -> Look:
    """The look with one field at a fixed value; all other draws of a frame stay as they were.

    field: dotted. value: as in a `Factor`.
    """
    section, _, name = field.partition(".")
    held = getattr(look, section)
    is_share = rules(type(held))[name].kind == "share"
    # a look's sections are of different types, which `replace` cannot be told by name
    changed = replace(held, **{name: value if is_share else Constant(value)})
    return replace(look, **{section: changed})


def _factor(field: str, rule: Rule, given: object) -> Factor | None:
    """None where the field is no matter of chance."""
    if rule.kind == "share":
        return Factor(field, "", rule.meaning, str(given), (0.0, 1.0), given not in (0, 1))
    if not isinstance(given, Distribution):
        return None
    values = _values(given, rule)
    if len(values) < 2:
        return None
    return Factor(field, rule.unit, rule.meaning, flow(plain(given)), values)


def _values(given: Distribution, rule: Rule) -> tuple[float | str, ...]:
    """Up to six values from the low to the high end, evenly; each value of a choice."""
    steps = [k / (COLUMNS - 1) for k in range(COLUMNS)]
    found: list[float | str]
    match given:
        case Choice(values, _):
            found = list(values)
            if len(found) > COLUMNS:
                found = [found[round(step * (len(found) - 1))] for step in steps]
        case Uniform() | LogUniform():
            found = [given.at(step) for step in steps]
        case Normal(mean, deviation):
            low = max(mean - SPREAD * deviation, rule.low)
            high = min(mean + SPREAD * deviation, rule.high)
            found = [low + step * (high - low) for step in steps]
        case _:
            return given.stated
    numbers = (v if isinstance(v, str) else _rounded(v, rule.kind == "whole") for v in found)
    return tuple(dict.fromkeys(numbers))


def _rounded(value: float, whole: bool) -> float:
    """To three digits, so that what stands above a picture is what was drawn."""
    if whole or value == 0:
        return float(round(value))
    return round(value, 2 - math.floor(math.log10(abs(value))))


def value_text(value: float | str, unit: str) -> str:
    """A value as it stands above a picture."""
    if isinstance(value, str):
        return value
    number = f"{value:.6f}".rstrip("0").rstrip(".")
    return number + unit if unit in ("", "°") else f"{number} {unit}"


def _nearest(name: str, known: Iterable[str]) -> str:
    """The end of a message: the known name that is most like it, of its whole or its last part."""
    by_end = {field: field for field in known} | {f.partition(".")[2]: f for f in known}
    near = difflib.get_close_matches(name.lower()[:100], by_end, 1, 0.5)
    hint = f"; did you mean {by_end[near[0]]!r}?" if near else ";"
    return f"{hint} docs/looks.md lists them all, and sensor.* names a section"
