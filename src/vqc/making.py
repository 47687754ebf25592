"""Frames of a plan, made by worker processes and kept in a journal as they come."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vqc import engines, stopping, store
from vqc.errors import IncompleteError, StoppedError
from vqc.frames import SCRATCH, FrameMaker, Job, LookMaker, Maker, Plan, image_path
from vqc.journal import Journal
from vqc.recipe import RenderRecipe, subject
from vqc.shards import Shard
from vqc.types import Frame, Progress


@dataclass(frozen=True, slots=True)
class Workers:
    """Render processes on this machine.

    environments: what each has more in its environment, in turn: the GPU it is bound to.
    """

    count: int
    environments: tuple[Mapping[str, str], ...] = ()


def jobs_of(recipe: RenderRecipe) -> list[tuple[str, Job]]:
    """Every frame of the set: its image path and how to make it, a source after another."""
    if recipe.look is not None:
        jobs = [Job(subject(recipe, index), index) for index in range(recipe.look.count)]
    else:
        jobs = [
            Job(number, index, view)
            for number in range(len(recipe.sources))
            for index, view in enumerate(recipe.all_angles())
        ]
    suffix = recipe.picture.format
    return [(image_path(recipe.sources[job.source], job.index, suffix), job) for job in jobs]


class Work:
    """Frames made by workers, each kept in the journal as it comes."""

    def __init__(self, plan: Plan, workers: Workers, shard: Shard | None, mixed: bool) -> None:
        self._plan, self._workers = plan, workers
        self._shard = None if shard is None else str(shard)
        self._drawn_by = () if mixed else store.renderers(plan.folder)
        self._mixed = mixed

    def make(self, missing: Sequence[Job], records: dict[str, Frame], told: Progress) -> None:
        """Make the frames and add their records. Raises as `render_set` does."""
        total, set_aside = len(records) + len(missing), []
        with (
            Journal(self._plan.folder / SCRATCH, self._shard) as journal,
            stopping.asked() as stop,
            contextlib.closing(self._outcomes(missing, stop)) as outcomes,
        ):
            for outcome in outcomes:
                if outcome.failure is not None:
                    set_aside.append((missing[outcome.index], outcome.failure))
                    continue
                self._check(outcome.result.renderer)
                frame = journal.frame(outcome.result.line, outcome.result.renderer)
                records[frame.image] = frame
                told(len(records), total)
            if len(records) + len(set_aside) < total:
                raise StoppedError(
                    f"{self._plan.folder}: told to stop with {len(records):,} of {total:,} frames "
                    "made; the same command goes on with what is missing"
                )
            if set_aside:
                folder, recipe = self._plan.folder, self._plan.recipe
                raise IncompleteError(_incomplete(folder, recipe, set_aside, total))

    def _outcomes(
        self, missing: Sequence[Job], stop: Callable[[], bool]
    ) -> Generator[engines.Outcome, None, None]:
        return engines.run(
            partial(open_maker, maker_of(self._plan), self._plan),
            missing,
            min(self._workers.count, len(missing)),
            groups(missing),
            environments=self._workers.environments,
            stop=stop,
        )

    def _check(self, renderer: str) -> None:
        """Refuse a renderer of another kind than drew the frames there are."""
        if not self._mixed and renderer not in self._drawn_by:
            self._drawn_by = (*self._drawn_by, renderer)
            store.require_alike(self._plan.folder, self._drawn_by)


def open_maker(kind: type[Maker], plan: Plan) -> Maker:
    """In a worker: a scheduler signals all processes, and the parent decides what follows."""
    stopping.ignore()
    return kind(plan)


def maker_of(plan: Plan) -> type[Maker]:
    return FrameMaker if plan.recipe.look is None else LookMaker


def groups(jobs: Sequence[Job]) -> list[int]:
    """A worker stays with one part of a sweep; in a look all parts are there at once."""
    return [0 if job.angles is None else job.source for job in jobs]


def _angles_text(job: Job) -> str:
    return "(azimuth {:g}, elevation {:g}, tilt {:g})".format(*job.angles) if job.angles else ""


def _incomplete(
    folder: Path, recipe: RenderRecipe, set_aside: Iterable[tuple[Job, str]], total: int
) -> str:
    lines = [
        f"  {image_path(recipe.sources[job.source], job.index, recipe.picture.format)} "
        f"{_angles_text(job)}: {why}"
        for job, why in set_aside
    ]
    return (
        f"{folder}: {len(lines)} of {total} frames could not be made; the rest is finished:\n"
        + "\n".join(lines)
        + "\nThe same command tries them again; until then the set has no manifest."
    )
