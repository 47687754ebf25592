"""How a detector does on one split of a set.

In: a run and a set with the run's classes. Out: an `Evaluation`. The threshold from which boxes
count is kept in the run folder, as threshold.json.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vqc import ultra
from vqc.dataset import Dataset, changed
from vqc.errors import InputError, OutputError
from vqc.files import replace_file
from vqc.runs import Run, json_bytes, own_dataset
from vqc.tasks.contract import Evaluation
from vqc.tasks.detect import findings

if TYPE_CHECKING:
    from vqc.tasks.detect.validator import Measured

THRESHOLD = "threshold.json"
DEFAULT_THRESHOLD = 0.25
"""For a run without val, as in Ultralytics' predict."""
STORED_FROM = 0.05
"""Boxes less sure than this, and than the threshold, are not among the predictions."""
CHOOSES = "val"


def evaluate(run: Run, dataset: Dataset, split: str, device: str = "") -> Evaluation:
    """Score a detector on one split.

    Precision, recall, mAP50 and mAP50-95, of all and of each class, are those of Ultralytics'
    own validation: precision and recall at the confidence of the highest mean F1 on this very
    split, as in the study that vqc follows. F1 is of these two. Confusion, groups and mistakes
    are taken at `threshold`, the confidence of the highest mean F1 on the run's own val split,
    which never is the split scored unless that is val; it is DEFAULT_THRESHOLD where the run
    has no val, or where its pictures are not here.

    Raises InputError for weights that are not the run's and for a device that is not there.
    """
    ultra.prepare()
    from vqc.tasks.detect.validator import measure

    classes = dataset.manifest.classes
    network = _network(run, classes)
    measured = measure(network, dataset, split, device)
    threshold = _threshold(run, network, dataset, split, measured, device)
    frames = dataset.frames(split)
    seen = [
        findings.look(dataset, frame, boxes, threshold)
        for frame, boxes in zip(frames, measured.boxes, strict=True)
    ]
    least = min(threshold, STORED_FROM)
    return Evaluation(
        split=split,
        frames=len(frames),
        metrics=measured.metrics,
        per_class=measured.per_class,
        threshold=threshold,
        confusion=findings.confusion(seen, classes),
        curves=measured.curves,
        groups=findings.groups(seen),
        mistakes=findings.mistakes(seen, classes),
        predictions=tuple(findings.detections(one, classes, least) for one in seen),
    )


def _network(run: Run, classes: tuple[str, ...]) -> Any:
    """The run's network, its classes called by their numbers: Ultralytics rewrites some names."""
    network: Any = ultra.load_trained(run.weights, run.classes)
    if run.classes != classes:
        raise InputError(
            f"{run.folder} knows the classes {', '.join(run.classes)}, the set has "
            f"{', '.join(classes)}; expected the same in the same order"
        )
    network.names = {number: str(number) for number in range(len(classes))}
    return network


def _threshold(
    run: Run, network: Any, dataset: Dataset, split: str, measured: Measured, device: str
) -> float:
    """The run's own threshold: as kept, or measured on its val split, and then kept."""
    key = {"run_id": run.run_id, "manifest_sha256": run.manifest_sha256}
    file = run.folder / THRESHOLD
    kept = _kept(file, key)
    if kept is not None:
        return kept
    best = _best_on_val(run, network, dataset, split, measured, device)
    if best is None:
        return DEFAULT_THRESHOLD
    try:
        replace_file(file, json_bytes({**key, "chosen_on": CHOOSES, "threshold": best}))
    except OSError as error:
        raise OutputError(f"{file}: cannot be written: {error.strerror or error}") from None
    return best


def _kept(file: Path, key: Mapping[str, str]) -> float | None:
    """The threshold in the file; None where there is none of this very training."""
    try:
        kept = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(kept, dict) or any(kept.get(name) != value for name, value in key.items()):
        return None
    found = kept.get("threshold")
    return found if isinstance(found, float) and 0 <= found <= 1 else None


def _best_on_val(
    run: Run, network: Any, dataset: Dataset, split: str, measured: Measured, device: str
) -> float | None:
    """None where there is no val split, where it is not here, or where nothing is found in it."""
    from vqc.tasks.detect.validator import measure

    is_own = dataset.sha256 == run.manifest_sha256
    if is_own and split == CHOOSES:
        return measured.best_confidence
    own = dataset if is_own else own_dataset(run)
    if own is None or not own.frames(CHOOSES) or changed(own, own.frames(CHOOSES)):
        return None
    return measure(network, own, CHOOSES, device).best_confidence
