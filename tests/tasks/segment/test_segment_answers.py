"""Answers as records, as rows of Severstal's table, and drawn."""

from __future__ import annotations

import json

import numpy as np
import pytest

from vqc.formats import rle
from vqc.formats.severstal import code_of
from vqc.tasks.contract import Picture
from vqc.tasks.segment.answers import masks_from
from vqc.tasks.segment.drawing import beside, draw, overlay
from vqc.tasks.segment.thresholds import Thresholds

CLASSES = ("1", "2", "3")


def probabilities(height=40, width=60):
    maps = np.full((3, height, width), 0.1, np.float32)
    maps[0, 5:15, 10:30] = 0.9
    maps[1, 10:12, 10:12] = 0.7
    return maps


def answer(least_px=(0, 0, 0)):
    return masks_from("a.png", probabilities(), CLASSES, Thresholds((50, 60, 50), least_px))


def test_a_record_has_masks_and_no_boxes():
    record = json.loads(json.dumps(answer().record(), allow_nan=False))
    assert "objects" not in record and record["image"] == "a.png"
    assert record["score"] == pytest.approx(0.9, abs=1e-5)
    first, second = record["masks"]
    assert (first["class"], first["area_px"]) == ("1", 200)
    assert first["area_share"] == pytest.approx(200 / 2400, abs=1e-6)
    assert (second["class"], second["score"]) == ("2", pytest.approx(0.7, abs=1e-5))
    assert np.array_equal(rle.decode(first["mask"]), probabilities()[0] > 0.5)


def test_thresholds_and_least_areas_are_of_each_class():
    assert [m.class_name for m in answer((0, 5, 0)).masks] == ["1"]
    low = masks_from("a", probabilities(), CLASSES, Thresholds((95, 95, 5), (0, 0, 0)))
    assert [(m.class_name, m.area_px) for m in low.masks] == [("3", 2400)]
    none = masks_from("a", probabilities(), CLASSES, Thresholds((95,) * 3, (0,) * 3))
    assert none.masks == () and none.score == pytest.approx(0.9, abs=1e-5)


def test_rows_are_of_every_class_and_come_back_as_masks():
    rows = answer().rows()
    assert [tuple(row) for row in rows] == [("ImageId_ClassId", "EncodedPixels")] * 3
    assert [row["ImageId_ClassId"] for row in rows] == ["a.png_1", "a.png_2", "a.png_3"]
    assert rows[2]["EncodedPixels"] == ""
    for row, level in zip(rows[:2], probabilities(), strict=False):
        assert np.array_equal(rle.decode(code_of(row["EncodedPixels"], 60, 40)), level > 0.5)


def test_drawn_masks_are_tinted_in_colours_of_their_own():
    rgb = np.full((40, 60, 3), 100, np.uint8)
    pairs = [("1", probabilities()[0] > 0.5), ("2", probabilities()[1] > 0.5)]
    drawn = overlay(rgb, pairs, CLASSES)
    assert (rgb == 100).all()
    assert (drawn[20:] == 100).all()
    inside = drawn[8, 20], drawn[13, 25]
    assert np.array_equal(*inside) and not np.array_equal(inside[0], [100, 100, 100])
    assert not np.array_equal(drawn[10, 10], inside[0])


def test_the_area_stands_in_words_on_the_picture():
    rgb = np.full((300, 400, 3), 100, np.uint8)
    maps = np.zeros((3, 300, 400), np.float32)
    found = masks_from("a", maps, CLASSES, Thresholds((50,) * 3, (0,) * 3))
    drawn = draw(Picture("a", rgb), found)
    assert drawn.shape == rgb.shape and (drawn[:20] == 255).any()
    assert (drawn[100:] == 100).all()


def test_photo_truth_and_answer_stand_beside_each_other():
    rgb = np.full((40, 60, 3), 100, np.uint8)
    truth = np.zeros((40, 60, 3), np.uint8)
    truth[30:38, 40:50, 2] = 1
    drawn = beside(rgb, truth, answer())
    assert drawn.shape == (40, 3 * 60 + 2 * 6, 3)
    photo, true, found = drawn[:, :60], drawn[:, 66:126], drawn[:, 132:]
    assert (photo[25:, 30:] == 100).all()
    assert (true[32, 42] != 100).any() and (found[25:] == 100).all()
    wide = np.full((256, 1600, 3), 90, np.uint8)
    below = beside(wide, np.zeros((256, 1600, 3), np.uint8), answer_of_size(256, 1600))
    assert below.shape == (3 * 102 + 2 * 6, 640, 3)


def answer_of_size(height, width):
    maps = np.zeros((3, height, width), np.float32)
    return masks_from("wide", maps, CLASSES, Thresholds((50,) * 3, (0,) * 3))
