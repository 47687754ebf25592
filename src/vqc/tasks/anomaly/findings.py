"""What an anomaly detector found of what is there: metrics, curves, groups and mistakes.

In: frames with their truth, and the answers to them. Out: parts of an `Evaluation`. Pure
functions over manifests and arrays; no picture is opened.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vqc.tasks.anomaly import measures
from vqc.tasks.anomaly.answers import Anomalies
from vqc.tasks.anomaly.drawing import enlarged_heat
from vqc.tasks.anomaly.held import defects_of
from vqc.tasks.anomaly.truth import DEFECT, GOOD, defect_mask, kind_of, says_where
from vqc.tasks.contract import Confusion, Curve, Mistake
from vqc.types import FloatArray, Frame

MOST_MISTAKES = 200
FEW_SESSIONS = 12
_BARS = 40
Groups = dict[str, dict[str, dict[str, float]]]


def margins_of(answers: Sequence[Anomalies]) -> FloatArray:
    """(N,): what frames are ranked by; comparable between groups."""
    return np.array([answer.scale.margin(answer.distance) for answer in answers], np.float64)


def metrics(frames: Sequence[Frame], answers: Sequence[Anomalies]) -> dict[str, float]:
    """Of whole frames. AUROC is NaN where good frames or defects are missing."""
    is_defect, margins = defects_of(frames), margins_of(answers)
    calls = np.array([answer.is_anomaly for answer in answers], bool)
    return {
        "AUROC": measures.auroc(margins, is_defect),
        "average precision": measures.average_precision(margins, is_defect),
        **measures.at_threshold(calls, is_defect),
        "best F1": measures.best_f1(margins, is_defect),
    }


def pixel_metrics(
    frames: Sequence[Frame], answers: Sequence[Anomalies], parts: frozenset[str]
) -> dict[str, float]:
    """Of the heat maps, over good frames and defects with masks; none where no mask says where.

    Heat of different groups is brought to one scale by what their good frames seldom reach.
    """
    if not any(says_where(frame, parts) for frame in frames):
        return {}
    heats = [answer.heat / answer.scale.hot for answer in answers]
    counts = measures.PixelCounts(measures.edges_of(heats))
    for frame, answer, heat in zip(frames, answers, heats, strict=True):
        mask = defect_mask(frame, parts)
        if mask is not None:
            counts.add(enlarged_heat(heat.astype(np.float32), answer.covers, *mask.shape), mask)
    return {"pixel AUROC": counts.auroc(), "PRO": counts.pro()}


def confusion(frames: Sequence[Frame], answers: Sequence[Anomalies]) -> Confusion:
    counts = np.zeros((2, 2), np.int64)
    for wrong, answer in zip(defects_of(frames).tolist(), answers, strict=True):
        counts[int(wrong), int(answer.is_anomaly)] += 1
    return Confusion((GOOD, DEFECT), counts)


def curves(frames: Sequence[Frame], answers: Sequence[Anomalies]) -> tuple[Curve, ...]:
    """ROC and precision over recall, where both kinds are there, and the scores of each kind."""
    is_defect = defects_of(frames)
    found = measures.sweep(margins_of(answers), is_defect)
    scores = np.array([answer.score for answer in answers], np.float64)
    edges = np.linspace(0, 1, _BARS + 1)
    lines = {
        name: np.histogram(scores[mine], edges)[0] / mine.sum()
        for name, mine in ((GOOD, ~is_defect), (DEFECT, is_defect))
        if mine.any()
    }
    middles = (edges[1:] + edges[:-1]) / 2
    histogram = Curve("scores", "score", "share of the frames", middles, lines, is_histogram=True)
    if not found.good or not found.defects:
        return (histogram,)
    rate, recall = np.append(0.0, found.false_alarm_rate), np.append(0.0, found.recall)
    precision = {"all": found.precision}
    return (
        Curve("ROC", "false alarms, of good frames", "recall", rate, {"all": recall}),
        Curve("precision-recall", "recall", "precision", found.recall, precision),
        histogram,
    )


def groups(frames: Sequence[Frame], answers: Sequence[Anomalies]) -> Groups:
    """How many were judged right: by kind of defect, by look-alike group, by session if few."""
    is_defect = defects_of(frames)
    right = np.array([a.is_anomaly for a in answers], bool) == is_defect
    found = {"condition": _rows([kind_of(f) for f in frames], right, "recall")}
    if len({answer.group for answer in answers}) > 1:
        found["group"] = _rows([f"group {answer.group}" for answer in answers], right, "accuracy")
    sessions = [frame.session for frame in frames]
    if 1 < len(set(sessions)) <= FEW_SESSIONS:
        found["session"] = _rows(sessions, right, "accuracy")
    return found


def mistakes(frames: Sequence[Frame], answers: Sequence[Anomalies]) -> tuple[Mistake, ...]:
    """Missed defects and false alarms, the worst first: as severe as they are far from 0.5."""
    found = []
    for frame, wrong, answer in zip(frames, defects_of(frames).tolist(), answers, strict=True):
        if wrong == answer.is_anomaly:
            continue
        kind, truth, said = ("missed", DEFECT, None) if wrong else ("false", None, DEFECT)
        severity = 2 * abs(answer.score - 0.5)
        found.append(Mistake(frame.image, kind, truth, said, answer.score, severity))
    found.sort(key=lambda mistake: (-mistake.severity, mistake.image))
    return tuple(found[:MOST_MISTAKES])


def shown(
    frames: Sequence[Frame],
    answers: Sequence[Anomalies],
    wrong: Sequence[Mistake],
    most: int,
    examples: int,
) -> list[int]:
    """Numbers of the frames to draw: the worst mistakes, then surest defects and highest good."""
    place = {frame.image: number for number, frame in enumerate(frames)}
    found = [place[mistake.image] for mistake in wrong[:most]]
    is_defect, margins = defects_of(frames), margins_of(answers)
    for kind in (is_defect, ~is_defect):
        of_kind = np.flatnonzero(kind)
        falling = of_kind[np.argsort(-margins[of_kind], kind="stable")]
        picked = (
            falling[np.unique(np.linspace(0, len(falling) - 1, examples).round().astype(int))]
            if len(falling)
            else falling
        )
        found += [number for number in picked.tolist() if number not in found]
    return found


def _rows(
    labels: Sequence[str], right: NDArray[np.bool_], name: str
) -> dict[str, dict[str, float]]:
    rows: dict[str, dict[str, float]] = {}
    for label in sorted(set(labels)):
        mine = np.array([other == label for other in labels])
        rows[label] = {"frames": float(mine.sum()), name: float(right[mine].mean())}
    return rows
