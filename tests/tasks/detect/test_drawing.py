"""Boxes and names on a picture hide nothing of the objects, and fit into any picture."""

import numpy as np
import pytest

from vqc.tasks.contract import Picture
from vqc.tasks.detect.answers import Detections
from vqc.tasks.detect.drawing import colour_of, draw

WHITE = 255


def blank(width=400, height=300):
    return Picture("p", np.full((height, width, 3), WHITE, np.uint8))


def detections(*boxes, names=None, ids=None):
    names = names or ("qd",) * len(boxes)
    scores = np.linspace(0.9, 0.5, len(boxes))
    return Detections("p", np.array(boxes, float).reshape(-1, 4), scores, tuple(names), ids)


def rgb(colour):
    return tuple(bytes.fromhex(colour[1:]))


def test_lines_lie_outside_of_the_box():
    shown = blank()
    drawn = draw(shown, detections((100, 100, 200, 180)))
    assert (drawn[100:180, 100:200] == WHITE).all()
    for y, x in ((99, 150), (180, 150), (140, 99), (140, 200)):
        assert tuple(drawn[y, x]) == rgb(colour_of("qd", ()))
    assert drawn.shape == shown.rgb.shape and drawn.dtype == np.uint8
    assert (shown.rgb == WHITE).all()  # the picture itself stays


def test_nothing_found_is_the_picture():
    shown = blank()
    drawn = draw(shown, detections())
    assert np.array_equal(drawn, shown.rgb) and drawn is not shown.rgb


def test_classes_have_their_colours():
    assert colour_of("b", ("a", "b")) != colour_of("a", ("a", "b"))
    assert colour_of("b", ()) == colour_of("b", ())


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (40, 40)])
def test_every_size_of_picture(size):
    width, height = size
    whole = (0, 0, width, height)
    drawn = draw(blank(*size), detections(whole, whole, names=("a long name of a part", "漢ж\n")))
    assert drawn.shape == (height, width, 3)


def test_boxes_at_the_borders_are_drawn():
    drawn = draw(blank(), detections((0, 0, 400, 300), (399.2, 299.4, 400, 300)))
    assert (drawn[0, 0] != WHITE).any() and (drawn[299, 399] != WHITE).any()


def test_names_of_neighbours_do_not_hide_each_other():
    one = draw(blank(), detections((150, 100, 250, 200)))
    both = draw(blank(), detections((150, 100, 250, 200), (152, 102, 252, 202)))
    text = (one[:97] == WHITE).all(axis=2) != np.ones((97, 400), bool)
    assert text.any()
    assert np.array_equal(one[:97][text], both[:97][text])


def test_a_track_is_told():
    plain = draw(blank(), detections((150, 100, 250, 200)))
    followed = draw(blank(), detections((150, 100, 250, 200), ids=(7,)))
    assert (followed[:90] != WHITE).sum() > (plain[:90] != WHITE).sum()
