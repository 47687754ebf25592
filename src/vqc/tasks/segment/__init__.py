"""Semantic segmentation: which pixels show which class; classes may overlap."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vqc.dataset import Dataset
from vqc.runs import Run
from vqc.tasks.contract import Evaluation, Fitted, Headline, Monitor, Picture, Row
from vqc.tasks.segment.answers import Masks
from vqc.tasks.segment.config import PredictConfig, SegmentConfig, configure
from vqc.types import ByteArray


class Segment:
    """The task `segment`; docs/tasks.md says what each method promises."""

    name = "segment"
    headline = Headline("Dice")
    config = SegmentConfig
    predict_config = PredictConfig

    def configure(self, settings: Mapping[str, Any]) -> SegmentConfig:
        return configure(settings)

    def check(self, dataset: Dataset) -> None:
        from vqc.tasks.segment.check import check

        check(dataset)

    def check_machine(self, config: SegmentConfig) -> None:
        from vqc import ultra

        ultra.require_device(config.device)

    def fit(
        self, dataset: Dataset, config: SegmentConfig, run_dir: Path, monitor: Monitor
    ) -> Fitted:
        from vqc.tasks.segment.fit import fit

        return fit(dataset, config, run_dir, monitor)

    def evaluate(self, run: Run, dataset: Dataset, split: str, device: str = "") -> Evaluation:
        from vqc.tasks.segment.evaluate import evaluate

        return evaluate(run, dataset, split, device)

    def predict(
        self, run: Run, pictures: Iterable[Picture], settings: Mapping[str, Any]
    ) -> Iterator[tuple[Picture, Masks]]:
        from vqc.tasks.segment.predict import predict

        return predict(run, pictures, settings)

    def rows(self, prediction: Masks) -> list[Row]:
        return prediction.rows()

    def draw(self, picture: Picture, prediction: Masks) -> ByteArray:
        from vqc.tasks.segment.drawing import draw

        return draw(picture, prediction)
