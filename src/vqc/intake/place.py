"""Where a set of photos is made, and how it comes to its place: whole or not at all.

The set is built in a hidden folder beside its place and renamed. A set that is there already
stays until the new one is whole; the pictures that both share are linked over, not copied.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from vqc.errors import OutputError
from vqc.files import replace_file
from vqc.formats import yolo
from vqc.intake.request import Recipe
from vqc.manifest import CLASSES, RECIPE, write_manifest
from vqc.types import Manifest

_LOCK, _FORMER = "lock", "former"


@contextlib.contextmanager
def workplace(folder: Path, dry_run: bool) -> Iterator[Path]:
    """A hidden folder in the file system of the set's place, gone afterwards.

    One command at a time has it. What a killed one left in it is removed, and a set that was
    to be replaced just then is put back.
    dry_run: nothing is made but this folder, in the nearest folder that is there.
    Raises OutputError for whatever fails to be written inside, and where another command is
    making this set.
    """
    parent = folder.parent
    while dry_run and not parent.is_dir() and parent != parent.parent:
        parent = parent.parent
    work = parent / f".{folder.name}.intake.tmp"
    try:
        with _held(work, folder):
            _tidy(work, folder)
            try:
                yield work
            finally:
                _tidy(work, folder)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        advice = "free some space" if full else "check the place and its permissions"
        raise OutputError(
            f"{folder}: cannot be written: {error.strerror or error}; {advice}. Nothing was changed"
        ) from None


@contextlib.contextmanager
def _held(work: Path, folder: Path) -> Iterator[None]:
    """Have the folder alone; the system lets go of it when this process ends, however it does."""
    with _locked(work / _LOCK, folder):
        try:
            yield
        finally:
            (work / _LOCK).unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # another command has come in
                work.rmdir()


def _locked(path: Path, folder: Path) -> IO[str]:
    """The file, locked; made again where the command before removes it just now."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError), contextlib.ExitStack() as closing:
            file = closing.enter_context(path.open("a"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OutputError(
                    f"{folder}: another vqc intake is making this set; wait until it is done"
                ) from None
            except OSError:
                pass  # a file system without locks: nothing keeps two commands apart there
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                closing.pop_all()
                return file


def _tidy(work: Path, folder: Path) -> None:
    """Remove everything but the lock; a set that has lost its place gets it back."""
    if (work / _FORMER).is_dir() and not folder.exists():
        os.rename(work / _FORMER, folder)
    for path in work.iterdir():
        if path.name != _LOCK:
            shutil.rmtree(path, ignore_errors=True)


def put(target: Path, content: bytes | Path, may_link: bool = False) -> None:
    """Write a file of the set: the bytes, or those of another file, linked only if it may be."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        target.write_bytes(content)
        return
    if may_link:
        target.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            target.hardlink_to(content)
            return
    shutil.copyfile(content, target)


def finish(work: Path, folder: Path, manifest: Manifest, recipe: Recipe) -> None:
    """Write all but the pictures, then put the set in its place."""
    made = work / "set"
    wanted = {made / frame.image for frame in manifest.frames}
    for path in made.rglob("*"):
        if path.is_file() and path not in wanted:  # found faulty only after it was put there
            path.unlink()
    for frame in manifest.frames:
        if frame.objects is not None:
            size = (frame.width, frame.height)
            text = yolo.label_text(frame.objects, manifest.classes, *size)
            put(made / yolo.label_path(frame.image), text.encode())
    put(made / CLASSES, yolo.names_text(manifest.classes).encode())
    replace_file(made / RECIPE, recipe.to_yaml().encode())
    write_manifest(made, manifest)
    if folder.exists():
        os.rename(folder, work / _FORMER)
    os.rename(made, folder)
