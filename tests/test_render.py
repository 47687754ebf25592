import numpy as np
import pytest
import shapes

from vqc.geometry import project, transform, world2cam
from vqc.render import Renderer
from vqc.render.mesh import hides_its_back, hull_points
from vqc.types import Part


def draw(scene, view, aa=2, **wanted):
    renderer = Renderer(scene, view.intrinsics.width, view.intrinsics.height, aa)
    try:
        return renderer.layers(view, **wanted)
    finally:
        renderer.close()


@pytest.mark.parametrize("aa", [1, 2, 3, 4])
def test_a_cube_seen_face_on_covers_the_square_that_geometry_says(aa):
    scene = shapes.scene(shapes.box())
    view = shapes.view(scene)
    near_face = view.pose.distance_mm - 5
    half = view.intrinsics.fx * 5 / near_face
    layers = draw(scene, view, aa)
    rows, cols = np.nonzero(layers.instance_id)
    assert cols.min() == pytest.approx(160 - half, abs=1) and cols.max() + 1 == pytest.approx(
        160 + half, abs=1
    )
    assert rows.min() == pytest.approx(120 - half, abs=1) and rows.max() + 1 == pytest.approx(
        120 + half, abs=1
    )
    assert layers.silhouettes[0].area_px == layers.visible_px[0]
    assert layers.visible_px[0] == pytest.approx(np.count_nonzero(layers.instance_id), rel=0.02)


def test_background_and_object_colours():
    scene = shapes.scene(shapes.box(rgba=shapes.BLUE))
    layers = draw(scene, shapes.view(scene))
    empty = layers.instance_id == 0
    inner = layers.rgb[110:130, 150:170].astype(int)
    assert (layers.rgb[0, 0] == 255).all() and (layers.rgb[empty].mean() > 254)
    assert (inner[..., 2] > 2 * inner[..., 0]).all()


def test_depth_of_a_face_is_its_distance():
    scene = shapes.scene(shapes.box())
    view = shapes.view(scene)
    layers = draw(scene, view, depth=True)
    assert layers.depth_mm is not None
    assert layers.depth_mm[120, 160] == pytest.approx(view.pose.distance_mm - 5, rel=1e-5)
    assert layers.depth_mm[0, 0] == 0


def test_depth_of_a_sphere_matches_the_ray_through_every_pixel():
    scene = shapes.scene(shapes.sphere(5.0))
    view = shapes.view(scene, 20, 30)
    layers = draw(scene, view, depth=True)
    k, distance = view.intrinsics, view.pose.distance_mm
    x, y = np.meshgrid((np.arange(320) + 0.5 - k.cx) / k.fx, (np.arange(240) + 0.5 - k.cy) / k.fy)
    a, b, c = x**2 + y**2 + 1, -2 * distance, distance**2 - 25
    root = b**2 - 4 * a * c
    z = (-b - np.sqrt(np.maximum(root, 0))) / (2 * a)
    inside = (root > 0.05 * distance**2 * 0.01) & (layers.depth_mm > 0)
    assert inside.sum() > 10_000
    assert np.abs(layers.depth_mm - z)[inside].max() < 0.05


def test_normals_point_at_the_camera_in_its_own_axes():
    scene = shapes.scene(shapes.sphere())
    layers = draw(scene, shapes.view(scene, 40, 10), normals=True)
    assert layers.normal is not None
    normal = layers.normal.astype(float) / 255 * 2 - 1
    assert np.allclose(normal[120, 160], [0, 0, -1], atol=0.06)
    right = normal[120, np.flatnonzero(layers.instance_id[120])[-3]]
    top = normal[np.flatnonzero(layers.instance_id[:, 160])[2], 160]
    assert right[0] > 0.8 and top[1] < -0.8
    assert (layers.normal[0, 0] == 0).all()


def test_a_hole_is_seen_through():
    scene = shapes.scene(shapes.plate_with_hole())
    layers = draw(scene, shapes.view(scene, 0, 90))
    assert layers.instance_id[120, 160] == 0
    area = np.count_nonzero(layers.instance_id)
    box = layers.silhouettes[0].box
    assert area / ((box[2] - box[0]) * (box[3] - box[1])) == pytest.approx(
        1 - (8 / 20) ** 2, abs=0.03
    )


def test_instances_hide_each_other_and_silhouettes_are_whole():
    front = shapes.box((4, 4, 4), "front", placements=[shapes.at(12)])
    back = shapes.box((4, 10, 10), "back", shapes.GREEN)
    scene = shapes.scene(front, back, by="part")
    layers = draw(scene, shapes.view(scene))
    ids = {i.class_name: k for k, i in enumerate(scene.labelled, 1)}
    assert layers.instance_id[120, 160] == ids["front"]
    alone = {name: layers.silhouettes[k - 1].area_px for name, k in ids.items()}
    seen = {name: layers.visible_px[k - 1] for name, k in ids.items()}
    assert seen["front"] == alone["front"]
    assert seen["back"] + alone["front"] == pytest.approx(alone["back"], rel=1e-3)


@pytest.mark.parametrize("aa", [1, 2, 3, 4])
def test_neighbours_share_their_border_without_loss(aa):
    left, right = (
        shapes.box((4, 4, 4), name, placements=[shapes.at(0, y)])
        for name, y in (("left", -2), ("right", 2))
    )
    for order in ((left, right), (right, left)):
        scene = shapes.scene(*order, by="part")
        for tilt in (0, 7, 33):
            layers = draw(scene, shapes.view(scene, 0, 0, tilt, fov=5), aa)
            areas = [s.area_px for s in layers.silhouettes]
            assert layers.visible_px == pytest.approx(areas, rel=2e-3)
            counts = np.bincount(layers.instance_id.ravel(), minlength=3)[1:]
            assert abs(counts[0] - counts[1]) < 0.01 * counts.sum()


def test_matter_without_a_label_hides_but_is_no_instance():
    front = shapes.box((4, 4, 4), None, placements=[shapes.at(12)])
    back = shapes.box((4, 10, 10), "back")
    scene = shapes.scene(front, back, by="part")
    layers = draw(scene, shapes.view(scene))
    assert layers.instance_id[120, 160] == -1
    assert set(np.unique(layers.instance_id)) == {-1, 0, 1}


def test_a_part_over_the_border_is_counted_whole():
    scene = shapes.scene(shapes.box())
    inside, outside = draw(scene, shapes.view(scene)), draw(scene, shapes.view(scene, fill=1.9))
    assert (outside.instance_id[:, 160] > 0).all()
    box = outside.silhouettes[0].box
    assert box[1] < 0 and box[3] > 240
    assert outside.silhouettes[0].area_px > outside.visible_px[0]
    assert inside.silhouettes[0].area_px == inside.visible_px[0]


def test_far_from_the_origin_nothing_trembles():
    near, far = shapes.box(), shapes.box(placements=[shapes.at(1e6, -1e6, 1e6)])
    a, b = shapes.scene(near), shapes.scene(far)
    assert np.array_equal(draw(a, shapes.view(a, 30, 20)).rgb, draw(b, shapes.view(b, 30, 20)).rgb)


def test_an_open_surface_is_drawn_from_both_sides():
    sheet = shapes.flat_part(np.array([[[0, -5, -5], [0, 5, -5], [0, 5, 5.0]]]), "sheet")
    scene = shapes.scene(sheet)
    for azimuth in (0, 180):
        layers = draw(scene, shapes.view(scene, azimuth))
        assert np.count_nonzero(layers.instance_id) > 1000
        assert layers.rgb[layers.instance_id > 0][:, 0].mean() > 60


def test_a_mirrored_placement_keeps_its_outside():
    mirror = np.diag([-1.0, 1, 1, 1])
    scene = shapes.scene(shapes.box(placements=[mirror]))
    view = shapes.view(scene, 25, 15)
    layers, plain = (
        draw(scene, view, depth=True),
        draw(shapes.scene(shapes.box()), view, depth=True),
    )
    assert np.allclose(layers.depth_mm, plain.depth_mm, rtol=1e-4)


def test_faces_keep_their_own_colours():
    cube = shapes.box()
    colours = cube.face_rgba.copy()
    colours[:2] = shapes.GREEN  # the face at -x
    part = Part(cube.name, cube.vertices_mm, cube.normals, cube.faces, colours, cube.placements)
    scene = shapes.scene(part)
    front, back = (draw(scene, shapes.view(scene, a)).rgb[120, 160].astype(int) for a in (0, 180))
    assert front[0] > front[1] and back[1] > back[0]


def test_the_same_view_gives_the_same_bytes_whatever_was_drawn_before():
    scene = shapes.scene(shapes.sphere())
    renderer = Renderer(scene, 320, 240)
    first = renderer.layers(shapes.view(scene, 10, 20))
    renderer.layers(shapes.view(scene, 200, -40), depth=True, normals=True)
    again = renderer.layers(shapes.view(scene, 10, 20))
    renderer.close()
    assert np.array_equal(first.rgb, again.rgb)
    assert np.array_equal(first.rgb, draw(scene, shapes.view(scene, 10, 20)).rgb)


def test_coverage_reaches_outside_the_frame_and_enlarges():
    scene = shapes.scene(shapes.box())
    view = shapes.view(scene)
    renderer = Renderer(scene, 320, 240)
    plain = renderer.coverage(view, 1, (-40, -40, 360, 280), 1)
    fine = renderer.coverage(view, 1, (-40, -40, 360, 280), 4)
    renderer.close()
    assert fine.shape == (320 * 4, 400 * 4)
    assert np.count_nonzero(fine) / 16 == pytest.approx(np.count_nonzero(plain), rel=0.01)


def test_closed_means_closed_and_facing_outwards():
    cube = shapes.box()
    inside_out = Part(
        "x", cube.vertices_mm, cube.normals, cube.faces[:, ::-1], cube.face_rgba, cube.placements
    )
    open_box = Part(
        "x", cube.vertices_mm, cube.normals, cube.faces[1:], cube.face_rgba[1:], cube.placements
    )
    assert (
        hides_its_back(cube) and hides_its_back(shapes.sphere()) and hides_its_back(shapes.cone())
    )
    assert not hides_its_back(inside_out) and not hides_its_back(open_box)


def test_hull_points_span_the_outline():
    part = shapes.sphere()
    scene = shapes.scene(part)
    view = shapes.view(scene, 33, -21, 5)
    camera = world2cam(view.pose)
    outlines = [
        project(transform(camera, p), view.intrinsics)
        for p in (part.vertices_mm, hull_points(part.vertices_mm))
    ]
    assert np.allclose(outlines[0].min(0), outlines[1].min(0)) and np.allclose(
        outlines[0].max(0), outlines[1].max(0)
    )
    flat = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0.5, 0.5, 0]])
    assert len(hull_points(flat)) == 5
