"""YOLO text labels: one line an object, `class cx cy w h`, fractions of the frame.

Class ids are places in the manifest's list of classes.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from vqc.errors import ManifestError
from vqc.formats import BoxKind, exported_box
from vqc.types import Annotation, Box

_ROUNDING = 1e-6  # what six decimals of centre and size can be off at an edge


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


def pixel_box(fractions: Box, width: int, height: int) -> Box:
    """A box in fractions of the frame, in pixels: x0, y0, x1, y1; not clipped.

    An edge that is a whole pixel, as far as six decimals can tell, becomes that pixel.
    """
    x0, y0, x1, y1 = fractions
    return (_pixel(x0, width), _pixel(y0, height), _pixel(x1, width), _pixel(y1, height))


def names_text(classes: Sequence[str]) -> str:
    """The text of classes.txt: a name a line, in the order of the ids."""
    return "".join(f"{name}\n" for name in classes)


def data_yaml(classes: Sequence[str], splits: Collection[str | None]) -> str:
    """The text of Ultralytics' data.yaml, to lie in the folder that holds `images/`.

    splits: those that frames have, with or without None. Each is a folder `images/<split>`;
    without any, all are in `images`. Ultralytics wants both `train` and `val`, so one that is
    missing points to the other, or else to `test`. There is no `path`: Ultralytics then starts
    from the file's own folder.
    """
    import yaml

    folder = {name: f"images/{name}" for name in ("train", "val", "test") if name in splits}
    first = next(iter(folder.values()), "images")
    content: dict[str, object] = {"train": first, "val": folder.get("val", first)}
    if "test" in folder:
        content["test"] = folder["test"]
    content["names"] = dict(enumerate(classes))
    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    return text


def _pixel(fraction: float, length: int) -> float:
    exact = fraction * length
    whole = round(exact)
    return float(whole) if abs(exact - whole) <= _ROUNDING * length else exact
