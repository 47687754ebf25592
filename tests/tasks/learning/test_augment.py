"""Varied pictures: what is asked for, and no more; masks go where the pixels go."""

from __future__ import annotations

import numpy as np
import pytest

from vqc.tasks.learning.augment import NOTHING, Augment, place, tone, vary


def picture(width=40, height=30):
    """A dark ground with a bright block and its mask."""
    rgb = np.full((height, width, 3), 40, np.uint8)
    rgb[5:15, 8:20] = (200, 150, 100)
    mask = np.zeros((height, width), np.uint8)
    mask[5:15, 8:20] = 7
    return rgb, mask


def test_nothing_asked_nothing_changed():
    rgb, mask = picture()
    got, kept = vary(rgb, mask, (40, 30), NOTHING, np.random.default_rng(0))
    assert (got == rgb).all()
    assert (kept == mask).all()


def test_equal_draws_give_equal_pictures_and_others_do_not():
    rgb, mask = picture()
    wild = Augment("both", 30, 0.3, 0.1, 0.3, 0.3, 0.1, 8)
    one, two, other = (
        vary(rgb, mask, (40, 30), wild, np.random.default_rng(s))[0] for s in (1, 1, 2)
    )
    assert (one == two).all()
    assert (one != other).any()


@pytest.mark.parametrize("seed", range(6))
def test_the_mask_goes_with_the_picture(seed):
    rgb, mask = picture()
    moving = Augment("both", 25, 0.2, 0.1)
    got, kept = vary(rgb, mask, (64, 48), moving, np.random.default_rng(seed))
    assert got.shape == (48, 64, 3)
    assert set(np.unique(kept)) <= {0, 7}
    bright = got[..., 0] > 120
    both = (bright & (kept == 7)).sum() / (bright | (kept == 7)).sum()
    assert both > 0.85


@pytest.mark.parametrize(
    ("flip", "columns", "rows"),
    [("none", {1}, {1}), ("horizontal", {1, -1}, {1}), ("both", {1, -1}, {1, -1})],
)
def test_mirrorings_are_those_asked_for(flip, columns, rows):
    found = [place((10, 10), Augment(flip), np.random.default_rng(s)).round(6) for s in range(40)]
    assert {int(m[0, 0]) for m in found} == columns
    assert {int(m[1, 1]) for m in found} == rows


def test_a_mirrored_picture_is_exactly_mirrored():
    rgb, _ = picture()
    seeds = [s for s in range(20) if np.random.default_rng(s)]
    got = [
        vary(rgb, None, (40, 30), Augment("horizontal"), np.random.default_rng(s)) for s in seeds
    ]
    assert all((g == rgb).all() or (g == rgb[:, ::-1]).all() for g, _ in got)
    assert any((g == rgb[:, ::-1]).all() for g, _ in got)


def test_turns_scales_and_shifts_stay_within_their_bounds():
    asked = Augment(turn_deg=20, scale=0.5, shift=0.1)
    for seed in range(200):
        m = place((100, 100), asked, np.random.default_rng(seed))
        grow = np.hypot(m[0, 0], m[1, 0])
        assert 1 / 1.5 - 1e-9 <= grow <= 1.5 + 1e-9
        assert abs(np.rad2deg(np.arctan2(m[1, 0], m[0, 0]))) <= 20
        centre = m @ [49.5, 49.5, 1]
        assert np.abs(centre - 49.5).max() <= 10 + 1e-9


def test_light_and_noise_are_as_strong_as_asked():
    grey = np.full((64, 64, 3), 100, np.uint8)
    means = [tone(grey, Augment(light=0.3), np.random.default_rng(s)).mean() for s in range(100)]
    assert 69 <= min(means) < 75
    assert 125 < max(means) <= 131
    noisy = [tone(grey, Augment(noise=10), np.random.default_rng(s)).std() for s in range(60)]
    assert max(noisy) == pytest.approx(10, abs=0.5)
    assert min(noisy) < 1


def test_shrinking_for_scoring_averages():
    fine = np.zeros((64, 64, 3), np.uint8)
    fine[:, ::2] = 200  # stripes of one pixel: their mean is 100 everywhere
    got, _ = vary(fine, None, (16, 16), NOTHING, np.random.default_rng(0))
    assert np.abs(got.astype(int) - 100).max() <= 1
