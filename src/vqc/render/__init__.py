"""Scene + view → layers.

One window serves every view of a scene. Only the part of the frame that the scene can touch is
drawn. `stage` does the same for the scenes of a look, where every frame has another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vqc.geometry import box_of_points, crop, project, transform, world2cam
from vqc.render import mesh
from vqc.render.canvas import Canvas, Style, Tile
from vqc.render.drawing import UNLABELLED_CODE, Drawing, average, decode_ids, finer, touched
from vqc.types import ByteArray, CameraPose, FloatArray, Intrinsics, Layers, Scene, View


class Renderer(Drawing):
    """Draws one scene from any number of views of one frame size.

    aa: see `Drawing`. Depth and normals are always sampled at pixel centres.
    Raises VqcError where this machine offers no off-screen OpenGL.
    """

    def __init__(self, scene: Scene, width: int, height: int, aa: int = 2) -> None:
        self._scene, self.aa = scene, aa
        self._count = len(scene.labelled)
        self._alone = self._count == len(scene.instances) == 1
        self._meshes = mesh.of_instances(scene)
        self._hulls = [mesh.hull_points(m.vertices[np.unique(m.faces)]) for m in self._meshes]
        self._backdrop = np.full((height, width, 3), scene.background, np.uint8)
        self._canvas = Canvas(width * aa, height * aa, scene.background)

    def outline_px(self, view: View, instance: int) -> FloatArray:
        """(N, 2) pixel positions of the points that span an instance's outline, hidden or not."""
        return project(transform(self._world2cam(view), self._hulls[instance - 1]), view.intrinsics)

    def triangles_px(self, view: View, instance: int) -> FloatArray:
        """(F, 3, 2) pixel positions of the corners of an instance's triangles."""
        solid = self._meshes[instance - 1]
        pixels = project(transform(self._world2cam(view), solid.vertices), view.intrinsics)
        corners: FloatArray = pixels[solid.faces]
        return corners

    def layers(self, view: View, depth: bool = False, normals: bool = False) -> Layers:
        """All that is asked for about one view."""
        import cv2

        k = view.intrinsics
        boxes = [box_of_points(self.outline_px(view, i + 1)) for i in range(len(self._hulls))]
        rgb = self._backdrop.copy()
        ids = np.zeros((k.height, k.width), np.int32)
        depth_mm = np.zeros((k.height, k.width), np.float32) if depth else None
        normal = np.zeros((k.height, k.width, 3), np.uint8) if normals else None
        visible_px = (0.0,) * self._count
        x0, y0, x1, y1 = touched(boxes, k)
        if x1 > x0 and y1 > y0:
            inside = (slice(y0, y1), slice(x0, x1))
            part = crop(k, x0, y0, x1 - x0, y1 - y0, 1)
            (samples,) = self._draw(view, [Tile("lit", finer(part, self.aa))])
            picture = average(samples, self.aa)
            rgb[inside] = cv2.cvtColor(picture, cv2.COLOR_RGBA2RGB)
            if self._alone:
                ids[inside] = picture[..., 3] >= 128
                visible_px = (np.count_nonzero(samples[..., 3]) / self.aa**2,)
            else:
                ids[inside], visible_px = self._ids(view, part)
            if depth_mm is not None:
                depth_mm[inside] = self._depth(view, part)
            if normal is not None:
                (drawn,) = self._draw(view, [Tile("normals", part)])
                normal[inside] = np.where(drawn[..., 3:] > 0, drawn[..., :3], 0)
        silhouettes = self._silhouettes(view, ids, visible_px, boxes)
        return Layers(rgb, ids, silhouettes, visible_px, depth_mm, normal)

    def _ids(self, view: View, part: Intrinsics) -> tuple[NDArray[np.int32], tuple[float, ...]]:
        """The id of each pixel, and how many pixels' worth of samples each instance has."""
        (drawn,) = self._draw(view, [Tile("ids", finer(part, self.aa))])
        return self._read_ids(decode_ids(drawn))

    def _depth(self, view: View, part: Intrinsics) -> NDArray[np.float64]:
        (drawn,) = self._draw(view, [Tile("lit", part)])
        z = self._canvas.z_mm(part.width, part.height, *self._clipping(view))
        return np.where(drawn[..., 3] > 0, z, 0.0)

    def _draw(self, view: View, tiles: Sequence[Tile]) -> list[ByteArray]:
        for layer in {tile.layer for tile in tiles}:
            self._need_layer(layer)
        near, far = self._clipping(view)
        return self._canvas.draw(tiles, self._world2cam(view), near, far)

    def _need_layer(self, name: str) -> None:
        """Build a layer when it is first asked for: most sets need only one of them."""
        if self._canvas.has_layer(name):
            return
        if name == "ids":
            rest = [UNLABELLED_CODE] * (len(self._meshes) - self._count)
            codes = [*range(1, self._count + 1), *rest]
            self._canvas.add_layer(name, self._meshes, "flat", codes)
        elif name in ("lit", "normals"):
            whole = mesh.join(self._meshes)
            pieces = [whole.only(whole.closed), whole.only(~whole.closed)]
            style: Style = "lit" if name == "lit" else "normals"
            self._canvas.add_layer(name, [p for p in pieces if len(p.faces)], style)

    def _layer_alone(self, instance: int) -> str:
        name = f"instance {instance}"
        if not self._canvas.has_layer(name):
            self._need_layer("ids")
            self._canvas.add_part_of("ids", instance - 1, name)
        return name

    def _world2cam(self, view: View) -> FloatArray:
        """With the scene's centre as origin, so that 32-bit vertices keep their precision."""
        target = np.asarray(view.pose.target_mm) - self._scene.center_mm
        x, y, z = target.tolist()
        pose: CameraPose = replace(view.pose, target_mm=(x, y, z))
        return world2cam(pose)

    def _clipping(self, view: View) -> tuple[float, float]:
        depth, reach = float(self._world2cam(view)[2, 3]), self._scene.radius_mm * 1.001
        return max(depth - reach, depth * 1e-3), depth + reach
