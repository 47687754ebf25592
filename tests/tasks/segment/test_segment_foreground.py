"""The structure that a picture is of: plumbing around a fake, and messages."""

from __future__ import annotations

import numpy as np
import pytest

from vqc.errors import InputError
from vqc.tasks.segment import foreground


def test_a_missing_file_is_told_with_the_way_to_get_it(tmp_path):
    with pytest.raises(InputError, match=r"no such file.*downloads nothing(.|\n)*curl.*sam_b\.pt"):
        foreground.load(str(tmp_path / "sam_b.pt"))
    with pytest.raises(InputError, match="expected a file of Segment Anything called"):
        foreground.load("yolov8n.pt")


def test_a_file_of_something_else_is_refused_and_runs_no_code(tmp_path):
    import pickle

    class Hostile:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    file = tmp_path / "mobile_sam.pt"
    file.write_bytes(pickle.dumps({"model": Hostile()}, protocol=2))
    with pytest.raises(InputError, match=r"holds no weights of mobile_sam\.pt") as error:
        foreground.load(str(file), "cpu")
    assert "weights_only" not in str(error.value) and "curl" in str(error.value)
    assert not (tmp_path / "ran").exists()


def test_the_largest_segment_of_the_middle_counts(tmp_path, monkeypatch):
    asked = []

    def segmenter(path, kind, device):
        def segments(rgb, points):
            asked.append((path.name, kind, points.tolist()))
            found = np.zeros((2, *rgb.shape[:2]), bool)
            found[0, 4:6, 9:11] = True
            found[1, 2:8, 4:16] = True
            return found

        return segments

    monkeypatch.setattr(foreground, "_segmenter", segmenter)
    file = tmp_path / "my_sam_l.pt"
    file.write_bytes(b"")
    mask = foreground.load(str(file))(np.zeros((10, 20, 3), np.uint8))
    assert mask.sum() == 72 and mask[5, 10] and not mask[0, 0]
    (name, kind, points) = asked[0]
    assert (name, kind, points[0]) == ("my_sam_l.pt", "sam_l.pt", [10, 5])
    assert len(points) == 5 and points[1] == [7.5, 5]


def test_where_nothing_is_segmented_everything_counts():
    assert foreground.largest(np.zeros((0, 4, 5), bool), (4, 5)).all()
    assert foreground.largest(np.zeros((2, 4, 5), bool), (4, 5)).all()
