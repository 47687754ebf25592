"""Which photos to take so that they spread over view and appearance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from vqc import features
from vqc.manifest import frame_from_json
from vqc.mix.draw import Keys
from vqc.mix.pool import Pool, Rows


def diverse_order(
    pool: Pool,
    keys: Keys,
    weights: Path | None,
    on_progress: Callable[[int, int], None],
    groups: Sequence[Rows],
) -> list[Rows]:
    """Each group of photos in an order of which every beginning is spread well.

    What a photo looks like comes from the detector's backbone, or, without weights, from
    plain statistics of the picture; where its largest box lies and how large it is counts
    as much. Only photos of the groups are opened.
    """
    rows = np.unique(np.concatenate(groups)) if groups else np.empty(0, np.int64)
    frames = {
        row: (pool.sources[pool.source[row]].folder, frame_from_json(line.decode(), "manifest"))
        for row, line in pool.lines(rows)
    }
    paths = [frames[row][0] / frames[row][1].image for row in rows.tolist()]
    if weights is None:
        looks = features.image_features(paths, on_progress=on_progress)
    else:
        looks = features.detector_features(paths, weights, on_progress=on_progress)
    boxes = features.box_features([frames[row][1] for row in rows.tolist()])
    points = features.balanced(looks, boxes)
    orders = []
    for group in groups:
        at = np.searchsorted(rows, group)
        orders.append(group[features.farthest_first(points[at], keys[group])])
    return orders
