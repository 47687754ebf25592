"""Labels of other tools land on the right pixels of the stored picture, or are faults."""

import numpy as np
import pytest
from pycocotools import mask as coco

from vqc.formats import rle
from vqc.formats.source import Item, MaskFile, Thing
from vqc.intake.classes import ClassNames
from vqc.intake.labels import MaskObject, place_labels
from vqc.intake.picture import Picture

WIDTH, HEIGHT = 40, 20
NAMES = ClassNames({"old": "new", "older": "new"}, frozenset({"gone"}))


def picture(orientation=1, scale=1.0):
    """40 x 20 pixels as shown."""
    raw = (HEIGHT, WIDTH) if orientation >= 5 else (WIDTH, HEIGHT)
    size = (round(WIDTH * scale), round(HEIGHT * scale))
    return Picture(None, ".jpg", "0" * 64, "0" * 16, *size, raw, orientation)


def placed(*things, of=None, **fields):
    item = Item("a.jpg", "a.txt", objects=things, **fields)
    return place_labels(item, (), of or picture(), NAMES)


def boxes(labels):
    assert not labels.faults
    return [note.box_xyxy for note in labels.objects]


def square(x0, y0, x1, y1, size=(HEIGHT, WIDTH)):
    mask = np.zeros(size, bool)
    mask[y0:y1, x0:x1] = True
    return mask


def test_pixels_stay_and_fractions_become_pixels():
    assert boxes(placed(Thing("old", box=(1, 2, 30, 20)))) == [(1, 2, 30, 20)]
    # Six decimals of 13/40 and 7/20: whole pixels come back exactly.
    assert boxes(placed(Thing("old", "fraction", box=(0.325, 0.35, 1, 1)))) == [(13, 7, 40, 20)]


def test_classes_are_renamed_and_ignored_objects_dropped():
    labels = placed(*(Thing(name, box=(1, 2, 3, 4)) for name in (" old", "gone", "older", "b")))
    assert [note.class_name for note in labels.objects] == ["new", "new", "b"]


def test_nobody_labelled_and_empty_stay_apart():
    assert place_labels(Item("a.jpg", "a.jpg"), (), picture(), NAMES).objects is None
    assert placed().objects == ()
    assert placed(Thing("gone", box=(1, 2, 3, 4))).objects == ()


@pytest.mark.parametrize("stated", [None, (WIDTH, HEIGHT)])
def test_labels_of_a_turned_picture_are_upright_by_default(stated):
    labels = placed(Thing("b", box=(1, 2, 5, 8)), of=picture(6), stated_size=stated)
    assert boxes(labels) == [(1, 2, 5, 8)] and labels.odd_size is None


def test_labels_that_state_the_raw_size_follow_the_turn():
    """Orientation 6: the file's left edge is shown on top, so x = height - y, y = x."""
    labels = placed(Thing("b", box=(1, 2, 5, 8)), of=picture(6), stated_size=(HEIGHT, WIDTH))
    assert boxes(labels) == [(WIDTH - 8, 1, WIDTH - 2, 5)]
    raw = square(1, 2, 5, 8, (WIDTH, HEIGHT))
    (note,) = placed(Thing("b", rle=rle.encode(raw)), of=picture(6)).objects
    assert note.box_xyxy == (WIDTH - 8, 1, WIDTH - 2, 5)
    assert (rle.decode(note.mask) == np.rot90(raw, -1)).all()


def test_shrinking_takes_labels_along():
    half = picture(scale=0.5)
    outline = ((2, 4), (10, 4), (10, 12), (2, 12))
    things = (
        Thing("b", box=(2, 4, 10, 12)),
        Thing("b", "fraction", box=(2 / 40, 4 / 20, 10 / 40, 12 / 20)),
        Thing("b", polygons=(outline,)),
        Thing("b", rle=rle.encode(square(2, 4, 10, 12))),
    )
    labels = placed(*things, of=half)
    assert boxes(labels) == [(1, 2, 5, 6)] * 4
    for note in labels.objects[2:]:
        assert note.mask["size"] == [10, 20] and rle.area(note.mask) == 16


def test_a_mask_that_shrinks_away_leaves_its_box():
    (note,) = placed(Thing("b", rle=rle.encode(square(3, 3, 4, 4))), of=picture(scale=0.1)).objects
    assert note.mask is None and note.box_xyxy == pytest.approx((0.3, 0.3, 0.4, 0.4))


def test_polygons_are_filled_as_coco_fills_them():
    triangle, other = ((2.5, 1.0), (30.2, 3.7), (9.0, 18.4)), ((33, 2), (38, 2), (38, 9), (33, 9))
    (note,) = placed(Thing("b", polygons=(triangle, other))).objects
    flat = [[v for p in points for v in p] for points in (triangle, other)]
    oracle = coco.decode(coco.merge(coco.frPyObjects(flat, HEIGHT, WIDTH)))
    assert (rle.decode(note.mask) == oracle).all() and oracle.sum() > 100
    assert note.box_xyxy == (2.5, 1.0, 38, 18.4)


def test_the_files_own_box_comes_before_the_outlines():
    thing = Thing("b", box=(1, 1, 39, 19), polygons=(((2, 2), (9, 2), (9, 9)),))
    assert boxes(placed(thing)) == [(1, 1, 39, 19)]


def test_other_fields_stay():
    (note,) = placed(Thing("b", box=(1, 2, 3, 4), truncated=True, extra={"iscrowd": 1})).objects
    assert note.truncated is True and note.extra == {"iscrowd": 1}


def test_a_little_over_the_border_is_clipped():
    assert boxes(placed(Thing("b", box=(-1, 0, 41, 21)))) == [(0, 0, 40, 20)]
    thing = Thing("b", "fraction", box=(-0.9e-4, 0, 1.00009, 1))
    assert boxes(placed(thing)) == [(0, 0, 40, 20)]


@pytest.mark.parametrize(
    ("thing", "said"),
    [
        (Thing("b", box=(-1.1, 0, 4, 4), line=7), "reaches out of the picture of 40 x 20 pixels"),
        (Thing("b", box=(0, 0, 4, 21.5), line=7), "y 0 to 21.5"),
        (Thing("b", "fraction", box=(0, 0, 1.01, 1), line=7), "reaches out"),
        (Thing("b", polygons=(((0, 0), (50, 0), (9, 9)),), line=7), "reaches out"),
        (Thing("b", box=(float("nan"), 0, 4, 4), line=7), "reaches out"),
        (Thing("b", box=(40, 0, 40.5, 4), line=7), "covers nothing"),
        (Thing("b", rle=rle.encode(square(0, 0, 4, 4, (20, 41))), line=7), "a mask of 41 x 20"),
        (Thing("b", rle={"size": [10**5, 10**5], "counts": "0"}, line=7), "a mask of 100000 x"),
        (Thing("b", rle={"size": [20, 40], "counts": "1"}, line=7), "mask"),
        (Thing("b", rle=rle.encode(square(0, 0, 0, 0)), line=7), "a mask without any pixel"),
        (Thing("b", line=7), "neither box nor outline"),
    ],
)
def test_what_cannot_be_right_is_a_fault_with_its_line(thing, said):
    labels = placed(Thing("b", box=(1, 2, 3, 4)), thing)
    (fault,) = labels.faults
    assert (fault.file, fault.line) == ("a.txt", 7) and said in fault.message


def test_a_stated_size_that_is_neither_is_told_and_the_pictures_counts():
    labels = placed(Thing("b", box=(1, 2, 3, 4)), stated_size=(80, 40))
    assert labels.odd_size == (80, 40) and boxes(labels) == [(1, 2, 3, 4)]


def test_masks_of_one_file_that_become_one_class_are_one_object():
    first, second = square(1, 2, 4, 6), square(10, 2, 14, 9)
    item = Item("a.jpg", "a.jpg", masks=(MaskFile("m.png"),))
    masks = [MaskObject("m.png", "old", first), MaskObject("m.png", "older", second)]
    labels = place_labels(item, masks, picture(), NAMES)
    (note,) = labels.objects
    assert note.class_name == "new" and note.box_xyxy == (1, 2, 14, 9)
    assert (rle.decode(note.mask) == (first | second)).all()
    assert labels.condition == "new"
    assert place_labels(item, [], picture(), NAMES).condition == "good"


def test_a_mask_of_another_size_is_the_masks_fault():
    item = Item("a.jpg", "a.jpg", masks=(MaskFile("m.png"),))
    wrong = MaskObject("m.png", "b", square(1, 2, 4, 6, (20, 30)))
    (fault,) = place_labels(item, [wrong], picture(), NAMES).faults
    assert fault.file == "m.png" and "30 x 20" in fault.message
