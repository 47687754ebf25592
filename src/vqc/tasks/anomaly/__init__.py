"""The anomaly detector: what differs from good frames, learnt from good frames alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vqc.dataset import Dataset
from vqc.runs import Run
from vqc.tasks.anomaly.answers import Anomalies
from vqc.tasks.anomaly.config import HEADLINE, TASK, AnomalyConfig, PredictConfig, configure
from vqc.tasks.contract import Evaluation, Fitted, Monitor, Picture
from vqc.types import ByteArray


class Anomaly:
    """The task `anomaly`; docs/tasks.md says what each method promises."""

    name = TASK
    headline = HEADLINE
    config = AnomalyConfig
    predict_config = PredictConfig

    def configure(self, settings: Mapping[str, Any]) -> AnomalyConfig:
        return configure(settings)

    def check(self, dataset: Dataset) -> None:
        from vqc.tasks.anomaly.check import check

        check(dataset)

    def check_machine(self, config: AnomalyConfig) -> None:
        from vqc import ultra

        ultra.require_device(config.device)

    def fit(
        self, dataset: Dataset, config: AnomalyConfig, run_dir: Path, monitor: Monitor
    ) -> Fitted:
        from vqc.tasks.anomaly.fit import fit

        return fit(dataset, config, run_dir, monitor)

    def evaluate(self, run: Run, dataset: Dataset, split: str, device: str = "") -> Evaluation:
        from vqc.tasks.anomaly.evaluate import evaluate

        return evaluate(run, dataset, split, device)

    def predict(
        self, run: Run, pictures: Iterable[Picture], settings: Mapping[str, Any]
    ) -> Iterator[tuple[Picture, Anomalies]]:
        from vqc.tasks.anomaly.predict import predict

        return predict(run, pictures, settings)

    def draw(self, picture: Picture, prediction: Anomalies) -> ByteArray:
        from vqc.tasks.anomaly.drawing import draw

        return draw(picture, prediction)

    def rows(self, prediction: Anomalies) -> list[dict[str, str | float]]:
        return [prediction.row()]
