"""What was typed → a search that is decided.

Before anything is trained, every value that a trial may get was tried on the task's settings,
and the largest mix was drawn.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqc.contract import SET_NAME, is_set_name
from vqc.errors import InputError
from vqc.grid.layout import can_repeat_pictures
from vqc.grid.model import Places
from vqc.grid.val import mark_of, rules_with_val, sessions_of, val_rows
from vqc.mix import Plan, Pool, Request, SplitRules, plan
from vqc.mix.splits import TEST, TRAIN
from vqc.tasks import find
from vqc.tasks.contract import Config, Task
from vqc.tune import known
from vqc.tune.budget import Budget
from vqc.tune.space import MIX_KEYS, Space, Value, text


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What is asked of a search. space: None for the default one. settings: of every trial."""

    pool: Pool
    space: Space | None = None
    splits: SplitRules = field(default_factory=SplitRules)
    task: str = "detect"
    settings: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    seed: int = 0
    budget: Budget = field(default_factory=Budget)
    places: Places = field(default_factory=Places)


@dataclass(frozen=True, slots=True)
class Cell:
    """What one trial trains: a mix and settings, as typed after --set; names follow from both."""

    request: Request
    settings: Mapping[str, str]
    set_name: str
    run: str


@dataclass(frozen=True, slots=True, eq=False)
class Val:
    """What trials are compared on. frames: (V, 4) their hashes, sorted."""

    frames: NDArray[np.uint64]
    sessions: tuple[str, ...]
    same_shoot: bool
    mark: str


@dataclass(frozen=True, slots=True, eq=False)
class Tune:
    """A search that is decided.

    settings: of every trial, as typed after --set. images: shown by an epoch of every trial,
    epochs: of every trial; None where they differ. notes: for the user.
    """

    asked: Asked
    name: str
    task: Task
    space: Space
    splits: SplitRules
    settings: Mapping[str, str]
    images: int | None
    epochs: int | None
    val: Val
    has_test: bool
    notes: tuple[str, ...]

    @property
    def folder(self) -> Path:
        return self.asked.places.root / "tunes" / self.name

    @property
    def runs(self) -> Path:
        """The folder that holds the runs of all trials."""
        return self.asked.places.root / "cells" / self.task.name

    def request(self, values: Mapping[str, Value]) -> Request:
        """The mix of a trial; InputError where it would hold nothing."""
        return _request(values, self.splits, self.asked.seed)

    def cell(self, values: Mapping[str, Value]) -> Cell:
        """InputError for a mix of nothing, or values that the task does not take together."""
        request = self.request(values)
        settings = {**self.settings, **_settings(values)}
        parents = [asdict(source.parent) for source in self.asked.pool.sources]
        mixed = {"mix": asdict(request), "parents": parents}
        identity = self.task.configure(settings).identity()
        trained = {**mixed, "task": self.task.name, "settings": identity}
        return Cell(
            request=request,
            settings=settings,
            set_name=f"{request.default_name}-{_hash(mixed)}",
            run=f"{request.default_name}-{_hash(trained)}",
        )

    def record(self) -> dict[str, Any]:
        """Everything that decides what a search tries, as plain values."""
        given = sorted((k, v) for k, v in self.asked.settings.items() if k != "device")
        return {
            "task": self.task.name,
            "--seed": self.asked.seed,
            **{f"--space {name}": spec for name, spec in self.space.texts().items()},
            **{f"--set {key}": text(value) for key, value in given},
            "--val": sorted(set(self.splits.val)),
            "--test": sorted(set(self.splits.test)),
            "--val-fraction": self.splits.val_fraction,
            "sets": [f"{s.parent.name} {s.parent.sha256}" for s in self.asked.pool.sources],
            "trained_with": _hash(self.task.configure(self.settings).identity()),
        }


def prepare(asked: Asked) -> Tune:
    """Check all of it; writes nothing.

    Raises InputError for a space that the task or the sets cannot fill, and for photos without
    a val, LeakError as a mix does.
    """
    task = find(asked.task)
    name = task.name if asked.name is None else asked.name
    if not is_set_name(name):
        raise InputError(f"--name: expected {SET_NAME}, got {name[:80]!r}")
    splits, notes = rules_with_val(asked.pool, asked.splits)
    space = asked.space or known.default_space(task.name, asked.pool, splits, asked.seed)
    settings = {key: text(value) for key, value in asked.settings.items()}
    _check_names(space, settings)
    settings["seed"] = str(asked.seed)
    _check_values(task, space, settings)
    most = _largest(space)
    largest = plan(asked.pool, _request({**most, "select": "random"}, splits, asked.seed))
    rows, same_shoot = val_rows(largest), bool(largest.same_shoot.any())
    sessions, mark = sessions_of(asked.pool, rows), mark_of(asked.pool, rows, same_shoot)
    val = Val(val_of(asked.pool, largest), sessions, same_shoot, mark)
    is_given = "epoch_images" in settings or space.find("epoch_images") is not None
    if not is_given and can_repeat_pictures(task, {**settings, **_settings(most)}):
        settings["epoch_images"] = str(len(largest.rows_in(TRAIN)))
    config = task.configure({**settings, **_settings(most)})
    images = None if _is_searched(space, "epoch_images") else _images(config)
    epochs = None if _is_searched(space, "epochs") else config.identity().get("epochs")
    return Tune(
        asked=asked,
        name=name,
        task=task,
        space=space,
        splits=splits,
        settings=settings,
        images=images,
        epochs=epochs,
        val=val,
        has_test=bool(len(largest.rows_in(TEST))),
        notes=tuple([*notes, *largest.notes, *_remarks(space, images)]),
    )


def val_of(pool: Pool, made: Plan) -> NDArray[np.uint64]:
    """(V, 4) hashes of the frames of val, sorted; InputError where there is none."""
    return np.unique(pool.sha256[val_rows(made)], axis=0)


def _request(values: Mapping[str, Value], splits: SplitRules, seed: int) -> Request:
    mix: dict[str, Any] = {key: values[key] for key in MIX_KEYS if key in values}
    if not mix.get("real"):
        mix["select"] = "random"  # there is nothing to select from
    return Request(**mix, splits=splits, seed=seed)


def _settings(values: Mapping[str, Value]) -> dict[str, str]:
    return {key: text(value) for key, value in values.items() if key not in MIX_KEYS}


def _check_names(space: Space, settings: Mapping[str, str]) -> None:
    """InputError for names that do not go together."""
    faults = []
    for axis in space.axes:
        if axis.name in settings:
            faults.append(f"{axis.name} stands in --space and in --set: give one of them")
        if axis.name in ("seed", "device"):
            faults.append(f"--space {axis.name}: is the same for all trials, no axis")
    for key in settings:
        if key in MIX_KEYS:
            faults.append(f"--set {key}: is of the mix; --space {key}={settings[key]} fixes it")
    if "seed" in settings:
        faults.append("--set seed: has an option of its own, --seed")
    if space.find("cad") and space.find("ratio"):
        faults.append("--space cad and --space ratio both say how many renders: give one of them")
    if not any(space.find(key) for key in MIX_KEYS if key != "select"):
        faults.append("--space names no frames: add such as real=10 or cad=0..1000")
    if not space.searched:
        faults.append("nothing is searched: every --space has one value; vqc train trains it")
    if faults:
        raise InputError("\n".join(faults))


def _check_values(task: Task, space: Space, settings: Mapping[str, str]) -> None:
    """InputError for every choice and end of a range that the task or a mix does not take."""
    first = {axis.name: axis.samples[0] for axis in space.axes}
    faults: list[str] = []
    for axis in space.axes:
        for value in axis.samples:
            try:
                if axis.name in MIX_KEYS:
                    other = "real" if axis.name in ("cad", "ratio") else "cad"
                    _request({other: 1, axis.name: value}, SplitRules(), 0)
                config = task.configure({**settings, **_settings({**first, axis.name: value})})
                faults += known.without_effect(task.name, space, config)
            except InputError as error:
                faults += str(error).splitlines()
    if faults:
        raise InputError("\n".join(dict.fromkeys(faults)))


def _largest(space: Space) -> dict[str, Value]:
    """The values that need most frames; of what is no number, the first."""
    found: dict[str, Value] = {}
    for axis in space.axes:
        numbers = [v for v in axis.samples if isinstance(v, int | float)]
        found[axis.name] = max(numbers) if numbers else axis.samples[0]
    return found


def _images(config: Config) -> int | None:
    found: int | None = config.identity().get("epoch_images")
    return found


def _is_searched(space: Space, name: str) -> bool:
    return name in (axis.name for axis in space.searched)


def _remarks(space: Space, images: int | None) -> Sequence[str]:
    if images is None:
        return ["trials see different numbers of pictures: one may win by seeing more of them"]
    if _is_searched(space, "epochs"):
        return ["epochs are searched: a trial may win merely because it trains longer"]
    return []


def _hash(what: Any) -> str:
    body = json.dumps(what, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(body.encode()).hexdigest()[:8]
