"""The lines to type that repeat a trial: its mix, and its training."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from vqc.mix import Request
from vqc.tune.decide import Cell, Tune
from vqc.tune.space import text

DATASETS = Path("datasets")


def commands(tune: Tune, cell: Cell) -> list[str]:
    """`vqc mix` and `vqc train`; what they make has the same identity as the trial's run."""
    folders = [source.folder for source in tune.asked.pool.sources]
    return [mix_command(cell.request, folders, cell.set_name), train_command(tune, cell)]


def mix_command(request: Request, folders: Sequence[Path], name: str) -> str:
    """The mix of a request that says what searches say, from these sets alone."""
    given: list[tuple[str, str]] = [("--from", str(folder)) for folder in sorted(folders)]
    given += [("--cad", str(request.cad))] * bool(request.cad)
    given += [("--real", str(request.real))] * bool(request.real)
    if request.background is not None:
        given.append(("--background", str(request.background)))
    if request.ratio is not None:
        given.append(("--ratio", text(request.ratio)))
    given += [("--val", name) for name in request.splits.val]
    given += [("--test", name) for name in request.splits.test]
    if request.splits.val_fraction:
        given.append(("--val-fraction", text(request.splits.val_fraction)))
    given += [("--select", request.select)] * (request.select != "random")
    given += [("--seed", str(request.seed))] * bool(request.seed)
    return _line(["vqc", "mix"], [*given, ("--name", name)])


def train_command(tune: Tune, cell: Cell) -> str:
    """The training on that mix, every setting of the trial given."""
    given = [("--task", tune.task.name)] * (tune.task.name != "detect")
    given.append(("--name", f"{tune.name}-best"))
    given += [("--set", f"{key}={value}") for key, value in sorted(cell.settings.items())]
    return _line(["vqc", "train", str(DATASETS / cell.set_name)], given)


def _line(words: Iterable[str], options: Iterable[tuple[str, str]]) -> str:
    parts = list(words)
    for option, value in options:
        # A value that begins like an option would be taken for one.
        parts += [f"{option}={value}"] if value.startswith("-") else [option, value]
    return shlex.join(parts)
