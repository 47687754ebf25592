"""The members of an archive that nobody vouches for → a folder of plain files.

In: a zip or tar file, recognised by its content. Out: its members below a folder; or every
member that has no business there, and then nothing at all. What is written is counted.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vqc.errors import InputError, OutputError
from vqc.intake.members import Member, Room, content_of, kind_of, members_of, open_archive
from vqc.types import Progress

_MAX_NAME_BYTES, _MAX_PATH_BYTES, _MAX_DEPTH = 255, 1000, 50
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may unpack to.

    max_bytes: None for 100 times the archive's size and 1 GB. max_members: files and folders.
    Nine tenths of the free disk are a limit in any case.
    """

    max_bytes: int | None = None
    max_members: int = 1_000_000


def is_archive(path: Path) -> bool:
    """Whether the content is an archive's, also of a kind that `unpack` only knows by name."""
    return kind_of(path) is not None


def unpack(
    archive: Path,
    into: Path,
    limits: Limits = Limits(),
    on_progress: Progress = lambda done, total: None,
) -> None:
    """Unpack into a folder, which appears whole or not at all.

    into: must not be there yet, or be empty; its parent must be there. on_progress: bytes of
    the archive done, bytes of the archive. Archives inside stay as they are; modes and times
    of the members are not taken over. Raises InputError where the archive is damaged or too
    large, or with every member that is a link, a device or encrypted, leads out of the
    folder, is there twice or has no usable name; OutputError where `into` is not empty, and
    OSError where nothing can be written.
    """
    kind = kind_of(archive)
    if kind not in ("zip", "tar"):
        raise InputError(
            f"{archive}: expected a zip, tar, tar.gz, tar.bz2 or tar.xz file, got "
            f"{kind or 'something else'}; unpack it yourself and give the folder"
        )
    if into.exists() and not (into.is_dir() and not any(into.iterdir())):
        raise OutputError(f"{into}: expected no such folder yet, or an empty one")
    size = archive.stat().st_size
    wanted = 100 * size + 10**9 if limits.max_bytes is None else limits.max_bytes
    free = shutil.disk_usage(into.parent).free * 9 // 10
    room = Room(archive, min(wanted, free), limits.max_members)
    with (
        tempfile.TemporaryDirectory(".tmp", f".{into.name}.", into.parent) as scratch,
        open_archive(room) as file,
    ):
        folder = _Folder(Path(scratch, "files"), room)
        for member in members_of(file, kind, room):
            for _ in folder.add(member):
                on_progress(min(file.tell(), size), size)
        folder.require_sound()
        on_progress(size, size)
        os.replace(folder.root, into)


class _Folder:
    """Where members are written; gathers their faults, and writes nothing after the first."""

    def __init__(self, root: Path, room: Room) -> None:
        root.mkdir()
        self.root, self._room = root, room
        self._files: set[str] = set()
        self._folders: set[str] = set()
        self._faults: list[str] = []
        self._written = 0

    def add(self, member: Member) -> Iterator[None]:
        """Write a member; comes back after each piece of it."""
        parts = [part for part in member.name.split("/") if part not in ("", ".")]
        path, is_file = "/".join(parts), member.open is not None
        above = ["/".join(parts[: n + 1]) for n in range(len(parts) - is_file)]
        fault = member.fault or _name_fault(member.name) or self._clash(path, above, is_file)
        if fault:
            self._faults.append(f"{member.name[:200]!a}: {fault}")
        else:
            self._folders.update(above)
            self._files |= {path} if is_file else set()
        self._room.require_members(len(self._files) + len(self._folders) + len(self._faults))
        if self._faults:
            return
        (self.root / Path(*above[-1:])).mkdir(parents=True, exist_ok=True)
        if is_file:
            with (self.root / path).open("xb") as out:
                for piece in content_of(member, self._room.archive):
                    self._written += len(piece)
                    self._room.require_bytes(self._written)
                    out.write(piece)
                    yield

    def require_sound(self) -> None:
        """Raise InputError with all faults."""
        if self._faults:
            shown, rest = self._faults[:_SHOWN], len(self._faults) - _SHOWN
            more = [f"and {rest} more"] if rest > 0 else []
            first = f"{self._room.archive}: nothing was unpacked because of"
            raise InputError("\n  ".join([first, *shown, *more]))

    def _clash(self, path: str, above: list[str], is_file: bool) -> str | None:
        if is_file and not path:
            return "has no name"
        if is_file and path in self._files:
            return "is there twice"
        if (is_file and path in self._folders) or not self._files.isdisjoint(above):
            return "is a file and a folder at once"
        return None


def _name_fault(name: str) -> str | None:
    parts = name.split("/")
    if name.startswith("/") or re.match("[A-Za-z]:", name):
        return "its name is absolute"
    if ".." in parts:
        return "leads out of the folder"
    if "\\" in name:
        return "has a backslash in its name"
    if any(ord(c) < 32 or 127 <= ord(c) < 160 for c in name):
        return "has control characters in its name"
    try:
        longest, whole = max(len(part.encode()) for part in parts), len(name.encode())
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    if longest > _MAX_NAME_BYTES or whole > _MAX_PATH_BYTES or len(parts) > _MAX_DEPTH:
        return (
            f"its name is too long: {longest} bytes ({whole} with its {len(parts) - 1} folders), "
            f"at most {_MAX_NAME_BYTES} ({_MAX_PATH_BYTES} with {_MAX_DEPTH - 1} folders)"
        )
    return None
