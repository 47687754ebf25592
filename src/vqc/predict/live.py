"""A camera, at this machine or in the network → its frames as they come; and a window for them."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vqc.errors import InputError
from vqc.intake.video import VideoFrame
from vqc.predict.source import Live
from vqc.types import ByteArray

SILENCE_S = 10.0
"""A network camera that sends nothing for so long is taken for gone."""
_PROTOCOLS = "rtp,srtp,rtsp,rtsps,tcp,udp,tls,crypto"
_KEY_Q = ord("q")


def frames_from(live: Live) -> Iterator[VideoFrame]:
    """Frames until the camera ends; times are those of their arrival.

    Raises InputError where there is no such camera, and where it falls silent.
    """
    started: float | None = None
    source = _camera(live.address) if isinstance(live.address, int) else _rtsp(live)
    for index, rgb in enumerate(source):
        now = time.monotonic()
        started = now if started is None else started
        yield VideoFrame(rgb, now - started, index)


def _camera(number: int) -> Iterator[ByteArray]:
    import cv2

    numbers = sorted(int(n) for p in Path("/dev").glob("video*") if (n := p.name[5:]).isdigit())
    if sys.platform == "linux" and number not in numbers:
        there = f"cameras here: {', '.join(map(str, numbers))}" if numbers else "there is none here"
        raise InputError(f"camera {number}: there is no such camera; {there}")
    cv2.setLogLevel(0)  # it would tell of every way in which it tried to open one
    capture = cv2.VideoCapture(number)
    try:
        if not capture.isOpened():
            raise InputError(
                f"camera {number}: does not open: another program has it, or this user may not "
                f"read /dev/video{number} (the group is mostly called video)"
            )
        while True:
            came, bgr = capture.read()
            if not came:
                return
            yield cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    finally:
        capture.release()


def _rtsp(live: Live) -> Iterator[ByteArray]:
    import av

    options = {"rtsp_flags": "prefer_tcp", "protocol_whitelist": _PROTOCOLS}
    came = 0
    try:
        with av.open(
            str(live.address), format="rtsp", options=options, timeout=(SILENCE_S, SILENCE_S)
        ) as container:
            stream = container.streams.best("video")
            if stream is None:
                raise InputError(f"{live.name}: sends no video")
            stream.thread_type = "SLICE"  # frame threads hold back as many frames
            for frame in container.decode(stream):
                came += 1
                yield frame.to_ndarray(format="rgb24")
    except av.FFmpegError as error:
        said = getattr(error, "strerror", None) or type(error).__name__
        what = f"broke off after {came} frames" if came else "does not open"
        raise InputError(f"{live.name}: {what}: {said}") from None


def has_display() -> bool:
    """Whether a window can be opened; OpenCV ends the whole process where it cannot."""
    name = os.environ.get("DISPLAY", "")
    host, colon, number = name.rpartition(":")
    number = number.partition(".")[0]
    if not colon or not number.isdigit():
        return False
    if host in ("", "unix"):
        return _answers(socket.AF_UNIX, f"/tmp/.X11-unix/X{number}") or _answers(
            socket.AF_UNIX, f"\0/tmp/.X11-unix/X{number}"
        )
    return _answers(socket.AF_INET, (host, 6000 + int(number)))


def _answers(family: int, address: Any) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.settimeout(2)
            probe.connect(address)
        return True
    except OSError:
        return False


class Window:
    """A window on the display. OpenCV wants it shown by the thread that opened it."""

    def __init__(self, title: str) -> None:
        self._title, self._is_open = title, True

    def show(self, rgb: ByteArray) -> bool:
        """Show a frame; False once q was pressed."""
        import cv2

        if not self._is_open:
            return True
        try:
            cv2.imshow(self._title, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
            return bool(cv2.waitKey(1) & 0xFF != _KEY_Q)
        except cv2.error:  # an OpenCV without windows
            self._is_open = False
            return True

    def close(self) -> None:
        import cv2

        if self._is_open:
            try:
                cv2.destroyWindow(self._title)
            except cv2.error:  # never shown
                self._is_open = False
