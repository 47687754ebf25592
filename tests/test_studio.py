"""Pictures of a look as a whole: what is in them, and what they hang on."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import shapes

from vqc.errors import InputError
from vqc.look.reading import SHIPPED, look_from_record, read_look
from vqc.render.model import model_of
from vqc.studio import Format, Studio, prop_of, read_environment

SMALL = Format(96, 72)
PARTS = [shapes.scene(shapes.box((10, 8, 6))), shapes.scene(shapes.box((40, 1, 1)))]


def look(**sections):
    return look_from_record({"vqc_look": 1, **sections}, "test")


@pytest.fixture(scope="module")
def studio():
    studio = Studio(PARTS, SMALL, 4, [shapes.scene(shapes.cone(12, 4, n=8))])
    yield studio
    studio.close()


def take(studio, look, part=0, index=0):
    return studio.take(studio.draw(look, part, index))


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_look_gives_proven_pictures(studio, name):
    for index in range(8):
        photo = take(studio, read_look(name), index % 2, index)
        assert photo.rgb.shape == (72, 96, 3) and photo.rgb.dtype == np.uint8
        assert photo.rgb.std() > 1 and photo.objects[0].class_name == "thing"


def test_only_parts_carry_labels(studio):
    crowd = look(scene={"parts": 2, "distractors": 4, "occluders": 1}, camera={"size": 0.3})
    photo = take(studio, crowd)
    parts = [body for body in photo.shot.bodies if body.model < len(PARTS)]
    assert len(photo.objects) == len(parts) < len(photo.shot.bodies)


def test_an_even_white_picture_comes_out_as_it_was_asked(studio):
    even = look(light={"lamps": 0, "brightness": 0.5}, backdrop={"brightness": 1})
    photo = take(studio, even)
    assert np.ptp(photo.rgb[:3]) <= 1
    assert abs(int(photo.rgb[0, 0, 0]) - 188) <= 3  # sRGB of half the light
    bright = take(studio, look(light={"lamps": 0, "brightness": 0.5}, sensor={"exposure_ev": 1}))
    assert (bright.rgb[:3] >= 250).all()


def test_the_same_frame_has_the_same_bytes_in_another_studio(studio):
    shop = read_look("shopfloor")
    first = take(studio, shop, 1, 5)
    other = Studio(PARTS, SMALL, 4, [shapes.scene(shapes.cone(12, 4, n=8))])
    take(other, read_look("bench"), 0, 3)
    again = take(other, shop, 1, 5)
    other.close()
    assert np.array_equal(first.rgb, again.rgb) and first.objects == again.objects


def test_another_seed_or_frame_is_another_picture(studio):
    bench = read_look("bench")
    first, second = take(studio, bench, 0, 0), take(studio, bench, 0, 1)
    assert not np.array_equal(first.rgb, second.rgb)
    other = Studio(PARTS, SMALL, 5)
    assert not np.array_equal(first.rgb, take(other, bench, 0, 0).rgb)
    other.close()


def test_masks_are_there_where_they_are_wanted(studio):
    assert take(studio, look()).objects[0].mask is None
    with_masks = Studio(PARTS[:1], Format(96, 72, masks=True), 0)
    assert take(with_masks, look()).objects[0].mask is not None
    with_masks.close()


def test_a_map_lights_what_it_shines_on():
    """All light is red and comes from the upper half."""
    hall = np.zeros((32, 64, 3), np.float32)
    hall[:16, :, 0] = 1.0
    studio = Studio(PARTS[:1], SMALL, 0, environment=hall)
    lit = look(light={"lamps": 0}, material={"colour": "grey"}, camera={"elevation_deg": 60})
    photo = take(studio, lit)
    studio.close()
    assert photo.shot.light.environment_turn_deg is not None
    x0, y0, x1, y1 = (int(v) for v in photo.objects[0].box_xyxy)
    middle = photo.rgb[(y0 + y1) // 2, (x0 + x1) // 2].astype(int)
    assert middle[0] > 60 and middle[0] > 4 * max(middle[1:])


def test_environment_maps_are_linear_light_and_twice_as_wide_as_high(tmp_path):
    light = np.zeros((16, 32, 3), np.float32)
    light[..., 2] = 7.5  # red to OpenCV's order
    cv2.imwrite(str(tmp_path / "sun.hdr"), light)
    assert read_environment(tmp_path / "sun.hdr")[0, 0] == pytest.approx([7.5, 0, 0], abs=0.05)
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((16, 32, 3), 188, np.uint8))
    assert read_environment(tmp_path / "grey.png")[0, 0] == pytest.approx([0.503] * 3, abs=0.001)
    cv2.imwrite(str(tmp_path / "fine.png"), np.full((16, 32, 3), 188 * 257, np.uint16))
    assert read_environment(tmp_path / "fine.png")[0, 0] == pytest.approx([0.503] * 3, abs=0.001)
    cv2.imwrite(str(tmp_path / "nan.tiff"), np.full((16, 32, 3), np.nan, np.float32))
    with pytest.raises(InputError, match=r"nan.tiff: holds light that is no number"):
        read_environment(tmp_path / "nan.tiff")
    cv2.imwrite(str(tmp_path / "square.png"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(InputError, match=r"square.png: expected a panorama twice as wide"):
        read_environment(tmp_path / "square.png")
    (tmp_path / "torn.hdr").write_bytes(b"#?RADIANCE")
    with pytest.raises(InputError, match=r"torn.hdr: cannot be read"):
        read_environment(tmp_path / "torn.hdr")


def test_what_placing_needs_of_a_model():
    prop = prop_of(model_of(shapes.scene(shapes.box((10, 8, 6), placements=[shapes.at(90, 0, 5)]))))
    assert prop.size_mm == pytest.approx(10) and prop.palette.tolist() == [[200, 40, 40]]
    assert prop.hull.mean(axis=0) == pytest.approx([0, 0, 0], abs=1e-9)
    assert sum(rest.probability for rest in prop.rests) == pytest.approx(1)
    assert prop.rests[0].lift_mm == pytest.approx(3)  # on its largest side
