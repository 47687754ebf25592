"""Settings of a task as options of a command: `--contamination 0.05` as `--set` would have it.

Which settings there are is known once the task is, so options that a command does not know are put
aside before Typer looks at the rest, and the task says later which of them it knows.
"""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import typer
from typer.core import TyperCommand

from vqc.errors import InputError

_KEY = "vqc.extras"
_UNKNOWN = "no such setting"
"""What a task says of a name that it does not know."""
_VALUE = re.compile(r"[^-]|-?$|-[0-9.]")
"""A word that is no option; numbers may be negative."""


class TaskCommand(TyperCommand):
    """A command whose unknown options are settings of its task; see `given`.

    `--name value` and `--name=value` give a value, a bare `--name` means true.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        takes_value = {
            name: not getattr(param, "is_flag", False)
            for param in self.get_params(ctx)
            for name in _long_names([param])
        }
        known, extras = _apart(args, takes_value)
        ctx.meta[_KEY] = extras
        try:
            return super().parse_args(ctx, known)
        except typer.BadParameter as error:
            words = [f"--{name} {value}" for name, value in extras if value is not None]
            if words and getattr(error.param, "param_type_name", "") == "argument":
                error.message += (
                    f"Taken for a setting and its value: {', '.join(words)}; one without a value "
                    "goes last, or is written --name=true"
                )
            raise


def given(ctx: Any, options: Mapping[str, Any], pairs: Sequence[str]) -> dict[str, Any]:
    """Settings: of the command's own options, of unknown ones, and of --set key=value pairs.

    options: None where one was not given. Raises InputError once, for what is no pair, for an
    option that is given twice, and for a pair that says otherwise than what was given before.
    """
    found = {key: value for key, value in options.items() if value is not None}
    faults = []
    for typed, value in _extras(ctx):
        key = _setting(typed)
        if key in found:
            faults.append(f"--{typed}: is given twice, before as {found[key]}")
        found.setdefault(key, "true" if value is None else value)
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not sign or not key:
            faults.append(f"--set {pair}: expected key=value, such as lr0=0.005")
        elif key in found and str(found[key]) != value:
            faults.append(f"--set {pair}: {key} was given before, as {found[key]}")
        found.setdefault(key, value)
    if faults:
        raise InputError("\n".join(faults))
    return found


@contextlib.contextmanager
def explained(ctx: Any, task: str) -> Iterator[None]:
    """What a task says of settings, in the words of who typed options.

    A misspelled option of the command itself is told as that. task: as it is to be called.
    """
    try:
        yield
    except InputError as error:
        lines = [_explained(ctx, line, task) for line in str(error).split("\n")]
        if "\n".join(lines) == str(error):
            raise
        raise type(error)("\n".join(lines)) from None


def _explained(ctx: Any, line: str, task: str) -> str:
    key, _, rest = line.partition(": ")
    own = {_setting(name[2:]): name for name in _long_names(ctx.command.params)}
    typed = {_setting(name): (name, value) for name, value in _extras(ctx)}
    is_unknown = _UNKNOWN in rest
    if key in typed and is_unknown:
        # Of equally near names the command's own come first.
        theirs = [word for word in re.findall(r"\w+", rest) if word not in own]
        near = difflib.get_close_matches(key, [*theirs, *own], 1)
        if near and near[0] in own:
            return f"--{typed[key][0]}: there is no such option; did you mean {own[near[0]]}?"
    elif key in typed and typed[key][1] is None:
        return f"{line} (--{typed[key][0]} was given without a value)"
    elif key in own and is_unknown:
        return f"{own[key]}: {task} has {_UNKNOWN}{rest.partition(_UNKNOWN)[2]}"
    return line


def _long_names(params: Iterable[Any]) -> Iterator[str]:
    return (
        name
        for param in params
        for name in (*param.opts, *param.secondary_opts)
        if name.startswith("--")
    )


def _setting(typed: str) -> str:
    return typed.replace("-", "_")


def _extras(ctx: Any) -> Sequence[tuple[str, str | None]]:
    extras: Sequence[tuple[str, str | None]] = ctx.meta.get(_KEY, ())
    return extras


def _apart(
    words: Sequence[str], takes_value: Mapping[str, bool]
) -> tuple[list[str], list[tuple[str, str | None]]]:
    """What a command knows, and the options that it does not, each with its value or None.

    takes_value: the command's own options, to whether a value follows.
    """
    known: list[str] = []
    extras: list[tuple[str, str | None]] = []
    left = list(words)
    while left:
        word = left.pop(0)
        name, sign, value = word.partition("=")
        if word == "--":
            return [*known, word, *left], extras
        if not word.startswith("--") or name in takes_value:
            known.append(word)
            if takes_value.get(word) and left:
                known.append(left.pop(0))
        elif sign:
            extras.append((name[2:], value))
        else:
            follows = bool(left) and _VALUE.match(left[0]) is not None
            extras.append((name[2:], left.pop(0) if follows else None))
    return known, extras
