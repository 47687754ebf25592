import colorsys

import numpy as np
import pytest

from vqc.look.textures import FULL_CONTRAST, KINDS, gradient, plain_colour, texture

SIZE = (320, 240)


def made(kind, seed=0, hue=30.0, saturation=0.4, brightness=0.6, contrast=0.4, size=SIZE):
    rng = np.random.default_rng(seed)
    return texture(*size, rng, hue, saturation, brightness, contrast, kind=kind)


def asked(hue, saturation, brightness):
    return 255 * np.array(colorsys.hsv_to_rgb(hue / 360, saturation, brightness))


@pytest.mark.parametrize("kind", KINDS)
def test_a_texture_has_the_mean_and_the_contrast_that_were_asked_for(kind):
    for seed in range(5):
        picture = made(kind, seed)
        assert picture.shape == (240, 320, 3) and picture.dtype == np.uint8
        assert picture.mean(axis=(0, 1)) == pytest.approx(asked(30, 0.4, 0.6), abs=12)
        deviation = picture.mean(axis=2).std() / 255
        assert deviation == pytest.approx(0.4 * FULL_CONTRAST, rel=0.25)


@pytest.mark.parametrize("kind", KINDS)
def test_more_contrast_is_more_of_the_same_pattern(kind):
    low, high = (made(kind, contrast=contrast).mean(axis=2) for contrast in (0.1, 0.4))
    assert high.std() == pytest.approx(4 * low.std(), rel=0.25)
    assert np.corrcoef(low.ravel(), high.ravel())[0, 1] > 0.95


@pytest.mark.parametrize("brightness", [0.0, 1.0])
def test_black_and_white_make_room_for_the_contrast(brightness):
    picture = made("fractal", saturation=0, brightness=brightness, contrast=0.4)
    away = abs(picture.mean() / 255 - brightness)
    assert 0.02 < away < 1.3 * 0.4 * FULL_CONTRAST
    assert picture.std() / 255 > 0.5 * 0.4 * FULL_CONTRAST


@pytest.mark.parametrize("kind", KINDS)
def test_without_contrast_and_without_saturation_it_is_plain_grey(kind):
    picture = made(kind, saturation=0, contrast=0)
    assert (picture == 153).all()
    coloured = made(kind, saturation=0, contrast=0.5).astype(int)
    assert np.ptp(coloured, axis=2).max() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_bytes_and_another_one_another_picture(kind):
    first, second, other = made(kind, 3), made(kind, 3), made(kind, 4)
    assert first.tobytes() == second.tobytes()
    assert (first != other).any(axis=2).mean() > 0.2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(1, 1), (7, 90), (641, 33)])
def test_any_size_will_do(kind, size):
    assert made(kind, size=size).shape == (size[1], size[0], 3)


def test_all_kinds_are_drawn():
    def bytes_of(kind, seed):
        return made(kind, seed, size=(48, 32)).tobytes()

    drawn = {
        next(kind for kind in KINDS if bytes_of(kind, seed) == bytes_of(None, seed))
        for seed in range(60)
    }
    assert drawn == set(KINDS)


def test_a_plain_colour_is_that_colour():
    picture = plain_colour(5, 4, 120.0, 1.0, 0.5)
    assert picture.shape == (4, 5, 3) and picture.dtype == np.uint8
    assert (picture == (0, 128, 0)).all()


def test_a_gradient_goes_one_way_evenly():
    for seed in range(10):
        picture = gradient(*SIZE, np.random.default_rng(seed), 200.0, 0.3, 0.5, 0.5)
        grey = picture.mean(axis=2)
        assert grey.std() / 255 == pytest.approx(0.5 * FULL_CONTRAST, rel=0.15)
        assert picture.mean(axis=(0, 1)) == pytest.approx(asked(200, 0.3, 0.5), abs=8)
        for axis in (0, 1):
            steps = np.diff(grey, axis=axis)
            assert (steps >= 0).all() or (steps <= 0).all()
