"""What a worker process of a grid does: claim a device, then train, score and time what it is sent.

A worker lives as long as the grid, so torch is imported once. Whatever goes wrong with one
training is its answer and not the end of the others.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from vqc.errors import BusyError, VqcError
from vqc.files import replace_file
from vqc.grid.book import plain
from vqc.train import Training, train

BUSY_S = 30.0
"""How long a killed training may hold its folder: as long as its data loaders take to notice."""
_TOLD_EVERY_S = 0.5
_PARENT_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class Crew:
    """What all workers share.

    devices: one for each worker; None leaves the choice to the settings. threads: of each
    worker, None for its own choice. folder: for claims and progress. log: of all output.
    parent: the process without which no worker goes on.
    """

    devices: tuple[str | None, ...]
    threads: int | None
    folder: Path
    log: Path
    parent: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a job runs. device: None for what the settings say. progress: the file to tell."""

    device: str | None
    progress: Path

    def settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return dict(given) if self.device is None else {**given, "device": self.device}


class Job(Protocol):
    """Something to do in a worker; `name` is that of the run."""

    @property
    def name(self) -> str: ...

    def do(self, place: Place) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class TrainJob:
    """Train a cell's set into root/<task>/<name>."""

    name: str
    dataset: Path
    task: str
    settings: Mapping[str, Any]
    root: Path
    fresh: bool = False

    def do(self, place: Place) -> dict[str, Any]:
        asked = Training(
            dataset=self.dataset,
            task=self.task,
            settings=place.settings(self.settings),
            root=self.root,
            name=self.name,
            fresh=self.fresh,
        )
        told = _Told(place.progress)
        deadline = time.monotonic() + BUSY_S
        while True:
            try:
                train(asked, told)
                return {}
            except BusyError:
                # A training that was killed a moment ago may still be held by its loaders.
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)


@dataclass(frozen=True, slots=True)
class ScoreJob:
    """Score a run on a split of a set; a score that would not be honest is refused in words."""

    name: str
    run: Path
    dataset: Path
    split: str
    device: str

    def do(self, place: Place) -> dict[str, Any]:
        from vqc import scoring
        from vqc.errors import HonestyError

        device = self.device if place.device is None else place.device
        try:
            found = scoring.score(self.run, self.dataset, self.split, device=device)
        except HonestyError as error:
            mark = f"{error.mark}; vqc eval {self.run} --split {self.split} --anyway gives it"
            return {"metrics": {}, "mark": mark}
        return {"metrics": plain(found.evaluation.metrics), "mark": found.verdict.mark}


def open_worker(crew: Crew) -> Worker:
    """Called once in the worker process, before anything heavy is imported there."""
    with crew.log.open("ab") as log:
        for stream in (1, 2):  # what libraries print is not for the grid's own output
            os.dup2(log.fileno(), stream)
    threading.Thread(target=_end_with, args=(crew.parent,), daemon=True).start()
    if crew.threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(crew.threads)
    return Worker(crew)


class Worker:
    """Does one job after another; the answer holds `failure` where that did not work."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._device, self._claim = _claimed(crew)
        self._is_spoilt = False

    def __call__(self, job: Job) -> dict[str, Any]:
        if self._is_spoilt:  # a GPU that failed for good stays so for the whole process
            os._exit(1)
        progress = self._crew.folder / f"{job.name}.json"
        try:
            return job.do(Place(self._device, progress))
        except VqcError as error:
            failure = str(error)
        except Exception as error:
            traceback.print_exc()
            failure = f"{type(error).__name__}: {error} (traceback in {self._crew.log})"
        finally:
            progress.unlink(missing_ok=True)
            self._is_spoilt = not _tidy()
        return {"failure": failure}


class _Told:
    """A monitor that keeps a small file up to date, for the grid's own process to read."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._record = {"done": 0, "epoch": 0, "resumed": 0}
        self._next = 0.0

    def progress(self, done: int, total: int) -> None:
        self._record["done"] = done
        self._tell(time.monotonic() >= self._next)

    def epoch(self, number: int, metrics: Mapping[str, float]) -> None:
        self._record["epoch"] = number
        self._tell(True)

    def resumed(self, epochs_done: int) -> None:
        self._record |= {"epoch": epochs_done, "resumed": epochs_done}

    def _tell(self, now: bool) -> None:
        if now:
            self._next = time.monotonic() + _TOLD_EVERY_S
            with contextlib.suppress(OSError):  # no training fails over that
                replace_file(self._file, json.dumps(self._record).encode())


def _claimed(crew: Crew) -> tuple[str | None, IO[bytes]]:
    """The first device that no other worker has; the claim goes with the process."""
    deadline = time.monotonic() + BUSY_S
    while True:
        for number, device in enumerate(crew.devices):
            file = (crew.folder / f"{number}.claim").open("ab")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return device, file
            except BlockingIOError:
                file.close()
            except OSError as error:
                file.close()
                raise VqcError(f"{file.name}: cannot be locked: {error.strerror}") from None
        if time.monotonic() > deadline:
            raise VqcError("every device is held by a worker that does not end")
        time.sleep(0.2)


def _end_with(parent: int) -> None:
    """End this process when its parent has gone, so that nothing trains on unseen."""
    while os.getppid() == parent:
        time.sleep(_PARENT_EVERY_S)
    os._exit(1)


def _tidy() -> bool:
    """Give back what a training held; False where the GPU does not answer any more."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return True
    try:
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
    except RuntimeError:
        return False
    return True
