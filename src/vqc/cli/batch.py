"""`vqc merge`, `vqc jobs`, `vqc resume`: what becomes of shards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vqc.cli import show
from vqc.cli.options import AllowMixed, Quiet

if TYPE_CHECKING:
    from vqc.batch import Status

_SHOWN = 40


def merge(
    folder: Annotated[Path, typer.Argument(help="The set that shards were rendered into.")],
    mixed: AllowMixed = False,
    quiet: Quiet = False,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Join shards into one set: the manifest is that of one machine doing it all.

    Every file is compared with its record. Frames that are missing are listed, and nothing is
    written then.

    \b
    Example:
      vqc merge renders/magnets
    """
    from vqc import generate

    with show.progress(f"look at {folder}", "frames", quiet or json) as update:
        manifest = generate.merge(folder, mixed, update)
    if json:
        show.as_json({"folder": str(folder), "frames": len(manifest.frames)})
    elif not quiet:
        typer.echo(f"{folder}: {len(manifest.frames):,} frames, all there; the set is finished")
        show.then("vqc", "inspect", folder)


def jobs(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(help="Sets or grids [default: all in renders and runs/grids]."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
) -> None:
    """Say how far jobs are that went to Slurm: what is done, running, waiting, failed, missing.

    A shard is done when its results are there, whatever the queue says. With folders, every shard
    that is not done has a line with the last that is known of it.

    \b
    Examples:
      vqc jobs
      vqc jobs renders/magnets
    """
    from vqc import batch

    found = [_status(folder) for folder in folders or batch.find_jobs()]
    if json:
        show.as_json([_record(status) for status in found])
        return
    if not found:
        typer.echo(
            "no job here; vqc render … --engine slurm and vqc grid … --engine slurm make one"
        )
        return
    columns = ("job", *_STATES, "results", "a minute", "left")
    show.table("jobs", columns, [_row(status) for status in found])
    if not all(status.sure for status in found):
        show.notes(
            ["Slurm's queue could not be asked: what runs or waits counts as failed or missing"]
        )
    for status in found if folders else []:
        _print_shards(status)
    for status in found:
        _print_next(status)


def resume(
    folder: Annotated[Path, typer.Argument(help="The set or the grid.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say which shards, submit nothing.")
    ] = False,
) -> None:
    """Submit what failed or is missing once more, and nothing else.

    \b
    Example:
      vqc resume renders/magnets
    """
    from vqc import batch, shards
    from vqc.errors import InputError

    status = _status(folder, whole=True)
    if not status.sure:
        raise InputError(
            "squeue: Slurm's queue could not be asked, so what runs cannot be told from what is "
            "missing; give the command on a machine that submits to Slurm"
        )
    numbers = status.in_state("failed", "missing")
    if numbers and not dry_run:
        sent = batch.hand_over(status.job, numbers).submissions[-1]
        typer.echo(f"{folder}: job {sent.id} has shards {shards.ranges(numbers)}")
    elif numbers:
        typer.echo(f"{folder}: shards {shards.ranges(numbers)} would be submitted")
    else:
        typer.echo(f"{folder}: nothing to submit, all shards are done, running or waiting")
    _print_next(status)


_STATES = ("done", "running", "waiting", "failed", "missing")


def _status(folder: Path, whole: bool = False) -> Status:
    from vqc import batch

    job = batch.read_job(folder)
    return batch.status_of(job, batch.queued(job), whole)


def _row(status: Status) -> tuple[str, ...]:
    counts = [str(len(status.in_state(state))) for state in _STATES]  # type: ignore[arg-type]
    rate = f"{status.rate * 60:.0f}" if status.rate else "-"
    left = show.clock(status.left_s) if status.left_s else "-"
    made = f"{status.done:,} of {status.total:,} {status.unit}"
    return (short(status.job.results), *counts, made, rate, left)


def _record(status: Status) -> dict[str, Any]:
    return {
        "folder": str(status.job.results),
        "unit": status.unit,
        "done": status.done,
        "total": status.total,
        "per_second": status.rate,
        "left_s": status.left_s,
        "queue_known": status.sure,
        "shards": [
            {"shard": s.number, "state": s.state, "done": s.done, "total": s.total, "why": s.why}
            for s in status.shards
        ],
    }


def _print_shards(status: Status) -> None:
    rows = [
        (str(s.number), s.state, f"{s.done:,} of {s.total:,}", s.why)
        for s in status.shards
        if s.state != "done"
    ]
    if rows:
        columns = ("shard", "state", status.unit, "the last that is known")
        show.table(short(status.job.results), columns, rows[:_SHOWN])
    if len(rows) > _SHOWN:
        typer.echo(f"... and {len(rows) - _SHOWN:,} more; --json has them all")


def _print_next(status: Status) -> None:
    if status.in_state("failed", "missing") and status.sure:
        show.then("vqc", "resume", short(status.job.results))
    elif status.done == status.total and status.job.kind == "render":
        if not (status.job.results / "manifest.jsonl").exists():
            show.then("vqc", "merge", short(status.job.results))
    elif status.done == status.total:
        words = [word for word in status.job.command if word not in ("--quiet", "--yes")]
        show.then("vqc", *words, why="chooses, scores and draws")


def short(path: Path) -> str:
    """Relative where it lies below the working directory."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
