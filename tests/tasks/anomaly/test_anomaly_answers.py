"""Records, settings and drawings."""

from __future__ import annotations

import json

import numpy as np
import pytest

from vqc.errors import InputError
from vqc.tasks.anomaly import Anomaly
from vqc.tasks.anomaly.answers import Anomalies
from vqc.tasks.anomaly.drawing import (
    bottleneck_sheet,
    colours,
    draw,
    enlarged_heat,
    heat_picture,
    outlined,
)
from vqc.tasks.anomaly.thresholds import Scale
from vqc.tasks.contract import Picture

TASK = Anomaly()
SCALE = Scale(threshold=2.0, power=3.0, hot=1.5, limit=0.0)


def answer(distance, **more):
    heat = np.zeros((6, 8), np.float32)
    heat[0, 0] = 3
    return Anomalies("a.jpg", distance, SCALE, 1, heat, **more)


def test_the_record_says_score_distance_threshold_group_and_verdict():
    record = answer(4.0).record()
    assert record == json.loads(json.dumps(record))
    assert record["image"] == "a.jpg" and record["class"] == record["condition"] == "defect"
    assert record["anomaly"] is True and record["group"] == 1
    assert record["distance"] == 4.0 and record["distance_threshold"] == 2.0
    assert record["score"] == pytest.approx(8 / 9, abs=1e-6) and record["threshold"] == 0.5


@pytest.mark.parametrize(("distance", "wrong"), [(2.0, True), (1.9999999999, False), (0, False)])
def test_scores_and_verdicts_never_disagree(distance, wrong):
    found = answer(distance)
    assert found.is_anomaly is wrong and (found.score >= 0.5) is wrong
    assert found.verdict == ("defect" if wrong else "good")


def test_rows_for_a_table():
    (row,) = TASK.rows(answer(4.0))
    assert list(row) == ["image", "score", "is_anomaly", "distance", "group"]
    assert row["is_anomaly"] == 1


def test_drawings_show_the_photo_beside_its_heat_map():
    photo = np.full((300, 400, 3), 90, np.uint8)
    drawn = draw(Picture("a", photo), answer(4.0))
    assert drawn.shape[1] > 2 * 400 and drawn.dtype == np.uint8
    head = drawn.shape[0] - 300
    assert (drawn[head:, :400] == 90).all(), "the photo itself stays as it is"
    beside = drawn[head:, 420:800].astype(int)
    assert beside[:40, :40].sum() > beside[-40:, -40:].sum(), "hot in its corner"
    assert not np.array_equal(drawn[2, 2], draw(Picture("a", photo), answer(1.0))[2, 2])


@pytest.mark.parametrize("shape", [(1, 1), (20, 600), (600, 20), (64, 64)])
def test_pictures_of_any_shape_are_drawn(shape):
    picture = Picture("a", np.zeros((*shape, 3), np.uint8))
    sizes = {draw(picture, answer(d)).shape for d in (0.0, 4.0, 1e9)}
    assert len(sizes) == 1


def test_heat_in_colours_has_its_limit_in_the_middle():
    found = heat_picture(np.array([[0, 1.5], [3.0, 9.0]], np.float32), 1.5)
    assert np.array_equal(found[0, 0], colours()[0]) and np.array_equal(found[1, 1], colours()[255])
    assert np.array_equal(found[0, 1], colours()[128])


def test_sixteen_maps_become_a_sheet_of_four_by_four():
    maps = np.zeros((16, 2, 3), np.float32)
    maps[5, 0, 0] = 1
    sheet = bottleneck_sheet(maps, 83, 123)  # tiles of 20 × 30 and gaps of 1
    assert sheet.shape == (83, 123, 3)
    lit = np.argwhere((sheet == colours()[255]).all(2))
    first, last = lit.min(0).tolist(), lit.max(0).tolist()
    assert (first, last) == ([21, 31], [30, 40]), "the sixth map is the second of the second row"
    assert (sheet[20::21] == 255).all() and (sheet[:, 30::31] == 255).all(), "gaps"
    assert (sheet[0, 0] == 128).all(), "a map that is zero all over is grey"


@pytest.mark.parametrize("zero", [0, 3])
def test_bottleneck_maps_have_no_scale_and_say_which_are_empty(monkeypatch, zero):
    from vqc.tasks.anomaly import drawing

    said = []
    tile = drawing.text_tile
    monkeypatch.setattr(drawing, "text_tile", lambda *a: said.append(a[0]) or tile(*a))
    maps = np.ones((16, 4, 4), np.float32)
    maps[:zero] = 0
    picture = Picture("a", np.zeros((300, 400, 3), np.uint8))
    drawn = draw(picture, answer(1.0, bottleneck=maps))
    plain = draw(picture, answer(1.0))
    assert drawn.shape[1] < plain.shape[1] - 10, "the scale of heat is not theirs"
    assert f"{zero} of 16 maps are all zero (grey)" in said


@pytest.mark.parametrize("shape", [(1262, 500), (500, 1262), (480, 640)])
def test_the_verdict_can_be_read_beside_the_photo(shape):
    drawn = draw(Picture("a", np.zeros((*shape, 3), np.uint8)), answer(4.0))
    head = drawn.shape[0] - shape[0]
    assert 0.08 < head / max(shape) < 0.2, "two lines of 4 % or more each"


def test_text_is_no_larger_than_the_picture_asks_for():
    drawn = draw(Picture("a", np.zeros((2, 5000, 3), np.uint8)), answer(4.0))
    assert drawn.shape[0] < 60


# A spot at a share of the picture's sides, in maps that end where it does, and beyond it.
@pytest.mark.parametrize("place", [0.2, 0.5, 0.8])
@pytest.mark.parametrize(
    ("covers", "patches"), [((1.0, 192 / 177), (28, 12)), ((1.0, 1.0), (256, 256))]
)
def test_heat_is_drawn_where_it_was_found(place, covers, patches):
    height, width = 1262, 500
    rows, columns = ((np.arange(n) + 0.5) / n * c for n, c in zip(patches, covers, strict=True))
    heat = np.exp(-(((rows[:, None] - place) ** 2 + (columns - place) ** 2) / (2 * 0.05**2)))
    found = enlarged_heat(heat.astype(np.float32), covers, height, width)
    assert found.shape == (height, width)
    x = (found.sum(0) * (np.arange(width) + 0.5)).sum() / found.sum()
    y = (found.sum(1) * (np.arange(height) + 0.5)).sum() / found.sum()
    assert abs(x - place * width) < 0.01 * width
    assert abs(y - place * height) < 0.01 * height


def test_an_absurd_side_is_refused():
    with pytest.raises(InputError, match=r"imgsz: expected .*4096, got 100000000"):
        TASK.configure({"imgsz": "100000000", "weights": "yolov8n.yaml"})


def test_the_outline_lies_around_what_is_wrong():
    mask = np.zeros((50, 50), bool)
    mask[10:30, 10:30] = True
    drawn = outlined(np.zeros((50, 50, 3), np.uint8), mask)
    assert drawn[10, 20].any() and not drawn[20, 20].any() and not drawn[40, 40].any()


def test_settings_are_told_all_at_once():
    with pytest.raises(InputError) as caught:
        TASK.configure({"strides": "8,7", "threshold": "high", "weights": "yolov8n.yaml"})
    assert "strides" in str(caught.value) and "threshold" in str(caught.value)
    with pytest.raises(InputError) as caught:
        TASK.configure({"strides": "8,8", "patch": "12", "weights": "yolov8n.yaml"})
    assert "strides: expected" in str(caught.value)
    assert "patch: expected a multiple of every stride, so of 8, got 12" in str(caught.value)
    with pytest.raises(InputError, match=r"patch: expected .*64, got 0"):
        TASK.configure({"patch": "0", "weights": "yolov8n.yaml"})
    with pytest.raises(InputError, match="groups: expected"):
        TASK.configure({"groups": "many", "weights": "yolov8n.yaml"})


def test_conv_ae_needs_an_epoch_after_it_has_left_frames_out():
    ae = {"model": "conv-ae", "contamination": 0.1}
    with pytest.raises(InputError, match=r"epochs: expected 2 or more with contamination.*got 1"):
        TASK.configure({**ae, "epochs": 1})
    assert TASK.configure({**ae, "epochs": 2}).epochs == 2
    assert TASK.configure({**ae, "epochs": 1, "contamination": 0}).epochs == 1
    TASK.configure({"weights": "yolov8n.yaml", "contamination": 0.1, "epochs": 1})


def test_what_a_model_ignores_is_not_in_its_identity():
    weights = {"weights": "yolov8n.yaml"}
    assert TASK.configure({**weights, "epochs": 3}).identity() == TASK.configure(weights).identity()
    ae = TASK.configure({"model": "conv-ae", "weights": "nowhere.pt"})
    assert ae.identity() == TASK.configure({"model": "conv-ae", "imgsz": 99, "patch": 8}).identity()
    assert TASK.configure({**weights, "patch": 8}).identity() != TASK.configure(weights).identity()
    assert TASK.configure({**weights, "groups": "auto"}).groups == "auto"
