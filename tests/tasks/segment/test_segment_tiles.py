"""Tiles against the whole picture, and the memory that they keep to."""

from __future__ import annotations

import numpy as np
import pytest

from vqc.tasks.segment.tiles import Tiling, maps, ramp, starts


def local(rgbs):
    """A network that looks at one pixel only."""
    values = np.float32(rgbs) / 255
    return np.stack([values[..., 0], values[..., 1] * values[..., 2]], axis=1)


def blurred(rgbs):
    """A network that looks 8 pixels far."""
    import cv2

    values = [cv2.blur(np.float32(rgb[..., 0]) / 255, (17, 17)) for rgb in rgbs]
    return np.stack(values)[:, None]


def picture(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def only(answer, rgb, tiling):
    (found,) = maps(answer, [rgb], tiling)
    return found


@pytest.mark.parametrize("size", [(70, 333), (256, 1600), (128, 128), (5, 40)])
@pytest.mark.parametrize("overlap", [0, 32, 64])
def test_tiles_of_a_local_network_are_the_whole_picture(size, overlap):
    rgb = picture(*size)
    found = only(local, rgb, Tiling(None, 128, overlap, batch=3))
    assert found.shape == (2, *size)
    assert np.allclose(found, local(rgb[None])[0], atol=1e-6)


def test_what_a_tile_cannot_see_at_its_border_does_not_count():
    """It looks 8 px far, and the outer 16 px of an overlap of 64 have no weight."""
    rgb = picture(192, 320)
    whole = only(blurred, rgb, Tiling(None, 512, 64))
    tiled = only(blurred, rgb, Tiling(None, 128, 64))
    assert np.allclose(tiled, whole, atol=1e-6)
    narrow = only(blurred, rgb, Tiling(None, 128, 0))
    assert np.abs(narrow - whole).max() > 0.01


def test_a_convolutional_network_is_the_same_within_tiles():
    """A small U-Net, whose grid of poolings tiles keep to; it looks 10 px far."""
    import torch

    from vqc.tasks.segment.networks import unet
    from vqc.tasks.segment.scoring import answer_of

    torch.set_num_threads(1)
    torch.manual_seed(0)
    answer = answer_of(unet((2, 2), torch.nn.ELU, 1).eval())
    rgb = picture(64, 224)
    whole = only(answer, rgb, Tiling(None, 256, 0))
    tiled = only(answer, rgb, Tiling(None, 128, 64))
    assert np.allclose(tiled, whole, atol=1e-5)


@pytest.mark.parametrize(("length", "overlap"), [(1600, 64), (128, 32), (160, 0), (3840, 64)])
def test_tiles_cover_everything_and_weights_sum_up_to_one_between_neighbours(length, overlap):
    begins = starts(length, 128, overlap)
    assert begins[0] == 0 and begins[-1] + 128 == max(length, 128)
    assert all(start % 32 == 0 for start in begins)
    sums = np.zeros(length)
    for start in begins:
        sums[start : start + 128] += ramp(128, overlap, start == 0, start + 128 == length)
    assert sums.min() > 0
    assert np.allclose(sums[: begins[-1]], 1)  # the last tile overlaps the one before by more


def test_no_more_than_a_batch_of_tiles_is_answered_at_once():
    seen = []

    def answer(rgbs):
        seen.append(rgbs.shape)
        return local(rgbs)

    only(answer, picture(512, 1024), Tiling(None, 256, 64, batch=2))
    assert max(shape[0] for shape in seen) == 2
    assert {shape[1:] for shape in seen} == {(256, 256, 3)}


def test_answers_have_the_size_of_the_picture_whatever_the_network_sees():
    rgb = np.full((100, 160, 3), 51, np.uint8)
    seen = []

    def answer(rgbs):
        seen.append(rgbs.shape[1:3])
        return local(rgbs)

    found = only(answer, rgb, Tiling(320, 512, 0))
    assert seen == [(224, 320)] and found.shape == (2, 100, 160)
    assert np.allclose(found[0], 0.2)


def test_pictures_that_fit_share_a_batch_and_keep_their_order():
    rgbs = [np.full((50, 60, 3), value, np.uint8) for value in (0, 51, 102, 255)]
    found = [each[0].mean() for each in maps(local, rgbs, Tiling(None, 64, 0, batch=3))]
    assert found == pytest.approx([0, 0.2, 0.4, 1])
