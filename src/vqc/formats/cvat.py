"""A manifest → CVAT's XML 1.1 for images."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from vqc.errors import ManifestError
from vqc.formats import BoxKind, exported_box, rle
from vqc.formats.voc import OCCLUDED_BELOW
from vqc.geometry import box_of_mask
from vqc.types import Annotation, Frame, Manifest


def to_cvat_xml(manifest: Manifest, box: BoxKind = "modal") -> str:
    """The labelled frames of a manifest; pictures by their path below `images/`.

    An object with a mask is a mask, any other a box; with amodal boxes all are boxes. The label
    of a whole frame is a tag, its split a subset.
    Raises ManifestError for a frame that has neither objects nor a label.
    """
    root = ET.Element("annotations")
    ET.SubElement(root, "version").text = "1.1"
    task = ET.SubElement(ET.SubElement(root, "meta"), "task")
    ET.SubElement(task, "name").text = manifest.name
    ET.SubElement(task, "size").text = str(len(manifest.frames))
    ET.SubElement(task, "mode").text = "annotation"
    labels = ET.SubElement(task, "labels")
    tags = sorted({f.label for f in manifest.frames if f.label is not None})
    for name in dict.fromkeys((*manifest.classes, *tags)):
        ET.SubElement(ET.SubElement(labels, "label"), "name").text = name
    for i, frame in enumerate(sorted(manifest.frames, key=lambda f: f.image)):
        _add_image(root, i, frame, box)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _add_image(root: ET.Element, image_id: int, frame: Frame, box: BoxKind) -> None:
    if frame.objects is None and frame.label is None:
        raise ManifestError(f"{frame.image}: nobody labelled it, so CVAT cannot say what it shows")
    name = frame.image.removeprefix("images/")
    image = _add(root, "image", id=image_id, name=name)
    if frame.split is not None:
        image.set("subset", frame.split)
    image.set("width", str(frame.width))
    image.set("height", str(frame.height))
    for note in frame.objects or ():
        _add_object(image, note, frame, box)
    if frame.label is not None:
        _add(image, "tag", label=frame.label, source="manual")


def _add_object(image: ET.Element, note: Annotation, frame: Frame, box: BoxKind) -> None:
    hidden = note.visibility is not None and note.visibility < OCCLUDED_BELOW
    occluded = bool(note.extra.get("occluded", hidden and not note.truncated))
    head: dict[str, str | float] = {"label": note.class_name, "source": "manual"}
    head["occluded"] = int(occluded)
    if note.mask is not None and box == "modal":
        mask = rle.decode(note.mask)
        found = box_of_mask(mask)
        if found is not None:
            x0, y0, x1, y1 = map(int, found)
            runs = ", ".join(map(str, _runs(mask[y0:y1, x0:x1])))
            size = {"width": x1 - x0, "height": y1 - y0}
            _add(image, "mask", **head, rle=runs, left=x0, top=y0, **size, z_order=0)
        return
    edges = exported_box(note, frame.width, frame.height, box)
    if edges is not None:
        xtl, ytl, xbr, ybr = (round(float(v), 9) for v in edges)
        _add(image, "box", **head, xtl=xtl, ytl=ytl, xbr=xbr, ybr=ybr, z_order=0)


def _runs(part: NDArray[np.bool_]) -> list[int]:
    """Lengths of alternating runs along the rows, the first one of background."""
    flat = np.concatenate(([False], part.ravel(), [not part[-1, -1]]))
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    runs: list[int] = np.diff(edges, prepend=0).tolist()
    return runs


def _add(parent: ET.Element, tag: str, **attributes: str | float) -> ET.Element:
    return ET.SubElement(parent, tag, {key: str(value) for key, value in attributes.items()})
