"""A decided grid → every training done, the chosen cell scored on test, and all files.

In: `Grid`. Out: `Book`, and the folder that `model` describes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vqc.counts import counted
from vqc.errors import IncompleteError, OutputError, VqcError
from vqc.grid.book import Book
from vqc.grid.crew import LOG, answers, gathered, held
from vqc.grid.follow import Follower, Tell, every_second
from vqc.grid.layout import Trial
from vqc.grid.model import Grid, require_same, write_asked
from vqc.grid.pace import Pace, known_paces, seconds_of, time_job
from vqc.grid.pictures import draw_pictures, photo_budget
from vqc.grid.worker import Crew, Job, ScoreJob, TrainJob
from vqc.mix import build
from vqc.runs import RESULT
from vqc.shards import Shard
from vqc.types import Progress


@dataclass(frozen=True, slots=True)
class Estimate:
    """seconds: for what is missing; None where nothing tells. notes: what could not be timed."""

    missing: int
    seconds: float | None
    paces: Mapping[str, Pace]
    notes: tuple[str, ...] = ()


def estimate(grid: Grid, on_progress: Progress = lambda done, total: None) -> Estimate:
    """How long the missing trainings will take; a few batches of each kind are trained for it.

    Finished trainings of the same kind serve instead. on_progress: kinds timed, kinds in all.
    """
    missing = grid.book().in_state("waiting")
    device = str(grid.drawing.request.settings.get("device", grid.workers.devices[0] or ""))
    paces = known_paces(missing, grid.runs, grid.workers.threads, device)
    kinds: dict[str, Trial] = {}
    for trial in sorted(missing, key=lambda trial: -trial.images):
        if trial.pace not in paces:
            kinds.setdefault(trial.pace, trial)
    notes = []
    with tempfile.TemporaryDirectory(prefix="vqc-grid-") as scratch:
        jobs = [time_job(trial, grid.task, Path(scratch)) for trial in kinds.values()]
        one, log = grid.workers.devices[:1], Path(scratch, LOG)
        with gathered(log, one, grid.workers.threads) as crew:
            on_progress(0, len(jobs))
            for done, (job, answer) in enumerate(answers(crew, jobs), start=1):
                if "pace" in answer:
                    kind = next(k for k, trial in kinds.items() if trial.name == job.name)
                    paces[kind] = answer["pace"]
                else:
                    notes.append(f"{job.name} could not be timed: {answer['failure']}")
                on_progress(done, len(jobs))
    return anew(grid, Estimate(len(missing), None, paces, tuple(notes)))


def anew(grid: Grid, known: Estimate) -> Estimate:
    """How long what is missing now takes at paces that are known: the grid has become another."""
    missing = grid.book().in_state("waiting")
    seconds = seconds_of(missing, known.paces, len(grid.workers.devices))
    return replace(known, missing=len(missing), seconds=seconds)


def run(
    grid: Grid,
    tell: Tell = lambda status: None,
    on_sets: Progress = lambda done, total: None,
) -> Book:
    """Train what is missing, choose a cell on val, score it alone on test, write everything.

    A training that fails is noted, and the others go on. tell: how far it is, now and then.
    on_sets: sets made, sets in all. Raises OutputError where the results cannot be written,
    InputError where another command is at this grid, RecipeError where another grid is there.
    """
    with held(grid.folder):
        require_same(grid)
        book = grid.book()
        write_asked(grid)
        book.write(grid.folder)
        workers = grid.workers
        with gathered(grid.folder / LOG, workers.devices, workers.threads) as crew:
            _train(grid, book, crew, tell, on_sets, lambda: book.write(grid.folder))
            _choose(grid, book, crew)
        book.budget = photo_budget(book)
        book.write(grid.folder)
        book.notes += draw_pictures(book, grid.folder)
        book.write(grid.folder)
    return book


def run_shard(
    grid: Grid,
    shard: Shard,
    tell: Tell = lambda status: None,
    on_sets: Progress = lambda done, total: None,
) -> Book:
    """Train a share of what the grid takes, and nothing else: another command chooses and scores.

    Shards may go on side by side, on any machine that has the same folders. Returns the book of
    this shard's trainings. tell, on_sets: see `run`.
    """
    mine = set(shard.of(names_of(grid)))
    part = replace(grid, trials=[trial for trial in grid.trials if trial.name in mine])
    book = part.book()
    log = grid.folder / f"worker-{shard.number}of{shard.count}.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{log}: cannot be written: {error.strerror or error}") from None
    with gathered(log, grid.workers.devices, grid.workers.threads) as crew:
        _train(part, book, crew, tell, on_sets, lambda: None)
    return book


def require_trained(book: Book, shard: Shard) -> None:
    """Raise IncompleteError with every training of a shard that failed, and why."""
    failed = book.in_state("failed")
    if failed:
        why = [f"  {trial.name}: {book.results[trial.name].failure}" for trial in failed]
        what = f"shard {shard}: {counted(len(failed), 'training')} failed:"
        raise IncompleteError("\n".join([what, *why]))


def names_of(grid: Grid) -> list[str]:
    """All trainings of a grid, each once: what shards are of."""
    return list(dict.fromkeys(trial.name for trial in grid.trials))


def _train(
    grid: Grid,
    book: Book,
    crew: Crew,
    tell: Tell,
    on_sets: Progress,
    keep: Callable[[], None],
) -> None:
    """keep: called whenever the book says something new."""
    waiting = book.in_state("waiting")
    jobs: list[Job] = []
    for done, trial in enumerate(waiting):
        on_sets(done, len(waiting))
        dataset, why = _made(grid, trial)
        if dataset is None:
            book.fail(trial.name, why)
            continue
        is_spoilt = (grid.runs / trial.name / RESULT).is_file()  # or it would count as done
        root = grid.places.root / "cells"
        jobs.append(TrainJob(trial.name, dataset, grid.task, trial.settings, root, is_spoilt))
    on_sets(len(waiting), len(waiting))
    follower = Follower(book, waiting, crew.folder)
    tell(follower.status())
    with every_second(lambda: tell(follower.status())):
        for job, answer in answers(crew, jobs):
            if "failure" in answer:
                book.fail(job.name, answer["failure"])
            elif book.look(job.name).state != "done":
                book.fail(job.name, "the training ended without a result")
            keep()
    tell(follower.status())


def _made(grid: Grid, trial: Trial) -> tuple[Path | None, str]:
    """The folder of a training's set, made where it is not there; or why there is none."""
    try:
        return build(trial.drawn.plan, grid.places.sets, trial.drawn.set_name).folder, ""
    except VqcError as error:
        return None, str(error)


def _choose(grid: Grid, book: Book, crew: Crew) -> None:
    """The best cell on val; only its repeats are scored on test, which so chooses nothing."""
    best = book.best()
    if best is None:
        return
    finished = [t for t in book.trials_of(best[0]) if book.results[t.name].state == "done"]
    book.chosen = {"cell": best[0].name, "test": []}
    book.write(grid.folder)
    if not grid.drawing.has_test:
        return
    device = str(grid.drawing.request.settings.get("device", ""))
    scores: dict[str, dict[str, Any]] = {}
    jobs: list[Job] = []
    for trial in finished:
        dataset, why = _made(grid, trial)
        if dataset is None:
            scores[trial.name] = _no(why)
        else:
            jobs.append(ScoreJob(trial.name, grid.runs / trial.name, dataset, "test", device))
    for job, answer in answers(crew, jobs):
        scores[job.name] = answer if "mark" in answer else _no(answer["failure"])
    book.chosen["test"] = [{"seed": t.drawn.seed, **scores[t.name]} for t in finished]


def _no(why: str) -> dict[str, Any]:
    """A score that there is not."""
    return {"metrics": {}, "mark": f"no score: {why}"}
