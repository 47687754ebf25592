"""Ultralytics' validator over frames of a manifest, and the boxes that it saw.

Import this after `vqc.ultra.prepare()`.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import ultralytics.engine.validator as engine
from ultralytics.models.yolo.detect import DetectionValidator
from ultralytics.utils.metrics import smooth

from vqc import ultra
from vqc.dataset import Dataset
from vqc.errors import VqcError
from vqc.tasks.contract import Curve
from vqc.tasks.detect.data import build, data_record
from vqc.tasks.detect.findings import Boxes
from vqc.types import FloatArray

METRICS = ("precision", "recall", "mAP50", "mAP50-95", "F1")
_CURVES = ("precision-recall", "F1-confidence", "precision-confidence", "recall-confidence")
_ALL = "all"
_AXES = {"Confidence": "confidence", "Recall": "recall", "Precision": "precision"}
_SMOOTHING = 0.1
"""Share of the curve over which Ultralytics averages F1 before it takes the highest."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What Ultralytics says of a network on some frames.

    metrics, per_class: NaN where no object is there to be found. best_confidence: where the
    mean F1 of the classes, smoothed, is highest; None where nothing is found. boxes: one for
    each frame, in the manifest's order.
    """

    metrics: Mapping[str, float]
    per_class: Mapping[str, Mapping[str, float]]
    curves: tuple[Curve, ...]
    best_confidence: float | None
    boxes: tuple[Boxes, ...]


def measure(network: Any, dataset: Dataset, split: str, device: str) -> Measured:
    """Validate as Ultralytics' own `val` does: same pictures in a batch, same limits.

    network: as `ultra.load_detector` gives it; stays as it is. device: cpu, the number of a
    GPU, or "" for a GPU if there is one. Raises InputError for a device that is not there,
    and VqcError where validation fails.
    """
    ultra.require_device(device)
    trained = getattr(network, "args", None) or {}
    args = {
        "task": "detect", "mode": "val", "rect": True, "imgsz": trained.get("imgsz", 640),
        "data": split, "split": split, "device": device or None, "plots": False, "verbose": False,
    }  # fmt: skip
    was = engine.check_det_dataset
    engine.check_det_dataset = lambda *_, **__: data_record(dataset)
    try:
        with tempfile.TemporaryDirectory(dir=ultra.prepare()) as folder:
            validator = _Validator(dataset, Path(folder), args)
            validator(model=network)
    except (RuntimeError, OSError, ValueError, AssertionError) as error:
        raise VqcError(f"{dataset.folder}: scoring {split} failed: {error}") from error
    finally:
        engine.check_det_dataset = was
    return validator.measured()


class _Validator(DetectionValidator):  # type: ignore[misc]
    """Keeps the boxes in pixels of the pictures, and reads frames instead of folders."""

    def __init__(self, dataset: Dataset, folder: Path, args: Mapping[str, Any]) -> None:
        super().__init__(save_dir=folder, args=dict(args))
        self._dataset = dataset
        self._boxes: dict[str, Boxes] = {}

    def build_dataset(self, img_path: str, mode: str = "val", batch: int | None = None) -> Any:
        frames = self._dataset.frames(img_path)
        scratch = self.save_dir / "cache"
        return build(
            self._dataset, frames, self.args, int(self.stride), batch or 1, False, scratch
        )  # fmt: skip

    def update_metrics(self, preds: list[dict[str, Any]], batch: dict[str, Any]) -> None:
        for place, pred in enumerate(preds):
            found = self.scale_preds(pred, self._prepare_batch(place, batch))
            rows = [found[key].cpu().numpy() for key in ("bboxes", "conf", "cls")]
            order = np.argsort(-rows[1], kind="stable")
            self._boxes[batch["im_file"][place]] = Boxes(
                rows[0][order].astype(np.float64),
                rows[1][order].astype(np.float64),
                rows[2][order].astype(np.int64),
            )
        super().update_metrics(preds, batch)

    def measured(self) -> Measured:
        """The result, once validation is done."""
        box, names = self.metrics.box, self._dataset.manifest.classes
        shown = [names[k] for k in box.ap_class_index]
        rows = zip(box.p, box.r, box.ap50, box.ap, strict=True) if shown else ()
        found = {name: _named(row) for name, row in zip(shown, rows, strict=True)}
        frames = self._dataset.frames(self.args.split)
        return Measured(
            metrics=_named(box.mean_results() if shown else _UNDEFINED),
            per_class={name: found.get(name, _named(_UNDEFINED)) for name in names},
            curves=_curves(box.curves_results, shown) if shown else (),
            best_confidence=_best_confidence(box.px, box.f1_curve) if shown else None,
            boxes=tuple(self._boxes[str(self._dataset.path(frame))] for frame in frames),
        )


_UNDEFINED = (math.nan,) * 4


def _named(values: Sequence[float]) -> dict[str, float]:
    """Precision, recall, mAP50 and mAP50-95, with F1 of the first two."""
    precision, recall, *areas = map(float, values)
    both = precision + recall
    f1 = 2 * precision * recall / both if both else 0.0  # NaN where these are
    return dict(zip(METRICS, (precision, recall, *areas, f1), strict=True))


def _curves(results: Sequence[Any], names: Sequence[str]) -> tuple[Curve, ...]:
    """Ultralytics' four curves; "all" is the mean of the classes."""
    found = []
    for name, (x, lines, x_label, y_label) in zip(_CURVES, results, strict=True):
        of = dict(zip(names, np.asarray(lines, np.float64), strict=True))
        of |= {_ALL: np.asarray(lines, np.float64).mean(0)}
        axes = (_AXES.get(x_label, x_label), _AXES.get(y_label, y_label))
        found.append(Curve(name, *axes, np.asarray(x, np.float64), of))
    return tuple(found)


def _best_confidence(x: FloatArray, f1_curve: FloatArray) -> float | None:
    """Where Ultralytics takes precision and recall; None where F1 is 0 everywhere."""
    mean = smooth(f1_curve.mean(0), _SMOOTHING)
    return float(x[mean.argmax()]) if mean.max() > 0 else None
