"""The classifier: which part a picture shows, or none of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vqc.dataset import Dataset
from vqc.runs import Run
from vqc.tasks.classify.answers import Answer
from vqc.tasks.classify.config import HEADLINE, ClassifyConfig, PredictConfig, configure
from vqc.tasks.contract import Evaluation, Fitted, Monitor, Picture
from vqc.types import ByteArray


class Classify:
    """The task `classify`; docs/tasks.md says what each method promises."""

    name = "classify"
    headline = HEADLINE
    config = ClassifyConfig
    predict_config = PredictConfig

    def configure(self, settings: Mapping[str, Any]) -> ClassifyConfig:
        return configure(settings)

    def check(self, dataset: Dataset) -> None:
        from vqc.tasks.classify.samples import check

        check(dataset)

    def check_machine(self, config: ClassifyConfig) -> None:
        from vqc import ultra

        ultra.require_device(config.device)

    def fit(
        self, dataset: Dataset, config: ClassifyConfig, run_dir: Path, monitor: Monitor
    ) -> Fitted:
        from vqc.tasks.classify.fit import fit

        return fit(dataset, config, run_dir, monitor)

    def evaluate(self, run: Run, dataset: Dataset, split: str, device: str = "") -> Evaluation:
        from vqc.tasks.classify.evaluate import evaluate

        return evaluate(run, dataset, split, device)

    def predict(
        self, run: Run, pictures: Iterable[Picture], settings: Mapping[str, Any]
    ) -> Iterator[tuple[Picture, Answer]]:
        from vqc.tasks.classify.predict import predict

        return predict(run, pictures, settings)

    def draw(self, picture: Picture, prediction: Answer) -> ByteArray:
        from vqc.tasks.classify.drawing import draw

        return draw(picture, prediction)

    def rows(self, prediction: Answer) -> list[dict[str, str | float]]:
        return prediction.rows()
