"""Engines of `vqc render` and `vqc grid` beside this machine: Slurm's queue, a Dask cluster."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from vqc.cli import show
from vqc.cli.batch import short
from vqc.counts import counted

if TYPE_CHECKING:
    from vqc.batch import Job, Settings, Status
    from vqc.frames import Plan
    from vqc.grid.model import Grid
    from vqc.making import Workers

ENGINES = ("local", "slurm", "dask")
_VALUED = ("--engine", "--shards", "--slurm", "--scheduler", "--shard")
_FLAGS = ("--write-only", "--fresh", "--json", "--quiet", "--dry-run", "--yes")
_LOOK_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Where:
    """What a user said about where the work is done, as the options of the same names."""

    engine: str
    shard: str | None
    shards: int | None
    slurm: tuple[str, ...]
    write_only: bool
    scheduler: str | None

    def __post_init__(self) -> None:
        """InputError for an engine that is none, and for options of another one."""
        from vqc.errors import InputError

        if self.engine not in ENGINES:
            raise InputError(f"--engine: expected {', '.join(ENGINES)}, got {self.engine}")
        owner = {"slurm": "slurm", "write_only": "slurm", "scheduler": "dask"}
        wrong = [key for key, name in owner.items() if getattr(self, key) and self.engine != name]
        faults = [f"--{key.replace('_', '-')} is for --engine {owner[key]}" for key in wrong]
        if self.shards and self.engine == "local":
            faults.append("--shards is for --engine slurm or dask; --shard K/N is one of them")
        if self.engine != "local" and self.shard:
            faults.append("--shard is for --engine local: other engines share out all shards")
        if self.engine == "dask" and not self.scheduler:
            faults.append("--engine dask needs --scheduler ADDRESS, such as tcp://host:8786")
        if self.shards is not None and self.shards < 1:
            faults.append(f"--shards: expected 1 or more, got {self.shards}")
        if faults:
            raise InputError("\n".join(faults))


@dataclass(frozen=True, slots=True)
class Voice:
    """How a command speaks: not at all, or in one JSON object, or as people like it."""

    quiet: bool
    json: bool

    @property
    def silent(self) -> bool:
        return self.quiet or self.json


def shard_command(more: Sequence[str] = ()) -> tuple[str, ...]:
    """The command as it was typed, without what a shard must not do; `more` at its end."""
    words, left = [], list(sys.argv[1:])
    while left:
        word = left.pop(0)
        name, sign, _ = word.partition("=")
        if name in _VALUED:
            if not sign and left:
                left.pop(0)
        elif word not in _FLAGS:
            words.append(word)
    return (*words, *more)


def _require_free(job: Job, asked: Settings, write_only: bool) -> None:
    """Raise before anything is touched: InputError where shards of an earlier submission may be
    at work, what Slurm says where it would not take the job."""
    from vqc import batch, shards
    from vqc.errors import InputError

    before = batch.earlier_job(job.results)
    if before is not None and before.submissions:
        busy = batch.at_work(before)
        if busy is None:
            raise InputError(
                f"{short(job.results)} went to Slurm before, whose queue could not be asked, so "
                "shards of it may be at work; give the command on a machine that submits to "
                f"Slurm, or delete {short(job.folder)} if nothing of it runs"
            )
        if busy:
            raise InputError(
                f"{short(job.results)}: shards {shards.ranges(busy)} of it are in Slurm's queue, "
                "nothing was changed; vqc jobs says how far they are, vqc resume submits what fails"
            )
    if not write_only:
        batch.require_taken(asked, job)


def _submit(job: Job, asked: Settings, write_only: bool, voice: Voice) -> None:
    """Write a job's script, and hand over what is missing unless it is only to be written."""
    from vqc import batch

    written = batch.write_script(asked, job)
    missing = batch.status_of(written, {}, whole=True).in_state("failed", "missing")
    if write_only:
        _say_submitted(job, voice, None, missing)
    else:
        _say_submitted(job, voice, batch.hand_over(written, missing).submissions[-1].id, missing)


def _say_submitted(job: Job, voice: Voice, id: str | None, missing: Sequence[int]) -> None:
    """id: Slurm's name for what was submitted; None where nothing was."""
    from vqc import batch, shards

    script = job.folder / batch.SCRIPT
    if voice.json:
        written = str(script) if script.exists() else None
        record = {"folder": str(job.results), "script": written, "job": id}
        show.as_json(record | {"shards": job.shards, "missing": list(missing)})
    elif voice.quiet:
        return
    elif not missing:
        typer.echo(f"{short(job.results)}: all of it is there, nothing was submitted")
    elif id is None:
        typer.echo(f"{short(script)}: {job.shards} shards")
        show.then("vqc", "resume", short(job.results), why="submits what is missing")
    else:
        typer.echo(f"{short(script)}: job {id}, shards {shards.ranges(missing)}")
        show.then("vqc", "jobs", short(job.results))


def on_dask(
    where: Where,
    work: Callable[[Any], Any],
    count: int,
    status: Callable[[], Status],
    update: show.Update,
) -> list[tuple[int, str]]:
    """Run all shards on a cluster; returns those that were set aside, with why."""
    from vqc import shards
    from vqc.batch import dask

    due = 0.0

    def look() -> list[int]:
        nonlocal due
        began = time.monotonic()
        now = status()
        update(now.done, now.total)
        took = time.monotonic() - began  # of large sets on a shared file system, seconds
        due = time.monotonic() + max(_LOOK_EVERY_S, 10 * took)
        return [shard.done for shard in now.shards]

    def watch() -> None:
        if time.monotonic() > due:
            look()

    items = list(shards.all_of(count))
    try:
        outcomes = dask.run(str(where.scheduler), work, items, look, watch)
        return [(o.index + 1, o.failure) for o in outcomes if o.failure is not None]
    except KeyboardInterrupt:
        if due:  # all are on the cluster
            typer.echo("the cluster's workers finish the shards that they are at", err=True)
        raise


def render_to_slurm(plan: Plan, workers: Workers, fresh: bool, where: Where, voice: Voice) -> None:
    """Begin the set, and hand its shards to Slurm's queue."""
    from vqc import batch as room
    from vqc import generate

    asked = room.read_settings(where.slurm)
    count = where.shards or _shards_for(plan, workers, fresh, asked.cpus or 1)
    shards = min(count, plan.recipe.frames)
    command = shard_command(("--quiet",))
    job = room.Job(plan.folder.resolve(), "render", command, Path.cwd(), shards)
    needed = fresh or _lacks_frames(plan)
    if needed:
        _require_free(job, asked, where.write_only)
    found, total = generate.begin(plan, fresh)
    if found < total:
        if not needed:  # frames are recorded and spoilt
            _require_free(job, asked, where.write_only)
        _submit(job, asked, where.write_only, voice)
        return
    _say_submitted(job, voice, None, ())
    if not voice.silent:
        show.then("vqc", "merge", plan.folder)


def render_on_dask(
    plan: Plan,
    workers: Workers,
    fresh: bool,
    where: Where,
    voice: Voice,
    each: tuple[int, bool],
) -> None:
    """Render every shard on a cluster; what was set aside there is told. each: processes, mixed."""
    from dataclasses import replace

    from vqc import batch as room
    from vqc import generate
    from vqc.batch import dask
    from vqc.batch.work import RenderWork
    from vqc.errors import IncompleteError

    if fresh or _lacks_frames(plan):
        dask.require_cluster(str(where.scheduler))
    count = where.shards or max(_shards_for(plan, workers, fresh, each[0]), _LEAST_ON_DASK)
    found, total = generate.begin(plan, fresh)
    if found == total:
        return
    here = replace(
        plan,
        folder=plan.folder.resolve(),
        paths={key: path.resolve() for key, path in plan.paths.items()},
    )
    job = room.Job(here.folder, "render", (), Path.cwd(), min(count, total))
    work = RenderWork(here, *each)
    bar = show.progress(f"render {plan.recipe.name} on {where.scheduler}", "frames", voice.silent)
    with bar as update:
        aside = on_dask(where, work, job.shards, lambda: room.status_of(job, None), update)
    if aside:
        lines = [f"  shard {number}/{job.shards}: {why}" for number, why in aside]
        raise IncompleteError(
            "\n".join([f"{plan.folder}: of {job.shards} shards {len(aside)} failed:", *lines])
            + "\nThe rest is finished; the same command tries them again"
        )


_LEAST_ON_DASK = 16
"""A Dask cluster hands shards to whoever is free, so there are to be more than a few."""


def _lacks_frames(plan: Plan) -> bool:
    """Whether frames have no record, so that a scheduler is needed for sure."""
    from vqc import store

    return len(store.records_of(plan.folder)) < plan.recipe.frames


def _shards_for(plan: Plan, workers: Workers, fresh: bool, processes: int) -> int:
    """From a few frames measured here: shares of ten minutes for so many processes."""
    from vqc import batch as room
    from vqc import generate

    found = generate.estimate(plan, workers, fresh)
    return room.shards_for(found.seconds * workers.count / processes, max(1, found.frames))


def grid_to_slurm(made: Grid, where: Where, voice: Voice) -> None:
    """Hand the trainings to Slurm's queue, by default each as a job of its own."""
    from vqc import batch as room
    from vqc import grid as grids

    names = grids.names_of(made)
    shards = min(where.shards or len(names), len(names))
    command = shard_command(("--quiet", "--yes"))
    job = room.Job(made.folder.resolve(), "grid", command, Path.cwd(), shards)
    if made.book().in_state("waiting"):
        asked = room.read_settings(where.slurm)
        _require_free(job, asked, where.write_only)
        grids.write_asked(made)
        _submit(job, asked, where.write_only, voice)
        return
    _say_submitted(job, voice, None, ())
    if not voice.silent:
        show.then("vqc", *shard_command(), why="chooses, scores and draws")


def grid_on_dask(made: Grid, where: Where, voice: Voice) -> None:
    """Train on a cluster. IncompleteError tells what failed there, and why."""
    from vqc import batch as room
    from vqc import grid as grids
    from vqc.batch import dask
    from vqc.batch.work import GridWork
    from vqc.errors import IncompleteError

    names = grids.names_of(made)
    if not made.book().in_state("waiting"):
        return
    dask.require_cluster(str(where.scheduler))
    grids.write_asked(made)
    shards = min(where.shards or len(names), len(names))
    job = room.Job(made.folder.resolve(), "grid", (), Path.cwd(), shards)
    bar = show.progress(f"grid {made.name} on {where.scheduler}", "trainings", voice.silent)
    with bar as update:
        aside = on_dask(where, GridWork(made), shards, lambda: room.status_of(job, None), update)
    if aside or made.book().in_state("waiting"):
        told = [(f"shard {number}/{shards}: ", why) for number, why in aside]
        lines = [f"  {shard}{why.removeprefix(shard)}" for shard, why in told]
        lacking = counted(len(made.book().in_state("waiting")), "training")
        raise IncompleteError(
            "\n".join([f"{made.folder}: {lacking} not there:", *lines])
            + "\nThe same command tries them again; worker-KofN.log beside the grid says more"
        )
