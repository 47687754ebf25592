import itertools

import numpy as np
import pytest

from vqc.look.light import draw_light, mean_light, temperature_rgb
from vqc.look.reading import look_from_record
from vqc.look.schema import LightLook

LUMA = np.array([0.2126, 0.7152, 0.0722])
GREY = np.full(3, 0.5)


def looks(**light) -> LightLook:
    return look_from_record({"vqc_look": 1, "light": light}, "test").light


def drawn(look, index=0, bounce=GREY, has_environment=False):
    return draw_light(look, np.random.default_rng(index), bounce, has_environment)


def test_daylight_is_white_and_a_bulb_is_warm():
    assert temperature_rgb(6500) == pytest.approx([1, 1, 1], abs=1e-4)
    red, green, blue = temperature_rgb(3000)
    assert red > 1.3 * green > 2 * blue
    assert temperature_rgb(12000)[2] > temperature_rgb(12000)[0]


@pytest.mark.parametrize("kelvin", [1500, 1667, 2222, 3999, 4001, 6500, 20000, 30000])
def test_no_temperature_changes_the_brightness(kelvin):
    rgb = temperature_rgb(kelvin)
    assert rgb @ LUMA == pytest.approx(1) and (rgb > 0).all()


def test_the_colour_has_no_jumps_where_one_cubic_follows_another():
    for kelvin in (2222.0, 4000.0):
        below, above = temperature_rgb(kelvin - 0.5), temperature_rgb(kelvin + 0.5)
        assert below == pytest.approx(above, abs=0.01)
    steps = [temperature_rgb(k) for k in range(1900, 20000, 100)]
    assert all(a[0] > b[0] and a[2] < b[2] for a, b in itertools.pairwise(steps))


@pytest.mark.parametrize("lamps", [1, 2, 8])
def test_lamps_and_the_light_from_everywhere_share_the_brightness(lamps):
    light = drawn(looks(lamps=lamps, ambient=0.3, brightness=0.8, temperature_k=3500))
    assert len(light.lamps) == lamps
    direct = sum(np.array(lamp.rgb) @ LUMA for lamp in light.lamps)
    assert direct == pytest.approx(0.8 * 0.7) and light.above @ LUMA == pytest.approx(0.8 * 0.3)
    strengths = [lamp.rgb @ LUMA for lamp in light.lamps]
    assert strengths == sorted(strengths, reverse=True)


def test_without_lamps_all_light_comes_from_everywhere():
    light = drawn(looks(lamps=0, ambient=0.2, brightness=0.7))
    assert light.lamps == () and light.above @ LUMA == pytest.approx(0.7)


def test_what_is_below_sends_back_its_colour():
    light = drawn(looks(lamps=1, elevation_deg=90, ambient=0.5, brightness=1), bounce=LUMA * 0)
    assert light.below == (0, 0, 0)
    red = drawn(looks(lamps=1, elevation_deg=90, ambient=0.5), bounce=np.array([0.4, 0.0, 0.0]))
    assert red.below[0] > 0 and red.below[1:] == (0, 0)


def test_directions_are_unit_vectors_of_the_asked_height_all_around():
    towards = np.array([drawn(looks(elevation_deg=40), n).lamps[0].towards for n in range(200)])
    assert np.linalg.norm(towards, axis=1) == pytest.approx(1)
    assert towards[:, 2] == pytest.approx(np.sin(np.radians(40)))
    assert np.abs(towards[:, :2].mean(axis=0)).max() < 0.12


def test_the_map_shines_where_there_is_one_and_the_look_wants_it():
    assert drawn(looks()).environment_turn_deg is None
    turns = [drawn(looks(environment=0.5), n, has_environment=True) for n in range(100)]
    shining = [light.environment_turn_deg for light in turns if light.environment_turn_deg]
    assert 30 < len(shining) < 70 and 0 <= min(shining) < max(shining) < 360


def test_the_mean_colour_of_a_picture_is_that_of_its_light():
    half = np.zeros((40, 40, 3), np.uint8)
    half[:, :20] = 255
    assert mean_light(half) == pytest.approx([0.5, 0.5, 0.5])
    assert mean_light(np.full((1, 1, 3), 188, np.uint8)) == pytest.approx([0.503] * 3, abs=1e-3)
    assert mean_light(np.zeros((700, 3, 3), np.uint8)) == pytest.approx([0, 0, 0])
