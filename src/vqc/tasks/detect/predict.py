"""A trained detector on pictures: RGB arrays in, boxes with classes and scores out.

Ultralytics' own predictor does the work, so a box is what `YOLO.predict` gives, but its network
comes from `ultra`, which runs no code of the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vqc import ultra
from vqc.runs import Run
from vqc.tasks.contract import Picture
from vqc.tasks.detect.answers import Detections
from vqc.tasks.detect.config import PredictConfig
from vqc.tasks.learning.reading import neighbours
from vqc.tasks.settings import parse
from vqc.types import ByteArray, FloatArray

TRACKER = "botsort.yaml"
"""Ultralytics' BoT-SORT: it follows boxes, and allows for a camera that moves."""
FAINT = 0.1
"""Boxes from this score on keep a track alive; they are not reported below `conf`."""
GPU_BATCH = 8


def predict(
    run: Run, pictures: Iterable[Picture], settings: Mapping[str, Any]
) -> Iterator[tuple[Picture, Detections]]:
    """Objects in each picture, in the order of the pictures.

    The network is loaded here; pictures are asked for only as answers are. settings: the
    fields of `PredictConfig`. Pictures of one size that come after each other may share a
    batch, which changes no box. Raises InputError for settings or weights that do not fit, and
    for a device that is not there.
    """
    config = PredictConfig(**parse(PredictConfig, settings))
    if config.imgsz is None:
        config = replace(config, imgsz=int(run.config.get("imgsz", 640)))
    detector = _Detector(run, config)
    tracker = _Tracker(config.conf) if config.track else None
    return _answers(detector, tracker, pictures, config)


def _answers(
    detector: _Detector,
    tracker: _Tracker | None,
    pictures: Iterable[Picture],
    config: PredictConfig,
) -> Iterator[tuple[Picture, Detections]]:
    stills_at_once = config.batch or (1 if detector.is_cpu else GPU_BATCH)
    for batch in neighbours(pictures, stills_at_once, config.batch or 1):
        for picture, found in zip(batch, detector.find([p.rgb for p in batch]), strict=True):
            ids = tracker.ids(picture, found) if tracker and picture.track is not None else None
            yield picture, _detections(picture, found, ids, detector.classes, config.conf)


def _detections(
    picture: Picture,
    found: _Found,
    ids: list[int | None] | None,
    classes: tuple[str, ...],
    conf: float,
) -> Detections:
    """Boxes clipped to the picture, without those of which nothing is left."""
    height, width = picture.rgb.shape[:2]
    rows: FloatArray = np.asarray(found.boxes.data, np.float64)[:, :6]
    boxes = np.clip(rows[:, :4], 0, [width, height, width, height])
    is_shown = (rows[:, 4] >= conf) & (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    order = np.argsort(-rows[:, 4], kind="stable")
    order = order[is_shown[order]]
    return Detections(
        image=picture.name,
        boxes_xyxy=boxes[order],
        scores=rows[order, 4].clip(0, 1),
        class_names=tuple(classes[int(k)] for k in rows[order, 5]),
        track_ids=None if ids is None else tuple(ids[k] for k in order),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """boxes: Ultralytics' `Boxes` on NumPy. bgr: what was looked at."""

    boxes: Any
    bgr: ByteArray


class _Detector:
    """The network of a run on its device."""

    def __init__(self, run: Run, config: PredictConfig) -> None:
        folder = ultra.prepare()
        ultra.require_device(config.device)
        network = ultra.load_trained(run.weights, run.classes)
        from ultralytics.models.yolo.detect import DetectionPredictor

        self.classes = run.classes
        options = {
            "conf": min(config.conf, FAINT) if config.track else config.conf,
            "iou": config.iou, "imgsz": config.imgsz, "device": config.device or None,
            "mode": "predict", "rect": True, "save": False, "verbose": False,
            "project": str(folder),
        }  # fmt: skip
        self._predictor = DetectionPredictor(overrides=options)
        self._predictor.setup_model(network, verbose=False)
        self.is_cpu = self._predictor.device.type == "cpu"

    def find(self, rgbs: list[ByteArray]) -> list[_Found]:
        """What is found in (H, W, 3) pictures of one shape."""
        import cv2

        bgrs = [cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR) for rgb in rgbs]
        results = self._predictor(source=bgrs)
        pairs = zip(results, bgrs, strict=True)
        return [_Found(result.boxes.cpu().numpy(), bgr) for result, bgr in pairs]


class _Tracker:
    """Follows boxes from frame to frame; another track of pictures begins anew."""

    def __init__(self, conf: float) -> None:
        import ultralytics
        from ultralytics.trackers.bot_sort import BOTSORT
        from ultralytics.utils import YAML, IterableSimpleNamespace

        # By its path: a file of that name in the working folder would be taken before the
        # package's, and its network for re-identification be opened without checking it.
        package = Path(ultralytics.__file__).parent
        options = YAML.load(package / "cfg" / "trackers" / TRACKER) | {"with_reid": False}
        options |= {"track_high_thresh": conf, "new_track_thresh": conf, "device": "cpu"}
        options |= {"track_low_thresh": min(conf, FAINT)}
        self._tracker = BOTSORT(args=IterableSimpleNamespace(**options))
        self._track: str | None = None

    def ids(self, picture: Picture, found: _Found) -> list[int | None]:
        """The number of each box, None where it is not followed (yet)."""
        if picture.track != self._track:
            self._tracker.reset()
            self._track = picture.track
        rows = self._tracker.update(found.boxes, found.bgr)
        ids: list[int | None] = [None] * len(found.boxes)
        for row in rows:  # x0, y0, x1, y1, id, score, class, place among the boxes
            ids[int(row[7])] = int(row[4])
        return ids
