"""Which box found which object: pure NumPy over the boxes of one picture.

In: boxes with scores and classes, and the objects that are there. Out: for each box the object
that it found.
"""

from __future__ import annotations

import numpy as np

from vqc.types import FloatArray, IntArray

IOU_FROM = 0.5
"""A box is on an object where they overlap by this much or more."""
NOTHING = -1


def overlaps(boxes_xyxy: FloatArray, others_xyxy: FloatArray) -> FloatArray:
    """(N, M) intersection over union of (N, 4) and (M, 4) boxes; 0 where one has no area."""
    a, b = boxes_xyxy[:, None], others_xyxy[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = sides.clip(0).prod(-1)
    union = _areas(boxes_xyxy)[:, None] + _areas(others_xyxy)[None] - shared
    found: FloatArray = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return found


def greedy(iou: FloatArray, scores: FloatArray, iou_from: float = IOU_FROM) -> IntArray:
    """(N,): the object that each box found, or NOTHING.

    iou: (N, M), of boxes and objects. From the surest box to the least sure, each takes the
    object on which it lies best among those that are left, where it lies on any: the rule of
    COCO's and Pascal VOC's scores (Everingham et al. 2010), with COCO's "among those left".
    Of equal scores the first goes first, of equal overlaps the first object is taken.
    """
    found = np.full(len(scores), NOTHING, np.int64)
    free = np.ones(iou.shape[1], bool)
    lies_on = np.flatnonzero(iou.max(axis=1, initial=0.0) >= iou_from)
    for box in lies_on[np.argsort(-scores[lies_on], kind="stable")]:
        left = np.where(free, iou[box], -1.0)
        best = int(left.argmax())
        if left[best] >= iou_from:
            found[box] = best
            free[best] = False
    return found


def match(
    iou: FloatArray,
    scores: FloatArray,
    classes: IntArray,
    true_classes: IntArray,
    iou_from: float = IOU_FROM,
) -> IntArray:
    """(N,): the object that each box found, or NOTHING; its class may be another one.

    iou: (N, M). scores, classes: (N,). true_classes: (M,). Boxes take objects of their own
    class first, so a right answer is never lost to a surer wrong one in its place; what is
    left over on both sides is matched whatever its class, and was confused.
    """
    found = greedy(np.where(classes[:, None] == true_classes[None], iou, 0.0), scores, iou_from)
    boxes = np.flatnonzero(found == NOTHING)
    objects = np.setdiff1d(np.arange(len(true_classes)), found)
    if len(boxes) and len(objects):
        rest = greedy(iou[np.ix_(boxes, objects)], scores[boxes], iou_from)
        confused = rest != NOTHING
        found[boxes[confused]] = objects[rest[confused]]
    return found


def _areas(boxes_xyxy: FloatArray) -> FloatArray:
    sides = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).clip(0)
    areas: FloatArray = sides.prod(-1)
    return areas
