"""Frames drawn from a look: they hold what was asked, and hang on nothing else."""

from __future__ import annotations

import dataclasses
import itertools

import cv2
import numpy as np
import pytest
import shapes

from vqc.errors import InputError
from vqc.geometry import box_of_points, project, transform, world2cam
from vqc.look import shapes as solids
from vqc.look.draw import draw_shot, require_usable_lens
from vqc.look.place import Place
from vqc.look.reading import SHIPPED, look_from_record, read_look
from vqc.look.room import apart, footprint
from vqc.look.stock import Stock
from vqc.render.model import model_of
from vqc.scene import LabelRules, build_scene
from vqc.studio import prop_of

WIDTH, HEIGHT = 128, 96
PARTS = (
    shapes.box((10, 8, 6)),
    shapes.box((20, 20, 1)),
    shapes.box((40, 1, 1)),
    shapes.sphere(n=6),
)


def prop(part):
    return prop_of(model_of(shapes.scene(part)))


@pytest.fixture(scope="module")
def stock():
    rng = np.random.default_rng(0)
    simple = [
        prop_of(model_of(build_scene(solids.shape(kind, rng), kind, LabelRules()).scene))
        for kind in ("box", "cone", "plate")
    ]
    return Stock(tuple(map(prop, PARTS)), (prop(shapes.cone(12, 4, n=8)),), tuple(simple))


def look(**sections):
    plain = {"backdrop": {"kind": "colour"}}  # textures take long
    return look_from_record({"vqc_look": 1, **plain, **sections}, "test")


def shots(look, stock, count, part=0, seed=0, size=(WIDTH, HEIGHT)):
    return [draw_shot(look, stock, Place(seed, index, part), *size) for index in range(count)]


def points_of(body, stock):
    return transform(body.pose, stock.prop(body.model).hull)


def seen(shot, body, stock):
    """Box of a body in pixels, by plain projection."""
    camera = transform(world2cam(shot.view.pose), points_of(body, stock))
    return box_of_points(project(camera, shot.view.intrinsics))


def plain(value):
    """Everything in a shot, comparable."""
    if dataclasses.is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        return value.tolist()
    return [plain(v) for v in value] if isinstance(value, tuple) else value


# Camera ------------------------------------------------------------------------------------


@pytest.mark.parametrize("rest", [0, 1])
@pytest.mark.parametrize("cut_off", [0, 1])
def test_size_and_place_of_the_part_are_what_was_asked(stock, rest, cut_off):
    camera = {"size": {"uniform": [0.2, 0.5]}, "x": {"uniform": [0.35, 0.65]}, "y": 0.5}
    camera |= {"elevation_deg": {"uniform": [20, 70]}, "cut_off": cut_off}
    drawn = shots(look(camera=camera, scene={"rest": rest}), stock, 150)
    boxes = np.array([seen(shot, shot.bodies[0], stock) for shot in drawn])
    sides, centers = boxes[:, 2:] - boxes[:, :2], (boxes[:, 2:] + boxes[:, :2]) / 2
    sizes, xs = sides.max(axis=1) / HEIGHT, centers[:, 0] / WIDTH
    assert 0.2 - 1e-6 < sizes.min() < 0.22 and 0.48 < sizes.max() < 0.5 + 1e-6
    assert sizes.mean() == pytest.approx(0.35, abs=0.02)
    assert xs.mean() == pytest.approx(0.5, abs=0.02) and xs.std() == pytest.approx(0.0866, abs=0.01)
    assert centers[:, 1] == pytest.approx(HEIGHT / 2, abs=1e-3)


def test_a_part_that_may_not_be_cut_off_stays_inside(stock):
    camera = {"size": {"uniform": [0.2, 0.95]}, "x": {"uniform": [-0.5, 1.5]}, "cut_off": 0}
    camera["y"] = {"uniform": [-0.5, 1.5]}
    for part, rest in itertools.product(range(len(PARTS)), (0, 1)):
        for shot in shots(look(camera=camera, scene={"rest": rest}), stock, 15, part):
            x0, y0, x1, y1 = seen(shot, shot.bodies[0], stock)
            assert min(x0, y0) > 0 and x1 < WIDTH and y1 < HEIGHT


def test_a_part_that_may_be_cut_off_is_in_so_many_frames(stock):
    camera = {"x": 0, "size": 0.5, "cut_off": 0.4}
    boxes = [seen(shot, shot.bodies[0], stock) for shot in shots(look(camera=camera), stock, 200)]
    assert sum(box[0] < 0 for box in boxes) == pytest.approx(80, abs=20)


def test_angles_are_what_was_asked(stock):
    camera = {"elevation_deg": {"uniform": [-30, 50]}, "tilt_deg": {"normal": [5, 10]}}
    camera["azimuth_deg"] = {"uniform": [-90, 90]}
    poses = [shot.view.pose for shot in shots(look(camera=camera), stock, 300)]
    elevations, tilts, azimuths = (
        np.array([getattr(pose, f"{name}_deg") for pose in poses])
        for name in ("elevation", "tilt", "azimuth")
    )
    assert -30 <= elevations.min() < -27 and 47 < elevations.max() <= 50
    assert tilts.mean() == pytest.approx(5, abs=1.5) and tilts.std() == pytest.approx(10, abs=1)
    assert ((azimuths <= 90) | (azimuths >= 270)).all() and (azimuths < 360).all()


def test_no_camera_stands_below_the_ground(stock):
    camera = {"elevation_deg": {"uniform": [-90, 10]}, "y": {"uniform": [0.1, 0.9]}, "fov_deg": 60}
    camera |= {"tilt_deg": {"uniform": [-180, 180]}, "cut_off": 0.5}
    for part in range(len(PARTS)):
        for shot in shots(look(camera=camera, scene={"rest": 1}), stock, 20, part):
            assert np.linalg.inv(world2cam(shot.view.pose))[2, 3] > 0
            assert 0 < shot.view.pose.elevation_deg < 90


def test_a_calibrated_camera_is_scaled_with_the_frame(stock):
    camera = {"intrinsics": [600, 610, 330, 235, 640, 480]}
    (shot,) = shots(look(camera=camera), stock, 1, size=(320, 240))
    k = shot.view.intrinsics
    assert (k.fx, k.fy, k.cx, k.cy, k.width, k.height) == (300, 305, 165, 117.5, 320, 240)
    assert k.distortion is None
    (bent,) = shots(look(camera={"k1": -0.1, "p2": 0.01, "k3": 0.02}), stock, 1)
    assert bent.view.intrinsics.distortion == (-0.1, 0, 0, 0.01, 0.02)


# What stands where -------------------------------------------------------------------------


def test_everything_at_rest_lies_on_the_ground_apart_from_the_rest(stock):
    scene = {"rest": 1, "parts": 3, "distractors": 4, "spacing": {"uniform": [0, 0.5]}}
    for part, shot in itertools.product(range(len(PARTS)), range(8)):
        (drawn,) = [draw_shot(look(scene=scene), stock, Place(0, shot, part), WIDTH, HEIGHT)]
        assert drawn.ground is not None and drawn.ground.mm_per_px > 0
        outlines = [points_of(body, stock) for body in drawn.bodies]
        assert [float(o[:, 2].min()) for o in outlines] == pytest.approx(
            [0] * len(outlines), abs=1e-6
        )
        for a, b in itertools.combinations(map(footprint, outlines), 2):
            assert apart(a, b, -1)


def test_the_gap_between_neighbours_is_kept(stock):
    scene = {"rest": 1, "parts": 3, "spacing": 0.5}
    for shot in shots(look(scene=scene), stock, 20):
        first = footprint(points_of(shot.bodies[0], stock))
        for body in shot.bodies[1:]:
            assert apart(first, footprint(points_of(body, stock)), 0.5 * 10 - 1e-6)


def test_the_number_of_bodies_is_what_was_asked(stock):
    scene = {"parts": {"uniform": [1, 3]}, "distractors": {"uniform": [0, 2]}, "occluders": 1}
    scene |= {"distractor_size": 0.3, "shapes": 0.5}
    camera = {"size": 0.2, "elevation_deg": 60}
    drawn = shots(look(scene=scene, camera=camera), stock, 200, part=0)
    kinds = [[body.model < 4 for body in shot.bodies] for shot in drawn]
    assert all(kind == sorted(kind, reverse=True) for kind in kinds)
    labelled, others = np.array([(sum(kind), len(kind) - sum(kind)) for kind in kinds]).T
    assert set(labelled) == {1, 2, 3} and set(others) == {1, 2, 3}
    assert labelled.mean() == pytest.approx(2, abs=0.15)
    assert others.mean() == pytest.approx(2, abs=0.15)
    models = [body.model for shot in drawn for body in shot.bodies if body.model >= 4]
    assert models.count(4) / len(models) == pytest.approx(0.5, abs=0.1)  # the file


def test_the_subject_is_there_even_among_things_many_times_its_size(stock):
    scene = {"rest": 0.5, "parts": 6, "distractors": 6, "distractor_size": 20, "occluders": 2}
    for shot in shots(look(scene=scene), stock, 40, part=3):
        assert shot.bodies[0].model == 3
        camera, far = world2cam(shot.view.pose), shot.view.pose.distance_mm
        for body in shot.bodies[1:]:
            assert transform(camera, points_of(body, stock))[:, 2].min() > 0.1 * far
            x0, y0, x1, y1 = seen(shot, body, stock)
            assert max(x1 - x0, y1 - y0) <= 3 * WIDTH


def test_distractors_have_the_asked_size(stock):
    scene = {"distractors": 3, "distractor_size": {"log_uniform": [0.5, 2]}}
    ratios = [
        np.linalg.norm(body.pose[:3, 0]) * stock.prop(body.model).size_mm / 10
        for shot in shots(look(scene=scene, camera={"size": 0.1}), stock, 60)
        for body in shot.bodies[1:]
    ]
    assert 0.5 - 1e-9 <= min(ratios) < 0.6 and 1.8 < max(ratios) <= 2 + 1e-9
    assert np.median(ratios) == pytest.approx(1, abs=0.15)


def test_occluders_reach_over_the_asked_share_of_the_box(stock):
    """Measured on the boxes of both."""
    for wanted in (0.2, 0.6):
        scene = {"occluders": 1, "occlusion": wanted, "distractor_size": 2, "shapes": 1}
        shares = []
        for shot in shots(look(scene=scene, camera={"size": 0.3}), stock, 80):
            if len(shot.bodies) < 2:
                continue
            x0, y0, x1, y1 = seen(shot, shot.bodies[0], stock)
            a0, b0, a1, b1 = seen(shot, shot.bodies[1], stock)
            over = max(min(x1, a1) - max(x0, a0), 0) / (x1 - x0)
            down = max(min(y1, b1) - max(y0, b0), 0) / (y1 - y0)
            shares.append(over * down)
            near = transform(world2cam(shot.view.pose), shot.bodies[1].pose[None, :3, 3])[0, 2]
            assert 0.5 < near / shot.view.pose.distance_mm < 0.9
        assert len(shares) > 70 and np.mean(shares) == pytest.approx(wanted, abs=0.07)


def test_parts_lie_with_the_upper_side_up_as_often_as_asked(stock):
    scene = {"rest": 1, "upright": 0.5}
    ups = [shot.bodies[0].pose[2, 2] for shot in shots(look(scene=scene), stock, 60, part=0)]
    assert sum(up > 0.99 for up in ups) > 30
    always = shots(look(scene={"rest": 1, "upright": 1}), stock, 20, part=0)
    assert all(shot.bodies[0].pose[2, 2] > 0.99 for shot in always)


# Light, backdrop, sensor -------------------------------------------------------------------


def test_light_comes_from_the_asked_heights(stock):
    light = {"lamps": {"uniform": [1, 3]}, "elevation_deg": {"uniform": [20, 40]}}
    drawn = [shot.light for shot in shots(look(light=light), stock, 100)]
    heights = np.degrees(np.arcsin([lamp.towards[2] for one in drawn for lamp in one.lamps]))
    assert 20 <= heights.min() < 22 and 38 < heights.max() <= 40
    assert {len(one.lamps) for one in drawn} == {1, 2, 3}


def test_without_photos_a_texture_stands_in(stock):
    scene = {"rest": 1}
    drawn = shots(look(scene=scene, backdrop={"kind": "photo", "contrast": 0.5}), stock, 3)
    for shot in drawn:
        assert shot.ground.picture.std() > 2 and shot.ground.picture.shape[:2] == (HEIGHT, WIDTH)


def test_photos_are_shown_as_they_are_and_cut_by_the_zoom(stock, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.arange(60 * 80 * 3).reshape(60, 80, 3) % 251)
    with_photos = dataclasses.replace(stock, photos=(tmp_path / "a.png",))
    (whole,) = shots(look(backdrop={"kind": "photo", "blur_px": 10}), with_photos, 1)
    assert whole.behind.picture.shape == (60, 80, 3) and whole.ground is None
    assert whole.behind.blur_px == pytest.approx(10 * HEIGHT / 480)
    (cut,) = shots(look(backdrop={"kind": "photo", "zoom": 2}), with_photos, 1)
    assert cut.behind.picture.shape == (30, 40, 3)


def test_lengths_of_the_sensor_grow_with_the_frame(stock):
    sensor = {"defocus_px": 3, "motion_px": 8, "jpeg": {"uniform": [40, 60]}, "grey": 0.5}
    small, large = (
        shots(look(sensor=sensor), stock, 40, size=size) for size in ((64, 48), (128, 96))
    )
    for a, b in zip(small, large, strict=True):
        assert b.sensor.defocus_px == pytest.approx(0.6) == 2 * a.sensor.defocus_px
        assert b.sensor.motion_px == pytest.approx(1.6) == 2 * a.sensor.motion_px
        assert 40 <= a.sensor.jpeg == b.sensor.jpeg <= 60
    assert 8 < sum(shot.sensor.grey for shot in small) < 32


# What a draw hangs on ----------------------------------------------------------------------


def busy(**sections):
    scene = {"rest": 0.5, "parts": 2, "distractors": 2, "occluders": 1}
    return look(scene=scene, **sections)


def test_the_same_frame_is_the_same_shot(stock):
    first, again = (shots(busy(), stock, 4) for _ in range(2))
    assert plain(tuple(first)) == plain(tuple(again))
    assert plain(first[0]) != plain(first[1])
    assert plain(shots(busy(), stock, 1, seed=1)[0]) != plain(first[0])


@pytest.mark.parametrize(
    ("section", "fields", "kept"),
    [
        ("sensor", {"shot_noise": {"uniform": [0, 0.1]}}, {"view", "bodies", "light", "ground"}),
        ("light", {"lamps": 4}, {"view", "bodies", "ground", "behind", "sensor"}),
        ("backdrop", {"kind": "texture"}, {"view", "bodies", "sensor"}),
        ("material", {"kind": "metal"}, {"view", "light", "ground", "behind", "sensor"}),
        ("camera", {"fov_deg": 50, "tilt_deg": 30}, {"light", "behind", "sensor"}),
    ],
)
def test_another_field_of_one_section_leaves_the_others_draws(stock, section, fields, kept):
    before, after = shots(busy(), stock, 6), shots(busy(**{section: fields}), stock, 6)
    for a, b in zip(before, after, strict=True):
        a, b = plain(a), plain(b)
        assert {name for name in a if a[name] == b[name]} >= kept
    assert plain(tuple(before)) != plain(tuple(after))


def test_poses_stay_where_only_the_surface_changes(stock):
    before, after = shots(busy(), stock, 6), shots(busy(material={"grain": 0.5}), stock, 6)
    for a, b in zip(before, after, strict=True):
        assert [x.pose.tolist() for x in a.bodies] == [x.pose.tolist() for x in b.bodies]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_look_draws_any_part(stock, name):
    shipped = read_look(name)
    for index in range(200):
        shot = draw_shot(shipped, stock, Place(3, index, index % len(PARTS)), 32, 24)
        assert shot.bodies[0].model < len(PARTS)
        values = [body.pose for body in shot.bodies]
        assert np.isfinite(values).all() and shot.view.pose.distance_mm > 0


def test_a_lens_that_folds_over_is_told_before_anything_is_drawn():
    narrow = look_from_record({"vqc_look": 1, "camera": {"k1": -0.3, "fov_deg": 30}}, "a look")
    require_usable_lens(narrow.camera, 640, 480)
    wide = {"vqc_look": 1, "camera": {"k1": {"normal": [0, 0.5]}, "fov_deg": 60}}
    with pytest.raises(InputError, match="folds over"):
        require_usable_lens(look_from_record(wide, "a look").camera, 640, 480)
    either = {"vqc_look": 1, "camera": {"k1": {"choice": [0, -0.9]}, "fov_deg": 100}}
    with pytest.raises(InputError, match=r"k1 -0\.9.*folds over"):
        require_usable_lens(look_from_record(either, "a look").camera, 640, 480)
