"""Frames of many sets as columns, which is what draws are made from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from vqc.errors import ManifestError
from vqc.manifest import FILE_NAME
from vqc.types import Parent

Rows = NDArray[np.int64]
"""Numbers of frames in a pool."""

CAD, REAL, SIMULATED = range(3)
KIND_NAMES = ("cad", "real", "simulated")
SPLITS = ("train", "val", "test")
LABELLED, EMPTY, UNLABELLED, HIDDEN, WHOLE, GOOD, DEFECT = range(7)
"""GOOD, DEFECT: a condition is all that is known of the picture, as in folders good/ and crack/."""
STATE_NAMES = (
    "labelled", "background", "nobody labelled it", "no object shows clearly", "", "good", ""
)  # fmt: skip


class Thing(msgspec.Struct, gc=False):
    """What a draw and a label file need of an object; as in docs/format.md."""

    class_name: str = msgspec.field(name="class")
    box: tuple[float, float, float, float] | None
    amodal_box: tuple[float, float, float, float] | None = None
    instance: int | None = None
    visibility: float | None = None

    def is_clear(self, min_visibility: float) -> bool:
        """Whether enough of it shows; unknown visibility is enough."""
        return self.visibility is None or self.visibility >= min_visibility


@dataclass(frozen=True, slots=True)
class Source:
    """One set that frames may be drawn from.

    parent: its name and the hash of its manifest. prefix: what its pictures' names begin
    with: the set's name, and before it the kind where renders and photos share one. flat:
    whether the names of its images differ without their folders and suffixes too.
    """

    folder: Path
    kind: str
    parent: Parent
    prefix: str
    frames: int
    flat: bool


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Frames of several sets; entry i of every (N,) array is frame i.

    classes, sessions: names; numbers in the arrays are places in these. A defect of which
        nothing but its name is known counts as a class in draws, and is none in labels.
    source, offset, length: which set, and where its line begins and how long it is, in bytes.
    kind: CAD, REAL or SIMULATED. split: place in SPLITS, or -1.
    state: labelled, empty, unlabelled, without any object that shows clearly enough, labelled
        as a whole, or good or defect without more.
    shown_at (N + 1,), shown: frame i shows classes shown[shown_at[i]:shown_at[i + 1]].
    primary: the class of the largest clear box, or of the whole picture, or the defect; -1
        where none.
    sha256: (N, 4) uint64. phash: uint64.
    """

    sources: tuple[Source, ...]
    classes: tuple[str, ...]
    sessions: tuple[str, ...]
    source: NDArray[np.int32]
    offset: NDArray[np.int64]
    length: NDArray[np.int64]
    kind: NDArray[np.int8]
    session: NDArray[np.int32]
    split: NDArray[np.int8]
    state: NDArray[np.int8]
    shown_at: NDArray[np.int64]
    shown: NDArray[np.int32]
    primary: NDArray[np.int32]
    sha256: NDArray[np.uint64]
    phash: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def is_photo(self) -> NDArray[np.bool_]:
        """Photos, and renders that stand in for them."""
        return np.asarray(self.kind != CAD)

    @property
    def is_render_to_train(self) -> NDArray[np.bool_]:
        """Labelled renders that nobody set aside for val or test."""
        free = (self.split == -1) | (self.split == SPLITS.index("train"))
        return np.asarray(~self.is_photo & self.is_labelled & free)

    @property
    def is_background(self) -> NDArray[np.bool_]:
        """Somebody looked, and there is nothing, or nothing wrong."""
        return np.asarray((self.state == EMPTY) | (self.state == GOOD))

    @property
    def is_labelled(self) -> NDArray[np.bool_]:
        """Shows at least one class, or a defect."""
        return np.asarray(np.isin(self.state, (LABELLED, WHOLE, DEFECT)))

    @property
    def is_usable(self) -> NDArray[np.bool_]:
        """Somebody looked, and what is there shows clearly."""
        return np.asarray(self.is_labelled | self.is_background)

    @property
    def is_whole(self) -> NDArray[np.bool_]:
        """Class or condition are those of the whole picture, and nobody marked where."""
        return np.asarray(np.isin(self.state, (WHOLE, GOOD, DEFECT)))

    @property
    def is_unlabelled(self) -> NDArray[np.bool_]:
        """Photos of which nobody said anything."""
        return np.asarray(self.is_photo & (self.state == UNLABELLED))

    def classes_of(self, row: int) -> NDArray[np.int32]:
        """The classes that a frame shows."""
        return self.shown[self.shown_at[row] : self.shown_at[row + 1]]

    def rows_of_class(self, rows: Rows) -> list[Rows]:
        """For every class those of the rows that show it, in the rows' order."""
        counts = np.diff(self.shown_at)[rows]
        owner = np.repeat(rows, counts)
        first = np.repeat(self.shown_at[rows], counts)
        step = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        shown = self.shown[first + step]
        return [owner[shown == number] for number in range(len(self.classes))]

    @property
    def classes_there(self) -> list[int]:
        """Classes that some frame shows; no defects of which only the name is known."""
        return self._shown(~self._is_by_condition)

    @property
    def conditions_there(self) -> list[int]:
        """Defects of which some frame has the name and nothing else, and that are no classes."""
        return sorted({*self._shown(self._is_by_condition)} - {*self.classes_there})

    @property
    def _is_by_condition(self) -> NDArray[np.bool_]:
        """(len(shown),) whether an entry of `shown` is a frame's condition."""
        return np.repeat(self.state == DEFECT, np.diff(self.shown_at))

    def _shown(self, which: NDArray[np.bool_]) -> list[int]:
        seen: list[int] = np.unique(self.shown[which]).tolist()
        return seen

    @property
    def classes_by_name(self) -> list[int]:
        """All classes in the order of their names, which no set's name can change."""
        return sorted(range(len(self.classes)), key=self.classes.__getitem__)

    def images(self, rows: Rows) -> Iterator[tuple[int, str]]:
        """Every row with the set and path of its picture, for people to read."""
        for row, line in self.lines(np.unique(rows)):
            name = self.sources[self.source[row]].prefix
            yield row, f"{name}/{json.loads(line)['image']}"

    def lines(self, rows: Rows) -> Iterator[tuple[int, bytes]]:
        """Every row with its line, set by set in the order of the file.

        Raises ManifestError where another command changed a manifest meanwhile.
        """
        for number, source in enumerate(self.sources):
            mine = np.sort(rows[self.source[rows] == number])
            if len(mine):
                with (source.folder / FILE_NAME).open("rb") as file:
                    for row in mine:
                        file.seek(self.offset[row])
                        line = file.read(self.length[row])
                        if self.sha256[row].astype(">u8").tobytes().hex().encode() not in line:
                            raise ManifestError(
                                f"{source.folder}: was changed while it was read; give the "
                                "command once more"
                            )
                        yield int(row), line
