"""How many render processes, and which GPU each is bound to."""

from __future__ import annotations

import os
from pathlib import Path

from vqc.environment import cpu_cores
from vqc.making import Workers
from vqc.render.devices import find_devices, gpus_to_use, worker_environments

PER_GPU = 4
"""Processes that share a GPU: while one encodes its picture, another draws."""


def visible_gpus() -> tuple[int, ...]:
    """EGL indices of the GPUs that this process may draw with, after CUDA_VISIBLE_DEVICES.

    Raises InputError where these cannot be told apart.
    """
    if not any(Path("/dev").glob("nvidia[0-9]*")):  # spares a look at the drivers
        return ()
    return gpus_to_use(find_devices(), os.environ.get("CUDA_VISIBLE_DEVICES"))


def bound_workers(processes: int | None = None, per_gpu: int | None = None) -> Workers:
    """Render processes, spread evenly over the GPUs there are; without one, over the cores.

    processes: in all; by default `per_gpu` on each GPU, or one a core.
    """
    gpus = visible_gpus()
    count = processes or (len(gpus) * (per_gpu or PER_GPU) if gpus else cpu_cores())
    return Workers(count, tuple(worker_environments(count, gpus)) if gpus else ())
