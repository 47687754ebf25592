"""`vqc grid`: which mix of renders and photos is worth it."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vqc.cli import engines, extras, show
from vqc.cli.options import (
    AllowLeaks,
    AllowShort,
    Background,
    Batch,
    Box,
    Device,
    Engine,
    From,
    MinVisibility,
    PerClassTest,
    PerClassVal,
    Quiet,
    RunsFolder,
    Scheduler,
    Set,
    Shard,
    Shards,
    Slurm,
    TaskName,
    Test,
    TestFraction,
    Val,
    ValFraction,
    ValSessions,
    Weights,
    WriteOnly,
)  # fmt: skip
from vqc.counts import counted

if TYPE_CHECKING:
    from vqc.grid.book import Book
    from vqc.grid.follow import Status
    from vqc.grid.model import Grid
    from vqc.grid.trainings import Estimate

ASK_ABOVE_S = 3600.0


def grid(
    ctx: typer.Context,
    cad: Annotated[str, typer.Option(help="Renders in all, with commas.")] = "150,250,500,1000",
    real: Annotated[
        str, typer.Option(help="Photos of each class, with commas; all may be among them.")
    ] = "5,10,20",
    repeats: Annotated[
        int, typer.Option(help="Trainings of each cell, each with its own draw and seed.")
    ] = 3,
    imgsz: Annotated[
        str | None, typer.Option(help="Longer side of the pictures, px; several: an axis.")
    ] = None,
    epochs: Annotated[
        str | None, typer.Option(help="How often the pictures are seen; several: an axis.")
    ] = None,
    freeze: Annotated[
        str | None, typer.Option(help="First layers that stay as they are; several: an axis.")
    ] = None,
    grey: Annotated[str, typer.Option(help="Grey copies: no, yes or both.")] = "no",
    select: Annotated[
        str, typer.Option(help="Which photos: random, diverse or random,diverse.")
    ] = "random",
    equal: Annotated[
        str | None,
        typer.Option(help="What cells have in common: images seen, or epochs [default: images]."),
    ] = None,
    from_: From = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the grid [default: from what it is].")
    ] = None,
    out: RunsFolder = Path("runs"),
    val: Val = None,
    test: Test = None,
    val_fraction: ValFraction = 0.0,
    val_sessions: ValSessions = 0.0,
    test_fraction: TestFraction = 0.0,
    per_class_val: PerClassVal = "40",
    per_class_test: PerClassTest = "40",
    background: Background = None,
    box: Box = "modal",
    min_visibility: MinVisibility = 0.0,
    allow_short: AllowShort = False,
    allow_leaks: AllowLeaks = False,
    task: TaskName = "detect",
    weights: Weights = None,
    batch: Batch = None,
    seed: Annotated[int, typer.Option(help="Of the first repeat; the next one has the next.")] = 0,
    set_: Set = None,
    device: Device = None,
    devices: Annotated[
        str | None, typer.Option(help="GPUs with a training on each at a time, such as 0,1,2,3.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Trainings at a time, cores divided among them.")
    ] = None,
    engine: Engine = "local",
    shard: Shard = None,
    shards: Shards = None,
    slurm: Slurm = None,
    write_only: WriteOnly = False,
    scheduler: Scheduler = None,
    budget: Annotated[
        float | None,
        typer.Option(help="Minutes that it may take: fewer repeats, then fewer epochs."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be trained, and for how long.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, however long it takes.")] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Replace the tables of another grid of that name.")
    ] = False,
    quiet: Quiet = False,
    json: Annotated[bool, typer.Option("--json", help="Print grid.json, or the plan.")] = False,
) -> None:
    """Train every mix of so many renders and so many photos, and compare them.

    By default the original study's grid, each cell three times where the study trained once:
    equal trainings differ by a few points of mAP50, so one run a cell proves little. All cells
    have one val, which chooses the cell; that one alone is scored on test. All cells see
    equally many pictures. Without a shoot for val, a fifth of the training photos is cut out.

    Trainings are kept by their content, under runs/cells: stopped at any moment, the same
    command goes on, and another grid trains only what is new to it. Tables, heatmaps, curves
    and the photo budget go to runs/grids/<name>. Above an hour it asks first. The same grid
    with more cells or repeats goes on under its name.

    \b
    Examples:
      vqc grid --dry-run
      vqc grid --cad 0,150,500 --real 0,5,10 --test january --epochs 50
      vqc grid --cad 500 --real 10 --imgsz 640,1024 --grey both --devices 0,1
      vqc grid --real 5,10 --budget 120 --yes
      vqc grid --real 5,10 --engine slurm --slurm gpus=1 --slurm account=m1234
    """
    where = engines.Where(engine, shard, shards, tuple(slurm or ()), write_only, scheduler)
    voice = engines.Voice(quiet, json)
    from vqc import grid as grids
    from vqc import mix as mixer
    from vqc.grid import telling

    axes = _axes({"imgsz": imgsz, "epochs": epochs, "freeze": freeze}, grey, select)
    cads, reals = grids.numbers("--cad", cad), grids.counts("--real", real)
    template = mixer.Request(
        cad=cads[-1],
        real=reals[-1],
        background=background,
        per_class_val=grids.number_or_all("--per-class-val", per_class_val),
        per_class_test=grids.number_or_all("--per-class-test", per_class_test),
        splits=mixer.SplitRules(
            tuple(val or ()),
            tuple(test or ()),
            val_fraction,
            test_fraction,
            val_sessions=val_sessions or None,
        ),
        box=box,  # type: ignore[arg-type]
        min_visibility=min_visibility,
        allow_short=allow_short,
        allow_leaks=allow_leaks,
    )
    request = grids.GridRequest(
        mix=template,
        cad=cads,
        real=reals,
        repeats=repeats,
        axes=axes,
        task=task,
        settings=extras.given(
            ctx, {"weights": weights, "batch": batch, "device": device}, set_ or ()
        ),
        equal=equal,  # type: ignore[arg-type]
        seed=seed,
    )
    workers = grids.workers_of(devices, jobs, device)
    silent = voice.silent
    folders, remarks = mixer.find_sets(from_)
    with show.progress("read manifests", "MB", silent) as update:
        pool = mixer.read_pool(
            folders, min_visibility, lambda done, total: update(done >> 20, total >> 20)
        )
    asked = grids.Asked(request, pool, grids.Places(root=out), workers, name, budget, fresh)
    with (
        show.progress("draw cells", "draws", silent) as update,
        extras.explained(ctx, f"the task {task}"),
    ):
        made = grids.prepare(asked, update)
    if not dry_run:
        grids.require_same(made)
    estimate = None
    if dry_run or not yes or (budget is not None and made.cut is None):
        with show.progress("time a few batches", "kinds", silent) as update:
            estimate = grids.estimate(made, update)
    if budget is not None and made.cut is None and estimate is not None:
        made = grids.shorten(made, budget, estimate)
        estimate = grids.anew(made, estimate)
    if dry_run:
        _print_plan(made, estimate, remarks, silent, json)
        return
    if not yes and estimate is not None:
        _ask(made, estimate)
    if engine == "slurm":
        engines.grid_to_slurm(made, where, voice)
        return
    if shard is not None:
        _train_share(made, shard, silent)
        return
    if engine == "dask":
        engines.grid_on_dask(made, where, voice)
    with contextlib.ExitStack() as bars:
        screen = _Screen(bars, silent)
        book = grids.run(made, screen.tell, screen.sets)
    if json:
        show.as_json(book.record() | {"folder": str(made.folder)})
    elif not quiet:
        show.notes([*remarks, *book.notes])
        _print(made, book)
    telling.require_all(made, book)


def _train_share(made: Grid, text: str, quiet: bool) -> None:
    """Train one share; every training that failed is told, and makes the command fail."""
    from vqc import grid as grids
    from vqc import shards

    share = shards.parse(text)
    with contextlib.ExitStack() as bars:
        screen = _Screen(bars, quiet)
        book = grids.run_shard(made, share, screen.tell, screen.sets)
    grids.require_trained(book, share)
    if not quiet:
        typer.echo(f"shard {share}: {len(book.trials)} trainings are there")


def _axes(texts: Mapping[str, str | None], grey: str, select: str) -> dict[str, tuple[Any, ...]]:
    """Further axes, those of one value too; InputError for what does not read."""
    from vqc import grid as grids

    axes: dict[str, tuple[Any, ...]] = {
        "grey": {"no": (False,), "yes": (True,), "both": (False, True)}.get(grey, ()),
        "select": grids.words("--select", select, ("random", "diverse")),
    }
    if not axes["grey"]:
        grids.words("--grey", grey, ("no", "yes", "both"))
        axes["grey"] = (False, True)
    for name, text in texts.items():
        if text is not None:
            axes[name] = grids.numbers(f"--{name}", text)
    return axes


def _ask(made: Grid, estimate: Estimate) -> None:
    """Above an hour only; InputError where there is nobody to ask."""
    from vqc.errors import InputError

    seconds = estimate.seconds
    if seconds is not None and seconds <= ASK_ABOVE_S:
        return
    takes = "training takes" if estimate.missing == 1 else "trainings take"
    what = f"{estimate.missing} {takes} {_long(seconds)}"
    if not (os.isatty(0) and os.isatty(2)):
        raise InputError(
            f"{what}, so somebody must agree: give --yes, or fewer cells, --repeats 1, "
            "--budget MINUTES; --dry-run shows all of it"
        )
    show.notes([*made.drawing.notes, *made.notes, *estimate.notes])
    if not typer.confirm(f"{what}. Go on?", err=True):
        raise typer.Exit(1)


def _long(seconds: float | None) -> str:
    return "an unknown time" if seconds is None else f"about {show.clock(seconds)} (h:mm:ss)"


class StatusLine:
    """A line on standard error that tells how far it is: on a terminal it is written over, in a
    log it comes now and then."""

    def __init__(self, lines: contextlib.ExitStack, silent: bool) -> None:
        """lines: at whose end the line goes from a terminal."""
        self._silent, self._terminal = silent, os.isatty(2)
        self._said = time.monotonic()
        if self._terminal and not silent:
            lines.callback(sys.stderr.write, _CLEAR)

    def say(self, text: str, now: bool = False) -> None:
        """now: whether a log is to have it in any case."""
        if self._silent or not (now or self._is_due()):
            return
        self._said = time.monotonic()
        if self._terminal:
            text = _CLEAR + text[: os.get_terminal_size(2).columns - 1]
        self._write(text + ("" if self._terminal else "\n"))

    def keep(self, text: str) -> None:
        """A line that stays."""
        if not self._silent:
            self._write((_CLEAR if self._terminal else "") + text + "\n")

    def _is_due(self) -> bool:
        return self._terminal or time.monotonic() - self._said > show.LOG_EVERY_S

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


_CLEAR = "\r\x1b[2K"


class _Screen:
    """A bar while sets are made, then a line that tells how far the trainings are."""

    def __init__(self, lines: contextlib.ExitStack, silent: bool) -> None:
        self._lines, self._silent = lines, silent
        self._bar: show.Update | None = None
        self._line: StatusLine | None = None
        self._over = -1

    def sets(self, done: int, total: int) -> None:
        if self._bar is None:
            self._bar = self._lines.enter_context(show.progress("make sets", "sets", self._silent))
        self._bar(done, total)

    def tell(self, status: Status) -> None:
        if self._line is None:
            self._lines.close()
            self._line = StatusLine(self._lines, self._silent)
        over = status.done + status.failed
        self._line.say(status_line(status), now=over != self._over)
        self._over = over


def status_line(status: Status) -> str:
    """Such as "7/36 trainings, 1:10:00 left, best cad500-real10 0.812; cad0-real5 3/50 epochs"."""
    parts = [f"{status.done}/{status.total} trainings"]
    if status.failed:
        parts.append(f"{status.failed} failed")
    if status.left_s is not None:
        parts.append(f"{show.clock(status.left_s)} left")
    if status.best is not None:
        parts.append(f"best {status.best[0]} {status.best[1]:.3f}")
    now = [f"{r.name} {r.epochs_done}/{r.epochs or '?'} epochs" for r in status.running]
    return ", ".join(parts) + "".join(f"; {text}" for text in now)


def _print_plan(
    made: Grid, estimate: Estimate | None, remarks: Sequence[str], silent: bool, json: bool
) -> None:
    from vqc.grid import telling

    record = telling.plan_record(made, estimate)
    record["notes"] = [*remarks, *record["notes"]]
    if json:
        show.as_json(record)
    if silent:
        return
    show.notes(record["notes"])
    show.table(f"grid {made.name}", telling.PLAN_COLUMNS, telling.plan_rows(record))
    if estimate is not None:
        trainings = counted(estimate.missing, "training")
        typer.echo(f"{trainings} to do, {_long(estimate.seconds)}")


def _print(made: Grid, book: Book) -> None:
    from vqc.grid import telling

    columns, rows = telling.score_rows(book)
    show.table(f"grid {made.name} on val ({made.drawing.mark})", columns, rows)
    for line in telling.result_lines(book):
        typer.echo(line)
    typer.echo(f"{made.folder}: grid.json, grid.csv and pictures")
    show.then("vqc", "report", made.folder)
