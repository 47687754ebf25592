"""Confusion, groups and mistakes of frames whose answers are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pools import frame as photo

from vqc.dataset import Dataset
from vqc.tasks.contract import BACKGROUND
from vqc.tasks.detect import findings
from vqc.tasks.detect.findings import Boxes
from vqc.types import Annotation, Frame, Manifest

CLASSES = ("bolt", "nut")
BOLT, NUT = 0, 1
BIG, SMALL = (0.0, 0.0, 320.0, 240.0), (400.0, 300.0, 432.0, 324.0)
"""A quarter of the frame of 640 × 480 px, so half its side; and a four-hundredth."""


def shown(name: str, *objects: tuple[str, tuple], **fields) -> Frame:
    notes = tuple(
        Annotation(kind, instance=k, box_xyxy=box, visibility=fields.get("visibility"))
        for k, (kind, box) in enumerate(objects, start=1)
    )
    fields.pop("visibility", None)
    return photo(name, **{"objects": notes, "split": "test", **fields})


def found(*rows: tuple[tuple, float, int]) -> Boxes:
    ordered = sorted(rows, key=lambda row: -row[1])
    return Boxes(
        np.array([row[0] for row in ordered], float).reshape(-1, 4),
        np.array([row[1] for row in ordered], float),
        np.array([row[2] for row in ordered], int),
    )


def look(*pairs: tuple[Frame, Boxes], threshold: float = 0.5, box: str = "modal"):
    frames = tuple(frame for frame, _ in pairs)
    manifest = Manifest("mix", "set", CLASSES, frames, "0" * 64, "vqc 0.1.0")
    dataset = Dataset(Path("set"), manifest, "0" * 64, box)
    return [findings.look(dataset, frame, boxes, threshold) for frame, boxes in pairs]


def test_confusion_has_the_truth_in_rows_and_background_last():
    seen = look(
        (shown("a", ("bolt", BIG), ("nut", SMALL)), found((BIG, 0.9, BOLT))),
        (shown("b", ("bolt", BIG)), found((BIG, 0.9, NUT))),
        (shown("c"), found((BIG, 0.9, NUT), (SMALL, 0.8, NUT), (SMALL, 0.4, BOLT))),
    )
    matrix = findings.confusion(seen, CLASSES)
    assert matrix.names == ("bolt", "nut", BACKGROUND)
    assert matrix.counts.tolist() == [[1, 1, 0], [0, 0, 1], [0, 2, 0]]


def test_what_is_below_the_threshold_does_not_count():
    pair = (shown("a", ("bolt", BIG)), found((BIG, 0.5, BOLT)))
    assert findings.confusion(look(pair, threshold=0.5), CLASSES).counts[0, 0] == 1
    assert findings.confusion(look(pair, threshold=0.51), CLASSES).counts[0, 0] == 0


def test_mistakes_name_kind_classes_boxes_and_come_worst_first():
    seen = look(
        (shown("a", ("bolt", BIG), ("nut", SMALL)), found((BIG, 0.95, NUT), (SMALL, 0.3, NUT))),
        (shown("b"), found((BIG, 0.7, BOLT))),
        (shown("c", ("bolt", BIG)), found((BIG, 0.99, BOLT))),
    )
    confused, false, missed = findings.mistakes(seen, CLASSES)
    assert (confused.kind, confused.truth, confused.predicted) == ("confused", "bolt", "nut")
    assert (confused.image, confused.severity) == ("images/a.jpg", 0.95)
    assert confused.box == confused.truth_box == BIG
    assert (false.kind, false.truth, false.predicted) == ("false", None, "bolt")
    assert (false.image, false.score, false.box, false.truth_box) == (
        "images/b.jpg", 0.7, BIG, None
    )  # fmt: skip
    assert (missed.kind, missed.truth, missed.predicted) == ("missed", "nut", None)
    assert (missed.score, missed.box, missed.truth_box) == (0.3, SMALL, SMALL)
    assert missed.severity == pytest.approx(0.7 * (1 + 0.05) / 2)


def test_a_second_box_on_an_object_is_double_and_the_object_is_shown():
    seen = look((shown("a", ("bolt", BIG)), found((BIG, 0.9, BOLT), (BIG, 0.95, NUT))))
    (double,) = findings.mistakes(seen, CLASSES)
    assert (double.kind, double.truth, double.predicted) == ("double", "bolt", "nut")
    assert double.truth_box == BIG
    assert findings.confusion(seen, CLASSES).counts.tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]


def test_an_object_that_nothing_hints_at_is_missed_the_more_the_larger_it_is():
    seen = look((shown("a", ("bolt", BIG), ("nut", SMALL)), found()))
    large, small = findings.mistakes(seen, CLASSES)
    assert (large.truth, large.severity, large.box) == ("bolt", pytest.approx(0.75), None)
    assert (small.truth, small.severity) == ("nut", pytest.approx(0.525))


def test_at_most_so_many_mistakes_are_kept():
    many = found(*((SMALL, 0.5 + k / 1000, BOLT) for k in range(findings.MOST_MISTAKES + 5)))
    kept = findings.mistakes(look((shown("a"), many)), CLASSES)
    assert len(kept) == findings.MOST_MISTAKES
    assert kept[0].score == pytest.approx(0.704)


def test_groups_by_size_session_view_and_visibility():
    seen = look(
        (
            shown("a", ("bolt", BIG), ("nut", SMALL), session="hall", visibility=1.0),
            found((BIG, 0.9, BOLT)),
        ),
        (
            shown(
                "b", ("bolt", BIG), session="qf-1", source="cad", visibility=0.3,
                view={"azimuth_deg": 359.5, "elevation_deg": 90},
            ),
            found((BIG, 0.9, NUT)),
        ),
        (shown("c", session="yard"), found()),
    )  # fmt: skip
    groups = findings.groups(seen)
    assert groups["object size"] == {
        "small (under 1 % of the frame)": {"frames": 1, "objects": 1, "recall": 0.0},
        "large (over 9 %)": {"frames": 2, "objects": 2, "recall": 0.5},
    }
    assert groups["session"]["hall"] == {"frames": 1, "objects": 2, "recall": 0.5}
    assert groups["session"]["qf-1"] == {"frames": 1, "objects": 1, "recall": 0.0}
    assert groups["session"]["yard"]["objects"] == 0
    assert np.isnan(groups["session"]["yard"]["recall"])
    assert groups["view azimuth"] == {"315 to 360°": {"frames": 1, "objects": 1, "recall": 0.0}}
    assert list(groups["view elevation"]) == ["60 to 90°"]
    assert list(groups["visibility"]) == ["25 to 50 %", "whole (99 % or more)"]
    assert groups["visibility"]["whole (99 % or more)"]["recall"] == 0.5


def test_photos_have_no_groups_by_view_or_visibility():
    groups = findings.groups(look((shown("a", ("bolt", BIG)), found())))
    assert list(groups) == ["object size", "session"]


def test_the_box_that_the_set_was_trained_with_is_the_truth():
    whole = (100.0, 100.0, 300.0, 300.0)
    note = Annotation("bolt", box_xyxy=(100.0, 100.0, 150.0, 300.0), amodal_box_xyxy=whole)
    pair = (photo("a", objects=(note,), split="test"), found((whole, 0.9, BOLT)))
    assert findings.confusion(look(pair, box="amodal"), CLASSES).counts[0, 0] == 1
    assert findings.confusion(look(pair, box="modal"), CLASSES).counts[0, 0] == 0


def test_objects_without_a_box_are_no_truth():
    hidden = photo("a", objects=(Annotation("bolt", visibility=0.0),), split="test")
    assert findings.confusion(look((hidden, found())), CLASSES).counts.sum() == 0


def test_answers_leave_out_what_is_hardly_believed():
    (one,) = look((shown("a"), found((BIG, 0.9, BOLT), (SMALL, 0.04, NUT))))
    answer = findings.detections(one, CLASSES, 0.05)
    assert answer.image == "images/a.jpg"
    assert answer.class_names == ("bolt",)
    assert answer.score == 0.9
