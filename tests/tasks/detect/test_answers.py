"""A detector's answer as plain JSON values."""

import json

import numpy as np

from vqc.tasks.detect.answers import Detections


def detections(**fields):
    boxes = np.array([[1.0049, 2, 30.126, 40], [0, 0, 5, 5]])
    given = {"scores": np.array([0.9000049, 0.25]), "class_names": ("qd", "Größe")}
    return Detections("a/b.jpg", boxes, **{**given, **fields})


def test_boxes_have_hundredths_and_scores_five_places():
    record = detections().record()
    assert json.loads(json.dumps(record)) == {
        "image": "a/b.jpg",
        "score": 0.9,
        "objects": [
            {"class": "qd", "score": 0.9, "box": [1, 2, 30.13, 40]},
            {"class": "Größe", "score": 0.25, "box": [0, 0, 5, 5]},
        ],
    }


def test_only_followed_objects_have_a_track():
    first, second = detections(track_ids=(7, None)).record()["objects"]
    assert first["track"] == 7 and "track" not in second


def test_nothing_found_has_score_zero():
    none = Detections("a.jpg", np.empty((0, 4)), np.empty(0), ())
    assert none.record() == {"image": "a.jpg", "score": 0, "objects": []}
