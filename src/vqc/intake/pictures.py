"""One picture of a source → its file in the set and its frame, or what is wrong with it.

Runs on threads: everything that it imports or prepares was loaded before.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vqc.contract import is_text
from vqc.formats.source import Item, stem
from vqc.intake.classes import ClassNames
from vqc.intake.labels import Size, place_labels
from vqc.intake.marks import Marks
from vqc.intake.picture import Picture, open_picture
from vqc.intake.place import put
from vqc.intake.request import Recipe
from vqc.types import Fault, Frame

_LONGEST_SLUG = 80
NO_TEXT = "a name that is no plain text: rename the file or its folder"


@dataclass(frozen=True, slots=True)
class Job:
    """One picture to take in. index: for good. former: its frame, where the set has it."""

    item: Item
    index: int
    session: str | None
    former: Frame | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a picture, or of a frame of a video.

    frame: None where it has faults. sha256: of the source's bytes, None where they cannot
    be read. odd_size, is_raw: see `Labels`.
    """

    file: str
    index: int
    frame: Frame | None
    faults: tuple[Fault, ...] = ()
    sha256: str | None = None
    former: Frame | None = None
    odd_size: Size | None = None
    is_raw: bool | None = None
    turned: bool = False
    shrunk: bool = False
    converted: bool = False


@dataclass(frozen=True, slots=True)
class Taker:
    """root: the source. made: where the set is built; None: nothing is written.

    there: the folder of the former set, whose pictures are linked over.
    """

    root: Path
    recipe: Recipe
    names: ClassNames
    marks: Marks
    made: Path | None
    there: Path

    def take(self, job: Job, is_raw: bool = False) -> Taken:
        """One picture; may be called again. is_raw: see `place_labels`.

        Raises OSError only where the set cannot be written.
        """
        item, path = job.item, self.root / job.item.file
        try:
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            fault = Fault(item.file, None, f"cannot be read: {error.strerror or error}")
            return _faulty(job, item.faults or (fault,))
        picture = _known(job.former, sha256) or self._opened(path)
        faults = list(item.faults)
        if not is_text(item.file):
            faults.append(Fault(ascii(item.file)[1:-1], None, NO_TEXT))
        masks, wrong = self.marks.of(item)
        faults += wrong
        if isinstance(picture, str):
            faults.append(Fault(item.file, None, picture))
            return _faulty(job, faults, sha256)
        labels = place_labels(item, masks, picture, self.names, is_raw, self.marks.are_defects)
        faults += labels.faults
        if faults or job.session is None:
            return _faulty(job, faults, sha256)
        frame = Frame(
            image=image_path(job.index, item.file, picture.suffix),
            sha256=picture.sha256,
            phash=picture.phash,
            width=picture.width,
            height=picture.height,
            source=self.recipe.source,
            session=job.session,
            simulated=self.recipe.simulated,
            split=self.recipe.split or item.split,
            label=None if item.label is None else self.names.of(item.label),
            condition=labels.condition,
            objects=labels.objects,
            extra={"file": item.file},
        )
        self._put(frame, path, picture, job.former)
        shrunk = (picture.width, picture.height) != picture.shown_size
        return Taken(
            item.file,
            job.index,
            frame,
            sha256=sha256,
            former=job.former,
            odd_size=labels.odd_size,
            is_raw=labels.is_raw,
            turned=picture.orientation != 1,
            shrunk=shrunk,
            converted=picture.data is not None and picture.orientation == 1 and not shrunk,
        )

    def _opened(self, path: Path) -> Picture | str:
        return open_picture(path, self.recipe.max_side, self.recipe.max_pixels)

    def _put(self, frame: Frame, path: Path, picture: Picture, former: Frame | None) -> None:
        if self.made is None:
            return
        if former is not None and former.image == frame.image:
            put(self.made / frame.image, self.there / former.image, may_link=True)
        else:
            put(self.made / frame.image, path if picture.data is None else picture.data)


def _faulty(job: Job, faults: Iterable[Fault], sha256: str | None = None) -> Taken:
    return Taken(job.item.file, job.index, None, tuple(faults), sha256, job.former)


def image_path(index: int, file: str, suffix: str) -> str:
    """Where a picture lies in the set.

    >>> image_path(1017, "new/Photo (3).JPG", ".jpg")
    'images/001/Photo__3__001017.jpg'
    """
    name = stem(file).rpartition("/")[2]
    slug = re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".")[:_LONGEST_SLUG] or "picture"
    return f"images/{index // 1000:03d}/{slug}_{index:06d}{suffix}"


def index_of(image: str) -> int:
    """The index in a picture's path in the set.

    >>> index_of("images/001/Photo__3__001017.jpg")
    1017
    """
    return int(stem(image).rpartition("_")[2])


def _known(former: Frame | None, sha256: str) -> Picture | None:
    """What is known of a picture that the set holds byte for byte: so it was never turned."""
    if former is None or former.sha256 != sha256:
        return None
    size = (former.width, former.height)
    suffix = Path(former.image).suffix
    return Picture(None, suffix, sha256, former.phash, *size, raw_size=size, orientation=1)
