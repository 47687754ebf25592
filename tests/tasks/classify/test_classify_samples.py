"""Which class a frame has, where crops lie, and what is said of frames that cannot be used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vqc.dataset import Dataset
from vqc.errors import InputError
from vqc.tasks.classify.samples import (
    Cropping,
    Region,
    by_image,
    check,
    cut,
    numbers,
    region_of,
    require_classes,
    samples_of,
)
from vqc.types import Annotation, Frame, Manifest

CLASSES = ("cube", "cone")
CROP = Cropping(margin=0.1, least_px=8)


def note(name, box=(10, 10, 30, 20)):
    return Annotation(name, box_xyxy=box)


def frame(name, split="train", label=None, objects=None):
    return Frame(f"{name}.png", "", "", 64, 48, "cad", "s", split=split, label=label,
                 objects=objects)  # fmt: skip


def dataset(*frames, classes=CLASSES):
    return Dataset(Path("set"), Manifest("mix", "set", classes, frames, "", ""), "")


def truths(*frames, cropping=None):
    return [s.truth for s in samples_of(dataset(*frames), ("train",), cropping)["train"]]


def test_a_label_counts_before_objects_and_objects_of_one_class_make_one():
    frames = (
        frame("a", label="cone", objects=(note("cube"),)),
        frame("b", objects=(note("cube"), note("cube", (0, 0, 9, 9)))),
        frame("c", objects=()),
        frame("d", objects=(note("cube", None),)),  # hidden: nothing shows
    )
    assert truths(*frames) == ["cone", "cube", None, None]


def test_crops_are_one_a_box_and_pictures_without_boxes_are_whole():
    frames = (
        frame("a", objects=(note("cube"), note("cone"))),
        frame("b", label="cone"),
        frame("c", objects=()),
    )
    found = samples_of(dataset(*frames), ("train",), CROP)["train"]
    assert [s.truth for s in found] == ["cube", "cone", "cone", None]
    assert [s.box is None for s in found] == [False, False, True, True]
    assert numbers(found, CLASSES).tolist() == [0, 1, 1, -1]
    assert list(by_image(found)) == [("a.png", [0, 1]), ("b.png", [2]), ("c.png", [3])]


def test_pictures_of_several_classes_are_all_told_at_once():
    frames = [frame(n, objects=(note("cube"), note("cone"))) for n in "ab"]
    with pytest.raises(InputError, match=r"(?s)a\.png: cone, cube.*b\.png.*--crop"):
        samples_of(dataset(*frames), ("train",), None)


def test_small_boxes_are_all_told_at_once():
    small = [frame(n, objects=(note("cube", (1, 1, 4, 6)),)) for n in "ab"]
    with pytest.raises(InputError, match=r"(?s)a\.png: 5 px.*b\.png.*8 px or more"):
        samples_of(dataset(*small), ("train",), CROP)
    assert truths(*small) == ["cube", "cube"]


SOUND = (frame("a", label="cube"), frame("b", label="cone"), frame("v", "val", label="cone"))


def test_check_names_every_frame_that_says_nothing():
    check(dataset(*SOUND))
    bare = [frame("x"), frame("y", "test"), frame("z", "val", label="ball")]
    with pytest.raises(InputError, match=r"(?s)3 frames.*x\.png.*z\.png: ball is.*y\.png"):
        check(dataset(*SOUND, *bare))


def test_check_wants_two_classes_and_no_strange_ones():
    with pytest.raises(InputError, match="two classes or more that train, got cube"):
        check(dataset(replace(SOUND[0], split="train")))
    three = dataset(*SOUND, frame("t", "test", label="ball"), classes=(*CLASSES, "ball"))
    with pytest.raises(InputError, match="test shows what never trains: ball"):
        check(three)
    check(dataset(SOUND[2]))  # scored alone, there is nothing to compare with


BALL = (*CLASSES, "ball")


@pytest.mark.parametrize(
    "never",
    [
        frame("h", objects=(note("ball", None),)),  # hidden
        frame("h", label="cube", objects=(note("ball", None),)),
    ],
)
def test_what_is_hidden_does_not_train(never):
    with pytest.raises(InputError, match="val shows what never trains: ball"):
        check(dataset(*SOUND, never, frame("w", "val", label="ball"), classes=BALL))
    check(dataset(*SOUND, frame("w", "val", objects=(note("ball", None),)), classes=BALL))


def test_boxes_beside_a_label_train_as_crops_only():
    labelled = frame("a", label="cube", objects=(note("ball"),))
    cone, shown = frame("b", label="cone"), frame("v", "val", objects=(note("ball"),))
    found = dataset(labelled, cone, shown, classes=BALL)
    check(found)  # as crops it can be trained
    require_classes(found, CROP)
    with pytest.raises(InputError, match=r"val shows what never trains: ball\n--crop learns"):
        require_classes(found, None)
    found = dataset(labelled, cone, frame("v", "val", label="cube"), classes=BALL)
    require_classes(found, None)
    with pytest.raises(InputError, match=r"val shows what never trains: cube\nWithout --crop"):
        require_classes(found, CROP)


def test_where_neither_way_is_sound_the_lesser_fault_is_told():
    pairs = frame("a", objects=(note("cube"), note("cone")))
    with pytest.raises(InputError) as told:
        check(dataset(pairs, frame("v", "val", label="ball"), classes=BALL))
    assert str(told.value).startswith("set: val shows what never trains: ball\nLabel")


def test_a_crop_is_the_square_around_the_box_with_its_margin():
    assert region_of((10, 10, 30, 20), 64, 48, 0.1) == Region(8, 3, 24)
    assert region_of(None, 64, 48, 0.1) == Region(0, -8, 64)


def test_inside_a_picture_a_crop_is_its_pixels():
    rgb = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    assert np.array_equal(cut(rgb, Region(8, 3, 24), 24), rgb[3:27, 8:32])


@pytest.mark.parametrize("x, y", [(-6, -6), (54, 38), (-6, 38)])
def test_beyond_the_border_the_edge_goes_on(x, y):
    rgb = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    rows = np.clip(np.arange(y, y + 16), 0, 47)
    columns = np.clip(np.arange(x, x + 16), 0, 63)
    assert np.array_equal(cut(rgb, Region(x, y, 16), 16), rgb[np.ix_(rows, columns)])


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 2), (37, 53)])
def test_any_picture_becomes_a_square(shape):
    rgb = np.full((*shape, 3), 7, np.uint8)
    found = cut(rgb, region_of(None, shape[1], shape[0], 0), 32)
    assert found.shape == (32, 32, 3) and (found == 7).all()


def test_proportions_stay():
    rgb = np.zeros((50, 100, 3), np.uint8)
    rgb[10:40, 30:60] = 255  # a square thing
    found = cut(rgb, region_of(None, 100, 50, 0), 64)[..., 0] > 127
    tall, wide = found.any(1).sum(), found.any(0).sum()
    assert abs(int(tall) - int(wide)) <= 1
