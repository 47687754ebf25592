"""Work for the engine's tests; it must be importable from a worker process."""

from __future__ import annotations

import dataclasses
import functools
import os
import signal
import time
from pathlib import Path

from vqc.errors import LabelError
from vqc.frames import FrameMaker
from vqc.types import Silhouette


def opener(kind: str, scratch: Path | None = None):
    return functools.partial(_open, kind, scratch)


def _open(kind: str, scratch: Path | None):
    if kind == "cannot open":
        raise LabelError("cannot open")
    if kind == "dies at once":
        os._exit(3)
    return functools.partial(globals()[f"_{kind}"], scratch)


def _square(scratch, item):
    return item * item


def _poison(scratch, item):
    """Item 3 always kills its worker, item 5 only the first time."""
    if item == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if item == 5 and not (scratch / "seen").exists():
        (scratch / "seen").touch()
        os.kill(os.getpid(), signal.SIGSEGV)
    return item


def _who(scratch, item):
    time.sleep(0.01)
    return os.getpid()


def _raises(scratch, item):
    if item == 2:
        raise ValueError("two is not liked")
    return item


def _wrong_label(scratch, item):
    if item == 2:
        raise LabelError("frame 2 is wrong")
    return item


def _hangs(scratch, item):
    if item == 1:
        time.sleep(60)
    return item


def _slow(scratch, item):
    (scratch / f"{os.getpid()}.pid").touch()
    time.sleep(0.02)
    return item


class KillerView(FrameMaker):
    """A frame maker that one view always kills, and another the first time."""

    def __call__(self, job):
        if job.index == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        marker = self._plan.folder.parent / "seen"
        if job.index == 5 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(job)


class WrongBox(FrameMaker):
    """A frame maker whose renderer forgets a corner of the part in one view."""

    def __call__(self, job):
        if job.source != self._source:
            self._open(job.source)
        layers = self._renderer.layers

        def forgetful(view, depth, normals):
            drawn = layers(view, depth, normals)
            whole = drawn.silhouettes[0]
            x0, y0, x1, y1 = whole.box
            cut = Silhouette(whole.area_px - 9, (x0 + 4, y0, x1, y1))
            return dataclasses.replace(drawn, silhouettes=(cut,))

        if job.index == 2:
            self._renderer.layers = forgetful
        return super().__call__(job)
