"""A manifest → Label Studio's JSON: a list of tasks, as its own export has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from vqc.errors import ManifestError
from vqc.formats import BoxKind, brush, exported_box, rle
from vqc.types import Annotation, Frame, Manifest


def to_label_studio(manifest: Manifest, box: BoxKind = "modal") -> list[dict[str, Any]]:
    """The tasks of a manifest's labelled frames; pictures as local files, by their path.

    An object with a mask is a brush stroke, any other a rectangle; with amodal boxes all are
    rectangles. The controls are called `box`, `brush` and `choice`, the picture `image`.
    Raises ManifestError for a frame that has neither objects nor a label.
    """
    frames = sorted(manifest.frames, key=lambda f: f.image)
    return [_task(frame, i, box) for i, frame in enumerate(frames, start=1)]


def _task(frame: Frame, task_id: int, box: BoxKind) -> dict[str, Any]:
    if frame.objects is None and frame.label is None:
        raise ManifestError(
            f"{frame.image}: nobody labelled it, so a task cannot say what it shows"
        )
    results = [*_choice(frame)]
    for note in frame.objects or ():
        results += _region(note, frame, box)
    numbered = [{"id": f"r{task_id}-{k}", **result} for k, result in enumerate(results, start=1)]
    annotation = {"id": task_id, "was_cancelled": False, "ground_truth": False, "result": numbered}
    address = f"/data/local-files/?d={quote(frame.image)}"
    return {"id": task_id, "data": {"image": address}, "annotations": [annotation]}


def _choice(frame: Frame) -> Iterator[dict[str, Any]]:
    if frame.label is not None:
        value = {"choices": [frame.label]}
        yield {"type": "choices", "from_name": "choice", "to_name": "image", "value": value}


def _region(note: Annotation, frame: Frame, box: BoxKind) -> Iterable[dict[str, Any]]:
    size = {"original_width": frame.width, "original_height": frame.height, "image_rotation": 0}
    if note.mask is not None and box == "modal":
        mask = rle.decode(note.mask)
        stroke = {"format": "rle", "rle": brush.encode(mask), "brushlabels": [note.class_name]}
        kind = {"type": "brushlabels", "from_name": "brush", "to_name": "image"}
        return [{**kind, **size, "value": stroke}] if mask.any() else []
    found = exported_box(note, frame.width, frame.height, box)
    if found is None:
        return []
    x0, y0, x1, y1 = found
    value = {
        "x": 100 * x0 / frame.width,
        "y": 100 * y0 / frame.height,
        "width": 100 * (x1 - x0) / frame.width,
        "height": 100 * (y1 - y0) / frame.height,
        "rotation": 0,
        "rectanglelabels": [note.class_name],
    }
    kind = {"type": "rectanglelabels", "from_name": "box", "to_name": "image"}
    return [{**kind, **size, "value": value}]
