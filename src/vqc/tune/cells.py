"""One trial: its mix, its training in a process of its own, its score.

In: values of all axes. Out: `Result`. A training that fails, or kills its process, is a result.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from vqc import mix
from vqc.errors import InputError, OutputError, VqcError
from vqc.grid.crew import answers
from vqc.grid.worker import Crew, TrainJob
from vqc.runs import RESULT, Run, read_run
from vqc.tune.decide import Cell, Tune, val_of
from vqc.tune.result import Result
from vqc.tune.space import Value

Work = Callable[[TrainJob, Crew], Mapping[str, Any]]
"""Does a job; the answer holds `failure` where that did not work."""


def in_a_process(job: TrainJob, crew: Crew) -> Mapping[str, Any]:
    """Do it in a fresh process: whatever a training leaves in memory goes with it."""
    ((_, answer),) = answers(crew, [job])
    return answer


def do(tune: Tune, number: int, values: Mapping[str, Value], crew: Crew, work: Work) -> Result:
    """Mix, train and score; raises OutputError where a set cannot be written."""
    started = time.monotonic()
    result = Result(number, values)
    try:
        cell = tune.cell(values)
        result = replace(result, dataset=cell.set_name, run=cell.run)
        run = _finished(tune, cell) or _trained(tune, cell, crew, work)
        score = _score(run, tune.task.headline.metric)
    except OutputError:
        raise
    except VqcError as error:
        seconds = round(time.monotonic() - started, 1)
        return replace(result, seconds=seconds, failure=str(error))
    return replace(
        result,
        score=score,
        metrics={k: v for k, v in run.metrics.items() if math.isfinite(v)},
        epochs=run.epochs,
        best_epoch=run.best_epoch,
        seconds=round(max(run.seconds, time.monotonic() - started), 1),
    )


def _finished(tune: Tune, cell: Cell) -> Run | None:
    """The run, where this or another search has trained it already."""
    try:
        return read_run(tune.runs / cell.run)
    except InputError:
        return None


def _trained(tune: Tune, cell: Cell, crew: Crew, work: Work) -> Run:
    plan = mix.plan(tune.asked.pool, cell.request)
    if not np.array_equal(val_of(tune.asked.pool, plan), tune.val.frames):
        raise VqcError(f"{cell.set_name}: its val is another one than that of the search")
    places, folder = tune.asked.places, tune.runs / cell.run
    job = TrainJob(
        name=cell.run,
        dataset=mix.build(plan, places.sets, cell.set_name).folder,
        task=tune.task.name,
        settings=cell.settings,
        root=places.root / "cells",
        fresh=(folder / RESULT).is_file(),  # one that is not whole: see _finished
    )
    answer = work(job, crew)
    if "failure" in answer:
        raise VqcError(str(answer["failure"]))
    return read_run(folder)


def _score(run: Run, metric: str) -> float:
    score = run.metrics.get(metric, math.nan)
    if run.chosen_on != "val" or not math.isfinite(score):
        raise VqcError(f"{run.folder}: the training gave no {metric} on val")
    return float(score)
