"""Weights & Biases: online, or offline below the run folder."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Mapping
from typing import Any

from vqc.trackers.training import PROJECT, Memory, Training


class WandbRun:
    """Weights & Biases, online or offline as WANDB_MODE says."""

    def __init__(self, training: Training) -> None:
        import wandb

        self._memory = Memory(training.folder, "wandb")
        # A training that begins anew has the same run_id, but is another run.
        plain = re.sub(r"[^A-Za-z0-9_-]", "-", training.run_id)[:64]
        run = self._memory.run or f"{plain}-{uuid.uuid4().hex[:8]}"
        self._memory.keep(run, self._memory.epoch)
        self._run: Any = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or PROJECT,
            id=run,
            name=os.environ.get("WANDB_NAME") or training.name,
            dir=None if os.environ.get("WANDB_DIR") else str(training.folder),
            config=dict(training.config),
            resume="allow",
        )

    def log(self, epoch: int, metrics: Mapping[str, float]) -> None:
        if epoch > self._memory.epoch:
            self._run.log(dict(metrics), step=epoch, commit=True)
            self._memory.keep(self._run.id, epoch)

    def end(self, metrics: Mapping[str, float]) -> None:
        self._run.summary.update({f"result/{key}": value for key, value in metrics.items()})

    def close(self, state: str) -> None:
        self._run.finish(exit_code=0 if state == "FINISHED" else 1)
