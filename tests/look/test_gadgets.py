import numpy as np
import pytest

from vqc.look.gadgets import KINDS
from vqc.look.pieces import FLIPPED, bars, boxes, lofts, marks, meshed, moved, raster, rounded
from vqc.look.shapes import ALL_KINDS, shape
from vqc.look.shapes import KINDS as SIMPLE
from vqc.render.mesh import hides_its_back
from vqc.types import Part

SEEDS = range(8)
FIELDS = ("vertices_mm", "normals", "faces", "face_rgba")


def made(kind, seed):
    (part,) = shape(kind, np.random.default_rng(seed)).parts
    return part


def part_of(solids):
    points, normals, faces, rgba = meshed(solids)
    return Part(None, points, normals, faces, rgba, np.eye(4)[None])


def of_faces(part):
    """Twice the area (F,) and the unit normal (F, 3) of every triangle."""
    corners = part.vertices_mm[part.faces]
    sides = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(sides, axis=1)
    return areas, sides / areas[:, None]


def volume(part):
    a, b, c = part.vertices_mm[part.faces].transpose(1, 0, 2)
    return np.einsum("ij,ij->", a, np.cross(b, c)) / 6


@pytest.mark.parametrize("kind", KINDS)
def test_every_gadget_is_closed_outward_and_of_unit_size_around_the_origin(kind):
    for seed in SEEDS:
        part = made(kind, seed)
        assert hides_its_back(part)
        low, high = part.vertices_mm.min(axis=0), part.vertices_mm.max(axis=0)
        assert (high - low).max() == pytest.approx(1)
        assert low + high == pytest.approx(np.zeros(3), abs=1e-12)
        assert part.placements.tolist() == [np.eye(4).tolist()]


@pytest.mark.parametrize("kind", KINDS)
def test_a_gadget_has_details_but_not_too_many(kind):
    counts = [len(made(kind, seed).faces) for seed in SEEDS]
    assert min(counts) > 100 and max(counts) < 2500 and len(set(counts)) > 1


@pytest.mark.parametrize("kind", KINDS)
def test_no_triangle_is_a_line_and_all_are_shaded_flat(kind):
    for seed in SEEDS:
        part = made(kind, seed)
        areas, flat = of_faces(part)
        assert areas.min() > 1e-9
        agree = np.einsum("fcj,fj->fc", part.normals[part.faces], flat)
        assert agree == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_gadget_has_several_colours_all_opaque_and_not_too_many(kind):
    seen = set()
    for seed in SEEDS:
        rgba = np.unique(made(kind, seed).face_rgba, axis=0)
        assert (rgba[:, 3] == 255).all()
        assert 2 <= len(rgba) <= 64
        seen |= set(map(tuple, rgba.tolist()))
    assert len(seen) > len(SEEDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_generator_gives_the_same_bytes_and_the_next_draw_another_gadget(kind):
    rng = np.random.default_rng(7)
    first, again, other = shape(kind, rng), shape(kind, np.random.default_rng(7)), shape(kind, rng)
    for field in FIELDS:
        one, two = (getattr(a.parts[0], field).tobytes() for a in (first, again))
        assert one == two
    assert first.sha256 == again.sha256 != other.sha256
    assert first.parts[0].vertices_mm.tobytes() != other.parts[0].vertices_mm.tobytes()


def test_every_kind_takes_one_number_of_the_generator():
    for kind in ALL_KINDS:
        used, drawn = np.random.default_rng(3), np.random.default_rng(3)
        shape(kind, used)
        drawn.integers(2**63)
        assert used.random() == drawn.random()


def test_gadgets_come_after_the_simple_solids_under_names_of_their_own():
    assert (*SIMPLE, *KINDS) == ALL_KINDS
    assert len(set(ALL_KINDS)) == len(ALL_KINDS)
    assert list(KINDS) == sorted(KINDS)


def test_a_perfboard_is_a_plate_with_many_equal_pads():
    for seed in SEEDS:
        part = made("perfboard", seed)
        thin, _, long = np.sort(np.ptp(part.vertices_mm, axis=0))
        assert thin < 0.2 * long
        areas, normals = of_faces(part)
        _, alike = np.unique(np.round(areas[normals[:, 2] > 0.99], 9), return_counts=True)
        assert alike.max() >= 48


def test_a_tool_is_long_and_slender():
    for seed in SEEDS:
        _, middle, long = np.sort(np.ptp(made("tool", seed).vertices_mm, axis=0))
        assert middle < 0.35 * long


def test_boxes_have_the_volume_of_boxes_and_twelve_triangles_each():
    part = part_of(boxes([[0, 0, 2, 3], [5, 5, 6, 6]], -1, 3, (1, 2, 3)))
    assert len(part.faces) == 24 and hides_its_back(part)
    assert volume(part) == pytest.approx(2 * 3 * 4 + 1 * 1 * 4)


def test_a_mark_is_a_closed_pyramid_that_points_down():
    part = part_of(bars([0, 0, 2, 1], 5, (9, 9, 9)))
    assert len(part.faces) == 6 and hides_its_back(part)
    assert part.vertices_mm[:, 2].max() == 5
    deep = part_of(marks(np.array([[[0.0, 0], [1, 0], [0, 1]]]), 0, (9, 9, 9), 0.3))
    assert volume(deep) == pytest.approx(0.5 * 0.3 / 3)


def test_a_loft_has_the_colours_of_its_ends_and_of_what_is_between():
    square = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    rings = square + np.array([0, 1, 2])[:, None, None] * np.array([0, 0, 1])
    part = part_of(lofts(rings[None], ((1, 0, 0), (2, 0, 0), (3, 0, 0), (4, 0, 0))))
    middles = part.vertices_mm[part.faces].mean(axis=1)
    assert volume(part) == pytest.approx(2)
    red = part.face_rgba[:, 0]
    assert set(red[middles[:, 2] == 0]) == {1} and set(red[middles[:, 2] == 2]) == {4}
    sides = (middles[:, 2] > 0) & (middles[:, 2] < 2)
    assert (red[sides] == np.where(middles[sides, 2] < 1, 2, 3)).all()


def test_what_is_turned_over_is_still_wound_outwards():
    part = part_of(moved(boxes([0, 0, 1, 2], 0, 3, (0, 0, 0)), FLIPPED, (0, 0, 1)))
    assert hides_its_back(part) and volume(part) == pytest.approx(6)
    assert part.vertices_mm.min(axis=0) == pytest.approx([0, -2, -2])


def test_a_rounded_outline_fills_its_rectangle_but_for_the_corners():
    x, y = rounded(4, 2, 0.5).T
    assert (np.ptp(x), np.ptp(y)) == (4, 2)
    area = 0.5 * (x * np.roll(y, -1) - y * np.roll(x, -1)).sum()
    assert 8 - 4 * 0.5**2 / 2 < area < 8  # more than with its corners cut straight


def test_a_raster_is_regular_and_around_the_origin():
    assert raster(2, 3, (4, 1)).tolist() == [[-2, -1], [2, -1], [-2, 0], [2, 0], [-2, 1], [2, 1]]
