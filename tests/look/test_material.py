import colorsys

import numpy as np
import pytest

from vqc.look.material import draw_finish
from vqc.look.reading import look_from_record
from vqc.sensor import linear_to_srgb, srgb_to_linear

PALETTE = np.array([[200, 40, 40], [1, 2, 3], [255, 255, 255], [0, 0, 0], [17, 180, 90]], np.uint8)
EVERY = np.random.default_rng(0).integers(0, 256, (400, 3)).astype(np.uint8)


def finish(palette=PALETTE, index=0, **material):
    look = look_from_record({"vqc_look": 1, "material": material}, "test").material
    return draw_finish(look, palette, np.random.default_rng(index))


@pytest.mark.parametrize("palette", [PALETTE, EVERY])
def test_without_jitter_the_files_colours_are_kept_exactly(palette):
    assert np.array_equal(finish(palette).rgb, srgb_to_linear(palette))


def test_grey_is_one_colour_for_all():
    rgb = linear_to_srgb(finish(colour="grey").rgb)
    assert (rgb == rgb[0, 0]).all() and 150 < rgb[0, 0] < 200


def test_random_colours_differ_between_colours_and_frames():
    first, second = (finish(colour="random", index=n).rgb for n in (0, 1))
    assert len(np.unique(first, axis=0)) == len(PALETTE) and not np.allclose(first, second)


def test_hue_saturation_and_brightness_change_only_themselves():
    red = np.array([[204, 51, 51]], np.uint8)
    for change, wanted in (
        ({"hue_deg": 120}, (1 / 3, 0.75, 0.8)),
        ({"saturation": 0.4}, (0, 0.3, 0.8)),
        ({"saturation": 5}, (0, 1, 0.8)),
        ({"brightness": 0.5}, (0, 0.75, 0.4)),
        ({"brightness": 5}, (0, 0.75, 1)),
    ):
        (rgb,) = linear_to_srgb(finish(red, **change).rgb) / 255
        assert colorsys.rgb_to_hsv(*rgb) == pytest.approx(wanted, abs=0.01)


def test_paint_is_smoother_and_metal_is_metal():
    plastic, painted, metal = (
        finish(kind=k, roughness=0.6) for k in ("plastic", "painted", "metal")
    )
    assert (plastic.roughness == np.float32(0.6)).all()
    assert (painted.roughness < plastic.roughness).all() and (painted.roughness > 0.05).all()
    assert (metal.metallic == 1).all() and not (plastic.metallic + painted.metallic).any()
    assert (finish(kind="painted", roughness=0.05).roughness == np.float32(0.05)).all()


def test_every_colour_is_drawn_for_itself_and_has_its_row():
    drawn = finish(EVERY, roughness={"uniform": [0.1, 1]}, grain={"uniform": [0, 1]}, scratches=0.3)
    for values in (drawn.roughness, drawn.metallic, drawn.grain, drawn.scratches):
        assert values.shape == (400,) and values.dtype == np.float32
    assert drawn.rgb.shape == (400, 3) and drawn.rgb.dtype == np.float32
    assert drawn.roughness.std() > 0.2 and drawn.grain.std() > 0.2
    assert (drawn.scratches == np.float32(0.3)).all()


def test_one_field_leaves_the_draws_of_the_others():
    plain, rough = (finish(EVERY, grain={"uniform": [0, 1]}, roughness=r) for r in (0.5, 0.9))
    assert np.array_equal(plain.grain, rough.grain) and plain.pattern_seed == rough.pattern_seed
