"""Worker processes for trainings: gathered for a while, given jobs, and ended together.

Shared by whatever trains many models, grids and searches.
"""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from vqc import engines, files
from vqc.grid.worker import Crew, Job, open_worker

LOG = "worker.log"


@contextlib.contextmanager
def gathered(
    log: Path, devices: tuple[str | None, ...] = (None,), threads: int | None = None
) -> Iterator[Crew]:
    """A crew whose claims and progress are in a throw-away folder. See `Crew`."""
    with tempfile.TemporaryDirectory(prefix="vqc-crew-") as folder:
        yield Crew(devices, threads, Path(folder), log.resolve(), os.getpid())


def answers(crew: Crew, jobs: Sequence[Job]) -> Iterator[tuple[Job, dict[str, Any]]]:
    """Every job with its answer, as they come; `failure` says why there is no other."""
    workers = min(len(crew.devices), len(jobs))
    outcomes = engines.run(partial(open_worker, crew), jobs, workers, stall_s=math.inf, queue=1)
    with contextlib.closing(outcomes):
        for outcome in outcomes:
            answer = outcome.result
            if outcome.failure is not None:
                answer = {"failure": f"{outcome.failure} (see {crew.log})"}
            yield jobs[outcome.index], answer


def held(folder: Path) -> contextlib.AbstractContextManager[None]:
    """Hold a folder of results, see `vqc.files.held`; BusyError where another command has it."""
    return files.held(
        folder, f"{folder} is worked on by another command; wait for it, or give another --name"
    )
