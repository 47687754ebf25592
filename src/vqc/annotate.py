"""Layers + geometry → annotations, each proven against the geometry that it was drawn from.

The modal box comes from the pixels, the amodal box from the projected vertices. For every
object, drawn alone and whole, the two must agree within a pixel. Where they do not, that
edge of the object is drawn again, enlarged: matter thinner than a pixel is recorded as
such, anything else is a wrong label and raises LabelError.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vqc.errors import LabelError
from vqc.formats import rle
from vqc.geometry import box_of_mask, box_of_points, world2cam
from vqc.types import Annotation, Box, FloatArray, Layers, Region, Scene, Silhouette, View

TOLERANCE_PX = 1.0
MIN_ZOOM = 8
TIP_ZOOMS = (64, 512)
SIDES = ("left", "top", "right", "bottom")


class Redraw(Protocol):
    """What the proof asks of the renderer; see `vqc.render.Renderer`."""

    @property
    def aa(self) -> int: ...

    def outline_px(self, view: View, instance: int) -> FloatArray: ...

    def triangles_px(self, view: View, instance: int) -> FloatArray: ...

    def coverage(
        self, view: View, instance: int, region: Region, zoom: int
    ) -> NDArray[np.bool_]: ...


def annotate(
    scene: Scene, view: View, layers: Layers, redraw: Redraw, masks: bool = False
) -> tuple[Annotation, ...]:
    """One annotation for each labelled instance, in the order of their ids.

    Raises LabelError where a label does not agree with the geometry.
    """
    camera = world2cam(view.pose)
    height, width = layers.instance_id.shape
    annotations = []
    for number, instance in enumerate(scene.labelled, start=1):
        alone, visible_px = layers.silhouettes[number - 1], layers.visible_px[number - 1]
        outline = redraw.outline_px(view, number)
        amodal = box_of_points(outline)
        thin = prove(alone, outline, redraw, view, number)
        if visible_px > alone.area_px + alone.rim_px + TOLERANCE_PX:
            raise LabelError(
                f"instance {number} ({instance.part_name or instance.class_name}): "
                f"{visible_px:g} px of it show, but alone it covers only {alone.area_px:g} px"
            )
        box = _visible_box(layers.instance_id, number, amodal)
        assert instance.class_name is not None
        annotations.append(
            Annotation(
                class_name=instance.class_name,
                part_name=instance.part_name or instance.class_name,
                instance=number,
                box_xyxy=box,
                amodal_box_xyxy=tuple(round(v, 3) for v in amodal),  # type: ignore[arg-type]
                visibility=round(min(visible_px / alone.area_px, 1.0), 6) if box else 0.0,
                truncated=amodal[0] < 0 or amodal[1] < 0 or amodal[2] > width or amodal[3] > height,
                mask=rle.encode(layers.instance_id == number) if masks and box else None,
                pose=tuple(round(v, 9) + 0.0 for v in (camera @ instance.pose).ravel().tolist()),
                extra={"subpixel": True} if thin else {},
            )
        )
    return tuple(annotations)


def through_lens(
    annotation: Annotation, ids: NDArray[np.int32], outline_px: FloatArray, with_mask: bool
) -> Annotation:
    """An annotation of the pinhole's frame, in the frame of a lens that bends it.

    ids: (H, W) of the lens's frame. outline_px: (N, 2) points of the object's edges there. The
    visibility stays, but for an object of which nothing shows any more.
    Raises LabelError where pixels lie outside the geometry.
    """
    height, width = ids.shape
    number = annotation.instance
    assert number is not None
    amodal = box_of_points(outline_px)
    box = _visible_box(ids, number, amodal)
    if box is not None and min(_gaps(box, amodal)) < -TOLERANCE_PX:
        raise _wrong("through the lens, pixels lie outside the object's geometry", box, amodal)
    return replace(
        annotation,
        box_xyxy=box,
        amodal_box_xyxy=tuple(round(v, 3) for v in amodal),  # type: ignore[arg-type]
        visibility=annotation.visibility if box else 0.0,
        truncated=amodal[0] < 0 or amodal[1] < 0 or amodal[2] > width or amodal[3] > height,
        mask=rle.encode(ids == number) if with_mask and box else None,
    )


def _visible_box(ids: NDArray[np.int32], number: int, amodal: Box) -> Box | None:
    """The modal box; an instance can only show where its geometry is."""
    left, top = (max(int(v) - 2, 0) for v in amodal[:2])
    right, bottom = (max(int(v) + 3, 0) for v in amodal[2:])
    return box_of_mask(ids[top:bottom, left:right] == number, left, top)


def prove(
    alone: Silhouette, outline_px: FloatArray, redraw: Redraw, view: View, instance: int
) -> bool:
    """Whether some of the object is thinner than a pixel and so does not show.

    alone: the object drawn alone and whole. outline_px: (N, 2), points that span its outline.
    Raises LabelError where the two differ by more than that explains.
    """
    amodal = box_of_points(outline_px)
    gaps = _gaps(alone.box, amodal)
    if min(gaps) < -TOLERANCE_PX:
        raise _wrong("pixels were drawn outside the object's geometry", alone.box, amodal)
    open_sides = [side for side in range(4) if gaps[side] > TOLERANCE_PX]
    # An odd multiple of the samples a pixel has, so that every sample is a cell's centre.
    zoom = next(z for z in range(redraw.aa, 99, 2 * redraw.aa) if z >= MIN_ZOOM)
    for side in open_sides:
        strip = _strip(side, alone.box, amodal, outline_px)
        cells = redraw.coverage(view, instance, strip, zoom)
        if _pixel_blocks(cells, zoom).any():
            what = f"matter at the {SIDES[side]} that is wider than a pixel was not drawn"
            raise _wrong(what, alone.box, amodal)
        if not (
            _reaches(cells, side, zoom)
            or _tip_is_there(side, outline_px, redraw, view, instance)
            or _has_no_thickness(side, amodal, redraw.triangles_px(view, instance))
        ):
            raise _wrong(f"nothing is drawn at the {SIDES[side]} edge", alone.box, amodal)
    return bool(open_sides)


def _gaps(drawn: Box | None, amodal: Box) -> tuple[float, float, float, float]:
    """How far the drawn box stays inside the amodal one, at each side, in pixels."""
    if drawn is None:
        return (np.inf,) * 4
    x0, y0, x1, y1 = (d - a for d, a in zip(drawn, amodal, strict=True))
    return x0, y0, -x1, -y1


def _strip(side: int, drawn: Box | None, amodal: Box, outline_px: FloatArray) -> Region:
    """The pixels between the two boxes at one side, as far as the outline reaches there."""
    axis = side % 2
    if drawn is None:
        low, high = amodal[axis], amodal[axis + 2]
    elif side < 2:
        low, high = amodal[side], drawn[side]
    else:
        low, high = drawn[side], amodal[side]
    across = _extent_between(outline_px, axis, low, high)
    along = (int(np.floor(low)), max(int(np.ceil(high)), int(np.floor(low)) + 1))
    (x0, x1), (y0, y1) = (along, across) if axis == 0 else (across, along)
    return x0, y0, x1, y1


def _extent_between(points: FloatArray, axis: int, low: float, high: float) -> tuple[int, int]:
    """How far the convex outline reaches across, where it lies between low and high."""
    polygon = _polygon(points)
    ends = np.roll(polygon, -1, axis=0)
    inside = polygon[(polygon[:, axis] >= low) & (polygon[:, axis] <= high)]
    reach = [inside[:, 1 - axis]]
    for limit in (low, high):
        start, end = polygon[:, axis] - limit, ends[:, axis] - limit
        cut = (start < 0) != (end < 0)
        share = start[cut] / (start[cut] - end[cut])
        reach.append(
            polygon[cut, 1 - axis] + share * (ends[cut, 1 - axis] - polygon[cut, 1 - axis])
        )
    across = np.concatenate(reach)
    return int(np.floor(across.min())) - 1, int(np.ceil(across.max())) + 1


def _polygon(points: FloatArray) -> FloatArray:
    """Corners of the convex polygon around (N, 2) points; all of them where they lie on a line."""
    from scipy.spatial import ConvexHull, QhullError

    try:
        corners: FloatArray = points[ConvexHull(points).vertices]
    except QhullError:
        return points
    return corners


def _pixel_blocks(cells: NDArray[np.bool_], zoom: int) -> NDArray[np.bool_]:
    """Which whole pixels are covered in every one of their cells."""
    rows, cols = cells.shape[0] // zoom, cells.shape[1] // zoom
    blocks: NDArray[np.bool_] = np.asarray(cells.reshape(rows, zoom, cols, zoom).all(axis=(1, 3)))
    return blocks


def _reaches(cells: NDArray[np.bool_], side: int, zoom: int) -> bool:
    """Whether the cells nearest to that side, within a pixel of the edge, hold matter."""
    lines = np.any(cells, axis=side % 2)
    return bool((lines[:zoom] if side < 2 else lines[-zoom:]).any())


def _tip_is_there(
    side: int, outline_px: FloatArray, redraw: Redraw, view: View, instance: int
) -> bool:
    """Whether the outermost point, enlarged enough, shows matter within a pixel."""
    axis = side % 2
    pick = np.argmin if side < 2 else np.argmax
    x, y = (int(np.floor(v)) for v in outline_px[pick(outline_px[:, axis])])
    return any(
        redraw.coverage(view, instance, (x - 1, y - 1, x + 2, y + 2), zoom).any()
        for zoom in TIP_ZOOMS
    )


def _has_no_thickness(side: int, amodal: Box, triangles_px: FloatArray) -> bool:
    """Whether all triangles at that edge are seen edge-on: no cell is wide enough to show them."""
    axis = side % 2
    edge = triangles_px[:, :, axis]
    touching = triangles_px[(np.abs(edge - amodal[side]) <= TOLERANCE_PX).any(axis=1)]
    sides = touching - np.roll(touching, 1, axis=1)
    longest = np.linalg.norm(sides, axis=2).max(axis=1)
    area2 = np.abs(sides[:, 0, 0] * sides[:, 1, 1] - sides[:, 0, 1] * sides[:, 1, 0])
    return bool((area2 <= longest / TIP_ZOOMS[0]).all())


def _wrong(what: str, drawn: Box | None, amodal: Box) -> LabelError:
    drawn_text = "nothing" if drawn is None else ", ".join(f"{v:.0f}" for v in drawn)
    expected = ", ".join(f"{v:.2f}" for v in amodal)
    return LabelError(
        f"{what}: box of the pixels ({drawn_text}), box of the projected geometry ({expected}), "
        f"tolerance {TOLERANCE_PX:g} px"
    )
