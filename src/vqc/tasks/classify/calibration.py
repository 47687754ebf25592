"""Probabilities that mean what they say, and from which one on an answer counts.

In: (N, K) logits or (N,) scores of val, with their truth. Out: a temperature, a threshold, and how
far confidence is from accuracy. Pure functions.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vqc.types import FloatArray, IntArray

BINS = 15
_LOWEST, _HIGHEST = 0.05, 20.0
_STEP = 1e-6


def probabilities(logits: FloatArray, temperature: float = 1.0) -> FloatArray:
    """(N, K): softmax of logits (N, K) ÷ temperature."""
    scaled = logits / temperature
    powers = np.exp(scaled - scaled.max(1, keepdims=True))
    shares: FloatArray = powers / powers.sum(1, keepdims=True)
    return shares


def log_loss(shares: FloatArray, truth: IntArray) -> float:
    """Mean of −ln p of the right class; (N, K) shares, (N,) truth. NaN without any."""
    if not len(truth):
        return math.nan
    right = shares[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(right, np.finfo(np.float64).tiny)).mean())


def fit_temperature(logits: FloatArray, truth: IntArray) -> float:
    """The temperature at which probabilities fit best (Guo et al. 2017), within [0.05, 20].

    logits: (N, K), truth: (N,). The likelihood's targets are softened by 1 / (N + 2), as Platt
    (1999) does: where every answer is right, the best temperature would be 0 otherwise.
    """
    from scipy.optimize import minimize_scalar

    count, classes = logits.shape
    if not count or classes < 2:
        return 1.0
    soft = 1 / (count + 2)
    targets = np.full((count, classes), soft / (classes - 1))
    targets[np.arange(count), truth] = 1 - soft

    def loss(log_temperature: float) -> float:
        scaled = logits / math.exp(log_temperature)
        scaled = scaled - scaled.max(1, keepdims=True)
        logs = scaled - np.log(np.exp(scaled).sum(1, keepdims=True))
        return -float((targets * logs).sum(1).mean())

    bounds = (math.log(_LOWEST), math.log(_HIGHEST))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    return float(math.exp(found.x))


def choose_threshold(
    scores: FloatArray, is_known: NDArray[np.bool_], is_right: NDArray[np.bool_], keep: float
) -> float:
    """The least score that counts, by what val shows; rounded down to six places.

    scores: (N,), of the likeliest class. is_known: whether the picture shows any class.
    is_right: whether that class is right. With backgrounds among them, known and none are told
    apart best: the mean of the share of known ones that count and of backgrounds that do not is
    highest, in the middle between two scores. Without, a share `keep` of right answers counts.
    """
    if is_known.all():
        right = np.sort(scores[is_right & is_known])
        found = float(right[int((1 - keep) * len(right) + 1e-9)]) if len(right) else 0.0
    elif not is_known.any():
        found = 0.0
    else:
        found = _best_split(scores, is_known)
    return min(1.0, math.floor(found / _STEP) * _STEP)


def _best_split(scores: FloatArray, is_known: NDArray[np.bool_]) -> float:
    """Of equally good places the lowest."""
    edges = np.unique(scores)
    places = np.concatenate([[0.0], (edges[1:] + edges[:-1]) / 2, [1.0]])
    known, none = np.sort(scores[is_known]), np.sort(scores[~is_known])
    counted = 1 - np.searchsorted(known, places, "left") / len(known)
    refused = np.searchsorted(none, places, "left") / len(none)
    return float(places[int((counted + refused).argmax())])


def calibration_error(confidence: FloatArray, is_right: NDArray[np.bool_]) -> float:
    """Expected calibration error with 15 bins of equal width (Guo et al. 2017); NaN without any."""
    if not len(confidence):
        return math.nan
    places = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    gaps = [
        abs(float(is_right[places == k].mean()) - float(confidence[places == k].mean()))
        * float((places == k).mean())
        for k in np.unique(places)
    ]
    return float(sum(gaps))


def reliability(
    confidence: FloatArray, is_right: NDArray[np.bool_], groups: int = 10
) -> tuple[FloatArray, FloatArray]:
    """Mean confidence, rising, and accuracy of groups that hold equally many answers."""
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, max(1, min(groups, len(order))))
    return (
        np.array([confidence[part].mean() for part in parts if len(part)]),
        np.array([is_right[part].mean() for part in parts if len(part)]),
    )
