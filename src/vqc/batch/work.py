"""What a shard is on a Dask worker: plain functions that can be sent there."""

from __future__ import annotations

from dataclasses import dataclass

from vqc import generate
from vqc.frames import Plan
from vqc.grid.model import Grid
from vqc.grid.trainings import require_trained, run_shard
from vqc.making import Workers
from vqc.shards import Shard


@dataclass(frozen=True, slots=True, eq=False)
class RenderWork:
    """Renders a shard; returns how many frames it made. processes: of each shard."""

    plan: Plan
    processes: int
    mixed: bool

    def __call__(self, shard: Shard) -> int:
        from vqc.gpus import bound_workers

        workers: Workers = bound_workers(self.processes)
        return generate.render_set(self.plan, workers, shard=shard, mixed=self.mixed).made


@dataclass(frozen=True, slots=True, eq=False)
class GridWork:
    """Trains a shard of a grid; IncompleteError tells which trainings failed, and why."""

    grid: Grid

    def __call__(self, shard: Shard) -> None:
        require_trained(run_shard(self.grid, shard), shard)
