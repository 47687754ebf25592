"""Metrics, confusion and mistakes of answers that are made up, counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vqc.tasks.classify import findings
from vqc.tasks.classify.findings import Seen
from vqc.tasks.classify.samples import Sample
from vqc.tasks.contract import BACKGROUND
from vqc.types import Frame

CLASSES = ("cube", "cone", "ball")


def seen(*rows, threshold=0.5):
    """rows: truth or None, likeliest class, its probability; session a, then b."""
    samples, shares, truth = [], [], []
    for number, (true, said, score) in enumerate(rows):
        session = "a" if number < len(rows) / 2 else "b"
        frame = Frame(f"{number}.png", "", "", 9, 9, "real", session, split="val")
        samples.append(Sample(frame, true))
        rest = (1 - score) / 2
        shares.append([score if name == said else rest for name in CLASSES])
        truth.append(-1 if true is None else CLASSES.index(true))
    return Seen(tuple(samples), np.array(shares), np.array(truth), threshold, CLASSES)


KNOWN = seen(
    ("cube", "cube", 0.9), ("cube", "cube", 0.8), ("cube", "cone", 0.7), ("cone", "cone", 0.6)
)  # fmt: skip
MIXED = seen(
    ("cube", "cube", 0.9), ("cube", "cube", 0.4), ("cone", "cube", 0.8),
    (None, "cone", 0.95), (None, "cone", 0.4),
)  # fmt: skip


def test_metrics_of_known_pictures():
    found = findings.metrics(KNOWN)
    assert found["accuracy"] == 0.75
    assert found["balanced accuracy"] == pytest.approx((2 / 3 + 1) / 2)
    assert found["log loss"] == pytest.approx(
        -np.log([0.9, 0.8, 0.15, 0.6]).mean()
    )  # fmt: skip
    assert found["answered"] == 1 and "none" not in found


def test_of_each_class():
    found = findings.per_class(KNOWN)
    assert found["cube"] == pytest.approx({"accuracy": 2 / 3, "precision": 1, "F1": 0.8})
    assert found["cone"] == pytest.approx({"accuracy": 1, "precision": 0.5, "F1": 2 / 3})
    assert all(math.isnan(value) for value in found["ball"].values())


def test_backgrounds_and_refusals_count_at_the_threshold():
    found = findings.metrics(MIXED)
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["accuracy with none"] == pytest.approx(2 / 5)
    assert found["answered"] == pytest.approx(2 / 3) and found["none"] == 0.5
    confusion = findings.confusion(MIXED)
    assert confusion.names == (*CLASSES, BACKGROUND)
    assert confusion.counts.tolist() == [
        [1, 0, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0], [0, 1, 0, 1],
    ]  # fmt: skip


def test_without_backgrounds_the_confusion_has_none():
    confusion = findings.confusion(KNOWN)
    assert confusion.names == CLASSES
    assert confusion.counts.tolist() == [[2, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_the_surest_mistakes_come_first_and_refusals_last():
    found = findings.mistakes(MIXED)
    assert [(m.kind, m.truth, m.predicted, m.score, m.severity) for m in found] == [
        ("false", None, "cone", 0.95, 0.95),
        ("confused", "cone", "cube", 0.8, 0.8),
        ("missed", "cube", None, 0.4, 0.0),
    ]
    assert [m.likeliest for m in found] == [None, None, "cube"]


def test_what_was_refused_tells_the_likeliest_class():
    (refused,) = findings.mistakes(seen(("cube", "cone", 0.45)))
    assert (refused.truth, refused.predicted) == ("cube", None)
    assert (refused.likeliest, refused.score) == ("cone", 0.45)


def test_curves_begin_and_end_where_they_must():
    reliability, accuracy = findings.curves(MIXED)
    assert reliability.x.tolist() == sorted(reliability.x)
    assert np.array_equal(reliability.lines["ideal"], reliability.x)
    assert accuracy.lines["all"][0] == pytest.approx(2 / 5)  # at 0 everything counts
    assert accuracy.lines["all"][-1] == pytest.approx(2 / 5)  # at 1 both backgrounds are right
    assert set(accuracy.lines) == {"all", "cube", "cone"}


def test_groups_count_what_shows_a_class():
    found = findings.groups(KNOWN)
    assert found["session"] == {
        "a": {"pictures": 2, "accuracy": 1.0}, "b": {"pictures": 2, "accuracy": 0.5},
    }  # fmt: skip
    assert list(found["source"]) == ["photo"]
