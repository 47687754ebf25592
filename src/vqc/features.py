"""What pictures look like, as rows of numbers, and an order that spreads over them.

In: image files, or frames with boxes. Out: (N, D) float32 features in which near means alike,
and the order in which to take the pictures. A row depends on its own picture, but for the
scale of each group of columns; nothing depends on the order in which pictures come.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vqc.errors import InputError
from vqc.pictures import prepare, read_picture
from vqc.types import ByteArray, Frame, Progress

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image
    from torch import nn

Features = NDArray[np.float32]

SMALL_PX = 96
DETECTOR_PX = 320
_LAYOUT, _CHROMA, _ANGLES = 8, 8, 8
_CHROMA_REACH = 64.0  # of Lab's a and b; stronger colours fall into the outermost bins
_AHEAD = 64
_GREY = 114  # what detectors are trained to see beside a picture that is not square


def image_features(
    paths: Sequence[Path],
    jobs: int | None = None,
    on_progress: Progress = lambda done, total: None,
) -> Features:
    """Layout, colours, directions of edges, and brightness of pictures: (N, 162).

    Four groups that count the same: lightness in 8 × 8 fields with its mean taken out; a
    histogram of Lab's a and b; for each quadrant a histogram of the gradients' directions,
    weighted by their strength; and lightness's mean and deviation. Of the histograms it is
    the roots that are compared (Hellinger's distance). jobs: threads, by default one a core.
    Raises InputError for a file that does not open as a picture.
    """
    rows = list(_on_threads(_statistics, paths, jobs, on_progress))
    groups = zip(*rows, strict=True) if rows else ()
    return balanced(*(np.stack(group) for group in groups))


def detector_features(
    paths: Sequence[Path],
    weights: Path,
    jobs: int | None = None,
    on_progress: Progress = lambda done, total: None,
) -> Features:
    """What the last layer of a detector's backbone answers, averaged over each picture.

    weights: an Ultralytics .pt file. jobs: threads that read pictures, by default one a core.
    Runs on the GPU where there is one. Pictures go through one at a time, so that none
    changes another's numbers. Raises InputError for a file that is no detector or no picture.
    """
    import torch

    from vqc.ultra import load_detector

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = load_detector(weights).to(device)
    layers = _backbone(model, weights)
    with torch.inference_mode():
        squares = _on_threads(_square, paths, jobs, on_progress)
        rows = [_pooled(layers, torch.from_numpy(square).to(device)) for square in squares]
    return balanced(np.stack(rows)) if rows else balanced()


def box_features(frames: Sequence[Frame]) -> Features:
    """Where the largest box of each frame lies, its size and its shape: (N, 4), a hint at the view.

    Centre as shares of the frame, log of the box's share of the frame, log of its aspect
    ratio; as three groups that count the same. A frame without any box has the middle values
    of the others. Join with others by `balanced(image_features(…), box_features(…))`.
    """
    rows = np.array([_largest_box(frame) for frame in frames], np.float64).reshape(-1, 4)
    unknown = np.isnan(rows[:, 0])
    if not unknown.all():
        rows[unknown] = np.median(rows[~unknown], axis=0)
    rows = np.nan_to_num(rows)
    return balanced(rows[:, :2], rows[:, 2:3], rows[:, 3:])


def balanced(*groups: NDArray[Any]) -> Features:
    """(N, D_i) groups of columns side by side, scaled so that none rules: (N, sum of D_i).

    Afterwards two rows drawn at random differ by the same in each group, in the mean of
    the squares; a group in which all rows are equal becomes 0.
    """
    scaled = []
    for group in groups:
        values = group.astype(np.float64)
        # Sorted, so that the order of the rows does not reach the last bit of the sum.
        spread = np.sqrt(np.sort(values, axis=0).var(axis=0).sum()) if len(values) else 0.0
        scaled.append(values / spread if spread > 1e-9 else np.zeros_like(values))
    return np.hstack(scaled).astype(np.float32) if scaled else np.empty((0, 0), np.float32)


def farthest_first(
    features: Features, keys: NDArray[np.uint64], count: int | None = None
) -> NDArray[np.int64]:
    """Row numbers in an order that spreads: each next row is the farthest from those before it.

    features: (N, D). keys: (N,), a different one for each picture, such as the head of its
    hash: they settle ties, so the same pictures come whatever the order of the rows. count:
    how many; all by default. The first one is nearest to the mean, so a longer draw begins
    with the shorter one. Gonzalez, "Clustering to minimize the maximum intercluster
    distance" (1985); time grows with N × count.
    """
    by_key = np.argsort(keys, kind="stable")
    points = features[by_key]
    count = len(points) if count is None else min(count, len(points))
    picked = np.empty(count, np.int64)
    nearest = np.full(len(points), np.inf, np.float32)
    following = int(np.argmin(_squared(points, points.mean(axis=0)))) if count else 0
    for k in range(count):
        picked[k] = following
        np.minimum(nearest, _squared(points, points[following]), out=nearest)
        nearest[following] = -1  # never again, also where all the rest is as near as can be
        following = int(np.argmax(nearest))
    order: NDArray[np.int64] = by_key[picked]
    return order


def _squared(points: Features, point: Features) -> Features:
    away = points - point
    squared: Features = np.einsum("nd,nd->n", away, away)
    return squared


def _on_threads(
    work: Callable[[Path], Any], paths: Sequence[Path], jobs: int | None, on_progress: Progress
) -> Iterable[Any]:
    """work(path) for each path, in their order, never far ahead of who takes the results."""
    import cv2  # noqa: F401  # here and not in several threads at once

    prepare()
    with ThreadPoolExecutor(jobs or len(os.sched_getaffinity(0))) as pool:
        for start in range(0, len(paths), _AHEAD):
            block = pool.map(work, paths[start : start + _AHEAD])
            for done, result in enumerate(block, start=start + 1):
                on_progress(done, len(paths))
                yield result


def _statistics(path: Path) -> tuple[Features, Features, Features, Features]:
    """Layout (64,), colours (64,), directions (32,) and tone (2,) of a picture."""
    import cv2

    rgb = _resized(read_picture(path, draft_px=(2 * SMALL_PX,) * 2), (SMALL_PX, SMALL_PX))
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    light = lab[..., 0]
    fields = cv2.resize(light, (_LAYOUT, _LAYOUT), interpolation=cv2.INTER_AREA)
    at = (lab[..., 1:].reshape(-1, 2) / _CHROMA_REACH + 1) / 2 * _CHROMA
    bins = at.astype(np.int64).clip(0, _CHROMA - 1)
    colours = np.bincount(bins[:, 0] * _CHROMA + bins[:, 1], minlength=_CHROMA**2)
    tone = np.array([light.mean(), light.std()], np.float32)
    return (fields - fields.mean()).ravel(), _roots(colours), _directions(light), tone


def _resized(picture: Image, size: tuple[int, int]) -> ByteArray:
    from PIL.Image import Resampling

    return np.asarray(picture.resize(size, Resampling.BOX))


def _directions(light: Features) -> Features:
    """For each quadrant, how much of its edges runs which way: (32,)."""
    down, right = np.gradient(light)
    strength = np.hypot(down, right)
    angle = np.arctan2(down, right) % np.pi  # an edge and its negative run the same way
    bins = np.minimum((angle / np.pi * _ANGLES).astype(np.int64), _ANGLES - 1)
    upper = np.arange(SMALL_PX) >= SMALL_PX // 2
    bins += (2 * upper[:, None] + upper[None, :]) * _ANGLES
    return _roots(np.bincount(bins.ravel(), strength.ravel(), minlength=4 * _ANGLES))


def _roots(histogram: NDArray[Any]) -> Features:
    roots: Features = np.sqrt(histogram / max(histogram.sum(), 1e-9)).astype(np.float32)
    return roots


def _square(path: Path) -> Features:
    """A picture as a detector is shown it, grey beside it: (1, 3, 320, 320), 0 to 1."""

    picture = read_picture(path, draft_px=(2 * DETECTOR_PX,) * 2)
    scale = DETECTOR_PX / max(picture.size)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    rgb = _resized(picture, (width, height))
    square = np.full((DETECTOR_PX, DETECTOR_PX, 3), _GREY, np.uint8)
    top, left = (DETECTOR_PX - rgb.shape[0]) // 2, (DETECTOR_PX - rgb.shape[1]) // 2
    square[top : top + rgb.shape[0], left : left + rgb.shape[1]] = rgb
    return np.ascontiguousarray(square.transpose(2, 0, 1)[None], np.float32) / np.float32(255)


def _backbone(model: nn.Module, weights: Path) -> list[nn.Module]:
    """Its layers, each of which is fed by the one before it."""
    layers = list(model.model)[: len(model.yaml["backbone"])]
    if any(layer.f != -1 for layer in layers):
        raise InputError(
            f"{weights}: its backbone branches; expected one such as YOLOv8's or YOLO11's"
        )
    return layers


def _pooled(layers: Sequence[nn.Module], batch: torch.Tensor) -> Features:
    for layer in layers:
        batch = layer(batch)
    row: Features = batch.mean(dim=(2, 3))[0].cpu().numpy()
    return row


def _largest_box(frame: Frame) -> tuple[float, float, float, float]:
    boxes = [note.box_xyxy for note in frame.objects or () if note.box_xyxy is not None]
    if not boxes:
        return (np.nan,) * 4
    x0, y0, x1, y1 = max(boxes, key=lambda b: ((b[2] - b[0]) * (b[3] - b[1]), b))
    width, height = frame.width, frame.height
    share = (x1 - x0) * (y1 - y0) / (width * height)
    return (
        (x0 + x1) / 2 / width,
        (y0 + y1) / 2 / height,
        float(np.log(share)),
        float(np.log((x1 - x0) / (y1 - y0))),
    )
