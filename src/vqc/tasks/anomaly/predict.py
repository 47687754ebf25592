"""A trained anomaly detector on pictures: RGB arrays in, scores and heat maps out.

Import this late: it loads torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from vqc.errors import InputError
from vqc.runs import Run
from vqc.tasks.anomaly.answers import Anomalies
from vqc.tasks.anomaly.autoencoder import Autoencoders
from vqc.tasks.anomaly.config import PredictConfig
from vqc.tasks.anomaly.trained import load
from vqc.tasks.contract import Picture
from vqc.tasks.settings import parse


def predict(
    run: Run, pictures: Iterable[Picture], settings: Mapping[str, Any]
) -> Iterator[tuple[Picture, Anomalies]]:
    """How far each picture is from what is good, in their order.

    The detector is loaded here; pictures are asked for only as answers are. settings: the fields
    of `PredictConfig`. Raises InputError for settings or weights that do not fit, and for a
    device that is not there.
    """
    config = PredictConfig(**parse(PredictConfig, settings))
    trained = load(run.weights, config.device)
    if config.bottleneck and not isinstance(trained.detector.model, Autoencoders):
        raise InputError(f"bottleneck: only conv-ae has one; {run.folder} is a patchcore")
    return (
        (picture, trained.answer(picture.name, picture.rgb, config.bottleneck))
        for picture in pictures
    )
