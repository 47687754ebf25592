"""`vqc merge`, `vqc jobs`, `vqc resume`: what becomes of shards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vqc.cli import show
from vqc.cli.options import AllowMixed, Quiet
from vqc.counts import counted

if TYPE_CHECKING:
    from vqc.batch import Job, Status

_SHOWN = 40


@dataclass(frozen=True, slots=True)
class _Unread:
    """A job of which nothing can be told. short: why, in few words. fault: why, and what to do."""

    folder: Path
    short: str
    fault: str


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
    from vqc import generate, store
    from vqc.errors import IncompleteError

    try:
        with show.progress(f"look at {folder}", "frames", quiet or json) as update:
            frames = len(generate.merge(folder, mixed, update).frames)
    except IncompleteError as error:
        lost = store.lost_records(folder)
        raise IncompleteError(f"{error}\n{lost}" if lost else str(error)) from None
    if json:
        show.as_json({"folder": str(folder), "frames": frames})
    elif not quiet:
        typer.echo(f"{folder}: {counted(frames, 'frame')}, all there; the set is finished")
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
    from vqc.errors import InputError

    looked = list(_look(folders or batch.find_jobs()))
    found = [status for status in looked if not isinstance(status, _Unread)]
    unread = [status for status in looked if isinstance(status, _Unread)]
    if json:
        show.as_json([_record(status) for status in looked])
    elif looked:
        _print_jobs(found if folders else looked)
        for status in found if folders else []:
            _print_shards(status)
        for status in found:
            _print_next(status)
    else:
        typer.echo(
            "no job here; vqc render … --engine slurm and vqc grid … --engine slurm make one"
        )
    if unread and folders:
        raise InputError("\n".join(status.fault for status in unread))


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

    job = batch.read_job(folder)
    status = batch.status_of(job, _queue(job), whole=True)
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


def _look(folders: Sequence[Path]) -> Iterator[Status | _Unread]:
    """How far each job is. Where Slurm's queue does not answer once, it is not asked again."""
    ask = True
    for folder in folders:
        status = _look_at(folder, ask)
        ask = ask and (isinstance(status, _Unread) or status.sure)
        yield status


def _look_at(folder: Path, ask: bool) -> Status | _Unread:
    from vqc import batch
    from vqc.errors import VqcError

    try:
        job = batch.read_job(folder)
    except (VqcError, OSError) as error:
        return _Unread(folder, "cannot be read", str(error))
    try:
        if job.results.exists():
            return batch.status_of(job, _queue(job) if ask or not job.submissions else None)
    except (VqcError, OSError) as error:
        return _Unread(folder, "cannot be read", str(error))
    what = "the set is gone" if job.kind == "render" else "the grid is gone"
    return _Unread(folder, what, f"{short(job.results)}: {what}; {batch.forget(job.folder)}")


def _queue(job: Job) -> Mapping[int, str] | None:
    """As batch.queued; Slurm is not asked of what it never got."""
    from vqc import batch

    return batch.queued(job) if job.submissions else {}


def _print_jobs(looked: Sequence[Status | _Unread]) -> None:
    columns = ("job", *_STATES, "results", "a minute", "left")
    if looked:
        show.table("jobs", columns, [_row(status) for status in looked])
    for remark in filter(None, map(_remark, looked)):
        typer.echo(remark)
    if not all(isinstance(status, _Unread) or status.sure for status in looked):
        typer.echo(
            "Slurm's queue could not be asked: what runs or waits counts as failed or missing"
        )


def _remark(status: Status | _Unread) -> str | None:
    """Why a job is not as it should be; None where the table says all of it."""
    from vqc import store

    if isinstance(status, _Unread):
        return status.fault
    unfinished = status.job.kind == "render" and status.done < status.total
    return store.lost_records(status.job.results) if unfinished else None


def _row(status: Status | _Unread) -> tuple[str, ...]:
    if isinstance(status, _Unread):
        return (short(status.folder), *("-" * len(_STATES)), status.short, "-", "-")
    counts = [str(len(status.in_state(state))) for state in _STATES]  # type: ignore[arg-type]
    rate = f"{status.rate * 60:.0f}" if status.rate else "-"
    left = show.clock(status.left_s) if status.left_s else "-"
    made = f"{status.done:,} of {counted(status.total, status.unit.removesuffix('s'))}"
    return (short(status.job.results), *counts, made, rate, left)


def _record(status: Status | _Unread) -> dict[str, Any]:
    """The same fields for every job; error: why the others say nothing."""
    if isinstance(status, _Unread):
        names = ("unit", "done", "total", "per_second", "left_s", "queue_known")
        folder = str(status.folder.resolve())
        return {"folder": folder, **dict.fromkeys(names), "shards": [], "error": status.fault}
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
        "error": None,
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
    from vqc.batch.status import NOT_SUBMITTED

    if status.in_state("failed", "missing") and status.sure:
        never = "" if status.job.submissions else NOT_SUBMITTED
        show.then("vqc", "resume", short(status.job.results), why=never)
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
