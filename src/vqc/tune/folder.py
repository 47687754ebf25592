"""A search's folder: held by one command at a time, and known again.

runs/tunes/<name>/    tune.yaml (what was asked), optuna.log (finished trials), running.json (the
                      trial under way), tune.json, tune.csv, tune.png, worker.log
runs/cells/<task>/    the run of every trial, beside those of grids
datasets/cells/       the sets that they train on
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vqc.errors import InputError, OutputError, RecipeError
from vqc.files import replace_file
from vqc.grid.crew import held
from vqc.runs import json_bytes, read_json
from vqc.tune.decide import Tune
from vqc.tune.space import Axis, Choice, Value

ASKED, RUNNING = "tune.yaml", "running.json"
VERSION = 1


@contextlib.contextmanager
def claimed(tune: Tune) -> Iterator[None]:
    """Hold the folder of a search, which is this one or a new one.

    Raises RecipeError where another search has the name, InputError where something else has,
    or another command goes on with it now.
    """
    with held(tune.folder):
        _require_same(tune)
        _write_asked(tune)
        yield


def read_running(tune: Tune, number: int) -> dict[str, Value] | None:
    """The values of the trial that was cut off, if it is the one of that number.

    Raises InputError where the note of it is damaged.
    """
    file = tune.folder / RUNNING
    if not file.is_file():
        return None
    found = read_json(file)
    if found.get("number") != number:
        return None
    values, axes = found.get("values"), {axis.name: axis for axis in tune.space.axes}
    if not isinstance(values, dict) or set(values) != set(axes):
        what = f"values of {', '.join(axes)}"
    else:
        wrong = [name for name, value in values.items() if not _fits(axes[name], value)]
        what = ", ".join(f"{name}={axes[name]}" for name in wrong)
    if what:
        raise InputError(
            f"{file}: not the trial that was cut off: expected {what}, got {str(values)[:200]}; "
            "remove the file, and the search goes on with another trial"
        )
    return values


def _fits(axis: Axis, value: object) -> bool:
    """Whether a search could have tried that value."""
    if isinstance(axis, Choice):
        return value in axis.samples
    kinds = int if axis.is_whole else int | float
    return isinstance(value, kinds) and axis.low <= value <= axis.high


def write_running(folder: Path, number: int, values: Mapping[str, Value]) -> None:
    """Note which trial is under way; OutputError where that fails."""
    _put(folder / RUNNING, json_bytes({"number": number, "values": dict(values)}))


def end_running(folder: Path) -> None:
    """The trial under way has its result."""
    with contextlib.suppress(OSError):  # its number says that it is over
        (folder / RUNNING).unlink()


def _require_same(tune: Tune) -> None:
    import yaml

    file, name = tune.folder / ASKED, f"{tune.folder} is there and is no search"
    if not file.is_file():
        if any(path.name[:1] != "." for path in tune.folder.iterdir()):
            raise InputError(f"{name}; choose another --name")
        return
    try:
        old = dict(yaml.safe_load(file.read_bytes())["asked"])
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError):
        raise InputError(f"{file}: cannot be read; give another --name") from None
    now = tune.record()
    if old != now:
        raise RecipeError(
            "\n".join([f"{tune.folder} holds another search; these differ:", *_changes(old, now)])
            + "\nGive another --name"
        )


def _changes(old: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    changed = [
        f"  {key}: {old.get(key, 'nothing')} there, {now.get(key, 'nothing')} asked for"
        for key in dict.fromkeys([*old, *now])
        if key not in ("sets", "trained_with") and old.get(key) != now.get(key)
    ]
    if old.get("sets") != now.get("sets"):
        changed.append("  the sets that trials are mixed from, or their manifests")
    return changed or ["  what a setting stands for, such as the content of a file of weights"]


def _write_asked(tune: Tune) -> None:
    import yaml

    record = {
        "vqc_tune": VERSION,
        "name": tune.name,
        "asked": tune.record(),
        "resolved": {
            "images_an_epoch": tune.images,
            "epochs": tune.epochs,
            "val": list(tune.val.sessions),
            "val_frames": len(tune.val.frames),
            "same_shoot": tune.val.same_shoot,
        },
    }
    body = yaml.safe_dump(record, sort_keys=False, allow_unicode=True, width=100)
    _put(tune.folder / ASKED, body.encode())


def _put(file: Path, data: bytes) -> None:
    try:
        replace_file(file, data)
    except OSError as error:
        raise OutputError(f"{file}: cannot be written: {error.strerror or error}") from None
