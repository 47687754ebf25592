"""Ultralytics' trainer, held to frames of a manifest, to whole files and to what the core is told.

Import this after `vqc.ultra.prepare()`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path, PosixPath
from typing import Any

from torch.utils.data import RandomSampler
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.utils.torch_utils import unwrap_model

from vqc.dataset import Dataset
from vqc.errors import InputError, VqcError
from vqc.files import replace_file
from vqc.tasks.contract import Monitor
from vqc.tasks.detect.data import EqualEpochs, build, choosing, data_record
from vqc.tasks.detect.precision import mixed_precision, suit_processor
from vqc.tasks.learning.norms import is_folded, unfold
from vqc.types import Frame

_MEASURED = 128
"""Pictures on which folded batch normalisation is measured."""

_NAMES = {
    "metrics/precision(B)": "precision",
    "metrics/recall(B)": "recall",
    "metrics/mAP50(B)": "mAP50",
    "metrics/mAP50-95(B)": "mAP50-95",
}


def plain_metrics(metrics: Mapping[str, float], prefix: str = "") -> dict[str, float]:
    """Ultralytics' metrics of a detector under their plain names, with F1."""
    found = {name: float(metrics[key]) for key, name in _NAMES.items() if key in metrics}
    if found:
        both = found["precision"] + found["recall"]
        found["F1"] = 2 * found["precision"] * found["recall"] / both if both else 0.0
    return {prefix + name: value for name, value in found.items()}


class WholeFile(PosixPath):
    """A path whose writes appear whole or not at all."""

    def write_bytes(self, data: bytes) -> int:  # type: ignore[override]
        replace_file(Path(self), data)
        return len(data)


class Trainer(DetectionTrainer):  # type: ignore[misc]
    """Trains on a dataset's train split, and chooses on its val split where that shows objects.

    start: the plan of the network, and the network that training starts from, or None from
    scratch. checkpoint: what an earlier,
    interrupted training saved last, or None. folder: where checkpoints and plots go.
    """

    def __init__(
        self,
        dataset: Dataset,
        start: tuple[Mapping[str, Any], Any],
        checkpoint: Mapping[str, Any] | None,
        folder: Path,
        epoch_images: int | None,
        arguments: Mapping[str, Any],
        monitor: Monitor,
    ) -> None:
        self._dataset, self._start, self._checkpoint = dataset, start, checkpoint
        self._monitor = monitor
        self._frames = {"train": dataset.frames("train"), "val": choosing(dataset)}
        self._count = epoch_images or len(self._frames["train"])
        self._order = EqualEpochs(len(self._frames["train"]), self._count, int(arguments["seed"]))
        self._seen = 0
        super().__init__(
            overrides={
                **arguments, "task": "detect", "mode": "train", "model": "start.pt",
                "data": dataset.manifest.name, "save_dir": str(folder), "verbose": False,
            }
        )  # fmt: skip
        self.wdir = WholeFile(folder / "weights")
        self.last, self.best = self.wdir / "last.pt", self.wdir / "best.pt"
        self.add_callback("on_train_batch_end", lambda trainer: trainer.tell_progress())
        self.add_callback("on_train_epoch_start", lambda trainer: trainer.start_epoch_count())

    # What it reads

    def get_dataset(self) -> dict[str, Any]:
        return data_record(self._dataset)

    def setup_model(self) -> Mapping[str, Any] | None:
        plan, network = self._start
        try:
            self.model = self.get_model(cfg=dict(plan), weights=network, verbose=False)
        except Exception as error:  # a plan out of a file may say anything
            raise InputError(
                f"the network of --weights cannot be built for this set: {error!r}"
            ) from error
        return self._checkpoint

    def build_dataset(self, img_path: str, mode: str = "train", batch: int | None = None) -> Any:
        # Ultralytics wants something to validate on even where nothing is validated.
        frames: Sequence[Frame] = self._frames[img_path] or self._frames["train"][:1]
        stride = max(int(unwrap_model(self.model).stride.max()), 32)
        scratch = self.save_dir / "cache" / img_path
        is_train = mode == "train"
        count = self._count if is_train else None
        return build(self._dataset, frames, self.args, stride, batch or 1, is_train, scratch, count)

    def get_dataloader(self, *args: Any, mode: str = "train", **settings: Any) -> Any:
        loader = super().get_dataloader(*args, mode=mode, **settings)
        if mode == "train" and isinstance(loader.sampler, RandomSampler):
            object.__setattr__(loader, "sampler", self._order)  # torch refuses to change it
            loader.batch_sampler.sampler.sampler = self._order
        return loader

    def _build_train_pipeline(self) -> None:
        super()._build_train_pipeline()
        if self._checkpoint is None and is_folded(self.model):
            batches = islice(self.train_loader, math.ceil(_MEASURED / self.batch_size))
            unfold(self.model, (self.preprocess_batch(batch)["img"] for batch in batches))
            self.train_loader.reset()

    def _setup_train(self) -> None:
        super()._setup_train()
        if self.device.type == "cpu":
            suit_processor(self.model)

    def train(self) -> Any:
        with mixed_precision():
            return super().train()

    def resume_training(self, ckpt: Mapping[str, Any] | None) -> None:
        self.resume = ckpt is not None
        super().resume_training(ckpt)

    # What it leaves

    def validate(self) -> tuple[dict[str, float], float]:
        """Metrics on val; where nothing chooses, a fitness that makes the last epoch the best."""
        if self._frames["val"]:
            found: tuple[dict[str, float], float] = super().validate()
            return found
        self.best_fitness = float(self.epoch + 1)
        return {}, self.best_fitness

    def save_metrics(self, metrics: Mapping[str, float]) -> None:
        if not self.loss.isfinite():
            raise VqcError(
                f"training failed: the loss of epoch {self.epoch + 1} is {self.loss.item()}; "
                "a smaller learning rate may help (--set lr0=0.001 --set optimizer=AdamW)"
            )
        losses = {key: float(value) for key, value in metrics.items() if key not in _NAMES}
        self._monitor.epoch(self.epoch + 1, losses | plain_metrics(metrics, "val/"))

    def read_results_csv(self) -> dict[str, Any]:
        return {}

    def plot_metrics(self) -> None:
        """The core draws them, from its own table."""

    def final_eval(self) -> None:
        """Every epoch is validated already, and `fit` writes the weights that count."""

    def start_epoch_count(self) -> None:
        self._seen = self.epoch * self._count
        loader = self.train_loader
        if loader.iterator is None or self.epoch == self.epochs - self.args.close_mosaic:
            self._order.epoch = self.epoch  # a new pass begins; otherwise they count on

    def tell_progress(self) -> None:
        self._seen = min(self._seen + self.batch_size, (self.epoch + 1) * self._count)
        self._monitor.progress(self._seen, self.epochs * self._count)
