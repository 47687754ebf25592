"""What was typed → a grid that is ready to run, shortened to a time where there is one."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vqc.contract import SET_NAME, is_set_name
from vqc.counts import counted
from vqc.environment import cpu_cores
from vqc.errors import InputError
from vqc.grid.layout import Trial, draw, lay_out
from vqc.grid.model import Cut, Grid, Places, Workers, clash_of, earlier
from vqc.grid.pace import seconds_of
from vqc.grid.request import GridRequest
from vqc.grid.trainings import Estimate
from vqc.mix import Pool
from vqc.runs import RESULT, read_run
from vqc.types import Progress


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What was asked for. minutes: that all may take; None for any time. fresh: see `Grid`."""

    request: GridRequest
    pool: Pool
    places: Places = field(default_factory=Places)
    workers: Workers = field(default_factory=Workers)
    name: str | None = None
    minutes: float | None = None
    fresh: bool = False

    def __post_init__(self) -> None:
        if self.name is not None and not is_set_name(self.name):
            raise InputError(f"--name: expected {SET_NAME}, got {self.name[:80]!r}")
        if self.minutes is not None and not 0 < self.minutes < 1e7:
            raise InputError(f"--budget: expected minutes above 0, got {self.minutes:g}")

    def record(self) -> dict[str, Any]:
        """Everything that decides what the grid comes to, as plain values."""
        sources = [{"name": s.parent.name, "sha256": s.parent.sha256} for s in self.pool.sources]
        record = {**self.request.record(), "budget_minutes": self.minutes, "sources": sources}
        plain: dict[str, Any] = json.loads(json.dumps(record, default=str))
        return plain

    @property
    def grid_name(self) -> str:
        """As given, or such as cad150to1000-real5to20-1a2b3c4d."""
        if self.name is not None:
            return self.name
        text = json.dumps(self.record(), sort_keys=True)
        spans = [
            f"{axis}{values[0]}" + (f"to{values[-1]}" if len(values) > 1 else "")
            for axis, values in (("cad", self.request.cad), ("real", self.request.real))
        ]
        return "-".join([*spans, hashlib.sha256(text.encode()).hexdigest()[:8]])


def workers_of(devices: str | None, jobs: int | None, device: str | None) -> Workers:
    """How trainings are spread, from --devices, --jobs and --device; InputError for a conflict."""
    faults = []
    names = [name.strip() for name in (devices or "").split(",")] if devices is not None else []
    wrong = [name for name in names if name != "cpu" and not (name.isascii() and name.isdigit())]
    if wrong:
        faults.append(f"--devices: expected numbers of GPUs, such as 0,1, got {devices}")
    if jobs is not None and not 1 <= jobs <= 1000:
        faults.append(f"--jobs: expected 1 to 1000, got {jobs}")
    if devices is not None and (jobs is not None or device is not None):
        faults.append("--devices runs one training on each: give no --jobs and no --device")
    if faults:
        raise InputError("\n".join(faults))
    if devices is not None:
        return Workers(tuple(names))
    if jobs is None or jobs == 1:
        return Workers()
    return Workers((None,) * jobs, max(1, cpu_cores() // jobs))


def prepare(asked: Asked, on_progress: Progress = lambda done, total: None) -> Grid:
    """Draw and name every training; a time that an earlier command shared out stays shared out.

    on_progress: as `layout.draw`. Writes nothing, so another grid of that name is but noted.
    """
    drawing = draw(asked.request, asked.pool, on_progress)
    grid = Grid(asked.grid_name, asked.record(), drawing, (), asked.places, asked.workers)
    cut = None if asked.fresh else earlier(grid.folder, grid.asked)
    clash = "" if asked.fresh else clash_of(grid.folder, grid.asked)
    notes = [clash] if clash else []
    trials = lay_out(drawing, cut.repeats, cut.epochs) if cut else lay_out(drawing)
    grid = replace(grid, trials=trials, cut=cut, notes=tuple(notes), fresh=asked.fresh)
    return replace(grid, notes=(*notes, *_other_lengths(grid)))


def _other_lengths(grid: Grid) -> Iterator[str]:
    """A note where another length of the epochs would find trainings that are there already.

    The largest cell decides how many pictures an epoch has, so a grid that grows at that end
    has nothing in common with what was trained before, unless its user wants that.
    """
    request = grid.drawing.request
    missing = grid.book().in_state("waiting")
    lengths = {trial.settings.get("epoch_images") for trial in grid.trials}
    if request.equal is not None or "epoch_images" in request.settings or len(lengths) != 1:
        return
    for images in sorted(_lengths_of(missing, grid.runs) - lengths):
        other = replace(request, settings={**request.settings, "epoch_images": images})
        trials = lay_out(replace(grid.drawing, request=other))
        waiting = replace(grid, trials=trials).book().in_state("waiting")
        if len(waiting) < len(missing):
            yield (
                f"{len(missing) - len(waiting)} more of these trainings are there, with {images} "
                f"pictures an epoch instead of {lengths.pop()}: --set epoch_images={images} "
                f"keeps them, and {len(waiting)} are left to train"
            )
            return


def _lengths_of(trials: Sequence[Trial], runs: Path) -> set[int]:
    """Pictures an epoch of finished trainings of the same cells and seeds."""
    found = set()
    for trial in trials:
        for file in runs.glob(f"{trial.name.rpartition('-')[0]}-*/{RESULT}"):
            with contextlib.suppress(InputError):
                images = read_run(file.parent).config.get("epoch_images")
                found |= {images} if isinstance(images, int) else set()
    return found


def shorten(grid: Grid, minutes: float, estimate: Estimate) -> Grid:
    """Fewer repeats, then fewer epochs, until the grid fits into the time.

    Raises InputError where not even one epoch of each cell does, or nothing tells the time.
    """
    if estimate.seconds is None:
        raise InputError("--budget: no training could be timed: " + "; ".join(estimate.notes))
    request, workers = grid.drawing.request, len(grid.workers.devices)

    def cost(trials: Sequence[Trial]) -> float:
        return seconds_of(trials, estimate.paces, workers) or 0.0

    def missing(trials: Sequence[Trial]) -> list[Trial]:
        return replace(grid, trials=trials).book().in_state("waiting")

    for repeats in range(request.repeats, 0, -1):
        kept = [t for t in grid.trials if t.drawn.seed < request.seed + repeats]
        if cost(missing(kept)) <= minutes * 60:
            break
    epochs: dict[int, int] = {}
    if cost(missing(kept)) > minutes * 60:
        epochs = _fewer_epochs(kept, minutes, cost)
    trials = lay_out(grid.drawing, repeats, epochs)
    said = [
        f"{counted(new, 'epoch')} instead of {old}"
        for old, new in sorted(epochs.items())
        if new != old
    ]
    if repeats < request.repeats:
        said.insert(0, f"{counted(repeats, 'repeat')} instead of {request.repeats}")
    before, after = (cost(missing(t)) / 60 for t in (grid.trials, trials))
    words = (
        f"--budget {minutes:g}: {', '.join(said) or 'all of it fits'} "
        f"(about {counted(round(after), 'minute')}"
    )
    words += f" instead of {before:.0f})" if said else ")"
    return replace(grid, trials=trials, cut=Cut(repeats, epochs, words))


def _fewer_epochs(
    trials: Sequence[Trial], minutes: float, cost: Callable[[Sequence[Trial]], float]
) -> dict[int, int]:
    """As many epochs as fit, all numbers of them lowered by the same factor."""
    most = max(t.epochs or 1 for t in trials)

    def lowered(epochs: int | None, to: int) -> int:
        return max(1, (epochs or 1) * to // most)

    low, high = 0, most - 1  # so many are known to fit, and no more than so many can
    while low < high:
        middle = (low + high + 1) // 2
        fewer = [replace(t, epochs=lowered(t.epochs, middle)) for t in trials]
        low, high = (middle, high) if cost(fewer) <= minutes * 60 else (low, middle - 1)
    if not low:
        least = cost([replace(t, epochs=1) for t in trials]) / 60
        raise InputError(
            f"--budget {minutes:g}: one epoch of every cell, once, takes about {least:.1f} "
            "minutes; give more, fewer cells or a smaller --imgsz"
        )
    return {t.epochs: lowered(t.epochs, low) for t in trials if t.epochs is not None}
