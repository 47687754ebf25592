"""How long a grid will take: from trainings of the same kind that are finished, or timed batches.

In: the trainings that are missing. Out: seconds for each kind of them, and for all.
"""

from __future__ import annotations

import contextlib
import csv
import itertools
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from vqc import environment
from vqc.dataset import open_dataset
from vqc.errors import InputError
from vqc.grid.layout import Trial, pace_of
from vqc.grid.worker import Place
from vqc.mix import Plan, build
from vqc.mix.splits import TRAIN, VAL
from vqc.runs import ENVIRONMENT, METRICS, RESULT, Run, dataset_of, read_json, read_run
from vqc.tasks import find

CHECK_SHARE = 1 / 3
"""A picture that is only looked at costs about a third of one that trains."""
_BATCHES, _EPOCHS = 3, 2
_BATCH = 16
"""Pictures, of a task that has no such number."""
_ENOUGH_S = 60.0
_RUNS = 5
"""So many finished trainings of a kind are asked."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds for a start with its end, for a picture that trains, for one of val, for an epoch."""

    start_s: float
    picture_s: float
    check_s: float
    epoch_s: float = 0.0

    def seconds(self, trial: Trial) -> float:
        each = self.epoch_s + trial.images * self.picture_s + trial.drawn.count(VAL) * self.check_s
        return self.start_s + (trial.epochs or 1) * each


def seconds_of(trials: Sequence[Trial], paces: Mapping[str, Pace], workers: int) -> float | None:
    """How long these trainings take with so many at a time; None where no pace is known.

    A kind that could not be timed is taken to be as slow as the slowest one.
    """
    if not trials:
        return 0.0
    if not paces:
        return None
    slowest = max(paces.values(), key=lambda pace: pace.picture_s)
    each = [paces.get(trial.pace, slowest).seconds(trial) for trial in trials]
    return max(max(each), sum(each) / workers)


@dataclass(frozen=True, slots=True)
class TimeJob:
    """Train on a few pictures, and say how long what took."""

    name: str
    dataset: Path
    task: str
    settings: Mapping[str, Any]
    folder: Path

    def do(self, place: Place) -> dict[str, Any]:
        task = find(self.task)
        config = task.configure(place.settings(self.settings))
        dataset = open_dataset(self.dataset)
        watch = Stopwatch()
        with contextlib.suppress(EnoughError):
            task.fit(dataset, config, self.folder, watch)
        return {"pace": watch.pace(time.monotonic(), len(dataset.frames("val")))}


class EnoughError(BaseException):
    """Stops a timed training; nothing that is after errors may catch it."""


class Stopwatch:
    """A monitor that notes when what was done."""

    def __init__(self, enough_s: float = _ENOUGH_S) -> None:
        self._begun = time.monotonic()
        self._enough_s = enough_s
        self._batches: list[list[tuple[float, int]]] = [[]]  # for each epoch: time, pictures
        self._ends: list[float] = []

    def progress(self, done: int, total: int) -> None:
        now = time.monotonic()
        self._batches[-1].append((now, done))
        if now - self._begun > self._enough_s and len(self._steps()) > 1:
            raise EnoughError

    def epoch(self, number: int, metrics: Mapping[str, float]) -> None:
        self._ends.append(time.monotonic())
        self._batches.append([])

    def resumed(self, epochs_done: int) -> None: ...

    def pace(self, now: float, val: int) -> Pace:
        """now: when training ended. val: pictures that each epoch was checked on."""
        steps = self._steps()
        pictures = sum(n for _, n in steps)
        first = self._batches[0]
        if pictures:
            picture_s = sum(s for s, _ in steps) / pictures
        elif len(self._ends) > 1 and self._batches[1]:  # one batch an epoch: all in one
            picture_s = (self._batches[1][0][0] - self._ends[0]) / max(first[0][1], 1)
        else:
            picture_s = 0.0
        check_s, epoch_s = CHECK_SHARE * picture_s, 0.0
        pairs = list(zip(self._batches, self._ends, strict=False))
        checks = [end - batches[-1][0] for batches, end in pairs if batches]
        if checks and val:
            check_s = min(checks) / val
        batch_s = picture_s * (first[0][1] if first else 0)
        if pictures and self._ends and len(self._batches) > 1 and self._batches[1]:
            epoch_s = max(0.0, self._batches[1][0][0] - self._ends[0] - batch_s)
        start_s = max(0.0, first[0][0] - self._begun - batch_s) if first else now - self._begun
        if len(self._ends) >= _EPOCHS:
            start_s += now - self._ends[-1]
        return Pace(start_s, picture_s, check_s, epoch_s)

    def _steps(self) -> list[tuple[float, int]]:
        """Seconds and pictures from batch to batch; the first one of an epoch has no such time."""
        return [
            (later[0] - earlier[0], later[1] - earlier[1])
            for batches in self._batches
            for earlier, later in itertools.pairwise(batches)
        ]


def time_job(trial: Trial, task: str, scratch: Path) -> TimeJob:
    """A few pictures of a training's set, as a set of their own in a throw-away folder."""
    identity = find(task).configure(trial.settings).identity()
    batch: int = identity.get("batch") or _BATCH  # a setting may be left to the model
    count = _BATCHES * batch
    settings = dict(trial.settings)
    if "epoch_images" in settings:
        settings["epoch_images"] = count
    if trial.epochs is not None:
        settings["epochs"] = _EPOCHS
    build(_few(trial.drawn.plan, count, 2 * batch), scratch / "sets", trial.name)
    return TimeJob(
        name=trial.name,
        dataset=scratch / "sets" / trial.name,
        task=task,
        settings=settings,
        folder=scratch / "runs" / trial.name,
    )


def _few(plan: Plan, train: int, val: int) -> Plan:
    """So many frames of train and val, evenly out of all."""
    parts = []
    for split, count in ((TRAIN, train), (VAL, val)):
        places = np.flatnonzero(plan.split == split)
        parts.append(places[np.linspace(0, len(places) - 1, min(count, len(places))).astype(int)])
    kept = np.concatenate(parts)
    return replace(
        plan, rows=plan.rows[kept], split=plan.split[kept], same_shoot=plan.same_shoot[kept]
    )


def known_paces(
    trials: Sequence[Trial], folder: Path, threads: int | None, device: str
) -> dict[str, Pace]:
    """The paces of finished trainings of the same kinds, on such a machine.

    folder: holds their run folders. What cannot be read tells nothing.
    """
    wanted = {trial.pace for trial in trials}
    found: dict[str, list[Pace]] = {}
    machine = _machine(threads, device) if wanted else {}
    for file in sorted(folder.glob(f"*/{RESULT}")) if wanted else ():
        try:
            kind = pace_of(read_json(file)["config"])
            if kind not in wanted or len(found.get(kind, ())) == _RUNS:
                continue
            there = read_json(file.with_name(ENVIRONMENT))
            if machine == {
                "cpu": there["cpu"],
                "cpu_cores": there["cpu_cores"],
                "gpus": there["gpus"] and there["gpus"]["names"],
                "threads": there["threads"]["OMP_NUM_THREADS"],
            }:
                found.setdefault(kind, []).append(_pace_of_run(read_run(file.parent)))
        except (InputError, KeyError, ValueError, TypeError, AttributeError, OSError):
            continue
    return {
        kind: Pace(*(median(values) for values in zip(*map(_fields, paces), strict=True)))
        for kind, paces in found.items()
    }


def _machine(threads: int | None, device: str) -> dict[str, Any]:
    """What a run's environment would say of this machine; of no machine for a GPU left idle."""
    gpus = [line.rpartition(", ")[0] for line in environment.find_gpus()]
    return {
        "cpu": environment.cpu_model(),
        "cpu_cores": environment.cpu_cores(),
        "gpus": (device if device == "cpu" else gpus) if gpus else None,
        "threads": os.environ.get("OMP_NUM_THREADS") if threads is None else str(threads),
    }


def _fields(pace: Pace) -> tuple[float, float, float, float]:
    return pace.start_s, pace.picture_s, pace.check_s, pace.epoch_s


def _pace_of_run(run: Run) -> Pace:
    with (run.folder / METRICS).open(encoding="utf-8", newline="") as lines:
        ends = [float(row["seconds"]) for row in csv.DictReader(lines)]
    dataset = dataset_of(run)
    images = run.config.get("epoch_images") or len(dataset.frames("train"))
    later = [b - a for a, b in itertools.pairwise(ends)] or ends[:1]
    picture_s = median(later) / (images + CHECK_SHARE * len(dataset.frames("val")))
    start_s = max(0.0, ends[0] - median(later)) + max(0.0, run.seconds - ends[-1])
    return Pace(start_s, picture_s, CHECK_SHARE * picture_s)
