"""SOURCE, whatever it is → what a reader says of it.

In: a folder, an archive, one picture or one video. Out: a listing, and the reading of its
labels with the format's name and why it was taken.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from vqc.errors import InputError
from vqc.formats.readers import reader, recognise
from vqc.formats.severstal import not_understood
from vqc.formats.source import IMAGE_SUFFIXES, SPLITS, Listing, Reading, list_source
from vqc.intake import archive, video
from vqc.intake.request import Recipe
from vqc.types import Fault, Progress

_UNREAD = (
    ".gif", ".avif", ".jxl", ".jp2", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf",
    ".rw2", ".mpg", ".mpeg", ".mts", ".wmv", ".3gp", ".flv", ".zip", ".tar", ".tgz", ".gz",
    ".bz2", ".xz", ".7z", ".rar",
)  # fmt: skip
_NO_FILE = (
    "a linked folder, a link to nothing or a device, which is not read: put the files "
    "themselves there"
)

Stage = Callable[[str, str], AbstractContextManager[Progress]]
"""What is being done, and in which unit it counts → `update(done, total)`."""


@dataclass(frozen=True, slots=True)
class Found:
    """A source that was read.

    format, why: the reader, and what made it the right one. videos: path below the root →
    SHA-256. prefix: the archive's single top folder, which paths in messages begin with.
    """

    root: Path
    format: str
    why: str
    reading: Reading
    videos: Mapping[str, str]
    prefix: str = ""


@contextlib.contextmanager
def silent(what: str, unit: str) -> Iterator[Progress]:
    """A stage that nobody watches."""
    yield lambda done, total: None


def listed(source: Path, work: Path, stage: Stage) -> tuple[Listing, str]:
    """The files of a source, and the top folder of an archive that was stepped into.

    work: an archive is unpacked below it. Raises InputError.
    """
    if source.is_dir():
        try:
            return list_source(source), ""
        except OSError as error:
            raise InputError(f"{error.filename}: cannot be read: {error.strerror}") from None
    if not source.is_file():
        raise InputError(f"{source}: there is no such folder or file")
    if source.suffix.lower() in (*IMAGE_SUFFIXES, *video.VIDEO_SUFFIXES):
        return Listing(source.parent, (source.name,)), ""
    if not archive.is_archive(source):
        raise InputError(
            f"{source}: expected a folder, an archive (zip or tar), a picture or a video"
        )
    root, prefix = work / "source", ""
    with stage(f"unpack {source.name}", "bytes") as update:
        archive.unpack(source, root, on_progress=update)
    listing = list_source(root)
    tops = {file.partition("/")[0] for file in listing.files}
    is_wrapped = len(tops) == 1 and all("/" in file for file in listing.files)
    if is_wrapped and not {top.lower() for top in tops} & SPLITS.keys():
        prefix = tops.pop()
        listing = list_source(root / prefix)
    return listing, prefix


def found_in(source: Path, recipe: Recipe, work: Path, stage: Stage) -> Found:
    """Read a source, in the format asked for or else recognised. Raises InputError.

    Videos carry no labels, so they go together with pictures that carry none either.
    """
    listing, prefix = listed(source, work, stage)
    files = listing.ending(*video.VIDEO_SUFFIXES)
    videos = {file: _sha256(listing.root / file) for file in files}
    unread = _unread(listing)
    if not listing.images and not files:
        raise InputError("; ".join([f"{source}: no picture and no video inside", *unread]))
    try:
        name, why, reading = _read(listing, recipe, len(files))
    except InputError as error:  # where an archive was unpacked to is nobody's business
        text = str(error).replace(str(listing.root), str(source))
        raise InputError(text if str(source) in text else f"{source}: {text}") from None
    faults = (*reading.faults, *(Fault(file, None, _NO_FILE) for file in listing.others))
    notes = (*reading.notes, *unread, *not_understood(listing))
    reading = replace(reading, faults=faults, notes=notes)
    if videos and any(i.objects or i.masks or i.label or i.condition for i in reading.items):
        raise InputError(
            f"{source}: labelled pictures ({name}: {why}) and {len(videos)} videos, which have no "
            f"labels, such as {files[0]}: take them in as two sets"
        )
    return Found(listing.root, name, why, reading, videos, prefix)


def _read(listing: Listing, recipe: Recipe, videos: int) -> tuple[str, str, Reading]:
    """Format, why, and what its reader says; videos alone are as pictures without labels."""
    if not listing.images:
        return "images", f"{videos} videos and no pictures", Reading(())
    name, why = recipe.format, "asked for with --format"
    if not name:
        name, why = recognise(listing, recipe.session == "folder")
    return name, why, reader(name).read(listing, unlabelled_is_empty=recipe.background)


def _unread(listing: Listing) -> list[str]:
    """A note where there are pictures, videos or archives of kinds that are not read."""
    found = listing.ending(*_UNREAD)
    if not found:
        return []
    text = "of a kind that is not read, such as"
    return [f"{len(found)} files {text} {found[0]}: convert or unpack them, or they are left out"]


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
