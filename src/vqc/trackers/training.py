"""What every tracker is given, and what the run folder remembers of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from vqc.files import replace_file
from vqc.runs import json_bytes, read_json

FILE = "trackers.json"
PROJECT = "vqc"
"""Name of the W&B project and MLflow experiment, unless their own variables name another."""


class Tracker(Protocol):
    """What a training is told to."""

    def log(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Epoch `epoch`, counted from 1, has ended."""

    def end(self, metrics: Mapping[str, float]) -> None:
        """The training has ended, with these metrics as its result."""


class Backend(Tracker, Protocol):
    def close(self, state: str) -> None:
        """Write what is left. state: FINISHED, FAILED or KILLED."""


@dataclass(frozen=True, slots=True)
class Training:
    """What is tracked. resumed_epochs: how many were told in an earlier go, about."""

    folder: Path
    run_id: str
    name: str
    config: Mapping[str, Any]
    resumed_epochs: int


class Memory:
    """What trackers.json says of one tracker: its run's id, and the last epoch it was told."""

    def __init__(self, folder: Path, tracker: str) -> None:
        self._file, self._tracker = folder / FILE, tracker
        known = self._read().get(tracker, {})
        self.run: str | None = known.get("run")
        self.epoch: int = known.get("epoch", 0)

    def keep(self, run: str, epoch: int) -> None:
        self.run, self.epoch = run, epoch
        record = self._read() | {self._tracker: {"run": run, "epoch": epoch}}
        replace_file(self._file, json_bytes(dict(sorted(record.items()))))

    def _read(self) -> dict[str, Any]:
        return read_json(self._file) if self._file.is_file() else {}


def flat(config: Mapping[str, Any], above: str = "") -> list[tuple[str, Any]]:
    """Settings in depth as one list; names are joined by dots."""
    pairs: list[tuple[str, Any]] = []
    for key, value in config.items():
        if isinstance(value, Mapping):
            pairs += flat(value, f"{above}{key}.")
        else:
            pairs.append((f"{above}{key}", value))
    return pairs
