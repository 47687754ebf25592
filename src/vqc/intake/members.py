"""A zip or tar file that nobody vouches for → its members, one after another.

In: a path. Out: names, why a member's kind may not be unpacked, and contents.

Headers are not believed: tar files are read forward only and counted, and what names and
headers may take of the memory is bounded before they are taken apart.
"""

from __future__ import annotations

import bz2
import gzip
import io
import itertools
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar, cast

from vqc.errors import InputError

T = TypeVar("T")

CHUNK = 2**20
_MAX_TAR_HEADER, _MAX_ZIP_HEADER = 2**20, 512  # bytes a member
_PACKERS: dict[bytes, Any] = {
    b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open,
}  # fmt: skip
_NOT_READ = {b"\x28\xb5\x2f\xfd": "zst", b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!\x1a\x07": "rar"}
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


@dataclass(frozen=True, slots=True)
class Member:
    """open: gives the content; None for a folder. fault: why its kind may not be unpacked."""

    name: str
    open: Callable[[], IO[bytes]] | None
    fault: str | None


@dataclass(frozen=True, slots=True)
class Room:
    """How much an archive may unpack to."""

    archive: Path
    max_bytes: int
    max_members: int

    def require_bytes(self, size: int) -> None:
        """Raise InputError where so many bytes are too many."""
        if size > self.max_bytes:
            raise InputError(
                f"{self.archive}: unpacks to more than {self.max_bytes / 1e9:.3g} GB, which is "
                "what an archive of its size may take and the disk has free; if you trust it, "
                "unpack it yourself and give the folder"
            )

    def require_members(self, count: int) -> None:
        """Raise InputError where so many files and folders are too many."""
        if count > self.max_members:
            raise InputError(
                f"{self.archive}: has more than {self.max_members} files and folders; if you "
                "trust it, unpack it yourself and give the folder"
            )


def kind_of(path: Path) -> str | None:
    """`zip`, `tar`, or the name of a kind that is not read; None where it is no archive."""
    try:
        with path.open("rb") as file:
            head = file.read(16)
            file.seek(0)
            if head.startswith((b"PK\3\4", b"PK\5\6")):
                return "zip"
            for magic, name in _NOT_READ.items():
                if head.startswith(magic):
                    return name
            return "tar" if _begins_as_tar(file, head) else None
    except OSError:
        return None


def open_archive(room: Room) -> io.BufferedReader:
    """The file, for `members_of`."""
    return _Counted(room)


def members_of(file: IO[bytes], kind: str, room: Room) -> Iterator[Member]:
    """Every member in the archive's order; raises InputError where it is damaged.

    The content of a member must be read before the next one is asked for.
    """
    return told(room.archive, (_zip_members if kind == "zip" else _tar_members)(file, room))


def content_of(member: Member, archive: Path) -> Iterator[bytes]:
    """Piece by piece; raises InputError where it is damaged."""
    return told(archive, _pieces(member))


def told(archive: Path, pieces: Iterator[T]) -> Iterator[T]:
    """The same pieces; whatever a reader raises on broken data becomes an InputError."""
    try:
        yield from pieces
    except InputError:
        raise
    except Exception as error:  # a decoder may raise anything on broken data
        why = str(error) or type(error).__name__
        raise InputError(f"{archive}: cannot be read, it is cut off or damaged: {why}") from None


def _pieces(member: Member) -> Iterator[bytes]:
    if member.open is not None:
        with member.open() as stream:
            while piece := stream.read(CHUNK):
                yield piece


class _Counted(io.BufferedReader):
    """A file that refuses to give more of a zip's directory than so many members need."""

    def __init__(self, room: Room) -> None:
        super().__init__(io.FileIO(room.archive))
        self._room = room

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > 2 * CHUNK:
            self._room.require_members(size // _MAX_ZIP_HEADER)
        data = super().read(size)
        if len(data) > 2 * CHUNK:
            self._room.require_members(data.count(b"PK\1\2"))
        return data


class _Forward:
    """What tarfile reads from: only goes forward, counts, and bounds the headers.

    header: bytes that the next header may still take; None while content is read.
    last: what the last reading gave.
    """

    def __init__(self, source: IO[bytes], room: Room) -> None:
        self._source, self._room, self._position = source, room, 0
        self.header: int | None = _MAX_TAR_HEADER
        self.last = b""

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> None:
        if position < self._position:
            raise ValueError("a header leads backwards")
        while self._position < position and self.take(min(CHUNK, position - self._position)):
            pass

    def read(self, size: int) -> bytes:
        if self.header is not None:
            self.header -= size
            if self.header < 0:
                raise ValueError(f"a header is longer than {_MAX_TAR_HEADER} bytes")
        return self.take(size)

    def take(self, size: int) -> bytes:
        self.last = self._source.read(size)
        self._position += len(self.last)
        self._room.require_bytes(self._position)
        return self.last


def _tar_members(file: IO[bytes], room: Room) -> Iterator[Member]:
    stream = _Forward(_unpacked(file, file.read(16)), room)
    source = cast(IO[bytes], stream)
    with tarfile.TarFile(fileobj=source, encoding="utf-8", errors="surrogateescape") as tar:
        while (info := tar.next()) is not None:
            if info.size < 0:
                raise ValueError("a size is negative")
            stream.header = None
            content = None if info.isdir() else cast(Any, partial(tar.extractfile, info))
            yield Member(info.name, content, _tar_fault(info))
            stream.header = _MAX_TAR_HEADER
            cast(Any, tar).members.clear()  # or every member would stay in memory
    if stream.last != bytes(tarfile.BLOCKSIZE):
        raise EOFError("its end is missing")
    while piece := stream.take(CHUNK):  # to the end: packers have their checksum there
        if piece.strip(b"\0"):
            raise ValueError("something follows behind its end")


def _zip_members(file: IO[bytes], room: Room) -> Iterator[Member]:
    with zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
        room.require_members(len(infos))
        room.require_bytes(sum(info.file_size for info in infos))
        overlapping = _overlapping(infos)
        for info in infos:
            name = info.orig_filename
            if not info.flag_bits & 0x800:  # not marked as UTF-8, which it may be all the same
                name = name.encode("cp437").decode("utf-8", "surrogateescape")
            is_folder = name.endswith("/") or stat.S_ISDIR(info.external_attr >> 16)
            fault = _zip_fault(info)
            if info.header_offset in overlapping:
                fault = "shares its bytes with another member, as in a zip bomb"
            yield Member(name, None if is_folder else partial(archive.open, info), fault)


def _overlapping(infos: list[zipfile.ZipInfo]) -> set[int]:
    """Offsets of members that begin before the one ahead of them ends."""
    ordered = sorted((info.header_offset, info.compress_size) for info in infos)
    return {b for (a, size), (b, _) in itertools.pairwise(ordered) if a + 30 + size > b}


def _zip_fault(info: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "is a link"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a device or a pipe"
    if info.flag_bits & 1:
        return "is encrypted"
    if info.compress_type not in _METHODS:
        return f"is packed by a method that is not read (number {info.compress_type})"
    return None


def _tar_fault(info: tarfile.TarInfo) -> str | None:
    if info.issym() or info.islnk():
        return "is a link"
    if info.isdev():
        return "is a device or a pipe"
    return None if info.isreg() or info.isdir() else f"is of an unknown kind ({info.type!a})"


def _begins_as_tar(file: IO[bytes], head: bytes) -> bool:
    try:
        block = _unpacked(file, head).read(tarfile.BLOCKSIZE)
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.TarError:
        return False
    except Exception:  # what does not unpack is a broken archive rather than none
        return head.startswith(tuple(_PACKERS))
    return True


def _unpacked(file: IO[bytes], head: bytes) -> IO[bytes]:
    """From its beginning, the tar inside of whatever it is packed with."""
    file.seek(0)
    for magic, packer in _PACKERS.items():
        if head.startswith(magic):
            return cast(IO[bytes], packer(file))
    return file
