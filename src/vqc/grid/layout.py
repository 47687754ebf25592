"""A grid's request and a pool of frames → every training that it takes, named by its content.

Nothing is written. A training's name follows from what it is made of and how it is trained,
so any grid that needs the same training again finds it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vqc.counts import ALL, Count
from vqc.errors import InputError, VqcError
from vqc.grid.request import MIX_AXES, GridRequest
from vqc.grid.val import mark_of, rules_with_val, sessions_of, val_rows
from vqc.mix import Plan, Pool, Request
from vqc.mix import plan as plan_mix
from vqc.mix.build import recipe_text
from vqc.mix.splits import TEST, TRAIN
from vqc.tasks import find
from vqc.tasks.contract import Task
from vqc.types import Progress


@dataclass(frozen=True, slots=True)
class Cell:
    """A place of the grid. settings: its values on axes that have several."""

    name: str
    cad: int
    real: Count
    settings: Mapping[str, Any]

    @property
    def combination(self) -> str:
        """Such as "imgsz640-greyyes"; empty where CAD and photos are the only axes."""
        return "-".join(f"{key}{_word(value)}" for key, value in self.settings.items())

    @property
    def words(self) -> str:
        """The same for people, such as "imgsz 640, grey yes"."""
        return ", ".join(f"{key} {_word(value)}" for key, value in self.settings.items())


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """One cell with one seed, and the frames that it got. values: of all further axes."""

    cell: Cell
    values: Mapping[str, Any]
    seed: int
    plan: Plan
    set_name: str

    def count(self, split: int) -> int:
        return len(self.plan.rows_in(split))


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """All cells with all seeds.

    same_shoot: val is of shoots that also train. mark: what stands by every score on val.
    """

    request: GridRequest
    pool: Pool
    drawn: tuple[Drawn, ...]
    val: str
    same_shoot: bool
    mark: str
    has_test: bool
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One training. images: seen an epoch. epochs: at most; None where the task has none.

    pace: equal for trainings of which a picture takes equally long.
    """

    drawn: Drawn
    settings: Mapping[str, Any]
    name: str
    images: int
    epochs: int | None
    pace: str

    @property
    def seen(self) -> int:
        """Pictures seen in all."""
        return self.images * (self.epochs or 1)


def draw(
    request: GridRequest, pool: Pool, on_progress: Progress = lambda done, total: None
) -> Drawing:
    """Draw the frames of every cell and repeat; all have one val and one test.

    on_progress: draws made, draws in all. Raises InputError for cells that cannot be drawn,
    and LeakError as a mix does.
    """
    cut = replace(request.mix.splits, cut_seed=request.seed)  # one val and test for every draw
    splits, notes = rules_with_val(pool, cut)
    combinations = list(request.combinations())
    places = [(cad, real) for real in request.real for cad in request.cad if cad or real]
    if 0 in request.cad and 0 in request.real:
        notes.append("the cell of 0 renders and 0 photos is left out: nothing would train")
    total = request.repeats * len(combinations) * len(places)
    plans: dict[Request, tuple[Plan, str]] = {}
    drawn: list[Drawn] = []
    faults: dict[str, str] = {}
    for seed in range(request.seed, request.seed + request.repeats):
        for values in combinations:
            for cad, real in places:
                cell = _cell(request, cad, real, values)
                mixed = {k: v for k, v in values.items() if k in MIX_AXES}
                if not real or (real == ALL and request.mix.background in (None, ALL)):
                    mixed["select"] = "random"  # there is nothing to select from
                mix = replace(request.mix, cad=cad, real=real, seed=seed, splits=splits, **mixed)
                try:
                    if mix not in plans:
                        made = plan_mix(pool, mix)
                        plans[mix] = made, _name(cad, real, seed, _sha256(recipe_text(made, "")))
                    drawn.append(Drawn(cell, values, seed, *plans[mix]))
                except InputError as error:
                    faults[cell.name] = str(error)
                on_progress(len(drawn), total)
    if faults:
        raise InputError(_cannot(faults))
    return _drawing(request, pool, drawn, notes)


def lay_out(
    drawing: Drawing, repeats: int | None = None, epochs: Mapping[int, int] | None = None
) -> list[Trial]:
    """The trainings in the order in which they are done: every cell once, then once more.

    repeats: fewer than drawn. epochs: numbers to put in the place of those asked for.
    Raises InputError for settings that the task does not take.
    """
    request = drawing.request
    task = find(request.task)
    equal = _equal(task, request)
    last = request.seed + (repeats or request.repeats)
    drawn = [d for d in drawing.drawn if d.seed < last]
    largest: dict[tuple[int, str], int] = {}
    for d in drawn:
        group = d.seed, _json(d.values)
        largest[group] = max(largest.get(group, 0), d.count(TRAIN))
    trials, faults = [], []
    for d in drawn:
        given = {**request.settings, "seed": d.seed}
        given |= {k: v for k, v in d.values.items() if k not in MIX_AXES}
        if equal:
            given["epoch_images"] = largest[d.seed, _json(d.values)]
        try:
            trials.append(_trial(task, d, given, epochs or {}))
        except InputError as error:
            faults += str(error).splitlines()
    if faults:
        raise InputError("\n".join(dict.fromkeys(faults)))
    return trials


def can_repeat_pictures(task: Task, settings: Mapping[str, Any]) -> bool:
    """Whether a task knows `epoch_images`, so that small sets can be seen as often as large."""
    return "epoch_images" in task.configure(settings).identity()


def _equal(task: Task, request: GridRequest) -> bool:
    """Whether every epoch of every cell shall show equally many pictures."""
    if request.equal == "epochs" or "epoch_images" in request.settings:
        return False
    able = can_repeat_pictures(task, request.settings)
    if request.equal == "images" and not able:
        raise InputError(f"--equal images: task {task.name} has no epoch_images; --equal epochs")
    return able


def _trial(task: Task, d: Drawn, given: dict[str, Any], epochs: Mapping[int, int]) -> Trial:
    identity = task.configure(given).identity()
    wanted: int | None = identity.get("epochs")  # of the model, where it is left to it
    if wanted is not None and wanted in epochs:
        given["epochs"] = epochs[wanted]
        identity = task.configure(given).identity()
    what = {
        "task": task.name,
        "settings": identity,
        "set": _sha256(recipe_text(d.plan, "")),
    }
    return Trial(
        drawn=d,
        settings=given,
        name=_name(d.cell.cad, d.cell.real, d.seed, _sha256(_json(what))),
        images=identity.get("epoch_images") or d.count(TRAIN),
        epochs=identity.get("epochs"),
        pace=pace_of(identity),
    )


def pace_of(identity: Mapping[str, Any]) -> str:
    """Equal for trainings of which a picture takes equally long."""
    return _json({k: v for k, v in identity.items() if k not in _NO_MATTER_FOR_PACE})


_NO_MATTER_FOR_PACE = ("seed", "epochs", "epoch_images", "patience")


def _cell(request: GridRequest, cad: int, real: Count, values: Mapping[str, Any]) -> Cell:
    several = {key: value for key, value in values.items() if len(request.axes[key]) > 1}
    bare = Cell("", cad, real, several)
    name = "-".join(filter(None, [f"cad{cad}-real{real}", bare.combination]))
    return replace(bare, name=name)


def _drawing(
    request: GridRequest, pool: Pool, drawn: Sequence[Drawn], notes: Sequence[str]
) -> Drawing:
    first = drawn[0].plan
    val = val_rows(first)
    for d in drawn:
        if not np.array_equal(val_rows(d.plan), val):
            raise VqcError(f"{d.cell.name}: its val is another one than in the other cells")
    largest = max(drawn, key=lambda d: (d.count(TRAIN), -d.seed))
    same_shoot = any(d.plan.same_shoot.any() for d in drawn)
    return Drawing(
        request=request,
        pool=pool,
        drawn=tuple(drawn),
        val=", ".join(sessions_of(pool, val)),
        same_shoot=same_shoot,
        mark=mark_of(pool, val, same_shoot),
        has_test=bool(len(first.rows_in(TEST))),
        notes=tuple(dict.fromkeys([*notes, *largest.plan.notes])),
    )


def _cannot(faults: Mapping[str, str]) -> str:
    """Which cells cannot be drawn; why, for the last of them, which wants most."""
    *others, last = faults
    if len(set(faults.values())) == 1 and others:
        return faults[last]
    more = f"\nand so cannot {', '.join(others)}" if others else ""
    return f"cell {last} cannot be drawn: {faults[last]}{more}"


def _name(cad: int, real: Count, seed: int, sha256: str) -> str:
    return f"cad{cad}-real{real}-seed{seed}-{sha256[:8]}"


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
