"""Answers → the files of a folder of predictions.

predictions/<run>-<source>/
  predict.json        what was asked for
  predictions.jsonl   a line for each picture or frame
  predictions.csv     the answers as rows, where the task gives rows
  images/<name>.jpg   the pictures with the answers on them
  <video>.mp4         the same of a video or a camera
  crops/<class>/…jpg  every object by itself, where asked for
"""

from __future__ import annotations

import contextlib
import errno
import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from vqc.errors import InputError, OutputError
from vqc.files import LOCK, held, replace_file
from vqc.intake.video import encode_jpeg
from vqc.predict.mp4 import Mp4
from vqc.predict.reading import Shot
from vqc.predict.source import File
from vqc.predict.table import Table
from vqc.tasks.contract import Row
from vqc.types import ByteArray

ASKED, RECORDS, TABLE = "predict.json", "predictions.jsonl", "predictions.csv"
IMAGES, CROPS = "images", "crops"
UNFINISHED = ".part"
"""Ends the names of records and rows of still pictures until there are all of them."""


def require_free(folder: Path, fresh: bool) -> None:
    """Raise InputError where something is there that may not go: it could be overwritten.

    And BusyError where another command writes there now.
    """
    if (folder / LOCK).is_file():
        with _held(folder):
            pass
    _require_replaceable(folder, fresh)


def _require_replaceable(folder: Path, fresh: bool) -> None:
    if not folder.exists() or (folder.is_dir() and not _content(folder)):
        return
    if not (folder / ASKED).is_file():
        raise InputError(f"{folder} is there and holds no predictions; choose another --out")
    if not fresh:
        raise InputError(
            f"{folder} holds predictions already; --fresh replaces them, --out NAME keeps both"
        )


def _clear(folder: Path) -> None:
    """Remove earlier predictions; what says that they are some goes last: killed here, the same
    command may still remove the rest."""
    with reporting(folder):
        for path in sorted(_content(folder), key=lambda path: path.name == ASKED):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _content(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name != LOCK]


def _held(folder: Path) -> contextlib.AbstractContextManager[None]:
    return held(
        folder, f"{folder} is written by another command now; wait for it, or give another --out"
    )


@contextlib.contextmanager
def reporting(folder: Path) -> Iterator[None]:
    """Errors of the file system, and of the video writer, as OutputError."""
    import av

    try:
        yield
    except (OSError, av.FFmpegError) as error:
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        advice = "free some space" if full else "check the place and its permissions"
        said = getattr(error, "strerror", None) or error
        raise OutputError(f"{folder}: cannot be written: {said}; {advice}") from None


class Output:
    """The folder while it is filled. images, crops: whether these are wanted.

    by_line: records appear one by one, as a video or a camera wants it, and not only when
    there are all of them. fresh: earlier predictions may go. All methods raise OutputError.
    """

    def __init__(
        self, folder: Path, images: bool, crops: bool, by_line: bool, fresh: bool = False
    ) -> None:
        self._folder, self._images, self._crops, self._fresh = folder, images, crops, fresh
        self._holding = contextlib.ExitStack()
        self._ending = "" if by_line else UNFINISHED
        self._records: IO[bytes] | None = None
        self._table: Table | None = None
        self._video: Mp4 | None = None
        self.videos: list[Path] = []

    def begin(self, asked: Mapping[str, Any], rows_of: str | None) -> None:
        """Not before there is an answer: until then, earlier predictions stay.

        rows_of: the task whose answers come as rows, too, or None.
        Raises InputError where another command has put some there meanwhile, or does so now.
        """
        self._holding.enter_context(_held(self._folder))
        _require_replaceable(self._folder, self._fresh)
        _clear(self._folder)
        with reporting(self._folder):
            text = json.dumps(asked, indent=2, ensure_ascii=False) + "\n"
            replace_file(self._folder / ASKED, _bytes(text))
            self._records = (self._folder / (RECORDS + self._ending)).open("wb")
            if rows_of is not None:
                self._table = Table(self._folder / (TABLE + self._ending), rows_of)

    def add(
        self,
        shot: Shot,
        record: Mapping[str, Any],
        drawn: ByteArray | None,
        rows: Sequence[Row] = (),
    ) -> None:
        """drawn: the picture with the answer on it, where images are wanted."""
        with reporting(self._folder):
            if self._images and drawn is not None:
                self._draw(shot, drawn)
            if self._crops:
                self._crop(shot, record)
            if self._records is not None:
                line = json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"
                self._records.write(_bytes(line))
                self._records.flush()
            if self._table is not None:
                self._table.add(shot.picture.name, rows)

    def finish(self, complete: bool) -> None:
        """complete: nothing was left out because of an interruption."""
        with reporting(self._folder):
            self._close_video()
            self._close_records()
            for name in (RECORDS, TABLE) if complete and self._ending else ():
                unfinished = self._folder / (name + self._ending)
                if unfinished.is_file():
                    unfinished.replace(self._folder / name)

    def abandon(self) -> None:
        """After all, also after an error: no half video stays."""
        with self._holding, contextlib.suppress(OSError):
            self._close_records()
            if self._video is not None:
                self._video.discard()

    def _close_records(self) -> None:
        for file in (self._records, self._table):
            if file is not None:
                file.close()

    def _draw(self, shot: Shot, drawn: ByteArray) -> None:
        if shot.time_s is None:
            assert isinstance(shot.of, File)
            replace_file(self._folder / IMAGES / f"{shot.of.stem}.jpg", encode_jpeg(drawn))
            return
        path = self._folder / f"{_stem_of(shot)}.mp4"
        if self._video is None or self._video.path != path:
            self._close_video()
            self._video = Mp4(path)
        self._video.add(drawn, shot.time_s)

    def _close_video(self) -> None:
        if self._video is not None:
            self._video.close()
            self.videos.append(self._video.path)
            self._video = None

    def _crop(self, shot: Shot, record: Mapping[str, Any]) -> None:
        name = _stem_of(shot).replace("/", "__")
        number = "" if shot.frame is None else f"_{shot.frame:06d}"
        for place, thing in enumerate(record.get("objects", ()), start=1):
            x0, y0, x1, y1 = thing["box"]
            height, width = shot.picture.rgb.shape[:2]
            left, top = min(int(x0), width - 1), min(int(y0), height - 1)
            right, bottom = max(left + 1, -int(-x1 // 1)), max(top + 1, -int(-y1 // 1))
            crop = shot.picture.rgb[top:bottom, left:right]
            folder = self._folder / CROPS / slug(thing["class"])
            replace_file(folder / f"{name}{number}_{place}.jpg", encode_jpeg(crop))


def slug(text: str) -> str:
    """A class as a folder's name.

    >>> slug("nut/M8 (old)")
    'nut_M8_old_'
    """
    return re.sub(r"[^\w.-]+", "_", text).lstrip(".") or "_"


def _stem_of(shot: Shot) -> str:
    return shot.of.stem if isinstance(shot.of, File) else shot.of.slug


def _bytes(text: str) -> bytes:
    """UTF-8; bytes of a file's name that are none become escapes, which JSON reads too."""
    return text.encode(errors="backslashreplace")
