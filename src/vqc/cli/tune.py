"""`vqc tune`: a search for the mix and the settings that do best on val."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vqc.cli import extras, show
from vqc.cli.grid import StatusLine
from vqc.cli.options import From, Quiet, RunsFolder, Set, TaskName, Test, Val, ValFraction

if TYPE_CHECKING:
    from vqc.tune import Book, Result, Status

_SHOWN = 20


def tune(
    ctx: typer.Context,
    space: Annotated[
        list[str] | None,
        typer.Option(
            help="What is searched: NAME=LOW..HIGH, NAME=LOW..HIGH:log, NAME=VALUE,VALUE, or "
            "NAME=VALUE, which is fixed; may repeat [default: from the sets and the task]."
        ),
    ] = None,
    runs: Annotated[
        int | None, typer.Option(help="Trials in all [default: 20, without --minutes].")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(help="Time for all trials: none begins that would end after it."),
    ] = None,
    from_: From = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the search [default: the task's].")
    ] = None,
    out: RunsFolder = Path("runs"),
    val: Val = None,
    test: Test = None,
    val_fraction: ValFraction = 0.0,
    task: TaskName = "detect",
    set_: Set = None,
    seed: Annotated[int, typer.Option(help="Of the search, of all mixes and trainings.")] = 0,
    quiet: Quiet = False,
    json: Annotated[bool, typer.Option("--json", help="Print tune.json.")] = False,
) -> None:
    """Search settings and mix for the best score on val; test is never looked at.

    In --space, cad, real, ratio, background and select are of the mix, as in vqc mix; every
    other name is a setting of the task, as after --set. Numbers are whole where both ends are.
    All values are checked before anything is trained. All trials have one val, one seed and, by
    default, equally many pictures an epoch, so none wins merely by training longer.

    Stopped at any moment, the same command goes on; more --runs or --minutes extend a search. A
    trial that fails is noted, and the search goes on. The table, a picture and the lines that
    repeat the best trial go to runs/tunes/<name>; needs Optuna: pip install 'optuna>=4,<5'

    \b
    Examples:
      vqc tune --test january --set epochs=30
      vqc tune --space cad=0..1000 --space real=10 --space imgsz=320,640 --runs 40
      vqc tune --space real=10 --space ratio=1..50:log --space freeze=0,10 --minutes 120
      vqc tune --space real=20 --space lr0=1e-4..1e-2:log --space optimizer=SGD,AdamW
    """
    from vqc import mix as mixer
    from vqc import tune as tuning

    tuning.require_optuna()
    wanted = tuning.parse(space) if space else None
    budget = tuning.budget_of(runs, minutes)
    silent = quiet or json
    folders, remarks = mixer.find_sets(from_)
    with show.progress("read manifests", "MB", silent) as update:
        pool = mixer.read_pool(
            folders, on_progress=lambda done, total: update(done >> 20, total >> 20)
        )
    with extras.explained(ctx, f"the task {task}"):
        made = tuning.prepare(
            tuning.Asked(
                pool=pool,
                space=wanted,
                splits=mixer.SplitRules(tuple(val or ()), tuple(test or ()), val_fraction),
                task=task,
                settings=extras.given(ctx, {}, set_ or ()),
                name=name,
                seed=seed,
                budget=budget,
                places=tuning.Places(out),
            )
        )
    if not silent:
        axes = "  ".join(f"{name}={spec}" for name, spec in made.space.texts().items())
        typer.echo(f"searched: {axes}", err=True)
    with contextlib.ExitStack() as lines:
        book = tuning.search(made, _Screen(lines, silent, runs=budget.runs))
    if json:
        show.as_json(book.record() | {"folder": str(made.folder)})
    elif not quiet:
        show.notes([*remarks, *book.notes])
        _print(book)
    book.require_best()


class _Screen:
    """A line for each trial that ends, and one that says how it goes."""

    def __init__(self, lines: contextlib.ExitStack, silent: bool, runs: int | None) -> None:
        self._line, self._runs = StatusLine(lines, silent), runs

    def status(self, status: Status) -> None:
        self._line.say(status_line(status, self._runs))

    def ended(self, result: Result, status: Status) -> None:
        self._line.keep(f"{result_line(result)}; {status_line(status, self._runs)}")


def status_line(status: Status, runs: int | None) -> str:
    """Such as "trial 7 of 40, 300/1,000 pictures, best trial 3: 0.812, 1:10:00 left"."""
    parts = [f"trial {status.number}" + (f" of {runs}" if runs else "")]
    if status.seen and status.pictures:
        parts.append(f"{status.seen:,}/{status.pictures:,} pictures")
    if status.failed:
        parts.append(f"{status.failed} failed")
    if status.best is not None:
        parts.append(f"best trial {status.best.number}: {status.best.score:.3f}")
    if status.left_s is not None:
        parts.append(f"{show.clock(status.left_s)} left")
    return ", ".join(parts)


def result_line(result: Result) -> str:
    """Such as "0.812 with cad=500 imgsz=640", or why it failed."""
    from vqc.tune.space import text

    values = " ".join(f"{name}={text(value)}" for name, value in result.values.items())
    if result.score is None:
        return f"failed with {values}: {_first(result.failure)}"
    return f"{result.score:.3f} with {values}"


def _first(message: str | None) -> str:
    return (message or "").partition("\n")[0]


def _print(book: Book) -> None:
    from vqc.tune.space import text

    made, best = book.tune, book.best
    axes = [axis.name for axis in made.space.searched]
    metric = made.task.headline.metric
    rows: list[Sequence[object]] = [
        (
            r.number,
            "failed" if r.score is None else f"{r.score:.4f}",
            *(text(r.values[axis]) for axis in axes),
            show.clock(r.seconds),
            _first(r.failure),
        )
        for r in book.ranking
    ]
    columns = ("trial", f"{metric} on val", *axes, "time", "")
    show.table(f"search {made.name}", columns, rows[:_SHOWN])
    if len(rows) > _SHOWN:
        typer.echo(f"... and {len(rows) - _SHOWN} more in {made.folder}/tune.csv")
    for line in book.constant:
        typer.echo(f"the same for all: {line}")
    shares = book.importance
    if shares:
        told = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
        typer.echo(f"what decides: {told}")
    typer.echo(f"{made.folder}: tune.json, tune.csv" + (", tune.png" if best else ""))
    if best is not None:
        typer.echo(f"best: trial {best.number}, {metric} {best.score:.4f}: {book.run_of(best)}")
        typer.echo("the same again, under a name of its own:")
        for line in book.commands():
            typer.echo(f"  {line}")
        if made.has_test:
            show.then("vqc", "eval", book.run_of(best))
