"""A source → its pictures one after another, upright and in RGB.

What does not open is written down as a fault and passed over, so that one bad file of a
thousand stops nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from vqc.errors import InputError
from vqc.intake import picture as intake_picture
from vqc.intake.video import frames_of
from vqc.pictures import IMAGE_FORMATS, LARGEST_MPX, in_8_bits
from vqc.predict.live import frames_from
from vqc.predict.source import File, Live, Source
from vqc.tasks.contract import Picture
from vqc.types import ByteArray

_FORMATS = (*IMAGE_FORMATS, "HEIF")
_ONLY_FILES = {"format_whitelist": "mov,matroska,webm,avi", "protocol_whitelist": "file"}


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A picture and where it is from.

    of: the file, or the camera. time_s: since the first frame, None for a still picture.
    frame: its number in the video, from 0.
    """

    picture: Picture
    of: File | Live
    time_s: float | None = None
    frame: int | None = None


def prepare() -> None:
    """Import what the readers need; once, before any thread."""
    import av  # noqa: F401

    intake_picture.prepare()


def shots(
    source: Source, fps: float | None, limit: int | None, faults: list[str]
) -> Generator[Shot, None, None]:
    """Every picture, then every frame of every video; or those of the camera.

    fps: frames to take from each second of a video; None: all. limit: how many at most.
    faults: a line is added for each file that cannot be read, or not to its end.
    """
    with contextlib.closing(_all(source, fps, faults)) as every:
        yield from islice(every, limit)


def count(source: Source, fps: float | None, limit: int | None) -> int | None:
    """How many pictures there will be, as far as headers tell; None where they do not."""
    if source.live is not None:
        return limit
    total = len(source.stills) + sum(_frames_in(clip.path, fps) for clip in source.clips)
    return total if limit is None else min(total, limit)


def read_still(path: Path) -> ByteArray:
    """(H, W, 3) uint8 of a picture file, turned as EXIF says; transparency is left out.

    Raises InputError, without the file's name. `prepare` must have been called.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        if not path.stat().st_size:
            raise InputError("is empty")
        with Image.open(path, formats=_FORMATS) as image:
            if image.width * image.height > LARGEST_MPX * 1e6:
                raise InputError(f"has more than {LARGEST_MPX} megapixels")
            image.load()
            if image.mode in ("I", "F"):
                raise InputError(f"has 32 bits a channel (mode {image.mode}), expected 8 or 16")
            upright = ImageOps.exif_transpose(image)
            return np.asarray(in_8_bits(upright).convert("RGB"), np.uint8)
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError("is no longer there") from None
    except PermissionError:
        raise InputError("may not be read by this user") from None
    except Image.DecompressionBombError:
        raise InputError(f"has more than {LARGEST_MPX} megapixels") from None
    except UnidentifiedImageError:
        raise InputError("is no JPEG, PNG, BMP, TIFF, WebP or HEIC picture") from None
    except Exception as error:  # a decoder may raise anything on broken data
        raise InputError(f"is cut off or damaged: {error or type(error).__name__}") from None


def shown(path: Path) -> str:
    """A path for people; bytes of it that are no text become escapes, or no terminal takes it."""
    return str(path).encode(errors="backslashreplace").decode()


def _all(source: Source, fps: float | None, faults: list[str]) -> Generator[Shot, None, None]:
    for still in source.stills:
        try:
            yield Shot(Picture(still.name, read_still(still.path)), still)
        except InputError as error:
            faults.append(f"{shown(still.path)}: {error}")
    for clip in source.clips:
        try:
            for frame in frames_of(clip.path, fps, None):
                name = f"{clip.name}#{frame.index}"
                picture = Picture(name, frame.rgb, track=clip.name)
                yield Shot(picture, clip, frame.time_s, frame.index)
        except InputError as error:
            faults.append(f"{shown(clip.path)}: {error}")
    if source.live is not None:
        yield from _live(source.live, faults)


def _live(live: Live, faults: list[str]) -> Iterator[Shot]:
    """A camera that breaks off has ended; one that gives nothing at all is an error."""
    came = 0
    try:
        for frame in frames_from(live):
            came += 1
            picture = Picture(f"{live.name}#{frame.index}", frame.rgb, track=live.name)
            yield Shot(picture, live, frame.time_s, frame.index)
    except InputError as error:
        if not came:
            raise
        faults.append(str(error))


def _frames_in(path: Path, fps: float | None) -> int:
    """As the header says; 0 where it does not, or where the file does not open."""
    import av

    try:
        with av.open(str(path.resolve()), container_options=_ONLY_FILES) as container:
            stream = container.streams.video[0]
            length_s = float(
                stream.duration * stream.time_base
                if stream.duration
                else (container.duration or 0) / 1e6
            )
            if fps is not None:
                every = float(stream.average_rate or fps)
                return round(length_s * min(fps, every))
            return stream.frames or round(length_s * float(stream.average_rate or 0))
    except Exception:  # a demuxer may raise anything on broken data; reading it will tell
        return 0
