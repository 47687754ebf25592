"""What counts as a defect, and what a set must say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from surfaces import blob_mask, dataset, frame

from vqc.errors import InputError
from vqc.tasks.anomaly.check import check, require_said, training_frames
from vqc.tasks.anomaly.held import defects_of
from vqc.tasks.anomaly.truth import defect_mask, kind_of, part_classes, state_of
from vqc.types import Annotation


@pytest.mark.parametrize(
    ("condition", "objects", "state"),
    [
        ("good", (), "good"),
        ("good", (Annotation("part"),), "good"),
        ("good", None, "good"),
        ("scratch", (), "defect"),
        ("scratch", None, "defect"),
        (None, (), "good"),
        (None, (Annotation("crack"),), "defect"),
        (None, None, None),
    ],
)
def test_condition_says_it_and_without_one_the_objects(tmp_path, condition, objects, state):
    one = replace(frame(tmp_path, 1, "train"), condition=condition, objects=objects)
    assert state_of(one) == state


def test_masks_of_parts_are_no_defects(tmp_path):
    bad = frame(tmp_path, 1, "test", "blob")
    part = Annotation("part", mask=bad.objects[0].mask)
    good = replace(frame(tmp_path, 2, "train"), objects=(part,))
    parts = part_classes([bad, good])
    assert parts == {"part"}
    assert np.array_equal(defect_mask(bad, parts), blob_mask(1))
    assert not defect_mask(good, parts).any()
    assert defect_mask(replace(bad, objects=(part,)), parts) is None, "where it is, nobody says"
    boxed = replace(bad, objects=(*bad.objects, Annotation("blob", box_xyxy=(0, 0, 9, 9))))
    assert defect_mask(boxed, parts) is None, "a box is no mask"


def test_kinds_of_defects_are_conditions_or_classes(tmp_path):
    bad = frame(tmp_path, 1, "test", "blob")
    assert kind_of(bad) == "blob"
    two = (Annotation("dent"), Annotation("crack"), Annotation("dent"))
    assert kind_of(replace(bad, condition=None, objects=two)) == "crack, dent"


def test_everything_that_is_missing_is_told_at_once(tmp_path):
    frames = [
        frame(tmp_path, 1, "train"),
        *(frame(tmp_path, n, "train", None, labelled=False) for n in (2, 3)),
        frame(tmp_path, 4, "val", None, labelled=False),
        frame(tmp_path, 5, "test", None, labelled=False),
    ]
    with pytest.raises(InputError) as caught:
        check(dataset(tmp_path, frames))
    for number in (2, 3, 4, 5):
        assert f"{number:03d}.png" in str(caught.value)
    assert "001.png" not in str(caught.value)


def test_defects_alone_train_nothing(tmp_path):
    with pytest.raises(InputError, match="no training frame is good"):
        check(dataset(tmp_path, [frame(tmp_path, 1, "train", "blob")]))


def test_a_set_to_score_needs_no_training_frames(tmp_path):
    check(dataset(tmp_path, [frame(tmp_path, 1, "test", "blob")]))


def test_unlabelled_frames_train_where_contamination_is_said(tmp_path):
    silent = [frame(tmp_path, n, "train", None, labelled=False) for n in (1, 2)]
    made = dataset(tmp_path, [*silent, frame(tmp_path, 3, "train", "blob")])
    check(made)
    assert training_frames(made, 0.1) == tuple(silent), "known defects do not train"
    with pytest.raises(InputError, match="--contamination"):
        training_frames(made, 0.0)


def test_frames_of_which_nobody_has_said_anything_are_not_scored(tmp_path):
    said = [frame(tmp_path, 1, "train"), frame(tmp_path, 2, "train", "blob")]
    require_said(said)
    silent = frame(tmp_path, 3, "train", None, labelled=False)
    with pytest.raises(InputError, match="1 frames to be scored say neither") as caught:
        require_said([*said, silent])
    assert "003.png" in str(caught.value) and "001.png" not in str(caught.value)
    with pytest.raises(InputError, match="neither good nor defect"):
        defects_of([silent])
