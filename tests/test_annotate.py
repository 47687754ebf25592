import dataclasses

import numpy as np
import pytest
import shapes

from vqc.annotate import annotate, prove
from vqc.errors import LabelError
from vqc.formats import rle
from vqc.geometry import box_of_points
from vqc.render import Renderer
from vqc.types import Silhouette


def label(scene, view, masks=False):
    renderer = Renderer(scene, view.intrinsics.width, view.intrinsics.height)
    try:
        return annotate(scene, view, renderer.layers(view), renderer, masks)
    finally:
        renderer.close()


@pytest.mark.parametrize("seed", range(8))
def test_boxes_of_a_whole_part_agree_within_a_pixel_from_anywhere(seed):
    rng = np.random.default_rng(seed)
    for part in (shapes.box((9, 6, 3)), shapes.sphere(), shapes.plate_with_hole()):
        scene = shapes.scene(part)
        view = shapes.view(scene, rng.uniform(0, 360), rng.uniform(-90, 90), rng.uniform(-180, 180))
        (note,) = label(scene, view)
        if "subpixel" not in note.extra:
            assert np.abs(np.subtract(note.box_xyxy, note.amodal_box_xyxy)).max() <= 1
        assert note.visibility == 1 and note.truncated is False


def test_mask_box_and_pose_describe_the_same_object():
    scene = shapes.scene(shapes.box())
    view = shapes.view(scene, 30, 20)
    (note,) = label(scene, view, masks=True)
    mask = rle.decode(note.mask)
    rows, cols = np.nonzero(mask)
    assert note.box_xyxy == (cols.min(), rows.min(), cols.max() + 1, rows.max() + 1)
    assert np.array(note.pose).reshape(4, 4)[:3, 3] == pytest.approx(
        [0, 0, view.pose.distance_mm], abs=1e-6
    )


def test_a_cube_half_behind_another_is_half_visible():
    front = shapes.box((2, 10, 10), "front", placements=[shapes.at(10, -5)])
    back = shapes.box((2, 10, 10), "back", placements=[shapes.at(-10)])
    scene = shapes.scene(front, back, by="part")
    notes = {n.class_name: n for n in label(scene, shapes.view(scene, fov=1.5))}
    assert notes["front"].visibility == 1
    assert notes["back"].visibility == pytest.approx(0.5, abs=0.03)
    whole, seen = notes["back"].amodal_box_xyxy, notes["back"].box_xyxy
    assert (seen[2] - seen[0]) == pytest.approx((whole[2] - whole[0]) / 2, abs=3)


def test_a_hidden_part_has_no_box_and_no_visibility():
    front = shapes.box((2, 20, 20), "front", placements=[shapes.at(10)])
    scene = shapes.scene(front, shapes.box((2, 4, 4), "back"), by="part")
    notes = {n.class_name: n for n in label(scene, shapes.view(scene), masks=True)}
    assert notes["back"].box_xyxy is None and notes["back"].visibility == 0
    assert notes["back"].mask is None and notes["back"].amodal_box_xyxy is not None


def test_a_part_over_the_border_is_truncated_and_partly_visible():
    scene = shapes.scene(shapes.box())
    (note,) = label(scene, shapes.view(scene, fill=1.9))
    assert note.truncated and note.visibility < 1
    assert note.box_xyxy[1] == 0 and note.box_xyxy[3] == 240
    assert note.amodal_box_xyxy[1] < 0


def test_a_needle_tip_is_recorded_as_thinner_than_a_pixel():
    scene = shapes.scene(shapes.cone(10, 0.1))
    (note,) = label(scene, shapes.view(scene, 0, 0))
    assert note.extra == {"subpixel": True}
    assert note.box_xyxy[1] - note.amodal_box_xyxy[1] > 1


def test_a_sheet_without_thickness_seen_edge_on_draws_nothing_and_that_is_right():
    sheet = shapes.flat_part(np.array([[[-5, -5, 0], [5, -5, 0], [5, 5, 0.0]]]), "sheet")
    scene = shapes.scene(sheet)
    (note,) = label(scene, shapes.view(scene, 15, 0))
    assert note.box_xyxy is None and note.extra == {"subpixel": True}


class Wrong:
    """A renderer that leaves out everything right of a line, or draws something extra."""

    def __init__(self, renderer):
        self._renderer = renderer

    def __getattr__(self, name):
        return getattr(self._renderer, name)


def shifted(box, left=0.0, top=0.0, right=0.0, bottom=0.0):
    return Silhouette(100, (box[0] + left, box[1] + top, box[2] + right, box[3] + bottom))


@pytest.mark.parametrize("side", ["left", "top", "right", "bottom"])
@pytest.mark.parametrize("by", [3, -3, 40])
def test_a_wrong_label_is_found(side, by):
    scene = shapes.scene(shapes.box())
    view = shapes.view(scene, 30, 20)
    renderer = Renderer(scene, 320, 240)
    layers = renderer.layers(view)
    outline = renderer.outline_px(view, 1)
    assert prove(layers.silhouettes[0], outline, renderer, view, 1) is False
    inwards = by if side in ("left", "top") else -by
    with pytest.raises(LabelError, match="geometry"):
        prove(shifted(layers.silhouettes[0].box, **{side: inwards}), outline, renderer, view, 1)
    renderer.close()


def test_a_part_that_was_not_drawn_at_all_is_found():
    scene = shapes.scene(shapes.box())
    view = shapes.view(scene, 30, 20)
    renderer = Renderer(scene, 320, 240)
    outline = renderer.outline_px(view, 1)
    with pytest.raises(LabelError, match="not drawn"):
        prove(Silhouette(0, None), outline, renderer, view, 1)
    blind = Wrong(renderer)
    blind.coverage = lambda view, instance, region, zoom: np.zeros(
        ((region[3] - region[1]) * zoom, (region[2] - region[0]) * zoom), bool
    )
    with pytest.raises(LabelError, match="nothing is drawn"):
        prove(Silhouette(0, None), outline, blind, view, 1)
    renderer.close()


def test_more_of_a_part_showing_than_there_is_of_it_is_found():
    scene = shapes.scene(shapes.box())
    view = shapes.view(scene, 30, 20)
    renderer = Renderer(scene, 320, 240)
    layers = renderer.layers(view)
    wrong = dataclasses.replace(layers, visible_px=(layers.visible_px[0] + 2,))
    with pytest.raises(LabelError, match="alone it covers only"):
        annotate(scene, view, wrong, renderer)
    renderer.close()


def test_edges_that_round_otherwise_in_another_crop_are_no_false_alarm():
    front = shapes.box((2, 10, 10), "front", placements=[shapes.at(10, -5)])
    back = shapes.box((2, 10, 10), "back", placements=[shapes.at(-10)])
    scene = shapes.scene(front, back, by="part")
    view = shapes.view(scene, fov=1.5)
    renderer = Renderer(scene, 320, 240)
    layers = renderer.layers(view)
    whole = layers.silhouettes[0]
    wide, high = (whole.box[2] - whole.box[0], whole.box[3] - whole.box[1])
    assert whole.rim_px == pytest.approx(wide + high, rel=0.05)  # samples of half a pixel
    most = (whole.area_px + whole.rim_px, layers.visible_px[1])
    annotate(scene, view, dataclasses.replace(layers, visible_px=most), renderer)
    wrong = dataclasses.replace(layers, visible_px=(most[0] + 2, most[1]))
    with pytest.raises(LabelError, match="alone it covers only"):
        annotate(scene, view, wrong, renderer)
    renderer.close()


def test_a_part_of_one_pixel_is_no_false_alarm():
    for part in (shapes.box(), shapes.plate_with_hole(20, 19), shapes.cone(10, 3)):
        scene = shapes.scene(part)
        for aa in (1, 2, 3, 4):
            renderer = Renderer(scene, 333, 97, aa)
            for azimuth in range(0, 360, 20):
                view = shapes.view(scene, azimuth, 17, size=(333, 97), fill=0.02)
                annotate(scene, view, renderer.layers(view), renderer)
            renderer.close()


def test_a_moved_drawing_is_found():
    scene = shapes.scene(shapes.box())
    view = shapes.view(scene, 30, 20)
    renderer = Renderer(scene, 320, 240)
    layers, outline = renderer.layers(view), renderer.outline_px(view, 1)
    x0, y0, x1, y1 = box_of_points(outline)
    with pytest.raises(LabelError):
        prove(layers.silhouettes[0], outline + np.array([0.0, 2.5]), renderer, view, 1)
    renderer.close()
    assert x1 > x0 and y1 > y0
