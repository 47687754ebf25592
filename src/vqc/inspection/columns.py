"""Frames → columns, from which every figure is computed: 100,000 frames in a second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqc.formats import rle
from vqc.types import FloatArray, Frame, IntArray

BACKGROUND, UNLABELLED = "(background)", "(nobody labelled it)"
CAD, SIMULATED, REAL = "cad", "simulated", "real"
SOURCES = (CAD, SIMULATED, REAL)
SPLITS = ("train", "val", "test", None)


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Frames and what they show, one entry an item.

    classes, conditions, sessions: names; the numbers below are places in these, in SOURCES
    and in SPLITS. Entry i of `source`, `split` and `session` (F,) is frame i; `condition` is
    -1 where there is none, `state` is BACKGROUND, UNLABELLED or "". `shows` (S, 2): frame and
    class, each pair once, from objects and from labels. Objects: `frame`, `class_number` and
    `visibility` (O,), NaN where unknown; `side`, `aspect` (O,) and `centre` (O, 2), NaN
    where no pixel shows; `area_px` and `area_share` (of the frame) (O,) of masks, NaN without.
    """

    classes: tuple[str, ...]
    conditions: tuple[str, ...]
    sessions: tuple[str, ...]
    source: IntArray
    split: IntArray
    session: IntArray
    condition: IntArray
    state: NDArray[np.str_]
    shows: IntArray
    frame: IntArray
    class_number: IntArray
    visibility: FloatArray
    side: FloatArray
    aspect: FloatArray
    centre: FloatArray
    area_px: FloatArray
    area_share: FloatArray

    @property
    def has_mask(self) -> NDArray[np.bool_]:
        """(O,) objects whose pixels are known, and which have some."""
        return self.area_px > 0

    @property
    def has_box(self) -> NDArray[np.bool_]:
        """(O,) objects of which a pixel shows."""
        return ~np.isnan(self.side)

    def with_box(self, source: str) -> NDArray[np.bool_]:
        """(O,) those in frames of one source that settings may be chosen by: not test frames."""
        chosen = (self.source == SOURCES.index(source)) & (self.split != SPLITS.index("test"))
        mine: NDArray[np.bool_] = self.has_box & chosen[self.frame]
        return mine


def columns_of(frames: Sequence[Frame], classes: Sequence[str]) -> Columns:
    """The frames as columns. classes: those of their sets, in order; labels may add to them."""
    labelled = [frame.label for frame in frames if frame.label is not None]
    number = {name: k for k, name in enumerate(dict.fromkeys([*classes, *labelled]))}
    notes = [(i, note) for i, frame in enumerate(frames) for note in frame.objects or ()]
    owner = np.array([i for i, _ in notes], np.int64)
    class_number = np.array([number[note.class_name] for _, note in notes], np.int64)
    labels = [(i, number[f.label]) for i, f in enumerate(frames) if f.label is not None]
    shows = np.concatenate(
        [np.stack([owner, class_number], axis=1), np.array(labels, np.int64).reshape(-1, 2)]
    )
    none = (np.nan,) * 4
    box = np.array([note.box_xyxy or none for _, note in notes], np.float64).reshape(-1, 4)
    size = np.array([(f.width, f.height) for f in frames], np.float64).reshape(-1, 2)[owner]
    extent = box[:, 2:] - box[:, :2]
    seen = [note.visibility for _, note in notes]
    areas = [np.nan if note.mask is None else rle.area(note.mask) for _, note in notes]
    area = np.array(areas, np.float64)
    conditions = sorted({f.condition for f in frames if f.condition is not None})
    sessions = sorted({f.session for f in frames})
    place = {name: k for k, name in enumerate(sessions)}
    return Columns(
        classes=tuple(number),
        conditions=tuple(conditions),
        sessions=tuple(sessions),
        source=np.array([SOURCES.index(source_of(f)) for f in frames], np.int64),
        split=np.array([SPLITS.index(f.split) for f in frames], np.int64),
        session=np.array([place[f.session] for f in frames], np.int64),
        condition=np.array(
            [-1 if f.condition is None else conditions.index(f.condition) for f in frames], np.int64
        ),
        state=np.array([_state(f) for f in frames], np.str_),
        shows=np.unique(shows, axis=0),
        frame=owner,
        class_number=class_number,
        visibility=np.array([np.nan if v is None else v for v in seen], np.float64),
        side=np.sqrt(np.prod(extent / size, axis=1)),
        aspect=extent[:, 0] / extent[:, 1],
        centre=(box[:, :2] + box[:, 2:]) / 2 / size,
        area_px=area,
        area_share=area / np.prod(size, axis=1),
    )


def source_of(frame: Frame) -> str:
    """One of SOURCES: simulated frames stand in for photos, whoever made them."""
    return SIMULATED if frame.simulated else REAL if frame.source == "real" else CAD


def _state(frame: Frame) -> str:
    if frame.objects == () and frame.label is None:
        return BACKGROUND
    said = (frame.objects, frame.label, frame.condition) != (None, None, None)
    return "" if said else UNLABELLED
