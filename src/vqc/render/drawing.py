"""What every renderer does alike: from samples to pixels, ids and silhouettes.

Anti-aliasing is plain supersampling: all n × n samples of a pixel are shaded, which on a
software renderer costs half of what multisampling does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from vqc.geometry import box_of_mask, boxes_overlap, crop
from vqc.render.canvas import Canvas, Tile
from vqc.types import Box, ByteArray, FloatArray, Intrinsics, Region, Silhouette, View

UNLABELLED_CODE = 0xFFFFFF


class Drawing(ABC):
    """Labelled instances that can be drawn together and each alone.

    aa: samples a pixel along each axis; with 1 each pixel is sampled at its centre. A pixel
    belongs to an instance where at least half of its samples do.
    """

    aa: int
    _canvas: Canvas
    _count: int

    @property
    def name(self) -> str:
        """OpenGL's name of what draws, such as llvmpipe (LLVM 15.0.6, 256 bits)."""
        return self._canvas.renderer

    def close(self) -> None:
        """Free the window."""
        self._canvas.close()

    @abstractmethod
    def outline_px(self, view: View, instance: int) -> FloatArray:
        """(N, 2) pixel positions of the points that span an instance's outline, hidden or not."""

    @abstractmethod
    def triangles_px(self, view: View, instance: int) -> FloatArray:
        """(F, 3, 2) pixel positions of the corners of an instance's triangles."""

    @abstractmethod
    def _draw(self, view: View, tiles: Sequence[Tile]) -> list[ByteArray]:
        """The samples of each tile, (H, W, 4); alpha is 0 where nothing was drawn."""

    @abstractmethod
    def _layer_alone(self, instance: int) -> str:
        """The name of a layer that holds only that instance, in a flat colour."""

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
            for piece, place in self._pieces(cells):
                tiles.append(Tile(self._layer_alone(instance), piece))
                places.append((results[-1], place))
        for picture, (result, place) in zip(self._draw(view, tiles), places, strict=True):
            result[place] = picture[..., 3] > 0
        return results

    def _pieces(self, k: Intrinsics) -> Iterator[tuple[Intrinsics, tuple[slice, slice]]]:
        """A camera's frame in parts that the window holds, and the rows and columns of each."""
        wide, high = self._canvas.width, self._canvas.height
        for top in range(0, k.height, high):
            for left in range(0, k.width, wide):
                width, height = min(wide, k.width - left), min(high, k.height - top)
                place = slice(top, top + height), slice(left, left + width)
                yield crop(k, left, top, width, height, 1), place

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
            share = average(cells.astype(np.uint8) * 255, self.aa)
            area, wider = np.count_nonzero(cells), np.count_nonzero(widened(cells))
            around = box_of_mask(share >= 128, region[0], region[1])
            found[i] = Silhouette(area / self.aa**2, around, (wider - area) / self.aa**2)
        return tuple(found[i] for i in range(self._count))

    def _read_ids(self, samples: NDArray[np.int32]) -> tuple[NDArray[np.int32], tuple[float, ...]]:
        """The id of each sample → of each pixel, and each instance's pixels' worth."""
        counts = np.bincount(samples.ravel() + 1, minlength=self._count + 2)[2:]
        return most_frequent(samples, self.aa), tuple((counts / self.aa**2).tolist())


def widened(cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The cells and their eight neighbours."""
    import cv2

    wider: NDArray[np.uint8] = cv2.dilate(cells.view(np.uint8), np.ones((3, 3), np.uint8))
    return wider.view(np.bool_)


def decode_ids(drawn: ByteArray) -> NDArray[np.int32]:
    """(H, W, 4) samples of the id layer → (H, W) ids; 0 nothing, -1 what carries no label."""
    codes = np.ascontiguousarray(drawn).view("<u4")[..., 0]
    ids: NDArray[np.int32] = np.where(codes >> 24, codes & 0xFFFFFF, 0).astype(np.int32)
    ids[ids == UNLABELLED_CODE] = -1
    return ids


def touched(boxes: Sequence[Box], k: Intrinsics) -> Region:
    """The whole pixels of the frame that any of the boxes can touch."""
    low, high = np.floor(boxes).min(axis=0).astype(int), np.ceil(boxes).max(axis=0).astype(int)
    return (
        max(low[0] - 1, 0),
        max(low[1] - 1, 0),
        min(high[2] + 1, k.width),
        min(high[3] + 1, k.height),
    )


def finer(k: Intrinsics, aa: int) -> Intrinsics:
    """The same frame in samples."""
    return crop(k, 0, 0, k.width, k.height, aa)


def average(samples: ByteArray, aa: int) -> ByteArray:
    """Mean over aa × aa samples of every pixel, rounded."""
    import cv2

    if aa == 1:
        return samples
    height, width = samples.shape[0] // aa, samples.shape[1] // aa
    mean: ByteArray = cv2.resize(samples, (width, height), interpolation=cv2.INTER_AREA)
    return mean


def most_frequent(samples: NDArray[np.int32], aa: int) -> NDArray[np.int32]:
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
