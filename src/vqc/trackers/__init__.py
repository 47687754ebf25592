"""Trackers: TensorBoard, Weights & Biases and MLflow hear the epochs of any task's training.

In: names, as after `--tracker`. Out: one object that passes on what it is told. Nothing is
imported or started unless it is named. What a tracker keeps here lies below the run folder;
`trackers.json` there remembers which run of theirs it is, and what it was told last.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vqc.errors import InputError
from vqc.trackers.training import Backend, Tracker, Training

_HINTS = {
    "tensorboard": "Its files go to the run folder, below tensorboard/",
    "wandb": "wandb login stores a key; WANDB_MODE=offline keeps everything in the run folder",
    "mlflow": "MLFLOW_TRACKING_URI names a server or database; unset, it is a file in the run "
    "folder",
}
"""Every tracker, and what to do where it does not start."""
_QUIET: dict[str, dict[str, str]] = {
    "tensorboard": {},
    "wandb": {
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_CONSOLE": "off",
        "WANDB_DISABLE_GIT": "true",  # it would upload uncommitted changes
        "WANDB_FINISH_TIMEOUT": "120",  # by default it waits for a lost network for ever
    },
    "mlflow": {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # that is for --json
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # by default it tries for up to 20 minutes
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    },
}
"""Variables set before a tracker is imported, where the user has not set them."""

Note = Callable[[str], None]


@contextlib.contextmanager
def open_tracker(
    names: Sequence[str],
    run_dir: Path,
    run_id: str,
    name: str,
    config: Mapping[str, Any],
    resumed_epochs: int,
    note: Note = lambda text: print(f"note: {text}", file=sys.stderr),
) -> Iterator[Tracker]:
    """Trackers by name, for as long as the training lasts; without names one that does nothing.

    A training that goes on does so in the same run of the tracker, and no epoch is there twice.
    Raises InputError for names that are unknown or not installed, and for a tracker that does
    not start; one that fails later, or when a training goes on, costs a note.
    """
    require_usable(names)
    training = Training(run_dir, run_id, name, config, resumed_epochs)
    trackers = _Trackers(training, note)
    state = "FAILED"
    try:
        for known in dict.fromkeys(names):
            trackers.start(known)
        yield trackers
        state = "FINISHED"
    except KeyboardInterrupt:
        state = "KILLED"
        raise
    finally:
        trackers.close(state)


def require_usable(names: Sequence[str]) -> None:
    """InputError with every name that is unknown, or whose package is missing; imports none."""
    faults = []
    for name in dict.fromkeys(names):
        if name not in _HINTS:
            near = difflib.get_close_matches(name.lower(), _HINTS, 1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            known = ", ".join(sorted(_HINTS))
            faults.append(f"--tracker {name}: there is no such tracker{hint} Known: {known}")
        elif importlib.util.find_spec(name) is None:
            faults.append(f"--tracker {name}: not installed; pip install 'vqc[{name}]'")
    if faults:
        raise InputError("\n".join(faults))


class _Trackers:
    """All that were asked for; one that fails is dropped, with a note."""

    def __init__(self, training: Training, note: Note) -> None:
        self._training, self._note = training, note
        self._open: dict[str, Backend] = {}

    def start(self, name: str) -> None:
        for variable, value in _QUIET[name].items():
            os.environ.setdefault(variable, value)
        try:
            self._open[name] = _backend(name)(self._training)
        except Exception as error:  # they may raise anything
            text = f"--tracker {name} does not start: {_reason(error)}"
            if not self._training.resumed_epochs:
                raise InputError(f"{text}\n{_HINTS[name]}") from None
            self._note(f"{text}; the training goes on without it")

    def log(self, epoch: int, metrics: Mapping[str, float]) -> None:
        self._tell(lambda backend: backend.log(epoch, metrics))

    def end(self, metrics: Mapping[str, float]) -> None:
        self._tell(lambda backend: backend.end(metrics))

    def close(self, state: str) -> None:
        self._tell(lambda backend: backend.close(state))

    def _tell(self, say: Callable[[Backend], None]) -> None:
        for name, backend in list(self._open.items()):
            try:
                say(backend)
            except Exception as error:  # a network that is gone, a full disk, …
                del self._open[name]
                self._note(
                    f"tracker {name} failed and is told no more of this training: "
                    f"{_reason(error)}. metrics.csv has every epoch"
                )


def _backend(name: str) -> Callable[[Training], Backend]:
    """The class that speaks to a tracker; a module of ours each, which imports theirs."""
    if name == "tensorboard":
        from vqc.trackers.tensorboard import TensorBoardRun

        return TensorBoardRun
    if name == "wandb":
        from vqc.trackers.wandb import WandbRun

        return WandbRun
    from vqc.trackers.mlflow import MlflowRun

    return MlflowRun


def _reason(error: Exception) -> str:
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first[:300]}"
