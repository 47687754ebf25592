"""Answers as rows → a CSV file, for tasks that give rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from vqc.errors import InputError
from vqc.tasks.contract import Row


class Table:
    """A file that is filled row by row; the keys of the first row are its columns."""

    def __init__(self, path: Path, task: str) -> None:
        """Raises OSError. task: its name, for whoever has to mend it."""
        self._task, self._file = task, path.open("wb")
        self._columns: list[str] = []

    def add(self, image: str, rows: Sequence[Row]) -> None:
        """Rows of one picture, as many as its task gives.

        Raises OSError, and InputError where a row has other keys than the first one.
        """
        if rows and not self._columns:
            self._columns = list(rows[0])
            self._write([self._columns])
        for row in rows:
            if set(row) != set(self._columns):
                raise InputError(
                    f"task {self._task}: rows() gave for {image} the columns {', '.join(row)}; "
                    f"expected {', '.join(self._columns)}, as in its first row"
                )
        self._write([[row[column] for column in self._columns] for row in rows])
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def _write(self, lines: Sequence[Sequence[str | float]]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(lines)
        # Bytes of a file's name that are no text, as in the records.
        self._file.write(text.getvalue().encode(errors="backslashreplace"))
