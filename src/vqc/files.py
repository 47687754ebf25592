"""Files appear whole or not at all, whatever interrupts their writer; links instead of copies.

And folders that one command at a time works on.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from vqc.errors import BusyError, OutputError

LOCK = ".lock"
"""The file in a folder that is held."""


def replace_file(path: Path, data: bytes, scratch: Path | None = None) -> None:
    """Write under a temporary name in `scratch`, by default beside the file, then rename.

    scratch: a folder of the same file system, where what a killed writer leaves does no harm.
    Missing folders are made. Raises OSError, and then leaves nothing.
    """
    temporary = (scratch or path.parent) / f".{path.name}.{uuid.uuid4().hex}.tmp"
    try:
        try:
            temporary.write_bytes(data)
            os.replace(temporary, path)
        except FileNotFoundError:  # a folder is not there yet, or another command tidied it up
            temporary.parent.mkdir(parents=True, exist_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(data)
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def held(folder: Path, busy: str) -> Iterator[None]:
    """Hold a folder, made where it is not there; one command at a time has it.

    The lock is the system's own and goes with the process, however that ends. busy: what to
    tell the user where another command holds it, raised as BusyError. Raises OutputError where
    the folder cannot be written, or lies where nothing can be locked.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("a")
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror or error}") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(busy) from None
        except OSError as error:
            raise OutputError(f"{folder}: cannot be locked: {error.strerror or error}") from None
        yield


def link_file(source: str | Path, target: str | Path) -> str:
    """Link a file, or copy it where no link is possible; returns which of these it was.

    The target's folder is there. A symbolic link is relative, so both may be moved together.
    Raises OSError, FileNotFoundError where there is no source.
    """
    failure = OSError()
    for name, place in _WAYS:
        try:
            place(source, target)
            return name
        except (FileNotFoundError, FileExistsError):  # a copy would write into what is linked
            raise
        except OSError as error:
            failure = error
    raise failure


def _symlink(source: str | Path, target: str | Path) -> None:
    os.stat(source)  # a link to nothing would be made without complaint
    parent = os.path.realpath(os.path.dirname(target))
    os.symlink(os.path.relpath(os.path.realpath(source), parent), target)


_WAYS: tuple[tuple[str, Callable[[str | Path, str | Path], object]], ...] = (
    ("hard links", os.link),
    ("symbolic links", _symlink),
    ("copies", shutil.copyfile),
)
