"""How an anomaly detector does on one split of a set: a run and a set in, an `Evaluation` out.

Import this late: it loads torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vqc.dataset import Dataset
from vqc.pictures import read_picture
from vqc.runs import Run
from vqc.tasks.anomaly import findings, held
from vqc.tasks.anomaly.answers import Anomalies
from vqc.tasks.anomaly.check import require_said
from vqc.tasks.anomaly.drawing import draw
from vqc.tasks.anomaly.thresholds import HALF
from vqc.tasks.anomaly.trained import load
from vqc.tasks.anomaly.truth import defect_mask, part_classes
from vqc.tasks.contract import Evaluation, Picture
from vqc.types import ByteArray, Frame

_DRAWN_MISTAKES, _DRAWN_EXAMPLES = 24, 4
_LARGEST_PX = 700
"""Longer side of a photo that is drawn for a sheet."""


def evaluate(run: Run, dataset: Dataset, split: str, device: str = "") -> Evaluation:
    """Score a run on a split.

    Frames count as defects from the threshold of their group on, which best.pt holds and which
    was not chosen here; its score is HALF everywhere. AUROC is over margins from it. Raises
    InputError for frames of which nobody has said whether they are good, for weights that are not
    the run's and for a device that is not there.
    """
    frames = dataset.frames(split)
    require_said(frames)
    trained = load(run.weights, device)
    pixels = held.rgbs(dataset, frames)
    answers = tuple(
        trained.answer(frame.image, rgb) for frame, rgb in zip(frames, pixels, strict=True)
    )
    parts = trained.parts | part_classes(dataset.manifest.frames)
    wrong = findings.mistakes(frames, answers)
    shown = findings.shown(frames, answers, wrong, _DRAWN_MISTAKES, _DRAWN_EXAMPLES)
    return Evaluation(
        split=split,
        frames=len(frames),
        metrics=findings.metrics(frames, answers) | findings.pixel_metrics(frames, answers, parts),
        per_class={},
        threshold=HALF,
        confusion=findings.confusion(frames, answers),
        curves=findings.curves(frames, answers),
        groups=findings.groups(frames, answers),
        mistakes=wrong,
        predictions=answers,
        drawn=_drawn(dataset, frames, answers, shown, parts),
    )


def _drawn(
    dataset: Dataset,
    frames: Sequence[Frame],
    answers: Sequence[Anomalies],
    shown: Sequence[int],
    parts: frozenset[str],
) -> dict[str, ByteArray]:
    """The frames of these numbers with what is wrong outlined, and their heat maps."""
    found = {}
    for number in shown:
        frame = frames[number]
        image = read_picture(dataset.path(frame))
        image.thumbnail((_LARGEST_PX, _LARGEST_PX))
        picture = Picture(frame.image, np.asarray(image, np.uint8))
        found[frame.image] = draw(picture, answers[number], defect_mask(frame, parts))
    return found
