"""What is trained on what: the frames, the backbone and the device of one training.

Import this late: it loads torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from vqc.dataset import Dataset
from vqc.tasks.anomaly import held
from vqc.tasks.anomaly.check import training_frames
from vqc.tasks.anomaly.config import AnomalyConfig
from vqc.tasks.anomaly.groups import find_groups, require_members
from vqc.tasks.anomaly.held import NOTHING, Looked
from vqc.tasks.anomaly.patches import Seer, start_backbone
from vqc.tasks.anomaly.thresholds import LEAST_GOOD, Scale, read_rule, require
from vqc.tasks.anomaly.trained import Detector, Grouping
from vqc.tasks.contract import Fitted, Monitor
from vqc.tasks.learning.device import device_of
from vqc.types import FloatArray, Frame

ONE_GROUP = Grouping(np.zeros((1, 1)), np.zeros(1), np.ones(1))


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """frames: those that train. val, is_defect: those that choose thresholds. seer: None where
    nothing needs a backbone."""

    dataset: Dataset
    config: AnomalyConfig
    frames: tuple[Frame, ...]
    val: tuple[Frame, ...]
    is_defect: NDArray[np.bool_]
    device: torch.device
    seer: Seer | None

    @property
    def needs_train(self) -> bool:
        """Whether thresholds are chosen by training frames as well as by those of val."""
        return self.config.groups != 1 or int((~self.is_defect).sum()) < LEAST_GOOD

    @property
    def shows_both(self) -> bool:
        """Whether val shows good frames and defects, so that an AUROC is defined."""
        return bool(self.is_defect.any()) and not self.is_defect.all()

    @property
    def held_count(self) -> int:
        """How many frames `look` judges."""
        return len(self.val) + len(self.frames) * self.needs_train

    def grouping(self, wholes: FloatArray) -> Grouping:
        """The groups of training frames that look like (N, D)."""
        mean, spread = wholes.mean(0), wholes.std(0)
        spread = np.where(spread > 0, spread, 1.0)
        wanted = None if self.config.groups == "auto" else self.config.groups
        return Grouping(
            find_groups((wholes - mean) / spread, wanted, self.config.seed), mean, spread
        )

    def look(
        self, detector: Detector, kept: NDArray[np.bool_], seen: Callable[[int], None]
    ) -> tuple[Looked, Looked]:
        """val, and the training frames that were kept, each judged without itself."""
        val = held.look(detector, self.dataset, self.val, seen)
        if not self.needs_train:
            return val, NOTHING
        numbers = np.flatnonzero(kept).tolist()
        frames = [self.frames[number] for number in numbers]
        train = held.look(detector, self.dataset, frames, seen, numbers)
        seen(len(self.frames) - len(frames))
        return val, train

    def scales(self, val: Looked, train: Looked, groups: int) -> tuple[Scale, ...]:
        rule = read_rule(self.config.threshold)
        return held.scales_of(rule, val, self.is_defect, train, groups)

    def fitted(self, epochs: int, best: int, val: Looked, scales: Sequence[Scale]) -> Fitted:
        """What a training came to. Every good frame of val has a say in the thresholds.

        Where val shows one kind only it has no metrics: there is no AUROC to compare by.
        """
        metrics = held.metrics_of(val, self.is_defect, scales) if self.shows_both else {}
        return Fitted(epochs, best, metrics, None if self.is_defect.all() else "val")


def job_of(dataset: Dataset, config: AnomalyConfig) -> Job:
    """Raises InputError where the set lacks what the settings need, for weights that are missing
    or unsafe and for a device that is not there."""
    frames, val = training_frames(dataset, config.contamination), dataset.frames("val")
    is_defect = held.defects_of(val)
    require(read_rule(config.threshold), int((~is_defect).sum()), int(is_defect.sum()))
    if config.groups != "auto":
        require_members(config.groups, len(frames), "training frames")
    device = device_of(config.device)
    seer = None
    if config.has_backbone:
        backbone = start_backbone(config.weights, config.seed)
        backbone.layers.eval().to(device)
        even = (1.0,) * len(config.strides)
        seer = Seer(backbone, device, config.imgsz, config.strides, config.patch, even)
    return Job(dataset, config, frames, val, is_defect, device, seer)


class Told:
    """Adds up what was seen, and tells the monitor."""

    def __init__(self, monitor: Monitor, total: int, done: int = 0) -> None:
        self._monitor, self._total, self._done = monitor, total, done

    def __call__(self, frames: int) -> None:
        self._done += frames
        self._monitor.progress(self._done, self._total)
