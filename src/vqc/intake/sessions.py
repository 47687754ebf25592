"""Which shoot a picture belongs to: a rule of --session and an item in, a name out.

A session is what must never lie on both sides of a split: one photo shoot, one video.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from vqc.contract import is_text
from vqc.errors import InputError
from vqc.formats.layout import folders_of
from vqc.formats.source import Item, stem
from vqc.types import Fault, Frame


@dataclass(frozen=True, slots=True)
class Rule:
    """How a picture gets its session.

    text: the session's name, the column's name, or what was typed. pattern: for `regex`, and
    for `column` where only a part of its value counts.
    """

    kind: Literal["one", "folder", "column", "regex", "each"]
    text: str
    pattern: re.Pattern[str] | None = None


def rule_of(typed: str | None, set_name: str) -> Rule:
    """The rule of --session; without one, all pictures are one session named like the set.

    Raises InputError where a column's name is missing or a pattern is none.
    """
    if typed is None:
        return Rule("one", set_name)
    if typed in ("folder", "each"):
        return Rule("folder" if typed == "folder" else "each", set_name)
    kind, _, rest = typed.partition(":")
    if kind == "regex":
        return Rule("regex", typed, _compiled(rest, typed))
    if kind == "column":
        column, _, pattern = rest.partition(":")
        if not column:
            raise InputError(f"--session {typed}: expected column:NAME or column:NAME:PATTERN")
        return Rule("column", column, _compiled(pattern, typed) if pattern else None)
    if not is_text(typed) or typed != typed.strip():
        raise InputError(f"--session: expected a name on one line, got {typed!r}")
    return Rule("one", typed)


def session_of(item: Item, rule: Rule) -> str | Fault:
    """The session's name, or a fault of the picture where the rule gives none.

    folder: the folders above the picture, but for those like `train` and `images`.
    regex: searched in the picture's path below the source.
    """
    if rule.kind == "one":
        return rule.text
    if rule.kind == "each":
        return item.file
    if rule.kind == "folder":
        return "/".join(folders_of(item.file)) or rule.text
    if rule.kind == "regex":
        return _found(rule, item.file, item.file, rule.text)
    if rule.text not in item.row:
        known = ", ".join(item.row) or "none"
        message = f"--session: no column {rule.text!r} for this picture; its columns: {known}"
        return Fault(item.file, None, message)
    return _found(rule, item.row[rule.text], item.file, f"column {rule.text}")


def require_column(items: Iterable[Item], rule: Rule) -> None:
    """Raise InputError where the rule wants a column that no picture has."""
    if rule.kind != "column":
        return
    columns = {column: None for item in items for column in item.row}
    if rule.text not in columns:
        raise InputError(
            f"--session: no column {rule.text!r} for any picture; columns of the source's "
            f"index.csv: {', '.join(columns) or 'none'}"
        )


def video_sessions(files: Sequence[str]) -> dict[str, str]:
    """Each video is a session of its own, named by its stem, or by its path where two share it."""
    names = Counter(stem(file).rpartition("/")[2] for file in files)
    short = {file: stem(file).rpartition("/")[2] for file in files}
    return {file: name if names[name] == 1 else file for file, name in short.items()}


def with_same_shoot(frames: Iterable[Frame]) -> tuple[list[Frame], list[str]]:
    """Frames marked anew, and the sessions in which some are.

    A val or test frame is marked where its session also has frames to train on: those of
    the train split, and those without one.
    """
    made = list(frames)
    trains = {frame.session for frame in made if frame.split in ("train", None)}
    marked = [
        replace(frame, same_shoot=frame.split in ("val", "test") and frame.session in trains)
        for frame in made
    ]
    return marked, sorted({frame.session for frame in marked if frame.same_shoot})


def _compiled(pattern: str, typed: str) -> re.Pattern[str]:
    try:
        if pattern:
            return re.compile(pattern)
        raise InputError(f"--session {typed}: the pattern is empty")
    except re.error as error:
        raise InputError(f"--session {typed}: not a regular expression: {error}") from None


def _found(rule: Rule, value: str, file: str, what: str) -> str | Fault:
    """The first group of the match, the whole match, or the value itself without a pattern."""
    name = value
    if rule.pattern is not None:
        match = rule.pattern.search(value)
        if match is None:
            return Fault(file, None, f"--session: {rule.pattern.pattern} does not match {value!r}")
        name = (match.group(1) if rule.pattern.groups else match.group()) or ""
    if not is_text(name.strip()):
        return Fault(file, None, f"--session: {what} gives {name!r}, expected a name on one line")
    return name.strip()
