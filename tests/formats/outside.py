"""Sources of other people, made in a few words: files by path, pictures by size."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from vqc.export import export
from vqc.formats import readers, rle
from vqc.formats.source import Item, Listing, Reading, Thing, list_source
from vqc.manifest import read_manifest
from vqc.types import Annotation, Frame

Content = str | bytes | tuple[int, int] | np.ndarray


def source(root: Path, files: Mapping[str, Content]) -> Listing:
    """Write the files: text, bytes, (width, height) for a picture, an array for its pixels."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_bytes(content, path.suffix))
    return list_source(root)


def _bytes(content: Content, suffix: str) -> bytes:
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, bytes):
        return content
    pixels = np.zeros((content[1], content[0]), np.uint8) if isinstance(content, tuple) else content
    stream = io.BytesIO()
    kind = Image.registered_extensions().get(suffix.lower(), "PNG")
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def read(listing: Listing, name: str, unlabelled_is_empty: bool = False) -> Reading:
    """What the reader of that name says, having been the one that is recognised."""
    assert readers.recognise(listing)[0] == name
    return readers.reader(name).read(listing, unlabelled_is_empty)


def faults(reading: Reading) -> list[str]:
    """Every fault as the user sees it, those of items first."""
    return [str(f) for item in reading.items for f in item.faults] + [
        str(f) for f in reading.faults
    ]


def by_file(reading: Reading) -> dict[str, Item]:
    return {item.file: item for item in reading.items}


def exported(root: Path, out: Path, fmt: str, box: str = "modal") -> tuple[Reading, list[Frame]]:
    """A set exported and read again, with the frames that it should give back, by file name."""
    export(root, fmt, out, box)  # type: ignore[arg-type]
    reading = read(list_source(out), fmt)
    assert faults(reading) == []
    return reading, [f for f in read_manifest(root).frames if f.objects is not None]


def marks(thing: Thing, width: int, height: int) -> tuple[str, object]:
    """An object's class and its mask, or its box in whole pixels where it has none."""
    if thing.rle is not None:
        return thing.class_name, dict(thing.rle)
    assert thing.box is not None
    scale = (width, height) * 2 if thing.unit == "fraction" else (1, 1, 1, 1)
    return thing.class_name, tuple(round(v * s, 9) for v, s in zip(thing.box, scale, strict=True))


def expected(note: Annotation, box: str = "modal") -> tuple[str, object]:
    """The same of a frame's object."""
    if box == "modal" and note.mask is not None:
        return note.class_name, dict(note.mask)
    found = note.box_xyxy if box == "modal" else note.amodal_box_xyxy
    assert found is not None
    return note.class_name, (max(found[0], 0), *found[1:])


def pixels(code: Mapping[str, object]) -> np.ndarray:
    return rle.decode(code).astype(int)
