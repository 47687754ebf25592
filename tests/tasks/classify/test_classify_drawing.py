"""What a classifier's answers look like: as records, as rows and on pictures."""

from __future__ import annotations

import numpy as np
import pytest

from vqc.tasks.classify import Classify
from vqc.tasks.classify.answers import Answer, Crops
from vqc.tasks.contract import Picture
from vqc.tasks.drawing import colour_of

CLASSES = ("cube", "cone")


def answer(share=0.875, threshold=0.5):
    return Answer("a.png", CLASSES, np.array([1 - share, share]), threshold)


def test_a_record_holds_every_probability():
    assert answer().record() == {
        "image": "a.png", "score": 0.875, "class": "cone",
        "probabilities": {"cube": 0.125, "cone": 0.875},
    }  # fmt: skip


def test_below_the_threshold_it_is_none_of_these():
    refused = answer(threshold=0.9)
    assert refused.class_name is None and refused.record()["class"] is None
    assert refused.score == 0.875
    assert answer(threshold=0.875).class_name == "cone"
    assert Classify().rows(refused) == [{"image": "a.png", "class": "", "probability": 0.875}]
    assert Classify().rows(answer())[0]["class"] == "cone"


def test_boxes_that_are_none_of_these_are_left_out():
    boxes = ((0, 0, 9, 9), (1, 1, 5.126, 5))
    found = Crops("a.png", ((boxes[0], answer(threshold=0.9)), (boxes[1], answer())))
    assert found.score == 0.875
    assert found.record()["objects"] == [
        {"class": "cone", "score": 0.875, "box": [1, 1, 5.13, 5]}
    ]  # fmt: skip


def corner(drawn):
    return tuple(int(value) for value in drawn[0, 0])


def test_the_tile_has_the_colour_of_the_class_and_the_rest_stays():
    picture = Picture("a.png", np.full((200, 300, 3), 255, np.uint8))
    drawn = Classify().draw(picture, answer())
    assert corner(drawn) == tuple(bytes.fromhex(colour_of("cone", CLASSES)[1:]))
    assert (picture.rgb == 255).all() and (drawn[100:] == 255).all()
    refused = Classify().draw(picture, answer(threshold=0.9))
    assert corner(refused) not in [corner(drawn), (255, 255, 255)]


@pytest.mark.parametrize("shape", [(5, 5), (10, 400), (400, 10)])
def test_any_picture_keeps_its_size(shape):
    picture = Picture("a.png", np.zeros((*shape, 3), np.uint8))
    assert Classify().draw(picture, answer()).shape == (*shape, 3)


@pytest.mark.parametrize("shape", [(1262, 500), (120, 240)])
def test_text_is_not_cut_off_at_the_border(shape):
    names = ("a_class_with_a_rather_long_name", "cube")
    said = Answer("a.png", names, np.array([0.6, 0.4]), 0.9)
    drawn = Classify().draw(Picture("a.png", np.full((*shape, 3), 255, np.uint8)), said)
    end = 1 + int(np.flatnonzero((drawn[0] == 0x55).all(1))[-1])
    assert end <= shape[1] and (end > 0.8 * shape[1])
    last = drawn[:40, end - 1]
    assert set(np.unique(last)) <= {0x55, 255}, "no letter touches the end of the tile"
