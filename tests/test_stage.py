"""Light and shadow where they are known beforehand, and the same ids as the plain renderer's."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapes

from vqc.geometry import intrinsics_from_fov, project, transform, world2cam
from vqc.render import Renderer
from vqc.render.model import model_of
from vqc.render.stage import Stage
from vqc.shot import Body, Finish, Lamp, Light, SensorDraw, Shot, Surface
from vqc.types import CameraPose, View

WIDTH, HEIGHT = 160, 120
BLACK = Surface(np.zeros((12, 16, 3), np.uint8))
WHITE = np.full((12, 16, 3), 255, np.uint8)
PLATE = shapes.box((20, 20, 1), rgba=(255, 255, 255, 255))


def matt(rgb=(0.8, 0.8, 0.8)):
    one = np.ones(1, np.float32)
    return Finish(np.array([rgb], np.float32), one, 0 * one, 0 * one, 0 * one, 0.0)


def lamp(elevation, azimuth=0.0, strength=1.0, size_deg=1.0):
    e, a = math.radians(elevation), math.radians(azimuth)
    towards = (math.cos(e) * math.cos(a), math.cos(e) * math.sin(a), math.sin(e))
    return Lamp(towards, (strength,) * 3, size_deg)


def light(*lamps, above=0.0, below=0.0):
    return Light(lamps, (above,) * 3, (below,) * 3)


def view(azimuth=0.0, elevation=90.0, distance=100.0, target=(0.0, 0.0, 0.0), fov=30.0):
    pose = CameraPose(azimuth, elevation, 0.0, distance, target)
    return View(0, pose, intrinsics_from_fov(fov, WIDTH, HEIGHT), 0)


def shoot(part, of_light, of_view, at=None, ground=None, behind=BLACK, finish=None):
    """Light and ids of one body."""
    body = Body(0, np.eye(4) if at is None else at, finish or matt())
    shot = Shot(of_view, (body,), of_light, ground, behind, SensorDraw())
    stage = Stage([model_of(shapes.scene(part))], WIDTH, HEIGHT)
    try:
        stage.place(shot)
        exposure = stage.draw(shot)
    finally:
        stage.close()
    return exposure.light, exposure.layers.instance_id


def on_ground(of_view):
    """(H, W, 2) where the ray through each pixel's centre meets z = 0, in mm."""
    k, camera = of_view.intrinsics, world2cam(of_view.pose)
    x, y = np.meshgrid(
        (np.arange(WIDTH) + 0.5 - k.cx) / k.fx, (np.arange(HEIGHT) + 0.5 - k.cy) / k.fy
    )
    along = np.stack([x, y, np.ones_like(x)], axis=-1) @ camera[:3, :3]
    eye = -camera[:3, :3].T @ camera[:3, 3]
    return (eye - along * (eye[2] / along[..., 2:]))[..., :2]


# Light on bodies ---------------------------------------------------------------------------


@pytest.mark.parametrize("elevation", [90, 60, 35, 15])
def test_a_matt_plate_sends_back_what_lambert_says(elevation):
    seen, _ = shoot(PLATE, light(lamp(elevation, 70)), view(distance=60))
    assert seen[60, 80] == pytest.approx([0.8 * math.sin(math.radians(elevation))] * 3, rel=0.09)


def test_a_matt_sphere_sends_back_what_lambert_says_all_over():
    of_view, of_lamp = view(20, 30), lamp(60, 75)
    seen, ids = shoot(shapes.sphere(8, n=48), light(of_lamp), of_view)
    k, camera = of_view.intrinsics, world2cam(of_view.pose)
    x, y = np.meshgrid(
        (np.arange(WIDTH) + 0.5 - k.cx) / k.fx, (np.arange(HEIGHT) + 0.5 - k.cy) / k.fy
    )
    along = np.stack([x, y, np.ones_like(x)], axis=-1)
    a, b, c = (along**2).sum(axis=-1), -200.0 * along[..., 2], 100.0**2 - 8.0**2
    root = b * b - 4 * a * c
    hit = root > 0
    depth = (-b - np.sqrt(np.maximum(root, 0))) / (2 * a)
    normal = (along * depth[..., None] - (0, 0, 100)) / 8
    facing = normal @ (camera[:3, :3] @ of_lamp.towards)
    inner = hit & (ids > 0) & (facing > 0.3) & (-(normal * along).sum(axis=-1) > 0.3)
    assert inner.sum() > 500
    assert np.abs(seen[inner][:, 0] / (0.8 * facing[inner]) - 1).max() < 0.12
    assert abs(np.mean(seen[inner][:, 0] / (0.8 * facing[inner])) - 1) < 0.05
    assert seen[hit & (ids > 0) & (facing < -0.1)].max() < 0.01


def test_light_from_everywhere_has_no_direction():
    seen, ids = shoot(shapes.sphere(12, n=48), light(above=0.5, below=0.5), view(20, 30))
    inner = ids.copy() > 0
    inner[:-3] &= inner[3:]
    inner[3:] &= inner[:-3]
    values = seen[inner][:, 0]
    assert np.median(values) == pytest.approx(0.8 * 0.5, rel=0.07)
    assert np.ptp(np.percentile(values, [5, 95])) < 0.07 * np.median(values)


def test_light_from_above_fades_towards_below():
    seen, _ = shoot(shapes.sphere(12, n=48), light(above=0.8, below=0.0), view(0, 0))
    column = seen[:, 80, 0]
    rows = np.flatnonzero(column > 0.02)
    assert column[rows[2]] > 0.5 and column[rows[-1]] < 0.1
    assert column[60] == pytest.approx(0.8 * 0.4, rel=0.1)


def test_lamps_add_up_and_keep_their_colours():
    red = Lamp((0.0, 0.0, 1.0), (0.5, 0.0, 0.0), 5)
    green = Lamp((0.6, 0.0, 0.8), (0.0, 0.5, 0.0), 5)
    seen, _ = shoot(PLATE, light(red, green), view(distance=60))
    assert seen[60, 80] == pytest.approx([0.4, 0.32, 0], rel=0.07, abs=0.001)


def test_light_brighter_than_white_is_kept():
    seen, _ = shoot(PLATE, light(lamp(90, strength=2)), view(distance=60))
    assert seen[60, 80, 0] == pytest.approx(1.6, rel=0.07)


def test_a_body_hides_the_first_lamp_from_what_is_below():
    """A roof over the middle of a floor: both are one part, so the shadow map alone makes it."""
    floor = shapes.box((20, 20, 1), "floor", rgba=(255, 255, 255, 255))
    roof = shapes.box((6, 6, 0.5), "roof", (255, 255, 255, 255), [shapes.at(0, 0, 6)])
    both = shapes.scene(floor, roof)
    finish = matt()
    of_lamp = lamp(45, 0)
    stage = Stage([model_of(both)], WIDTH, HEIGHT)
    of_view = view(90, 35, 60)
    body = Body(0, shapes.at(*both.center_mm), finish)
    shot = Shot(of_view, (body,), light(of_lamp), None, BLACK, SensorDraw())
    stage.place(shot)
    seen = stage.draw(shot).light
    stage.close()

    def at(*place):
        x, y = project(transform(world2cam(of_view.pose), np.array([place])), of_view.intrinsics)[0]
        return seen[int(y), int(x), 0]

    shadowed, open_ = at(-5.5, 0, 0.5), at(-5.5, 7, 0.5)  # 5.5 mm lower, so 5.5 mm beside
    assert open_ == pytest.approx(0.8 * math.sin(math.radians(45)), rel=0.08)
    assert shadowed < 0.1 * open_


@pytest.mark.parametrize("side", [10, 0.01, 200])
def test_light_does_not_depend_on_the_unit_of_length(side):
    of_view = view(0, 60, 6 * side)
    seen, _ = shoot(shapes.box((side,) * 3), light(lamp(60, 0)), of_view)
    assert seen[60, 80] == pytest.approx([0.8 * math.sin(math.radians(60))] * 3, rel=0.09)


# The ground --------------------------------------------------------------------------------


def test_open_ground_sends_back_what_a_plate_on_it_does():
    of_light = light(lamp(50, 20), above=0.3, below=0.3)
    seen, ids = shoot(PLATE, of_light, view(distance=150), shapes.at(0, 0, 0.5),
                      Surface(np.full_like(WHITE, 231), 20.0))  # fmt: skip
    assert (ids[60, 80], ids[5, 5]) == (1, 0)
    assert seen[5, 5] == pytest.approx(seen[60, 80], rel=0.08)  # 231 is 0.8 of white
    assert seen[5, 5, 0] == pytest.approx(0.8 * (math.sin(math.radians(50)) + 0.3), rel=0.02)


@pytest.mark.parametrize(("elevation", "azimuth"), [(45, 0), (60, 130), (35, 250)])
def test_a_shadow_lies_where_the_light_throws_it(elevation, azimuth):
    of_lamp, height = lamp(elevation, azimuth), 60.0
    of_view = view(distance=400)
    seen, ids = shoot(
        PLATE, light(of_lamp), of_view, shapes.at(5, -4, height), Surface(WHITE, 60.0)
    )
    open_light = math.sin(math.radians(elevation))
    missing = np.clip(1 - seen[..., 0] / open_light, 0, 1) * (ids == 0)
    assert missing.max() > 0.95
    x, y, z = of_lamp.towards
    dark = missing > 0.05
    found = (on_ground(of_view)[dark] * missing[dark][:, None]).sum(axis=0) / missing[dark].sum()
    assert found == pytest.approx([5 - height * x / z, -4 - height * y / z], abs=0.8)
    mm = 400 / of_view.intrinsics.fx
    assert missing.sum() * mm * mm == pytest.approx(400, rel=0.12)


def test_under_a_body_at_rest_little_light_from_everywhere_arrives():
    seen, ids = shoot(shapes.box((20, 20, 20)), light(above=0.8, below=0.1), view(0, 25, 150),
                      shapes.at(0, 0, 10), Surface(WHITE, 20.0))  # fmt: skip
    column = seen[:, 80, 0]
    foot = np.flatnonzero(ids[:, 80] == 1)[-1]
    assert column[foot + 2] < 0.75 * 0.8 and column[-1] == pytest.approx(0.8, rel=0.08)


@pytest.mark.parametrize(("turn", "quarter"), [(0, (-1, 1)), (90, (-1, -1)), (180, (1, -1))])
def test_the_picture_on_the_ground_lies_where_geometry_says(turn, quarter):
    """One quarter is white; the middle of the picture is at the shift, whatever the turn."""
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:32, :32] = 255
    of_view, shift = view(35, 40, 120, (3, 2, 0)), (6.0, -5.0)
    seen, ids = shoot(shapes.box((1, 1, 1)), light(above=1.0), of_view, shapes.at(40, 40, 0.5),
                      Surface(picture, 2.0, turn, shift))  # fmt: skip
    away = on_ground(of_view) - shift
    near = (np.abs(away).max(axis=-1) < 25) & (np.abs(away).min(axis=-1) > 1.5) & (ids == 0)
    white = (away * quarter > 0).all(axis=-1)
    assert near.sum() > 1000 and 0.1 < white[near].mean() < 0.5
    assert ((seen[..., 0] > 0.5) == white)[near].all()


def test_the_horizon_is_where_rays_no_longer_sink():
    of_view = view(0, 8, 150, fov=40)
    seen, _ = shoot(shapes.box((1, 1, 1)), light(above=1.0), of_view, ground=Surface(WHITE, 50.0))
    horizon = of_view.intrinsics.cy - of_view.intrinsics.fy * math.tan(math.radians(8))
    rows = np.flatnonzero(seen[:, 20, 0] > 0.5)
    assert rows[0] == pytest.approx(horizon, abs=1.5) and rows[-1] == HEIGHT - 1
    assert seen[: int(horizon) - 2, 20].max() == 0


def test_a_picture_behind_fills_the_frame_in_the_light_there_is():
    picture = np.full((30, 100, 3), (255, 0, 128), np.uint8)
    seen, ids = shoot(PLATE, light(above=0.5), view(distance=400), behind=Surface(picture))
    assert seen[ids == 0].reshape(-1, 3) == pytest.approx(
        np.broadcast_to([0.5, 0, 0.108], seen[ids == 0].shape), abs=0.3
    )
    assert seen[2, 2] == pytest.approx([0.5, 0, 0.108], abs=0.002)


# Ids ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("aa", [1, 2, 3])
def test_ids_and_silhouettes_are_those_of_the_plain_renderer(aa):
    pieces = (
        shapes.box((4, 4, 4), "front", placements=[shapes.at(12)]),
        shapes.box((4, 10, 10), "back", placements=[shapes.at(-3), shapes.at(-12, 9)]),
        shapes.cone(9, 3, None),
    )
    scene = shapes.scene(*pieces, by="part")
    model = model_of(scene)
    stage = Stage([model], WIDTH, HEIGHT, aa)
    plain = Renderer(scene, WIDTH, HEIGHT, aa)
    finish = Finish(*(np.ones((len(model.palette), 3), np.float32),), *np.ones(
        (4, len(model.palette)), np.float32), 0.0)  # fmt: skip
    for azimuth, elevation, tilt, fill in ((0, 0, 0, 0.8), (40, 25, 9, 0.8), (200, -50, 70, 2.2)):
        of_view = shapes.view(scene, azimuth, elevation, tilt, (WIDTH, HEIGHT), fill)
        body = Body(0, shapes.at(*scene.center_mm), finish)
        shot = Shot(of_view, (body,), light(lamp(50), above=0.5), None, BLACK, SensorDraw())
        placed = stage.place(shot)
        ours, theirs = stage.draw(shot).layers, plain.layers(of_view)
        assert np.array_equal(ours.instance_id, theirs.instance_id)
        assert ours.silhouettes == theirs.silhouettes and ours.visible_px == theirs.visible_px
        for ours_at, theirs_at in zip(placed.labelled, scene.labelled, strict=True):
            assert ours_at.class_name == theirs_at.class_name
            assert ours_at.pose == pytest.approx(theirs_at.pose)
    stage.close()
    plain.close()
