"""Drawn frames with their times → an H.264 video that browsers play.

The format is the one that all of them take: 4:2:0, even sizes, the index before the pictures.
Frames keep their times, also where these are not regular.
"""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from vqc.types import ByteArray

TICKS = 90_000
"""Units of time in a second; a frame is at most half of one early or late."""
_QUALITY = "20"


class Mp4:
    """A video being written, under another name until it is whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._temporary = path.with_name(f".{path.name}.tmp")
        self._container: Any = None
        self._stream: Any = None
        self._last_tick = -1
        self._step = TICKS // 25

    def add(self, rgb: ByteArray, time_s: float) -> None:
        """The next frame. All are brought to the size of the first. Raises OSError."""
        import av
        import cv2

        if self._stream is None:
            self._open(*rgb.shape[:2])
        size = (self._stream.width, self._stream.height)
        fitting = _even(rgb)
        if fitting.shape[1::-1] != size:
            fitting = cv2.resize(fitting, size, interpolation=cv2.INTER_AREA)
        yuv = cv2.cvtColor(fitting, cv2.COLOR_RGB2YUV_I420)  # BT.601, 15 times as fast as FFmpeg's
        frame = av.VideoFrame.from_ndarray(yuv, format="yuv420p")
        tick = max(round(time_s * TICKS), self._last_tick + 1)
        if self._last_tick >= 0:
            self._step = tick - self._last_tick
        frame.pts, frame.time_base, self._last_tick = tick, Fraction(1, TICKS), tick
        self._mux(frame)

    def close(self) -> None:
        """Make the file whole and give it its name. Raises OSError."""
        if self._container is None:
            return
        self._mux(None)
        self._container.close()
        self._container = None
        os.replace(self._temporary, self.path)

    def discard(self) -> None:
        """Leave nothing behind, after an error."""
        if self._container is not None:
            self._container.close()
            self._container = None
        self._temporary.unlink(missing_ok=True)

    def _open(self, height: int, width: int) -> None:
        import av

        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._container = av.open(
            str(self._temporary), "w", format="mp4", options={"movflags": "+faststart"}
        )
        self._stream = self._container.add_stream("libx264", rate=25)
        self._stream.width, self._stream.height = width + width % 2, height + height % 2
        self._stream.pix_fmt = "yuv420p"
        self._stream.time_base = Fraction(1, TICKS)
        context = self._stream.codec_context
        context.time_base = Fraction(1, TICKS)
        context.options = {
            "preset": "ultrafast",
            "crf": _QUALITY,
            "bf": "0",  # frames in the order of their times, so that each lasts until the next
            "x264-params": "colorprim=bt709:transfer=bt709:colormatrix=smpte170m",
        }

    def _mux(self, frame: Any) -> None:
        for packet in self._stream.encode(frame):
            if frame is None and not packet.duration:
                packet.duration = self._step  # the last one lasts as long as the one before
            self._container.mux(packet)


def _even(rgb: ByteArray) -> ByteArray:
    """Height and width made even by one more line or column, like the last."""
    height, width = rgb.shape[:2]
    return np.ascontiguousarray(np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), "edge"))
