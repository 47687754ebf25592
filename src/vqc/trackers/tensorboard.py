"""TensorBoard: event files below the run folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vqc.trackers.training import Training, flat


class TensorBoardRun:
    """Event files; what was told of an epoch and of later ones goes when it is told again."""

    def __init__(self, training: Training) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._make = SummaryWriter
        self._training = training
        self._writer: Any = None
        self._last = training.resumed_epochs

    def log(self, epoch: int, metrics: Mapping[str, float]) -> None:
        writer = self._opened(epoch)
        for key, value in metrics.items():
            writer.add_scalar(key, value, epoch)
        writer.flush()
        self._last = epoch

    def end(self, metrics: Mapping[str, float]) -> None:
        writer = self._opened(self._last + 1)
        for key, value in metrics.items():
            writer.add_scalar(f"result/{key}", value, self._last)

    def close(self, state: str) -> None:
        if self._writer is not None:
            self._writer.close()

    def _opened(self, epoch: int) -> Any:
        """The writer; only the first epoch tells from where on older events are void."""
        if self._writer is None:
            folder = self._training.folder / "tensorboard"
            self._writer = self._make(str(folder), purge_step=epoch)
            lines = [f"| {key} | {value} |" for key, value in flat(self._training.config)]
            table = "\n".join(["| setting | value |", "|---|---|", *lines])
            self._writer.add_text("config", table, epoch)
        return self._writer
