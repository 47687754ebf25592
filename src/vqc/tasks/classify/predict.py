"""A trained classifier on pictures: RGB arrays in, a class or none of them out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from vqc.runs import Run
from vqc.tasks.classify.answers import Answer
from vqc.tasks.classify.config import PredictConfig
from vqc.tasks.classify.trained import Trained, load
from vqc.tasks.contract import Picture
from vqc.tasks.learning.reading import neighbours
from vqc.tasks.settings import parse

GPU_BATCH = 8


def predict(
    run: Run, pictures: Iterable[Picture], settings: Mapping[str, Any]
) -> Iterator[tuple[Picture, Answer]]:
    """The class of each whole picture, in their order.

    The network is loaded here; pictures are asked for only as answers are. settings: the
    fields of `PredictConfig`. Raises InputError for settings or weights that do not fit, and
    for a device that is not there.
    """
    config = PredictConfig(**parse(PredictConfig, settings))
    trained = load(run.weights, run.classes, config.device)
    return _answers(trained, pictures, config)


def _answers(
    trained: Trained, pictures: Iterable[Picture], config: PredictConfig
) -> Iterator[tuple[Picture, Answer]]:
    threshold = trained.threshold if config.conf is None else config.conf
    stills = config.batch or (1 if trained.device.type == "cpu" else GPU_BATCH)
    for batch in neighbours(pictures, stills, config.batch or 1):
        shares = trained.shares([picture.rgb for picture in batch])
        for picture, row in zip(batch, shares, strict=True):
            yield picture, Answer(picture.name, trained.classes, row, threshold)
