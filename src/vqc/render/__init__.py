"""Scene + view → layers.

One window serves every view of a scene. Anti-aliasing is plain supersampling: all n × n
samples of a pixel are shaded, which on a software renderer costs half of what multisampling
does. Only the part of the frame that the scene can touch is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from vqc.geometry import (
    box_of_mask,
    box_of_points,
    boxes_overlap,
    crop,
    project,
    transform,
    world2cam,
)
from vqc.render import mesh
from vqc.render.canvas import Canvas, Style, Tile
from vqc.types import (
    Box,
    ByteArray,
    CameraPose,
    FloatArray,
    Intrinsics,
    Layers,
    Region,
    Scene,
    Silhouette,
    View,
)

UNLABELLED_CODE = 0xFFFFFF


class Renderer:
    """Draws one scene from any number of views of one frame size.

    aa: samples a pixel along each axis; with 1 each pixel is sampled at its centre. A pixel
    belongs to an instance where at least half of its samples do. Depth and normals are
    always sampled at pixel centres.
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

    @property
    def capabilities(self) -> str:
        """What OpenGL says of itself, a line each: vendor, renderer, version …"""
        return self._canvas.capabilities

    def close(self) -> None:
        """Free the window."""
        self._canvas.close()

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
        x0, y0, x1, y1 = _touched(boxes, k)
        if x1 > x0 and y1 > y0:
            inside = (slice(y0, y1), slice(x0, x1))
            part = crop(k, x0, y0, x1 - x0, y1 - y0, 1)
            (samples,) = self._draw(view, [Tile("lit", _finer(part, self.aa))])
            picture = _average(samples, self.aa)
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

    def coverage(self, view: View, instance: int, region: Region, zoom: int) -> NDArray[np.bool_]:
        """Which cells of a region of the pixel grid an instance covers when drawn alone.

        region: x0, y0, x1, y1 in whole pixels, inside the frame or not. Every pixel is
        divided into zoom × zoom cells, each sampled at its centre.
        """
        (cells,) = self._coverages(view, [(instance, region, zoom)])
        return cells

    def _coverages(
        self, view: View, wanted: Sequence[tuple[int, Region, int]]
    ) -> list[NDArray[np.bool_]]:
        """`coverage` for many instances, regions and zooms in as few drawings as possible."""
        results, tiles, places = [], [], []
        for instance, (x0, y0, x1, y1), zoom in wanted:
            cells = crop(view.intrinsics, x0, y0, x1 - x0, y1 - y0, zoom)
            results.append(np.zeros((cells.height, cells.width), np.bool_))
            for top in range(0, cells.height, self._canvas.height):
                for left in range(0, cells.width, self._canvas.width):
                    width = min(self._canvas.width, cells.width - left)
                    height = min(self._canvas.height, cells.height - top)
                    tiles.append(
                        Tile(self._layer_alone(instance), crop(cells, left, top, width, height, 1))
                    )
                    places.append(
                        (results[-1], slice(top, top + height), slice(left, left + width))
                    )
        for picture, (result, rows, cols) in zip(self._draw(view, tiles), places, strict=True):
            result[rows, cols] = picture[..., 3] > 0
        return results

    def _silhouettes(
        self,
        view: View,
        ids: NDArray[np.int32],
        visible_px: tuple[float, ...],
        boxes: list[Box],
    ) -> tuple[Silhouette, ...]:
        """Every labelled instance as if alone; one that stands clear of the rest already is."""
        height, width = ids.shape
        found: dict[int, Silhouette] = {}
        regions: dict[int, Region] = {}
        for i, box in enumerate(boxes[: self._count]):
            x0, y0, x1, y1 = box
            region = (floor(x0) - 1, floor(y0) - 1, ceil(x1) + 1, ceil(y1) + 1)
            inside = x0 >= 0 and y0 >= 0 and x1 <= width and y1 <= height
            if inside and not any(boxes_overlap(box, b) for j, b in enumerate(boxes) if j != i):
                left, top = max(region[0], 0), max(region[1], 0)
                mask = ids[top : region[3], left : region[2]] == i + 1
                found[i] = Silhouette(visible_px[i], box_of_mask(mask, left, top))
            else:
                regions[i] = region
        wanted = [(i + 1, region, self.aa) for i, region in regions.items()]
        drawn = self._coverages(view, wanted)
        for (i, region), cells in zip(regions.items(), drawn, strict=True):
            share = _average(cells.astype(np.uint8) * 255, self.aa)
            area_px = np.count_nonzero(cells) / self.aa**2
            found[i] = Silhouette(area_px, box_of_mask(share >= 128, region[0], region[1]))
        return tuple(found[i] for i in range(self._count))

    def _ids(self, view: View, part: Intrinsics) -> tuple[NDArray[np.int32], tuple[float, ...]]:
        """The id of each pixel, and how many pixels' worth of samples each instance has."""
        (drawn,) = self._draw(view, [Tile("ids", _finer(part, self.aa))])
        codes = np.ascontiguousarray(drawn).view("<u4")[..., 0]
        ids = np.where(codes >> 24, codes & 0xFFFFFF, 0).astype(np.int32)
        ids[ids == UNLABELLED_CODE] = -1
        counts = np.bincount(ids.ravel() + 1, minlength=self._count + 2)[2:]
        return _most_frequent(ids, self.aa), tuple((counts / self.aa**2).tolist())

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


def _touched(boxes: list[Box], k: Intrinsics) -> tuple[int, int, int, int]:
    """The whole pixels of the frame that any of the boxes can touch."""
    low, high = np.floor(boxes).min(axis=0).astype(int), np.ceil(boxes).max(axis=0).astype(int)
    return (
        max(low[0] - 1, 0),
        max(low[1] - 1, 0),
        min(high[2] + 1, k.width),
        min(high[3] + 1, k.height),
    )


def _finer(k: Intrinsics, aa: int) -> Intrinsics:
    return crop(k, 0, 0, k.width, k.height, aa)


def _average(samples: ByteArray, aa: int) -> ByteArray:
    """Mean over aa × aa samples of every pixel, rounded."""
    import cv2

    if aa == 1:
        return samples
    height, width = samples.shape[0] // aa, samples.shape[1] // aa
    mean: ByteArray = cv2.resize(samples, (width, height), interpolation=cv2.INTER_AREA)
    return mean


def _most_frequent(samples: NDArray[np.int32], aa: int) -> NDArray[np.int32]:
    """The id that most of a pixel's samples carry; background only where it has more than half.

    Among equals the upper left sample decides, so that no instance gains over another.
    """
    if aa == 1:
        return samples
    cells = [samples[row::aa, col::aa] for row in range(aa) for col in range(aa)]
    ids: NDArray[np.int32] = cells[0].copy()
    mixed = np.logical_or.reduce([cell != cells[0] for cell in cells[1:]])
    rows = np.stack([cell[mixed] for cell in cells], axis=1)
    votes = np.stack([(rows == rows[:, s : s + 1]).sum(axis=1) for s in range(aa * aa)], axis=1)
    votes[(rows == 0) & (votes * 2 <= aa * aa)] = 0
    ids[mixed] = rows[np.arange(len(rows)), votes.argmax(axis=1)]
    return ids
