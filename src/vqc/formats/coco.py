"""COCO's detection JSON, as pycocotools and most trainers read it."""

from __future__ import annotations

from typing import Any

from vqc.errors import ManifestError
from vqc.formats import BoxKind, exported_box, rle
from vqc.types import Annotation, Frame, Manifest


def to_coco(manifest: Manifest, box: BoxKind = "modal") -> dict[str, Any]:
    """The labelled frames of a manifest as one COCO dictionary.

    Category ids are 1 for the first class and so on; image ids count the frames from 1 in
    the order of their names; annotation ids count on. `bbox` is x, y, width, height in
    pixels from the frame's corner. An object without a box in the frame is left out.
    With modal boxes, `segmentation` is the mask as compressed RLE and `area` its pixels;
    without a mask, and with amodal boxes, which no mask of visible pixels fits,
    `segmentation` is empty and `area` that of the box.
    Raises ManifestError for a frame that nobody labelled (`objects` is None).
    """
    ids = {name: i for i, name in enumerate(manifest.classes, start=1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, frame in enumerate(sorted(manifest.frames, key=lambda f: f.image), start=1):
        if frame.objects is None:
            raise ManifestError(
                f"{frame.image}: nobody labelled it, so COCO cannot say what it shows"
            )
        images.append(_image(frame, image_id))
        for note in frame.objects:
            entry = _annotation(note, frame, box)
            if entry is not None:
                head = {"id": len(annotations) + 1, "image_id": image_id}
                annotations.append({**head, "category_id": ids[note.class_name], **entry})
    categories = [{"id": i, "name": name, "supercategory": ""} for name, i in ids.items()]
    return {
        "info": {"description": manifest.name, "version": manifest.created_by},
        "licenses": [],
        "images": images,
        "annotations": annotations,
        "categories": categories,
    }


def _image(frame: Frame, image_id: int) -> dict[str, Any]:
    size = {"width": frame.width, "height": frame.height}
    return {"id": image_id, "file_name": frame.image, **size, "split": frame.split}


def _annotation(note: Annotation, frame: Frame, box: BoxKind) -> dict[str, Any] | None:
    found = exported_box(note, frame.width, frame.height, box)
    if found is None:
        return None
    x0, y0, x1, y1 = found
    mask = note.mask if box == "modal" else None
    return {
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": (x1 - x0) * (y1 - y0) if mask is None else rle.area(mask),
        "segmentation": [] if mask is None else dict(mask),
        "iscrowd": int(bool(note.extra.get("iscrowd"))),
    }
