"""How a segmenter does on one split of a set: a run in, an `Evaluation` out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vqc.dataset import Dataset
from vqc.errors import InputError
from vqc.formats import rle
from vqc.runs import Run
from vqc.tasks.contract import Evaluation
from vqc.tasks.segment import data, findings, trained
from vqc.tasks.segment.answers import Masks, masks_from
from vqc.tasks.segment.counts import Chosen, Counts, histogram, hundredths, mean
from vqc.tasks.segment.learner import tiling_of
from vqc.tasks.segment.scoring import answer_of, answered, by_class, summary
from vqc.tasks.segment.tolerance import metrics, near
from vqc.tasks.segment.trained import Trained
from vqc.types import ByteArray, IntArray


def evaluate(run: Run, dataset: Dataset, split: str, device: str = "") -> Evaluation:
    """Score a segmenter on one split, at the thresholds that its own val split chose.

    Curves are over all thresholds. Raises InputError for weights that are not the run's and for
    a device that is not there.
    """
    found = trained.read(run.weights, device)
    classes = dataset.manifest.classes
    if found.classes != classes:
        raise InputError(
            f"{run.folder} knows the classes {', '.join(found.classes)}, the set has "
            f"{', '.join(classes)}; expected the same in the same order"
        )
    seen = _look(found, dataset, split)
    chosen = seen.counts.at(found.thresholds.hundredths, found.thresholds.least_px)
    frames = dataset.frames(split)
    per_class = by_class(chosen, classes)
    for k, name in enumerate(classes):
        per_class[name] |= {m: float(values[k]) for m, values in seen.tolerant(chosen).items()}
        per_class[name]["threshold"] = found.thresholds.hundredths[k] / 100
    mistakes = findings.mistakes(frames, seen.answers, chosen, classes)
    return Evaluation(
        split=split,
        frames=len(frames),
        metrics=summary(chosen) | {m: mean(v) for m, v in seen.tolerant(chosen).items()},
        per_class=per_class,
        threshold=min(found.thresholds.hundredths) / 100,  # each class's own is in per_class
        curves=findings.curves(seen.counts, classes),
        groups=findings.groups(frames, chosen),
        mistakes=mistakes,
        predictions=seen.answers,
        drawn=findings.drawn(dataset, frames, seen.answers, mistakes),
    )


class _Seen:
    """answers: one a frame. near_found, near_true: (N, C) pixels within the tolerance."""

    def __init__(
        self, answers: Sequence[Masks], counts: Counts, near_counts: Sequence[NDArray[np.int64]]
    ) -> None:
        self.answers, self.counts = tuple(answers), counts
        self._near = np.array(near_counts, np.int64)

    def tolerant(self, chosen: Chosen) -> dict[str, NDArray[np.float64]]:
        """(C,) each."""
        values = metrics(self._near[..., 0], self._near[..., 1], chosen.found, chosen.true)
        return dict(
            zip(("precision-tolerant", "recall-tolerant", "F1-tolerant"), values, strict=True)
        )


def _look(found: Trained, dataset: Dataset, split: str) -> _Seen:
    """Everything that is kept of the pictures; the pictures themselves are not."""
    answers, histograms, near_counts = [], [], []
    answer = answer_of(found.network)
    for frame, _, maps in answered(answer, dataset, split, tiling_of(found.config)):
        truth = data.masks_of(frame, found.classes)
        histograms.append(histogram(hundredths(maps), truth))
        answers.append(masks_from(frame.image, maps, found.classes, found.thresholds))
        near_counts.append(_near_counts(answers[-1], truth, found.config.tolerance))
    return _Seen(answers, Counts.of(histograms), near_counts)


def _near_counts(answer: Masks, truth: ByteArray, tolerance_px: float) -> IntArray:
    """(C, 2): predicted pixels near the truth, true pixels near the prediction."""
    counts = np.zeros((len(answer.classes), 2), np.int64)
    for mask in answer.masks:
        k = answer.classes.index(mask.class_name)
        counts[k] = near(rle.decode(mask.code), truth[:, :, k] > 0, tolerance_px)
    return counts
