"""Labels of cluttered scenes against rays that know nothing of the renderer: one for each sample.

Triangles are met by rays as in Möller and Trumbore, "Fast, minimum storage ray/triangle
intersection", 1997, in plain NumPy.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import pytest
import shapes

from vqc.formats import rle
from vqc.geometry import transform, world2cam
from vqc.look.reading import look_from_record
from vqc.studio import Format, Studio
from vqc.types import Annotation

WIDTH, HEIGHT, AA = 160, 120, 2
FRAME = (0, 0, WIDTH, HEIGHT)
FRAMES = 14
PARTS = [
    shapes.scene(shapes.box((30, 20, 8))),
    shapes.scene(shapes.sphere(12, n=6)),
    shapes.scene(shapes.plate_with_hole(26, 12, 4)),
    shapes.scene(
        shapes.box((6, 6, 24), "pin", placements=[shapes.at(-9), shapes.at(9)]),
        shapes.box((30, 10, 4), None),
        by="part",
    ),
]
OTHERS = [shapes.scene(shapes.box((20, 14, 6))), shapes.scene(shapes.cone(20, 7, n=8))]


def look(rest):
    any_place = {"uniform": [-0.1, 1.1]}
    camera = {"fov_deg": 40, "size": {"uniform": [0.3, 1.2]}, "cut_off": 0.7}
    camera |= {"x": any_place, "y": any_place, "elevation_deg": {"uniform": [10, 80]}}
    scene = {"parts": {"uniform": [3, 5]}, "distractors": 3, "spacing": 0.03, "rest": rest}
    scene |= {"occluders": {"uniform": [0, 3]}, "occlusion": {"uniform": [0.2, 1]}, "shapes": 0}
    scene["distractor_size"] = {"uniform": [0.3, 1.5]}
    return look_from_record({"vqc_look": 1, "camera": camera, "scene": scene}, "clutter")


def sampled(solid, k, region):
    """(rows, columns) depth along the ray of every sample of a region, infinite where it misses.

    solid: (F, 3, 3) corners in camera axes. The region is in pixels, inside the frame or not.
    """
    left, top, right, bottom = region
    depths = np.full(((bottom - top) * AA, (right - left) * AA), np.inf)
    for a, b, c in solid:
        corners = np.stack([a, b, c])
        u, v = k.fx * corners[:, 0] / corners[:, 2], k.fy * corners[:, 1] / corners[:, 2]
        rows = _between(v + k.cy - top)
        cols = _between(u + k.cx - left)
        part = depths[rows, cols]
        if not part.size:
            continue
        x = ((np.arange(depths.shape[1])[cols] + 0.5) / AA + left - k.cx) / k.fx
        y = ((np.arange(depths.shape[0])[rows] + 0.5) / AA + top - k.cy) / k.fy
        along = np.stack([*np.meshgrid(x, y), np.ones(part.shape)], axis=-1)
        first, second = b - a, c - a
        across = np.cross(along, second)
        volume = across @ first
        with np.errstate(divide="ignore", invalid="ignore"):
            s, other = across @ -a / volume, np.cross(-a, first)
            t, depth = along @ other / volume, second @ other / volume
            inside = (s >= 0) & (t >= 0) & (s + t <= 1)
        part[inside] = np.minimum(part, depth)[inside]
    return depths


def _between(pixels):
    """The samples that three corners can reach, along one axis."""
    low, high = math.floor(pixels.min() * AA), math.ceil(pixels.max() * AA)
    return slice(max(low, 0), max(high, 0))


@dataclass(frozen=True)
class Truth:
    """What rays say of one labelled object.

    mask: pixels with more than half of their samples. most: those with half, too; such pixels may
    be shared with another object.
    """

    mask: np.ndarray
    most: np.ndarray
    samples: int
    whole: int
    reach: tuple[float, float, float, float]

    @property
    def visibility(self):
        return self.samples / self.whole

    @property
    def box(self):
        if not self.most.any():
            return None
        rows, cols = np.nonzero(self.most)
        return cols.min(), rows.min(), cols.max() + 1, rows.max() + 1


def solids(shot, models):
    """Corners in camera axes and class of every instance: labelled ones first."""
    camera, found = world2cam(shot.view.pose), []
    for body in shot.bodies:
        scene = models[body.model]
        for instance in scene.instances:
            pieces = [
                (transform(at, part.vertices_mm) - scene.center_mm)[part.faces]
                for part, at in instance.members
            ]
            corners = np.concatenate(pieces)
            at = transform(camera @ body.pose, corners.reshape(-1, 3)).reshape(-1, 3, 3)
            found.append((at, instance.class_name if body.model < len(PARTS) else None))
    return sorted(found, key=lambda item: item[1] is None)


def truths(shot, models):
    """What rays say of every labelled object of a shot, in the order of their ids."""
    k = shot.view.intrinsics
    things = solids(shot, models)
    depths = np.stack([sampled(solid, k, FRAME) for solid, _ in things])
    nearest = np.where(np.isfinite(depths.min(axis=0)), depths.argmin(axis=0), -1)
    blocks = nearest.reshape(HEIGHT, AA, WIDTH, AA).transpose(0, 2, 1, 3).reshape(HEIGHT, WIDTH, -1)
    votes = np.stack([(blocks == n).sum(axis=2) for n in range(len(things))])
    found = []
    for number, (solid, name) in enumerate(things):
        if name is None:
            continue
        u = k.fx * solid[..., 0] / solid[..., 2] + k.cx
        v = k.fy * solid[..., 1] / solid[..., 2] + k.cy
        reach = (u.min(), v.min(), u.max(), v.max())
        region = (*(math.floor(n) - 1 for n in reach[:2]), *(math.ceil(n) + 1 for n in reach[2:]))
        whole = int(np.isfinite(sampled(solid, k, region)).sum())
        half = 2 * votes[number]
        found.append(
            Truth(half > AA * AA, half >= AA * AA, int((nearest == number).sum()), whole, reach)
        )
    return found


@functools.cache
def pairs() -> list[tuple[Annotation, Truth]]:
    """Every label of all frames, floating and on the ground, and its truth."""
    studio = Studio(PARTS, Format(WIDTH, HEIGHT, AA, masks=True), 5, OTHERS)
    found = []
    try:
        for index in range(FRAMES):
            shot = studio.draw(look(rest=index % 2), index % len(PARTS), index)
            objects, true = studio.take(shot).objects, truths(shot, [*PARTS, *OTHERS])
            assert [o.instance for o in objects] == list(range(1, len(true) + 1))
            found += zip(objects, true, strict=True)
    finally:
        studio.close()
    return found


def test_the_scenes_hold_what_is_hard():
    objects = [label for label, _ in pairs()]
    shares = [label.visibility for label in objects]
    assert len(objects) > 50
    assert sum(share == 0 for share in shares) >= 4
    assert sum(0 < share < 0.95 for share in shares) >= 20
    assert sum(label.truncated and label.box_xyxy is not None for label in objects) >= 10
    assert {label.class_name for label in objects} == {"thing", "pin"}


def test_boxes_agree_within_a_pixel():
    for label, true in pairs():
        if label.box_xyxy is None or true.box is None:
            shows = label.visibility if true.box is None else true.visibility
            assert true.samples <= 4 and shows < 0.05  # crumbs may fall to either side
        else:
            assert np.abs(np.subtract(label.box_xyxy, true.box)).max() <= 1


def test_whole_boxes_are_those_of_the_corners():
    for label, true in pairs():
        assert np.abs(np.subtract(label.amodal_box_xyxy, true.reach)).max() < 0.002


def test_the_visible_share_is_that_of_all_rays_that_meet_the_object():
    errors = [abs(label.visibility - true.visibility) for label, true in pairs()]
    assert max(errors) < 0.01 and np.mean(errors) < 0.001


def test_hidden_objects_have_no_box_and_no_share():
    for label, true in pairs():
        if true.samples == 0:
            assert label.box_xyxy is None and label.visibility == 0 and label.mask is None
        assert (label.box_xyxy is None) == (label.visibility == 0)


def test_truncated_is_what_reaches_over_the_border():
    for label, true in pairs():
        x0, y0, x1, y1 = true.reach
        assert label.truncated == (x0 < 0 or y0 < 0 or x1 > WIDTH or y1 > HEIGHT)


def test_masks_are_the_pixels_that_the_rays_find():
    for label, true in pairs():
        if label.mask is None or true.mask.sum() < 30:
            continue
        mask = rle.decode(label.mask)
        assert (true.mask & ~mask).sum() <= 0.005 * true.mask.sum()
        # Where more than two things meet in a pixel, fewer samples than half may be the most.
        assert (mask & ~true.most).sum() <= 2 + 0.005 * true.mask.sum()


@pytest.mark.parametrize("index", [0, 1])
def test_the_same_frame_has_the_same_labels_whatever_was_drawn_before(index):
    studio = Studio(PARTS, Format(WIDTH, HEIGHT, AA, masks=True), 5, OTHERS)
    first = studio.take(studio.draw(look(1), 0, index)).objects
    studio.take(studio.draw(look(0), 1, 7))
    again = studio.take(studio.draw(look(1), 0, index)).objects
    studio.close()
    assert first == again
