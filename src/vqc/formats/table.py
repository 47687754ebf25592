"""Tables as CSV: rows with their lines, and the row about each picture of a source."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from vqc.formats.source import Listing, Reading, stem, text_of
from vqc.types import Fault

NAMING = (
    "image", "file", "filename", "file_name", "image_id", "imageid", "path", "name", "stem", "id",
)  # fmt: skip
"""Columns that may name a picture, in lower case, the surest first."""

_LONGEST_FIELD = 2**31 - 1

Row = dict[str, str]


def read_table(root: Path, file: str) -> tuple[list[tuple[int, Row]], list[Fault]]:
    """The rows of a CSV file, each with its line, and the faults of those left out.

    The first line names the columns. Commas part them, or semicolons where it has only these.
    """
    text = text_of(root, file)
    if isinstance(text, Fault):
        return [], [text]
    head = text.partition("\n")[0]
    csv.field_size_limit(_LONGEST_FIELD)
    lines = csv.reader(io.StringIO(text, ""), delimiter=";" if "," not in head else ",")
    rows: list[tuple[int, Row]] = []
    faults: list[Fault] = []
    try:
        columns = [name.strip() for name in next(lines, [])]
        for fields in lines:
            if len(fields) == len(columns):
                values = (field.strip() for field in fields)
                rows.append((lines.line_num, dict(zip(columns, values, strict=True))))
            elif fields:
                message = f"expected {len(columns)} columns ({','.join(columns)}), "
                faults.append(Fault(file, lines.line_num, f"{message}got {len(fields)}"))
    except csv.Error as error:
        faults.append(Fault(file, lines.line_num, f"no CSV: {error}"))
    return rows, faults


def columns_of(root: Path, file: str) -> tuple[str, ...]:
    """The column names of a CSV file, in lower case; only its beginning is read."""
    try:
        with (root / file).open("rb") as stream:
            head = stream.readline(4096).decode("utf-8-sig", "replace").strip()
    except OSError:
        return ()
    parted = head.split(";" if "," not in head else ",")
    return tuple(name.strip().strip('"').lower() for name in parted)


def rows_of(listing: Listing, pictures: Iterable[str]) -> tuple[dict[str, Row], tuple[Fault, ...]]:
    """The row of `index.csv`, at the source's root, about each picture.

    pictures: those that may be meant; masks of the same names would make them ambiguous.
    A column out of NAMING holds the picture's path, name, or name without suffix. Pictures
    without a row are not in the result. Faults: rows that cannot be told apart.
    """
    if "index.csv" not in listing.files:
        return {}, ()
    rows, faults = read_table(listing.root, "index.csv")
    by_name = _by_every_name(pictures)
    column = _naming_column(rows, by_name)
    if column is None:
        return {}, tuple(faults)
    found: dict[str, Row] = {}
    for line, row in rows:
        named = by_name.get(row[column], ())
        if len(named) > 1:
            text = f"{column} {row[column]!r} may be {named[0]} or {named[1]}: give the whole path"
            faults.append(Fault("index.csv", line, text))
        elif named and named[0] in found:
            text = f"a second row for {named[0]}: keep one"
            faults.append(Fault("index.csv", line, text))
        elif named:
            found[named[0]] = row
    return found, tuple(faults)


def with_rows(reading: Reading, rows: Mapping[str, Row]) -> Reading:
    """The same reading, each item with its row."""
    items = (replace(item, row=rows.get(item.file, {})) for item in reading.items)
    return replace(reading, items=tuple(items))


def _by_every_name(pictures: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for file in pictures:
        name = file.rpartition("/")[2]
        for key in {file, stem(file), name, stem(name)}:
            found.setdefault(key, []).append(file)
    return found


def _naming_column(rows: list[tuple[int, Row]], by_name: dict[str, list[str]]) -> str | None:
    """The first column by NAMING of which some value names a picture."""
    if not rows:
        return None
    known = {column.lower(): column for column in rows[0][1]}
    fitting = (known[name] for name in NAMING if name in known)
    return next((c for c in fitting if any(row[c] in by_name for _, row in rows)), None)
