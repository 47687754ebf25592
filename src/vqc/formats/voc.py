"""Pascal VOC's XML, one file an image.

VOC counts pixels from 1 and its last pixel is inside the box: the half-open x0, x1 become
xmin = x0 + 1 and xmax = x1.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

from vqc.errors import ManifestError
from vqc.formats import BoxKind, exported_box
from vqc.types import Annotation, Frame

OCCLUDED_BELOW = 0.95
"""VOC calls an object occluded once more than a twentieth of it is hidden."""


def to_voc_xml(frame: Frame, set_name: str, box: BoxKind = "modal") -> str:
    """The XML of one labelled frame.

    set_name: goes into `source/database`.
    Edges between pixels move outwards to the next whole one. An object without a box in
    the frame is left out. Raises ManifestError where nobody labelled the frame.
    """
    if frame.objects is None:
        raise ManifestError(f"{frame.image}: nobody labelled it, so VOC cannot say what it shows")
    folder, _, name = frame.image.rpartition("/")
    root = ET.Element("annotation")
    _add(root, folder=folder, filename=name)
    _add(ET.SubElement(root, "source"), database=set_name)
    _add(ET.SubElement(root, "size"), width=frame.width, height=frame.height, depth=3)
    _add(root, segmented=0)
    for note in frame.objects:
        found = exported_box(note, frame.width, frame.height, box)
        if found is not None:
            _add_object(root, note, found)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _add_object(root: ET.Element, note: Annotation, box: tuple[float, ...]) -> None:
    """Truncation lowers the visibility too, so only a whole object can be called occluded."""
    truncated = bool(note.truncated)
    hidden = note.visibility is not None and note.visibility < OCCLUDED_BELOW
    occluded = bool(note.extra.get("occluded", hidden and not truncated))
    item = ET.SubElement(root, "object")
    _add(item, name=note.class_name, pose="Unspecified", truncated=int(truncated))
    _add(item, difficult=int(bool(note.extra.get("difficult"))), occluded=int(occluded))
    x0, y0, x1, y1 = math.floor(box[0]), math.floor(box[1]), math.ceil(box[2]), math.ceil(box[3])
    _add(ET.SubElement(item, "bndbox"), xmin=x0 + 1, ymin=y0 + 1, xmax=x1, ymax=y1)


def _add(parent: ET.Element, **fields: str | int) -> None:
    for tag, value in fields.items():
        ET.SubElement(parent, tag).text = str(value)
