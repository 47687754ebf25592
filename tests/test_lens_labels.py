"""Labels through a lens, against rays that know nothing of the renderer: one for each sample."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import shapes

from vqc.formats import rle
from vqc.geometry import box_of_mask, world2cam
from vqc.look.reading import look_from_record
from vqc.studio import Format, Studio

WIDTH, HEIGHT, AA = 160, 120, 2
BARREL, PINCUSHION = (-0.25, 0.05, 0.004, -0.003, 0.0), (0.2, 0.05, -0.002, 0.004, 0.01)


@pytest.fixture(scope="module")
def studio():
    parts = [shapes.scene(shapes.box(sides)) for sides in ((40, 25, 8), (15, 15, 30))]
    studio = Studio(parts, Format(WIDTH, HEIGHT, AA, masks=True), seed=3)
    yield studio
    studio.close()


def look(coefficients):
    camera = dict(zip(("k1", "k2", "p1", "p2", "k3"), coefficients, strict=True))
    camera |= {"fov_deg": 60, "size": {"uniform": [0.3, 0.9]}, "cut_off": 0.5}
    camera |= {"x": {"uniform": [0.1, 0.9]}, "y": {"uniform": [0.1, 0.9]}}
    camera["elevation_deg"] = {"uniform": [15, 60]}
    return look_from_record(
        {"vqc_look": 1, "camera": camera, "scene": {"rest": 1, "parts": 4, "spacing": 0.02}}, "test"
    )


def traced(shot, stock):
    """Ids of all samples in sight, and of each body alone; by slabs of the bodies' boxes."""
    k, camera = shot.view.intrinsics, world2cam(shot.view.pose)
    pinhole = np.array([[k.fx, 0, k.cx], [0, k.fy, k.cy], [0, 0, 1.0]])
    x, y = np.meshgrid((np.arange(WIDTH * AA) + 0.5) / AA, (np.arange(HEIGHT * AA) + 0.5) / AA)
    pixels = np.stack([x.ravel(), y.ravel()], axis=1)
    criteria = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 200, 1e-12)
    flat = cv2.undistortPoints(pixels[:, None], pinhole, np.array(k.distortion), criteria=criteria)[
        :, 0
    ]
    rays = np.column_stack([flat, np.ones(len(flat))])
    nearest, ids, alone = np.full(len(rays), np.inf), np.zeros(len(rays), int), []
    for number, body in enumerate(shot.bodies, start=1):
        low, high = (f(stock.prop(body.model).hull, axis=0) for f in (np.min, np.max))
        inverse = np.linalg.inv(camera @ body.pose)
        origin, along = inverse[:3, 3], rays @ inverse[:3, :3].T
        with np.errstate(divide="ignore", invalid="ignore"):
            a, b = (low - origin) / along, (high - origin) / along
        enter, leave = np.minimum(a, b).max(axis=1), np.maximum(a, b).min(axis=1)
        hit = (enter <= leave) & (leave > 0)
        alone.append(hit)
        closer = hit & (enter < nearest)
        nearest[closer], ids[closer] = enter[closer], number
    return ids.reshape(HEIGHT * AA, WIDTH * AA), alone


def corners(shot, stock, body):
    """Many points of a body's edges, projected by OpenCV."""
    low, high = (f(stock.prop(body.model).hull, axis=0) for f in (np.min, np.max))
    share = np.linspace(0, 1, 200)
    ends = [(0, 0), (0, 1), (1, 0), (1, 1)]
    points = []
    for axis in range(3):
        for first, second in ends:
            fixed = np.insert(np.array([first, second], float), axis, 0.0)
            edge = np.tile(fixed, (len(share), 1))
            edge[:, axis] = share
            points.append(low + edge * (high - low))
    k, pose = shot.view.intrinsics, world2cam(shot.view.pose) @ body.pose
    seen = np.concatenate(points) @ pose[:3, :3].T + pose[:3, 3]
    pinhole = np.array([[k.fx, 0, k.cx], [0, k.fy, k.cy], [0, 0, 1.0]])
    found, _ = cv2.projectPoints(seen, np.zeros(3), np.zeros(3), pinhole, np.array(k.distortion))
    return found[:, 0]


@pytest.mark.parametrize("coefficients", [BARREL, PINCUSHION], ids=["barrel", "pincushion"])
def test_labels_follow_the_lens(studio, coefficients):
    checked = hidden = 0
    for index in range(12):
        shot = studio.draw(look(coefficients), index % 2, index)
        photo = studio.take(shot)
        ids, alone = traced(shot, studio.stock)
        for number, thing in enumerate(photo.objects, start=1):
            outline = corners(shot, studio.stock, shot.bodies[number - 1])
            amodal = (*outline.min(axis=0), *outline.max(axis=0))
            inside = min(amodal[:2]) >= 0 and amodal[2] <= WIDTH and amodal[3] <= HEIGHT
            assert thing.truncated == (not inside)
            if inside:
                assert thing.amodal_box_xyxy == pytest.approx(amodal, abs=0.15)
            seen = ids == number
            share = seen.reshape(HEIGHT, AA, WIDTH, AA).mean(axis=(1, 3))
            if share.max() < 0.9:
                continue
            checked += 1
            # Where an edge runs along a row of pixels, a quarter of a sample moves a corner far.
            inner, outer = box_of_mask(share > 0.75), box_of_mask(share >= 0.25)
            low, high = np.array(thing.box_xyxy[:2]), np.array(thing.box_xyxy[2:])
            assert (low >= np.array(outer[:2]) - 1).all() and (
                high <= np.array(outer[2:]) + 1
            ).all()
            assert (low <= np.array(inner[:2]) + 1).all() and (
                high >= np.array(inner[2:]) - 1
            ).all()
            wrong = rle.decode(thing.mask) != (share >= 0.5)
            border = sum(np.count_nonzero(np.diff(share >= 0.5, axis=axis)) for axis in (0, 1))
            assert np.count_nonzero(wrong) <= 0.25 * border + 5  # a quarter of a pixel
            if inside:
                truth = np.count_nonzero(seen) / np.count_nonzero(alone[number - 1])
                hidden += truth < 0.95
                assert thing.visibility == pytest.approx(truth, abs=0.03)
    assert checked >= 15 and hidden >= 1
