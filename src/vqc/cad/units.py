"""The length unit of a STEP file, found in its text."""

from __future__ import annotations

import re

_SHORT = {"in": "inch", "inches": "inch", "ft": "foot", "feet": "foot"}
_PREFIX = {"milli": "m", "centi": "c", "deci": "d", "micro": "u", "nano": "n", "kilo": "k"}


def length_unit(text: bytes) -> str | None:
    """The unit in which the file's geometry is written.

    "mm", "cm", "m", "inch", "foot", or the file's own word in lower case; several are
    joined by "+" where representations differ; None where the file names none. The units
    that count are those in a GLOBAL_UNIT_ASSIGNED_CONTEXT: others only define them.
    """
    units = dict(re.findall(rb"#(\d+)\s*=\s*\(([^;]*LENGTH_UNIT[^;]*)\)\s*;", text))
    contexts = set(re.findall(rb"GLOBAL_UNIT_ASSIGNED_CONTEXT\s*\(\s*\(([#\d,\s]*)\)", text))
    used = {number for context in contexts for number in re.findall(rb"\d+", context)}
    names = {_name(units[number]) for number in used if number in units}
    return "+".join(sorted(name for name in names if name)) or None


def _name(entity: bytes) -> str | None:
    if own := re.search(rb"CONVERSION_BASED_UNIT\s*\(\s*'([^']*)'", entity):
        word = own[1].decode("utf-8", "replace").strip().lower()
        metric = re.fullmatch(rf"({'|'.join(_PREFIX)})?met(?:re|er)s?", word)
        return _PREFIX.get(metric[1], "") + "m" if metric else _SHORT.get(word, word) or None
    if si := re.search(rb"SI_UNIT\s*\(\s*(?:\.(\w+)\.|\$)\s*,\s*\.METRE\.", entity):
        prefix = (si[1] or b"").decode().lower()
        return _PREFIX.get(prefix, prefix) + "m"
    return None
