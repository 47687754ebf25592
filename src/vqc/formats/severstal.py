"""Run-length masks in a CSV, as the Severstal steel data has them.

Columns `ImageId_ClassId,EncodedPixels` (rows `a.jpg_1`) or `ImageId,ClassId,EncodedPixels`. The
runs are pairs of a first pixel, counted from 1 down the columns, and a length: `1 3 10 5` is the
pixels 1, 2, 3, 10, 11, 12, 13, 14. No runs: nothing of that class is there.
"""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqc.errors import InputError, ManifestError
from vqc.formats import rle
from vqc.formats.labels import (
    Labelled,
    Pictures,
    Wrong,
    stored_size,
    whole,
)
from vqc.formats.source import IMAGE_SUFFIXES, Item, Listing, Reading, Thing, split_of
from vqc.formats.table import Row, columns_of, read_table
from vqc.types import Fault, Frame, IntArray, Manifest

_SUFFIXES = "|".join(re.escape(suffix) for suffix in IMAGE_SUFFIXES)
_IMAGE_CLASS = re.compile(rf"(?P<image>.+(?:{_SUFFIXES}))_(?P<name>.+)", re.IGNORECASE)
_COLUMNS = "ImageId_ClassId,EncodedPixels or ImageId,ClassId,EncodedPixels"
_LOOKED_AT = 20
_HEAD_BYTES, _HEAD_SHOWN = 4096, 200
_PLAIN = re.compile(r"[1-9][0-9]{0,14}(?: [1-9][0-9]{0,14})*")
"""Runs as everybody writes them: whole numbers from 1."""
_BEYOND = 10**15
"""No picture has so many pixels."""

_Rows = list[tuple[int, str, str]]
"""Line, class and runs of the rows of one picture."""


def evidence(listing: Listing) -> str | None:
    """A CSV file with the columns."""
    tables = _tables(listing)
    return f"{tables[0]} has a column EncodedPixels" if tables else None


def read(listing: Listing, unlabelled_is_empty: bool = False) -> Reading:
    """One object for each row that holds runs; masks have the size of the picture's header."""
    tables = _tables(listing)
    if not tables:
        expected = f"expected a .csv with the columns {_COLUMNS}; found none"
        raise InputError("; ".join([expected, *not_understood(listing)]))
    pictures, labelled = Pictures(listing.images), Labelled()
    for file in tables:
        rows, faults = read_table(listing.root, file)
        labelled.faults += faults
        for image, found in _by_image(file, rows, labelled.faults).items():
            try:
                picture = pictures.find(image, file)
            except Wrong as error:
                labelled.faults.append(Fault(file, found[0][0], str(error)))
                continue
            labelled.add(_item(listing, picture, file, found), found[0][0])
    return labelled.reading(pictures.files, f"a row in {', '.join(tables)}", unlabelled_is_empty)


def not_understood(listing: Listing) -> list[str]:
    """A note on each CSV file that mentions runs and cannot be read, with the reason."""
    read_ones = _tables(listing)
    notes = []
    for file in _candidates(listing):
        if file not in read_ones and not _is_sample(file) and (why := _why_not(listing, file)):
            notes.append(
                f"{file} was not understood and is left out: {why}; expected the columns "
                f"{_COLUMNS} in UTF-8, lines ending with a line feed"
            )
    return notes


def to_severstal_csv(manifest: Manifest) -> str:
    """The CSV of a manifest: a row for every frame and class, empty where nothing of it shows.

    A second object of one class has a second row of the same name. Images are named by their
    path below `images/`. Raises ManifestError for a frame that nobody labelled, or with an
    object that shows and has no mask.
    """
    out = io.StringIO(newline="")
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(("ImageId_ClassId", "EncodedPixels"))
    for frame in sorted(manifest.frames, key=lambda f: f.image):
        for name in manifest.classes:
            key = f"{frame.image.removeprefix('images/')}_{name}"
            lines.writerows((key, text) for text in _texts(frame, name) or [""])
    return out.getvalue()


def runs_of(mask: NDArray[np.bool_]) -> str:
    """The runs of an (H, W) mask.

    >>> runs_of(np.array([[True, False], [True, True]]))
    '1 2 4 1'
    """
    height = len(mask)
    shown = np.flatnonzero(mask.any(axis=0))
    if not len(shown):
        return ""
    left, right = shown[0], shown[-1] + 1  # turning columns into rows is what costs
    flat = np.zeros((right - left) * height + 2, bool)
    flat[1:-1].reshape(right - left, height)[:] = mask[:, left:right].T
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + left * height
    edges[1::2] -= edges[::2]
    edges[::2] += 1
    return " ".join(map(str, edges.tolist()))


def code_of(text: str, width: int, height: int) -> dict[str, Any]:
    """COCO's code of runs, which count the same way; raises Wrong."""
    pairs = _pairs(text)
    if not len(pairs):
        return rle.from_runs((height, width), [width * height])
    firsts, ends = pairs[:, 0] - 1, pairs.sum(1) - 1
    gaps = firsts - np.append(0, ends[:-1])
    if (wrong := np.flatnonzero(gaps < 0)).size:
        first, length = pairs[wrong[0]]
        raise Wrong(
            f"EncodedPixels: expected sorted runs and no pixel twice, got {first} {length} "
            f"after pixel {ends[wrong[0] - 1]}"
        )
    end = int(ends[-1])
    if end > width * height:
        raise Wrong(
            f"EncodedPixels: reaches pixel {end}, but {width} x {height} = {width * height}"
        )
    apart = gaps[1:] > 0  # where two runs touch, COCO has one
    bounds = np.stack([firsts[np.append(True, apart)], ends[np.append(apart, True)]], axis=1)
    runs = np.diff(bounds.ravel(), prepend=0).tolist()
    rest = width * height - end
    return rle.from_runs((height, width), [*runs, rest] if rest else runs)


def _pairs(text: str) -> IntArray:
    """(N, 2): first pixel and length of every run, each from 1; raises Wrong."""
    if _PLAIN.fullmatch(text):
        numbers = np.fromstring(text, np.int64, sep=" ")  # ten times as fast as word by word
    else:
        words = [whole(word, "EncodedPixels", 1) for word in text.split()]
        numbers = np.array([min(word, _BEYOND) for word in words], np.int64)
    if len(numbers) % 2:
        raise Wrong(f"EncodedPixels: expected pairs of first pixel and length, got {len(numbers)}")
    return numbers.reshape(-1, 2)


def _tables(listing: Listing) -> tuple[str, ...]:
    """The CSV files with runs; a sample of what to hand in is no label."""
    found = []
    for file in _candidates(listing):
        columns = columns_of(listing.root, file)
        names = {"imageid_classid"} <= {*columns} or {"imageid", "classid"} <= {*columns}
        if names and "encodedpixels" in columns and not _is_sample(file):
            found.append(file)
    return tuple(found)


def _candidates(listing: Listing) -> list[str]:
    return sorted(listing.ending(".csv"), key=lambda f: (f.count("/"), f))[:_LOOKED_AT]


def _is_sample(file: str) -> bool:
    return file.rpartition("/")[2].lower().startswith("sample_submission")


def _why_not(listing: Listing, file: str) -> str:
    """Why a table of runs is none that is read; empty where it is about something else."""
    try:
        with (listing.root / file).open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError:
        return ""
    is_wide = b"\0" in head  # every other byte of plain letters in UTF-16
    text = head.replace(b"\0", b"").decode("utf-8", "replace").lower()
    lines = text.splitlines()
    if not lines or "encodedpixels" not in lines[0]:
        return ""
    if is_wide:
        return "it is in UTF-16"
    if "\n" not in text and "\r" in text:
        return "its lines end with a bare carriage return"
    columns = columns_of(listing.root, file)
    if "encodedpixels" in columns and "imageid" in columns:
        return "it has no column ClassId, so nothing says what its masks show"
    return f"its columns are {', '.join(columns)[:_HEAD_SHOWN]}"


def _by_image(file: str, rows: list[tuple[int, Row]], faults: list[Fault]) -> dict[str, _Rows]:
    found: dict[str, _Rows] = {}
    for line, given in rows:
        row = {column.lower(): value for column, value in given.items()}
        image, name = row.get("imageid", ""), row.get("classid", "")
        if "imageid_classid" in row:
            both = _IMAGE_CLASS.fullmatch(row["imageid_classid"])
            if both is None:
                text = f"ImageId_ClassId: expected such as a.jpg_1, got {row['imageid_classid']!r}"
                faults.append(Fault(file, line, text))
                continue
            image, name = both["image"], both["name"]
        if not image:
            faults.append(Fault(file, line, "ImageId: expected the name of a picture, got nothing"))
            continue
        found.setdefault(image, []).append((line, name, row["encodedpixels"]))
    return found


def _item(listing: Listing, picture: str, file: str, rows: _Rows) -> Item:
    objects: list[Thing] = []
    faults: list[Fault] = []
    size: tuple[int, int] | None = None
    seen: set[tuple[str, str]] = set()
    for line, name, text in rows:
        if not text:
            continue
        try:
            if not name:
                raise Wrong("ClassId: expected a class, got nothing")
            if (name, text) in seen:
                raise Wrong(f"class {name!r} with the same pixels is there twice")
            seen.add((name, text))
            size = size or stored_size(listing.root / picture)
            objects.append(Thing(name, rle=code_of(text, *size), line=line))
        except Wrong as error:
            faults.append(Fault(file, line, f"{picture}: {error}"))
    return Item(picture, file, split_of(picture), tuple(objects), faults=tuple(faults))


def _texts(frame: Frame, name: str) -> list[str]:
    if frame.objects is None:
        raise ManifestError(f"{frame.image}: nobody labelled it, so there are no masks")
    shown = [note for note in frame.objects if note.class_name == name]
    if any(note.mask is None and note.box_xyxy is not None for note in shown):
        raise ManifestError(f"{frame.image}: an object has no mask")
    return [runs_of(rle.decode(note.mask)) for note in shown if note.mask is not None]
