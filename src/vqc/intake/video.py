"""A video → the frames of it that are wanted, upright and in sRGB, one after another.

In: a path, how many frames a second, and by how much they must differ. Out: RGB arrays with
their times, or what is wrong with the file. Memory does not grow with the length.

The file is untrusted: only the listed containers are opened, so a playlist that calls itself
a video cannot make FFmpeg read other files or the network.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from vqc.errors import InputError
from vqc.intake.hdr import HLG, PQ, to_sdr
from vqc.types import ByteArray, Progress

VIDEO_SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".m4v", ".webm")
JPEG_QUALITY = 95

_DEMUXERS = "mov,matroska,webm,avi"
_UNSPECIFIED = 2  # colour matrix, in ITU-T H.273
_GREY_SIDE = 64
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"


@dataclass(frozen=True, slots=True, eq=False)
class VideoFrame:
    """rgb: (H, W, 3) uint8. time_s: since the first frame. index: in the video, from 0."""

    rgb: ByteArray
    time_s: float
    index: int


def frames_of(
    path: Path,
    fps: float | None,
    min_change: float | None,
    on_progress: Progress = lambda done, total: None,
    max_pixels: int = 50_000_000,
) -> Iterator[VideoFrame]:
    """The frames of a video, in the order in which they are shown.

    fps: for every k the first frame at or after k / fps seconds, each at most once; time
    stamps count, not frame numbers; None: every frame. min_change: frames are dropped whose
    mean difference in grey at 64 x 64 from the last one given is below this share of white.
    on_progress: milliseconds that are done, milliseconds in all as far as the file tells.

    Raises InputError, without the file's name: before the first frame where nothing can be
    read, after the last one that came where the video is cut off or damaged there.
    """
    if (fps is not None and not 0 < fps < math.inf) or not 0 <= (min_change or 0) <= 1:
        raise InputError(f"expected fps above 0 and a change from 0 to 1, got {fps}, {min_change}")
    with _opened(path) as container:
        stream = _stream(container, max_pixels)
        total_s, count, end_s = _duration_s(container, stream), 0, Fraction(0)
        painter, last_grey = _Painter(stream.sample_aspect_ratio or Fraction(1), max_pixels), None
        is_due = _sampler(fps, stream.time_base)
        for frame, time_s in _timed(_decoded(container, stream), stream):
            count += 1
            end_s = time_s + (frame.duration or 0) * stream.time_base
            on_progress(int(time_s * 1000), max(int(total_s * 1000), int(time_s * 1000)))
            if not is_due(time_s):
                continue
            if min_change is not None:
                grey = painter.grey(frame)
                if last_grey is not None and _change(grey, last_grey) < min_change:
                    continue
                last_grey = grey
            yield VideoFrame(painter.rgb(frame), float(time_s), count - 1)
    late_s = (stream.start_time or 0) * stream.time_base  # mkv's length counts from zero
    missing_s = total_s - float(end_s + max(late_s, 0))
    if not count or _is_cut(path) or missing_s > max(0.5, 0.02 * total_s):
        raise InputError(f"is cut off: {count} frames came, {float(end_s):.1f} of {total_s:.1f} s")


def encode_jpeg(rgb: ByteArray) -> bytes:
    """An (H, W, 3) picture as a JPEG file; same pixels, same bytes."""
    import cv2

    pixels = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return bytes(encoded)


class _Painter:
    """Decoded frames → arrays; keeps FFmpeg's conversion tables from frame to frame."""

    def __init__(self, pixel_aspect: Fraction, max_pixels: int) -> None:
        from av.video.reformatter import VideoReformatter

        self._pixel_aspect, self._max_pixels = pixel_aspect, max_pixels
        self._colors, self._greys = VideoReformatter(), VideoReformatter()
        self._turn: tuple[int, bool] | None = None

    def grey(self, frame: Any) -> ByteArray:
        """(64, 64), not upright."""
        side = _GREY_SIDE
        small = self._greys.reformat(frame, side, side, "gray", interpolation="AREA")
        return np.asarray(small.to_ndarray(), np.uint8)

    def rgb(self, frame: Any) -> ByteArray:
        """(H, W, 3) with square pixels, upright."""
        width, height = max(1, round(frame.width * self._pixel_aspect)), frame.height
        _require_pixels(width, height, self._max_pixels)
        is_hdr = frame.color_trc in (PQ, HLG)
        # What players do where the file does not say: HD is BT.709, less is BT.601.
        is_hd = frame.colorspace == _UNSPECIFIED and height >= 720
        is_guessed = is_hd and frame.format.name.startswith("yuv")
        pixels = self._colors.reformat(
            frame,
            width,
            height,
            "rgb48le" if is_hdr else "rgb24",
            src_colorspace="ITU709" if is_guessed else None,
            interpolation="BICUBIC",
        ).to_ndarray()
        if self._turn is None:
            self._turn = _turn(frame)
        quarters, is_mirrored = self._turn
        rgb = to_sdr(pixels, frame.color_trc) if is_hdr else pixels
        return np.ascontiguousarray(np.rot90(rgb[::-1] if is_mirrored else rgb, quarters))


def _opened(path: Path) -> Any:
    import av

    try:
        return av.open(
            str(path.resolve()),
            container_options={"format_whitelist": _DEMUXERS, "protocol_whitelist": "file"},
            metadata_errors="replace",
        )
    except Exception as error:  # a demuxer may raise anything on broken data
        raise InputError(
            "does not open as a video (mp4, mov, avi, mkv or webm); it is cut off, damaged or "
            f"something else: {_words(error)}"
        ) from None


def _stream(container: Any, max_pixels: int) -> Any:
    """The video stream, ready to be decoded on all cores."""
    stream = container.streams.best("video")
    if stream is None:
        raise InputError("holds no video stream")
    if stream.codec_context is None:
        raise InputError("is packed by a codec that is not read")
    _require_pixels(stream.width, stream.height, max_pixels)
    stream.thread_type = "AUTO"
    return stream


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    """Every frame as it is shown."""
    count = 0
    try:
        for frame in container.decode(stream):
            if frame.is_corrupt:
                raise ValueError("some of the next one is missing")
            yield frame
            count += 1
    except Exception as error:  # a decoder may raise anything on broken data
        raise InputError(f"is cut off or damaged after {count} frames: {_words(error)}") from None


def _timed(frames: Iterator[Any], stream: Any) -> Iterator[tuple[Any, Fraction]]:
    """Frames with their time since the first one, in seconds; it never runs backwards.

    Time stamps are exact. AVI gives those of its coding order, a few frames early or late;
    where there is none, or it is far behind, the frame rate counts on.
    """
    step = 1 / (stream.average_rate or Fraction(25))
    start = last = None
    for frame in frames:
        time = None if frame.pts is None else frame.pts * stream.time_base
        if start is None or last is None:
            start = last = time or Fraction(0)
        elif time is None or time < last - 1:
            last += step
        else:
            last = max(last, time)
        yield frame, last - start


def _sampler(fps: float | None, tick_s: Fraction) -> Callable[[Fraction], bool]:
    """Whether the frame at a time is wanted; asked once for each frame, in order.

    Stamps are rounded to ticks of the file, so half a tick (but at most half a millisecond)
    too early is in time.
    """
    if fps is None:
        return lambda time_s: True
    rate, slack_s, k = Fraction(fps).limit_denominator(10**6), min(tick_s / 2, Fraction(1, 2000)), 0

    def is_due(time_s: Fraction) -> bool:
        nonlocal k
        reached = math.floor((time_s + slack_s) * rate)
        due, k = reached >= k, max(k, reached + 1)
        return due

    return is_due


def _turn(frame: Any) -> tuple[int, bool]:
    """Quarter turns to the left, and whether to mirror top to bottom before them.

    Asked for one frame only: PyAV's side data keeps its frame in memory for long.
    """
    try:
        data = frame.side_data.get("DISPLAYMATRIX")
        a, b, _, c, d = np.frombuffer(data, np.int32)[:5] / 65536 if data else (1, 0, 0, 0, 1)
    except ValueError:  # side data of a kind that PyAV has no name for
        a, b, c, d = 1, 0, 0, 1
    return round(frame.rotation / 90), bool(a * d < b * c)


def _change(grey: ByteArray, last: ByteArray) -> float:
    """Mean absolute difference, 0 to 1."""
    return float(np.abs(grey.astype(np.int16) - last).mean() / 255)


def _require_pixels(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise InputError(
            f"has frames of {width} x {height} pixels, {width * height / 1e6:.0f} megapixels; "
            f"the limit is {max_pixels / 1e6:g}"
        )


def _duration_s(container: Any, stream: Any) -> float:
    """As the file says; 0 where it does not."""
    if stream.duration:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / 1e6


def _is_cut(path: Path) -> bool:
    """Whether the file ends before its outermost blocks do."""
    size, at = os.path.getsize(path), 0
    with path.open("rb") as file:
        while at < size:
            file.seek(at)
            length = _block_length(file.read(16))
            if length is None:
                return False
            at += length
    return at > size


def _block_length(head: bytes) -> int | None:
    """Bytes of an outermost block of avi, mkv or mp4 with its header; None where it is open."""
    if head[:4] == b"RIFF":
        length = struct.unpack("<I", head[4:8].ljust(4, b"\0"))[0]
        return 8 + length + length % 2 if length else None
    if head[:4] in (_EBML, _SEGMENT):
        digits = 9 - head[4:5].ljust(1, b"\0")[0].bit_length()
        length = int.from_bytes(head[4 : 4 + digits]) & (1 << 7 * digits) - 1
        return None if length == (1 << 7 * digits) - 1 else 4 + digits + length
    if len(head) < 8 or not head[4:8].isalnum():
        return None
    length = struct.unpack(">I", head[:4])[0]
    if length == 1:
        length = int.from_bytes(head[8:16])
    return length if length >= 8 else None


def _words(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
