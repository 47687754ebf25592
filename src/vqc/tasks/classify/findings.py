"""What a classifier got right and wrong: metrics, confusion, curves, groups and mistakes.

In: samples with their truth, and probabilities. Out: parts of an `Evaluation`. Pure functions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqc.tasks.classify import calibration
from vqc.tasks.classify.samples import Sample
from vqc.tasks.contract import BACKGROUND, Confusion, Curve, Mistake
from vqc.types import FloatArray, IntArray

MOST_MISTAKES = 200
_ALL, _IDEAL = "all", "ideal"
_STEPS = 101
_SOURCES = {"cad": "CAD", "real": "photo"}


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What was asked and answered.

    shares: (N, K) probabilities. truth: (N,) class numbers, -1 for none of these. threshold:
    the least probability that counts.
    """

    samples: tuple[Sample, ...]
    shares: FloatArray
    truth: IntArray
    threshold: float
    classes: tuple[str, ...]

    @property
    def likeliest(self) -> IntArray:
        best: IntArray = self.shares.argmax(1)
        return best

    @property
    def scores(self) -> FloatArray:
        """(N,): probability of the likeliest class."""
        best: FloatArray = self.shares.max(1)
        return best

    @property
    def is_known(self) -> NDArray[np.bool_]:
        return np.asarray(self.truth >= 0)

    @property
    def answered(self) -> IntArray:
        """(N,): the class that was answered, -1 for none of these."""
        return np.where(self.scores >= self.threshold, self.likeliest, -1)


def metrics(seen: Seen) -> dict[str, float]:
    """Of all that show a class, by the likeliest one; NaN where nothing does.

    accuracy with none: of everything, at the threshold. answered: how many that show a class
    count. none: how many backgrounds do not, where there are any.
    """
    known = seen.is_known
    right = (seen.likeliest == seen.truth)[known]
    rows = list(per_class(seen).values())
    found = {
        "accuracy": _mean(right),
        "balanced accuracy": _known_mean([row["accuracy"] for row in rows]),
        "precision": _known_mean([row["precision"] for row in rows]),
        "F1": _known_mean([row["F1"] for row in rows]),
        "log loss": calibration.log_loss(seen.shares[known], seen.truth[known]),
        "calibration error": calibration.calibration_error(seen.scores[known], right),
        "accuracy with none": _mean(seen.answered == seen.truth),
        "answered": _mean(seen.answered[known] >= 0),
    }
    if not known.all():
        found["none"] = _mean(seen.answered[~known] < 0)
    return found


def per_class(seen: Seen) -> dict[str, dict[str, float]]:
    """accuracy of a class is its recall: the share of its pictures that were told."""
    known = seen.is_known
    truth, said = seen.truth[known], seen.likeliest[known]
    found = {}
    for number, name in enumerate(seen.classes):
        hits = float(((truth == number) & (said == number)).sum())
        shown, told = float((truth == number).sum()), float((said == number).sum())
        found[name] = {
            "accuracy": hits / shown if shown else math.nan,
            "precision": hits / told if told else math.nan,
            "F1": 2 * hits / (shown + told) if shown else math.nan,
        }
    return found


def confusion(seen: Seen) -> Confusion:
    """Truth by what was answered; BACKGROUND last, where anything shows or is answered none."""
    nothing = len(seen.classes)
    answered = seen.answered
    truth = np.where(seen.truth < 0, nothing, seen.truth)
    answer = np.where(answered < 0, nothing, answered)
    counts = np.zeros((nothing + 1, nothing + 1), np.int64)
    np.add.at(counts, (truth, answer), 1)
    if counts[-1].any() or counts[:, -1].any():
        return Confusion((*seen.classes, BACKGROUND), counts)
    return Confusion(seen.classes, counts[:-1, :-1])


def curves(seen: Seen) -> tuple[Curve, ...]:
    """Accuracy against confidence, and against the threshold."""
    known = seen.is_known
    found = []
    if known.any():
        right = (seen.likeliest == seen.truth)[known]
        x, y = calibration.reliability(seen.scores[known], right)
        found.append(Curve("reliability", "confidence", "accuracy", x, {_ALL: y, _IDEAL: x}))
    places = np.linspace(0, 1, _STEPS)
    counts = seen.scores[None] >= places[:, None]
    right_at = np.where(counts, seen.likeliest, -1) == seen.truth
    lines = {_ALL: right_at.mean(1)}
    for number, name in enumerate(seen.classes):
        mine = seen.truth == number
        if mine.any():
            lines[name] = right_at[:, mine].mean(1)
    found.append(Curve("accuracy-threshold", "threshold", "accuracy with none", places, lines))
    return tuple(found)


def groups(seen: Seen) -> dict[str, dict[str, dict[str, float]]]:
    """Accuracy of what shows a class, by session and by source."""
    by = {
        "session": [sample.frame.session for sample in seen.samples],
        "source": [_source(sample) for sample in seen.samples],
    }
    return {name: rows for name, labels in by.items() if (rows := _rows(seen, labels))}


def _source(sample: Sample) -> str:
    if sample.frame.simulated:
        return "simulated photo"
    return _SOURCES.get(sample.frame.source, sample.frame.source)


def _rows(seen: Seen, labels: Sequence[str]) -> dict[str, dict[str, float]]:
    rows = {}
    for label in sorted(set(labels)):
        mine = np.array([other == label for other in labels]) & seen.is_known
        right = (seen.likeliest == seen.truth)[mine]
        rows[label] = {"pictures": int(mine.sum()), "accuracy": _mean(right)}
    return rows


def mistakes(seen: Seen) -> tuple[Mistake, ...]:
    """What went wrong, the worst first, MOST_MISTAKES at most.

    confused: another class; false: a class where none is; both are as severe as they are sure.
    missed: none of these, where a class is; least severe, the nearest to the threshold last.
    """
    found = []
    for place in np.flatnonzero(seen.answered != seen.truth).tolist():
        sample, score = seen.samples[place], round(float(seen.scores[place]), 5)
        truth = sample.truth
        answered = int(seen.answered[place])
        said = None if answered < 0 else seen.classes[answered]
        kind = "missed" if said is None else "false" if truth is None else "confused"
        severity = 0.0 if said is None else score
        box, true_box = (None if said is None else sample.box), sample.box
        likeliest = seen.classes[int(seen.likeliest[place])] if said is None else None
        found.append(
            Mistake(
                sample.frame.image, kind, truth, said, score, severity, box, true_box, likeliest
            )
        )
    found.sort(key=lambda m: (-m.severity, m.score, m.image, m.kind, m.truth or ""))
    return tuple(found[:MOST_MISTAKES])


def _mean(values: NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else math.nan


def _known_mean(values: Sequence[float]) -> float:
    """Of the values that are defined."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
