"""Engines of `vqc render` and `vqc grid` beside this machine: Slurm's queue, a Dask cluster."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from vqc.cli import show
from vqc.cli.batch import short

if TYPE_CHECKING:
    from vqc.batch import Job, Status
    from vqc.frames import Plan
    from vqc.grid.model import Grid
    from vqc.making import Workers
    from vqc.shards import Shard

ENGINES = ("local", "slurm", "dask")
_VALUED = ("--engine", "--shards", "--slurm", "--scheduler", "--shard")
_FLAGS = ("--write-only", "--fresh", "--json", "--quiet", "--dry-run", "--yes")
_LOOK_EVERY_S = 5.0


def require_engine(engine: str, given: dict[str, Any]) -> None:
    """InputError for an engine that is none, and for options of another one."""
    from vqc.errors import InputError

    if engine not in ENGINES:
        raise InputError(f"--engine: expected {', '.join(ENGINES)}, got {engine}")
    owner = {"slurm": "slurm", "write_only": "slurm", "scheduler": "dask"}
    wrong = [key for key, name in owner.items() if given.get(key) and engine != name]
    faults = [f"--{key.replace('_', '-')} is for --engine {owner[key]}" for key in wrong]
    if given.get("shards") and engine == "local":
        faults.append("--shards is for --engine slurm or dask; --shard K/N is one of them")
    if engine != "local" and given.get("shard"):
        faults.append("--shard is for --engine local: other engines share out all shards")
    if engine == "dask" and not given.get("scheduler"):
        faults.append("--engine dask needs --scheduler ADDRESS, such as tcp://host:8786")
    if given.get("shards") is not None and given["shards"] < 1:
        faults.append(f"--shards: expected 1 or more, got {given['shards']}")
    if faults:
        raise InputError("\n".join(faults))


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


def submit(job: Job, settings: Sequence[str], write_only: bool, quiet: bool) -> None:
    """Write a job's script, and hand over what is missing unless it is only to be written.

    Raises InputError where shards of it are in the queue.
    """
    from vqc import batch, shards
    from vqc.errors import InputError

    asked = batch.read_settings(settings)
    try:
        before = batch.read_job(job.results)
    except InputError:
        before = None
    if before is not None:
        busy = batch.status_of(before, batch.queued(before)).in_state("running", "waiting")
        if busy:
            raise InputError(
                f"{short(job.results)}: shards {shards.ranges(busy)} of it are in Slurm's queue; "
                "vqc jobs says how far they are, vqc resume submits what fails"
            )
    written = batch.write_script(asked, job)
    script = written.folder / "job.sh"
    missing = batch.status_of(written, {}, whole=True).in_state("failed", "missing")
    if write_only:
        typer.echo(f"{short(script)}: {job.shards} shards")
        show.then("vqc", "resume", short(job.results), why="submits what is missing")
        return
    sent = batch.hand_over(written, missing).submissions[-1]
    if not quiet:
        typer.echo(f"{short(script)}: job {sent.id}, shards {shards.ranges(missing)}")
        show.then("vqc", "jobs", short(job.results))


def on_dask(
    address: str,
    work: Callable[[Any], Any],
    count: int,
    status: Callable[[], Status],
    update: show.Update,
) -> list[tuple[int, str]]:
    """Run all shards on a cluster; returns those that were set aside, with why."""
    from vqc import shards
    from vqc.batch import dask

    told = [0.0]

    def watch() -> None:
        if time.monotonic() - told[0] > _LOOK_EVERY_S:
            now = status()
            update(now.done, now.total)
            told[0] = time.monotonic()

    def progress(shard: Shard) -> int:
        return status().shards[shard.number - 1].done

    items = list(shards.all_of(count))
    outcomes = dask.run(address, work, items, progress, watch)
    return [(o.index + 1, o.failure) for o in outcomes if o.failure is not None]


def render_to_slurm(
    plan: Plan,
    workers: Workers,
    fresh: bool,
    count: int | None,
    settings: Sequence[str],
    write_only: bool,
    quiet: bool,
) -> None:
    """Begin the set, and hand its shards to Slurm's queue."""
    from vqc import batch as room
    from vqc import generate

    cpus = room.read_settings(settings).cpus or 1
    count = count or _shards_for(plan, workers, fresh, cpus)
    found, total = generate.begin(plan, fresh)
    if found == total:
        typer.echo(f"{plan.folder}: all {total:,} frames are there")
        show.then("vqc", "merge", plan.folder)
        return
    command = shard_command(("--quiet",))
    job = room.Job(plan.folder.resolve(), "render", command, Path.cwd(), min(count, total))
    submit(job, settings, write_only, quiet)


def render_on_dask(
    plan: Plan,
    workers: Workers,
    fresh: bool,
    count: int | None,
    address: str,
    each: tuple[int, bool],
    quiet: bool,
) -> None:
    """Render every shard on a cluster; what was set aside there is told. each: processes, mixed."""
    from dataclasses import replace

    from vqc import batch as room
    from vqc import generate
    from vqc.batch.work import RenderWork
    from vqc.errors import IncompleteError

    count = count or max(_shards_for(plan, workers, fresh, each[0]), _LEAST_ON_DASK)
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
    with show.progress(f"render {plan.recipe.name} on {address}", "frames", quiet) as update:
        aside = on_dask(address, work, job.shards, lambda: room.status_of(job, None), update)
    if aside:
        lines = [f"  shard {number}/{job.shards}: {why}" for number, why in aside]
        raise IncompleteError(
            "\n".join([f"{plan.folder}: {len(aside)} of {job.shards} shards failed:", *lines])
            + "\nThe rest is finished; the same command tries them again"
        )


_LEAST_ON_DASK = 16
"""A Dask cluster hands shards to whoever is free, so there are to be more than a few."""


def _shards_for(plan: Plan, workers: Workers, fresh: bool, processes: int) -> int:
    """From a few frames measured here: shares of ten minutes for so many processes."""
    from vqc import batch as room
    from vqc import generate

    found = generate.estimate(plan, workers, fresh)
    return room.shards_for(found.seconds * workers.count / processes, max(1, found.frames))


def grid_to_slurm(
    made: Grid, count: int | None, settings: Sequence[str], write_only: bool, quiet: bool
) -> None:
    """Hand the trainings to Slurm's queue, by default each as a job of its own."""
    from vqc import batch as room
    from vqc import grid as grids

    names = grids.names_of(made)
    if not made.book().in_state("waiting"):
        typer.echo(f"{made.folder}: all {len(names)} trainings are there")
        show.then("vqc", *shard_command(), why="chooses, scores and draws")
        return
    grids.write_asked(made)
    shards = min(count or len(names), len(names))
    command = shard_command(("--quiet", "--yes"))
    job = room.Job(made.folder.resolve(), "grid", command, Path.cwd(), shards)
    submit(job, settings, write_only, quiet)


def grid_on_dask(made: Grid, count: int | None, address: str, quiet: bool) -> None:
    """Train on a cluster; what failed there is tried again here by the command that follows."""
    from vqc import batch as room
    from vqc import grid as grids
    from vqc.batch.work import GridWork
    from vqc.errors import IncompleteError

    names = grids.names_of(made)
    if not made.book().in_state("waiting"):
        return
    grids.write_asked(made)
    shards = min(count or len(names), len(names))
    job = room.Job(made.folder.resolve(), "grid", (), Path.cwd(), shards)
    with show.progress(f"grid {made.name} on {address}", "trainings", quiet) as update:
        aside = on_dask(address, GridWork(made), shards, lambda: room.status_of(job, None), update)
    if aside or made.book().in_state("waiting"):
        lines = [f"  shard {number}/{shards}: {why}" for number, why in aside]
        waiting = len(made.book().in_state("waiting"))
        raise IncompleteError(
            "\n".join([f"{made.folder}: {waiting} trainings are not there:", *lines])
            + "\nThe same command tries them again; worker-KofN.log beside the grid says more"
        )
