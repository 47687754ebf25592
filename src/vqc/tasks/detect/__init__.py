"""The detector: boxes of parts in photos, by Ultralytics YOLO."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vqc.dataset import SPLITS, Dataset
from vqc.errors import InputError
from vqc.runs import Run
from vqc.tasks.contract import Evaluation, Fitted, Headline, Monitor, Picture
from vqc.tasks.detect.answers import Detections
from vqc.tasks.detect.config import DetectConfig, PredictConfig, configure
from vqc.types import ByteArray

_SHOWN = 20


class Detect:
    """The task `detect`; docs/tasks.md says what each method promises."""

    name = "detect"
    headline = Headline("mAP50")
    config = DetectConfig
    predict_config = PredictConfig

    def configure(self, settings: Mapping[str, Any]) -> DetectConfig:
        return configure(settings)

    def check(self, dataset: Dataset) -> None:
        unlabelled = [
            frame.image
            for split in SPLITS
            for frame in dataset.frames(split)
            if frame.objects is None
        ]
        if unlabelled:
            more = [f"... and {len(unlabelled) - _SHOWN} more"] if len(unlabelled) > _SHOWN else []
            raise InputError(
                f"{dataset.folder}: {len(unlabelled)} frames have no boxes (objects is null), "
                "and a detector would take them for empty:\n"
                + "\n".join([*(f"  {image}" for image in unlabelled[:_SHOWN]), *more])
                + "\nLabel them, or leave their set out of the mix"
            )
        trains = dataset.frames("train")
        if trains and not any(frame.objects for frame in trains):
            raise InputError(f"{dataset.folder}: no training frame shows any object")

    def check_machine(self, config: DetectConfig) -> None:
        from vqc import ultra

        ultra.require_device(config.device)

    def fit(
        self, dataset: Dataset, config: DetectConfig, run_dir: Path, monitor: Monitor
    ) -> Fitted:
        from vqc.tasks.detect.fit import fit

        return fit(dataset, config, run_dir, monitor)

    def evaluate(self, run: Run, dataset: Dataset, split: str, device: str = "") -> Evaluation:
        from vqc.tasks.detect.evaluate import evaluate

        return evaluate(run, dataset, split, device)

    def predict(
        self, run: Run, pictures: Iterable[Picture], settings: Mapping[str, Any]
    ) -> Iterator[tuple[Picture, Detections]]:
        from vqc.tasks.detect.predict import predict

        return predict(run, pictures, settings)

    def draw(self, picture: Picture, prediction: Detections) -> ByteArray:
        from vqc.tasks.detect.drawing import draw

        return draw(picture, prediction)
