"""What was made of a set so far, before it has a manifest: a file for each writer.

A journal holds the manifest's line of every finished frame as it comes, and between them
notes: who writes, on what, how far. Nothing is locked and nothing is synced: a line that was lost
or cut costs one frame, which is made again.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType

from vqc.errors import ManifestError
from vqc.manifest import frame_from_json
from vqc.types import Frame

VERSION = 1
FIRST_NOTE_S, NOTE_EVERY_S = 2.0, 20.0
"""When a writer first says how far it is, and how often later on; in between ever more rarely."""
_MARK = "vqc_journal"


@dataclass(frozen=True, slots=True)
class Note:
    """What a writer says of itself.

    shard: such as 3/40; None for the whole. renderer: OpenGL's name of what draws. seconds: since
    it began, by its own clock, and frames that it made in them. end: how it left; None while it
    writes, or where it was killed.
    """

    shard: str | None
    host: str
    renderer: str
    seconds: float = 0.0
    frames: int = 0
    end: str | None = None


class Journal:
    """One writer's journal in a folder, which is made where it is not there."""

    def __init__(self, folder: Path, shard: str | None = None) -> None:
        self._path = folder / f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl"
        self._note = Note(shard, socket.gethostname(), "")
        self._began = self._noted = time.monotonic()
        self._frames = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("a", encoding="utf-8")

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):  # a full disk has been told already
            # a KeyboardInterrupt has no text
            why = "done" if error is None else (str(error).splitlines() or [repr(error)])[0]
            self.note(why[:200])
        self._file.close()

    def frame(self, line: str, renderer: str) -> Frame:
        """Keep a frame's line; returns the frame. ManifestError where it is no such line."""
        if renderer != self._note.renderer:
            self.drawn_by(renderer)
        frame = frame_from_json(line, str(self._path))
        self._file.write(line + "\n")
        self._frames += 1
        if time.monotonic() - self._noted > pause_s(self._noted - self._began):
            self.note()
        self._file.flush()
        return frame

    def drawn_by(self, renderer: str) -> None:
        """Say what draws the frames that follow."""
        self._note = replace(self._note, renderer=renderer)
        self.note()

    def note(self, end: str | None = None) -> None:
        """Say how far it is; end: how it leaves."""
        self._noted = time.monotonic()
        seconds = round(self._noted - self._began, 1)
        note = replace(self._note, seconds=seconds, frames=self._frames, end=end)
        self._file.write(json.dumps({_MARK: VERSION, **asdict(note)}) + "\n")
        self._file.flush()


def pause_s(elapsed_s: float) -> float:
    """How long a writer waits after a note, given when that was, counted from its beginning."""
    return min(max(elapsed_s, FIRST_NOTE_S), NOTE_EVERY_S)


def keep(folder: Path, lines: Sequence[str], renderers: Sequence[str]) -> None:
    """Put the lines of a manifest that goes away, without line ends, into a journal of their own.

    renderers: that drew them; which of them drew which frame is not known.
    """
    with Journal(folder) as journal:
        for renderer in renderers:
            journal.drawn_by(renderer)
        for line in lines:
            with contextlib.suppress(ManifestError):
                journal.frame(line, renderers[-1] if renderers else "")


def frames_in(folder: Path) -> dict[str, Frame]:
    """Every frame that some writer recorded, by image; whole lines only."""
    frames: dict[str, Frame] = {}
    for path, line in _lines(folder):
        if not line.startswith(f'{{"{_MARK}"'):
            with contextlib.suppress(ManifestError):
                frame = frame_from_json(line, str(path))
                frames[frame.image] = frame
    return frames


def notes_in(folder: Path) -> list[tuple[Path, list[Note]]]:
    """Every journal with its notes, in the order in which they were written."""
    found: dict[Path, list[Note]] = {}
    for path, line in _lines(folder):
        if line.startswith(f'{{"{_MARK}"'):
            with contextlib.suppress(ValueError, TypeError, KeyError):
                record = json.loads(line)
                if record.pop(_MARK) == VERSION:
                    found.setdefault(path, []).append(Note(**record))
    return list(found.items())


def renderers_in(folder: Path) -> tuple[str, ...]:
    """Everything that drew frames which are recorded there, sorted."""
    notes = (note for _, notes in notes_in(folder) for note in notes)
    return tuple(sorted({note.renderer for note in notes} - {""}))


def _lines(folder: Path) -> Iterator[tuple[Path, str]]:
    """Whole lines of every journal; one that another command tidied up meanwhile has none."""
    for path in sorted(folder.glob("*.jsonl")):
        with contextlib.suppress(OSError):
            whole = path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
            yield from ((path, line) for line in whole)
