"""A trained segmenter on pictures: RGB arrays in, masks of each class out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from vqc.runs import Run
from vqc.tasks.contract import Picture
from vqc.tasks.segment import trained
from vqc.tasks.segment.answers import Masks, masks_from
from vqc.tasks.segment.config import PredictConfig, require_tiles
from vqc.tasks.segment.foreground import Isolate, load
from vqc.tasks.segment.scoring import answer_of
from vqc.tasks.segment.thresholds import Thresholds
from vqc.tasks.segment.tiles import Tiling, maps
from vqc.tasks.segment.trained import Trained
from vqc.tasks.settings import parse


def predict(
    run: Run, pictures: Iterable[Picture], settings: Mapping[str, Any]
) -> Iterator[tuple[Picture, Masks]]:
    """Masks of each picture, in their order, as they are asked for.

    settings: the fields of `PredictConfig`. Raises InputError for settings or weights that do
    not fit, for a device or a file for `foreground` that is not there.
    """
    config = PredictConfig(**parse(PredictConfig, settings))
    found = trained.read(run.weights, config.device)
    tiling = Tiling(
        imgsz=found.config.imgsz if config.imgsz is None else config.imgsz,
        tile=found.config.tile if config.tile is None else config.tile,
        overlap=found.config.overlap if config.overlap is None else config.overlap,
        batch=config.batch,
    )
    require_tiles(tiling.tile, tiling.overlap, "run's own" if config.overlap is None else "")
    isolate = load(config.foreground, config.device) if config.foreground else None
    thresholds = found.thresholds
    if config.conf is not None:
        classes = len(found.classes)
        # The least is 1: at 0 every pixel would be of every class.
        thresholds = Thresholds((max(1, round(config.conf * 100)),) * classes, (0,) * classes)
    return _answers(found, pictures, tiling, thresholds, isolate)


def _answers(
    found: Trained,
    pictures: Iterable[Picture],
    tiling: Tiling,
    thresholds: Thresholds,
    isolate: Isolate | None,
) -> Iterator[tuple[Picture, Masks]]:
    answer = answer_of(found.network)
    for picture in pictures:
        (probabilities,) = maps(answer, [picture.rgb], tiling)
        if isolate is not None:
            probabilities = probabilities * isolate(picture.rgb).astype(np.float32)
        yield picture, masks_from(picture.name, probabilities, found.classes, thresholds)
