"""What an outside source says of its pictures, before any of them is opened.

Every reader of an outside format takes a `Listing` and gives a `Reading`. Intake then opens
the pictures, turns what was read into pixels of the picture itself, and writes the manifest.

A reader raises InputError only where nothing can be read at all (no such file inside, JSON
that does not parse, no class names). Everything else it collects: what concerns one picture
in that picture's `faults`, what belongs to none (a label without image) in the reading's.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from vqc.types import Box, Fault

IMAGE_SUFFIXES = (
    ".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".tif", ".tiff", ".webp", ".heic", ".heif",
)  # fmt: skip
SPLITS: Mapping[str, str] = {
    **{name: "train" for name in ("train", "training")},
    **{name: "val" for name in ("val", "valid", "validation")},
    **{name: "test" for name in ("test", "testing")},
}
"""What other people call their folders, in lower case, and what we call the split."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a source, hidden ones and what systems leave behind left out.

    root: the source's folder. files: paths below it with '/', sorted. others: what is there
    and no file: linked folders, which are not entered, links to nothing, devices.
    """

    root: Path
    files: tuple[str, ...]
    others: tuple[str, ...] = ()

    @property
    def images(self) -> tuple[str, ...]:
        """Those whose name says that they are pictures."""
        return self.ending(*IMAGE_SUFFIXES)

    def ending(self, *suffixes: str) -> tuple[str, ...]:
        """Those that end with one of the suffixes, in any case."""
        return tuple(file for file in self.files if file.lower().endswith(suffixes))


@dataclass(frozen=True, slots=True)
class Thing:
    """One labelled object, in the units of its file.

    unit: "px" for pixels of the labelled picture, half-open as everywhere in vqc (other
        people's off-by-one habits end in the reader); "fraction" for shares of its width
        and height.
    box: x0, y0, x1, y1; None where polygons or rle alone give the object.
    polygons: outlines, each of at least three points; together they are one object.
    rle: COCO's compressed run lengths, {"size": [h, w], "counts": text}; always pixels.
    extra: further fields for the manifest's object, such as {"difficult": True}.
    """

    class_name: str
    unit: Literal["px", "fraction"] = "px"
    box: Box | None = None
    polygons: tuple[tuple[Point, ...], ...] = ()
    rle: Mapping[str, Any] | None = None
    truncated: bool | None = None
    line: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MaskFile:
    """A picture that marks the pixels of an object.

    file: path below the source's root. class_name: what every pixel that is not 0 shows;
    None where the values themselves tell the classes.
    """

    file: str
    class_name: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One picture of a source and all that the source says of it.

    file: the picture, below the source's root. where: the file that labels it.
    objects: as in the manifest: None means nobody labelled it, () looked at and empty.
    stated_size: width and height that the label file claims; a hint, never the truth.
    row: the columns of a csv row about this picture.
    faults: what is wrong with it; an item with any is never taken in.
    """

    file: str
    where: str
    split: str | None = None
    objects: tuple[Thing, ...] | None = None
    label: str | None = None
    condition: str | None = None
    masks: tuple[MaskFile, ...] = ()
    stated_size: tuple[int, int] | None = None
    row: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader found.

    classes: in the source's own order; empty where it has none. faults: those that belong to
    no picture; they can be passed over. notes: one sentence each, for the user.
    """

    items: tuple[Item, ...]
    classes: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()


def list_source(root: Path) -> Listing:
    """Every file below a folder; linked folders are not entered."""
    found = sorted(_files(root, ""))
    files = tuple(file for file, is_file in found if is_file)
    return Listing(root, files, tuple(file for file, is_file in found if not is_file))


def split_of(file: str) -> str | None:
    """The split that a file's folders name, the outermost first.

    >>> split_of("valid/images/a.jpg"), split_of("photos/a.jpg")
    ('val', None)
    """
    return next((SPLITS[f.lower()] for f in file.split("/")[:-1] if f.lower() in SPLITS), None)


def by_stem(files: Iterable[str]) -> dict[str, list[str]]:
    """Files by their path without suffix."""
    found: dict[str, list[str]] = {}
    for file in files:
        found.setdefault(stem(file), []).append(file)
    return found


def stem(file: str) -> str:
    """A path without its suffix.

    >>> stem("train/a.b.jpg"), stem("train.d/a")
    ('train/a.b', 'train.d/a')
    """
    folder, _, name = file.rpartition("/")
    head, dot, _ = name.rpartition(".")
    return f"{folder}/{head if dot else name}" if folder else (head if dot else name)


def text_of(root: Path, file: str) -> str | Fault:
    """A text file in UTF-8, a byte-order mark passed over; a fault where it is not one."""
    try:
        return (root / file).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = error.object.count(b"\n", 0, error.start) + 1
        hint = "UTF-16" if error.object[:2] in (b"\xff\xfe", b"\xfe\xff") else error.reason
        return Fault(file, at, f"expected UTF-8 text, got other bytes ({hint}): save it as UTF-8")
    except OSError as error:
        return Fault(file, None, f"cannot be read: {error.strerror or error}")


def glimpse(path: Path, size: int) -> bytes:
    """The first and the last bytes of a file, up to `size` of each; none if it cannot be read."""
    try:
        with path.open("rb") as stream:
            head = stream.read(size)
            stream.seek(max(stream.seek(0, os.SEEK_END) - size, len(head)))
            return head + stream.read()
    except OSError:
        return b""


def _files(folder: Path, prefix: str) -> Iterator[tuple[str, bool]]:
    """Path below the root, and whether it is a file."""
    for entry in sorted(folder.iterdir(), key=lambda path: path.name):
        if entry.name.startswith(".") or entry.name in ("__MACOSX", "Thumbs.db", "desktop.ini"):
            continue
        if entry.is_dir() and not entry.is_symlink():
            yield from _files(entry, f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name, entry.is_file()
