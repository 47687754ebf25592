"""YOLO text labels: one line an object, `class cx cy w h`, fractions of the frame.

Class ids are places in the manifest's list of classes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from vqc.errors import ManifestError
from vqc.formats import BoxKind, exported_box
from vqc.types import Annotation, Box, Manifest

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_ROUNDING = 1e-6  # what six decimals of centre and size can be off at an edge
_OVERHANG = 1e-4  # how far over the border other tools' rounding may reach
_COLUMNS = ("class", "cx", "cy", "w", "h")


def label_path(image: str) -> str:
    """Where the labels of an image lie, relative to the manifest like the image itself.

    >>> label_path("images/qf/000/qf_000017.jpg")
    'labels/qf/000/qf_000017.txt'
    """
    return "labels/" + image.removeprefix("images/").rpartition(".")[0] + ".txt"


def label_text(
    objects: Sequence[Annotation],
    classes: Sequence[str],
    width: int,
    height: int,
    box: BoxKind = "modal",
) -> str:
    """The label file of one frame; empty where nothing is to be seen.

    objects: sorted here by instance, those without one last in the order given. An object
        that has no box in the frame gets no line.
    width, height: the frame's size in pixels.
    Six decimals: whole pixels come back exactly in any frame below 200,000 pixels.
    Raises ManifestError for a class that is not in `classes`.
    """
    ids = {name: i for i, name in enumerate(classes)}
    lines = []
    for note in sorted(objects, key=lambda o: math.inf if o.instance is None else o.instance):
        if note.class_name not in ids:
            raise ManifestError(f"class {note.class_name!r} is not one of {', '.join(classes)}")
        found = exported_box(note, width, height, box)
        if found is not None:
            x0, y0, x1, y1 = found
            lines.append(
                f"{ids[note.class_name]} {(x0 + x1) / 2 / width:.6f} {(y0 + y1) / 2 / height:.6f} "
                f"{(x1 - x0) / width:.6f} {(y1 - y0) / height:.6f}\n"
            )
    return "".join(lines)


def parse_label_text(text: str, where: str) -> list[tuple[int, Box]]:
    """Class id and box of every line; the box is x0, y0, x1, y1 in fractions of the frame.

    where: the file's name, for messages. Blank lines are passed over.
    Raises ManifestError with every faulty line at once.
    """
    labels, faults = [], []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        fault = _line_fault(line.split())
        if fault:
            faults.append(f"{where}:{number}: {fault}")
            continue
        class_id, cx, cy, w, h = map(float, line.split())
        corners = (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)
        x0, y0, x1, y1 = (min(max(value, 0.0), 1.0) for value in corners)
        labels.append((int(class_id), (x0, y0, x1, y1)))
    if faults:
        raise ManifestError("\n".join(faults))
    return labels


def pixel_box(fractions: Box, width: int, height: int) -> Box:
    """A box in fractions, as `parse_label_text` gives it, in pixels of the frame.

    An edge that is a whole pixel, as far as six decimals can tell, becomes that pixel.
    """
    x0, y0, x1, y1 = fractions
    return (_pixel(x0, width), _pixel(y0, height), _pixel(x1, width), _pixel(y1, height))


def data_yaml(manifest: Manifest) -> str:
    """The text of Ultralytics' data.yaml, to lie in the folder that holds `images/`.

    Each split is a folder `images/<split>`; where no frame has one, all are in `images`.
    Ultralytics wants both `train` and `val`, so one that is missing points to the other, or
    else to `test`. There is no `path`: Ultralytics then starts from the file's own folder.
    """
    import yaml

    there = {frame.split for frame in manifest.frames if frame.split is not None}
    folder = {name: f"images/{name}" for name in ("train", "val", "test") if name in there}
    first = next(iter(folder.values()), "images")
    content: dict[str, object] = {"train": first, "val": folder.get("val", first)}
    if "test" in folder:
        content["test"] = folder["test"]
    content["names"] = dict(enumerate(manifest.classes))
    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    return text


def _line_fault(columns: Sequence[str]) -> str | None:
    if len(columns) != len(_COLUMNS):
        return f"expected 5 columns ({' '.join(_COLUMNS)}), got {len(columns)}"
    for name, column in zip(_COLUMNS, columns, strict=True):
        if not _NUMBER.fullmatch(column):
            return f"{name}: expected a number, got {column!r}"
    class_id, cx, cy, w, h = map(float, columns)
    if not class_id.is_integer() or class_id < 0:
        return f"class: expected a whole number from 0, got {columns[0]!r}"
    if not (0 < w <= 1 and 0 < h <= 1):
        return f"w, h: expected fractions above 0 and up to 1, got {columns[3]} {columns[4]}"
    reach = max(w / 2 - cx, cx + w / 2 - 1, h / 2 - cy, cy + h / 2 - 1)
    if reach > _OVERHANG:
        return f"the box reaches {reach:.6g} of the frame over its border"
    return None


def _pixel(fraction: float, length: int) -> float:
    exact = fraction * length
    whole = round(exact)
    return float(whole) if abs(exact - whole) <= _ROUNDING * length else exact
