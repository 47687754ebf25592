import numpy as np
import pytest

from vqc.errors import InputError
from vqc.look.shapes import KINDS, shape
from vqc.render.mesh import hides_its_back

SEEDS = range(8)


def made(kind, seed):
    return shape(kind, np.random.default_rng(seed))


def of_faces(part):
    """Corners (F, 3, 3) and the unit normal (F, 3) of every triangle."""
    corners = part.vertices_mm[part.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return corners, normals / np.linalg.norm(normals, axis=1, keepdims=True)


def volume(part):
    a, b, c = part.vertices_mm[part.faces].transpose(1, 0, 2)
    return np.einsum("ij,ij->", a, np.cross(b, c)) / 6


@pytest.mark.parametrize("kind", KINDS)
def test_every_shape_is_closed_outward_and_of_unit_size_around_the_origin(kind):
    for seed in SEEDS:
        (part,) = made(kind, seed).parts
        assert hides_its_back(part)
        low, high = part.vertices_mm.min(axis=0), part.vertices_mm.max(axis=0)
        assert (high - low).max() == pytest.approx(1)
        assert low + high == pytest.approx(np.zeros(3), abs=1e-12)
        assert part.placements.tolist() == [np.eye(4).tolist()]
        assert len(part.faces) < 2000


@pytest.mark.parametrize("kind", KINDS)
def test_normals_are_of_unit_length_and_never_bend_over_a_sharp_edge(kind):
    for seed in SEEDS:
        (part,) = made(kind, seed).parts
        assert np.linalg.norm(part.normals, axis=1) == pytest.approx(1, abs=1e-5)
        _, flat = of_faces(part)
        agree = np.einsum("fcj,fj->fc", part.normals[part.faces], flat)
        assert agree.min() > np.cos(np.radians(36))


@pytest.mark.parametrize("kind", KINDS)
def test_colours_are_one_to_three_and_opaque(kind):
    counts = set()
    for seed in range(20):
        (part,) = made(kind, seed).parts
        counts.add(len(np.unique(part.face_rgba, axis=0)))
        assert (part.face_rgba[:, 3] == 255).all()
    assert counts <= {1, 2, 3} and len(counts) > 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_generator_gives_the_same_bytes_and_the_next_draw_another_shape(kind):
    first, second, other = made(kind, 7), made(kind, 7), made(kind, 8)
    for field in ("vertices_mm", "normals", "faces", "face_rgba"):
        one, two = (getattr(a.parts[0], field).tobytes() for a in (first, second))
        assert one == two
    assert first.sha256 == second.sha256 != other.sha256
    assert first.parts[0].vertices_mm.tobytes() != other.parts[0].vertices_mm.tobytes()


def test_shapes_of_one_seed_have_digests_of_their_own():
    assert len({made(kind, 0).sha256 for kind in KINDS}) == len(KINDS)


def test_a_box_has_flat_sides_and_its_box_as_volume():
    for seed in SEEDS:
        (part,) = made("box", seed).parts
        _, normals = of_faces(part)
        assert np.abs(normals).max(axis=1) == pytest.approx(1)
        assert volume(part) == pytest.approx(np.ptp(part.vertices_mm, axis=0).prod())


def test_a_cylinder_has_the_volume_of_a_cylinder():
    (part,) = made("cylinder", 0).parts
    width, _, height = np.ptp(part.vertices_mm, axis=0)
    assert volume(part) == pytest.approx(np.pi / 4 * width**2 * height, rel=0.01)


def test_a_ball_is_shaded_smoothly():
    for seed in SEEDS:
        (part,) = made("sphere", seed).parts
        radii = np.ptp(part.vertices_mm, axis=0) / 2
        exact = part.vertices_mm / radii**2
        exact /= np.linalg.norm(exact, axis=1, keepdims=True)
        assert (exact * part.normals).sum(axis=1).min() > 0.99


def test_rings_and_plates_are_open_in_the_middle():
    for kind in ("ring", "plate"):
        for seed in SEEDS:
            (part,) = made(kind, seed).parts
            assert np.linalg.norm(part.vertices_mm[:, :2], axis=1).min() > 0.05


def test_an_angle_is_hollow_a_ruler_thin_and_a_screw_has_a_wide_head():
    (angle,), (ruler,), (screw,) = (made(kind, 1).parts for kind in ("angle", "ruler", "screw"))
    assert volume(angle) < 0.5 * np.ptp(angle.vertices_mm, axis=0).prod()
    thin, narrow, long = np.sort(np.ptp(ruler.vertices_mm, axis=0))
    assert thin < 0.05 and narrow < 0.2 and long == pytest.approx(1)
    z = screw.vertices_mm[:, 2]
    width = [np.ptp(screw.vertices_mm[at, 0]) for at in (z < z.max() - 1e-9, z <= z.min() + 1e-9)]
    assert width[0] > 1.3 * width[1]


def test_a_cable_lies_on_a_plane_and_is_as_thick_everywhere():
    for seed in SEEDS:
        (part,) = made("cable", seed).parts
        thick = np.ptp(part.vertices_mm[:, 2])
        assert 0.001 < thick < 0.2
        tops = part.vertices_mm[part.vertices_mm[:, 2] > 0.45 * thick]
        assert len(tops) > 50


def test_an_unknown_shape_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="no such shape: teapot; shapes are angle, box"):
        made("teapot", 0)
