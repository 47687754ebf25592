"""What the commands share in talking to a person: tables, progress, JSON."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import typer

Update = Callable[[int, int], None]
"""What a progress bar is told: what is done, what there is in all."""

LOG_EVERY_S = 30.0
REDRAW_EVERY_S = 0.2


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table on standard output; columns whose cells are numbers are set to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    grid = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    for number, column in enumerate(columns):
        numeric = all(isinstance(row[number], int | float) for row in rows)
        grid.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(f"{v:,}" if isinstance(v, int | float) else str(v) for v in row))
    width = None if os.isatty(1) else 160
    Console(width=width, highlight=False, markup=False, emoji=False).print(grid)


def then(*words: object, why: str = "", first: bool = True) -> None:
    """A command to go on with, as a shell takes it. first: of several, one below the other."""
    line = shlex.join(map(str, words)) + (f"  # {why}" if why else "")
    typer.echo(f"{'next: ' if first else '      '}{line}")


def as_json(record: Any) -> None:
    """One JSON object on standard output, for scripts."""
    typer.echo(json.dumps(record, indent=2, ensure_ascii=False))


def notes(lines: Sequence[str]) -> None:
    """Remarks on standard error."""
    for line in lines:
        typer.echo(f"note: {line}", err=True)


@contextlib.contextmanager
def progress(what: str, unit: str, quiet: bool) -> Iterator[Update]:
    """A bar on standard error with rate and time left; gives `update(done, total)`."""
    if quiet:
        yield lambda done, total: None
        return
    if not os.isatty(2):
        yield _spoken(what, unit)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[state]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        auto_refresh=False,  # no second thread that may import while this one does
    )
    with bar:
        task = bar.add_task(what, total=None, state="starting", start=False)
        meter = Rate()
        drawn = [0.0]

        def update(done: int, total: int) -> None:
            now = bar.get_time()
            if not meter.has_begun:
                bar.start_task(task)
            state = f"{done:,}/{total:,} {unit}{meter.words(now, done, total)}"
            bar.update(task, completed=done, total=total, state=state)
            if now - drawn[0] > REDRAW_EVERY_S or done == total:
                drawn[0] = now
                bar.refresh()

        yield update


def _spoken(what: str, unit: str) -> Update:
    """Progress for a log file: a line now and then."""
    meter = Rate()
    last = [time.monotonic()]

    def update(done: int, total: int) -> None:
        now = time.monotonic()
        left = meter.words(now, done, total)
        if now - last[0] >= LOG_EVERY_S:
            last[0] = now
            typer.echo(f"{what}: {done:,}/{total:,} {unit}{left}", err=True)

    return update


class Rate:
    """Rate and time left, of what is done since the first telling: the rest was there before."""

    def __init__(self) -> None:
        self._begun: tuple[float, int] | None = None

    @property
    def has_begun(self) -> bool:
        return self._begun is not None

    def words(self, now: float, done: int, total: int) -> str:
        """Such as ", 4.2/s, 1:05 left", and nothing before there is a rate; now: seconds."""
        self._begun = self._begun or (now, done)
        begun, found = self._begun
        if done <= found or now <= begun:
            return ""
        rate = (done - found) / (now - begun)
        return f", {rate:.1f}/s, {clock((total - done) / rate)} left"


def clock(seconds: float) -> str:
    """Such as 1:05 or 2:10:00."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
