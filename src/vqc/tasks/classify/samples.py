"""What a classifier learns from and is scored on: whole pictures, or crops of labelled boxes.

In: frames of a manifest. Out: samples, each with its class, and square pictures of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vqc.dataset import SPLITS, Dataset
from vqc.errors import InputError
from vqc.formats import exported_box
from vqc.tasks.learning import augment
from vqc.types import Box, ByteArray, Frame

_SHOWN = 20
_CACHE_BYTES = 2**30


@dataclass(frozen=True, slots=True)
class Cropping:
    """How boxes are cut out. margin: around them, of the longer side. least_px: of that side."""

    margin: float
    least_px: int


_ANY_SIZE = Cropping(margin=0, least_px=0)
"""Where it counts only that boxes are samples of their own."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One thing to classify. truth: its class, None for none of these. box: None for all of it."""

    frame: Frame
    truth: str | None
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class Region:
    """A square of a picture, px, that may reach over its border; margins included."""

    x: float
    y: float
    side: float


# Which samples ----------------------------------------------------------------------------


def check(dataset: Dataset) -> None:
    """Raises InputError once, for all frames that say nothing of their class.

    Where something trains, at least two classes must, and all that val and test show: in whole
    pictures or else in crops, for which one is asked for is not known here. `fit` knows it, and
    calls `require_classes`.
    """
    faults = [
        f"{frame.image}: {fault}"
        for split in SPLITS
        for frame in dataset.frames(split)
        if (fault := _unlabelled(frame, dataset.manifest.classes))
    ]
    found = _listed(dataset, "of no known class", faults)
    if not faults:
        found = min((_class_faults(dataset, way) for way in (None, _ANY_SIZE)), key=len)
    if found:
        raise InputError("\n".join(found) + "\nLabel the frames, or leave them out of the mix")


def require_classes(dataset: Dataset, cropping: Cropping | None) -> None:
    """InputError where, cropped or not as asked for, too little trains; see `check`."""
    if faults := _class_faults(dataset, cropping):
        remedy = (
            "--crop learns from the boxes instead"
            if cropping is None
            else "Without --crop a label counts, and not the boxes beside it"
        )
        raise InputError("\n".join([*faults, f"{remedy}; or leave these frames out of the mix"]))


def samples_of(
    dataset: Dataset, splits: Sequence[str], cropping: Cropping | None
) -> dict[str, list[Sample]]:
    """The samples of each split, in the manifest's order.

    A label is the class of the whole picture; without one, its objects are, where all that show
    are of one class. With `cropping` every box is a sample, and only pictures without boxes are
    taken whole. What shows nothing is none of these. Raises InputError once, for pictures of
    several classes, and for boxes that are too small.
    """
    found: dict[str, list[Sample]] = {}
    faults: list[str] = []
    for split in splits:
        found[split] = []
        for frame in dataset.frames(split):
            samples, wrong = _of_frame(dataset, frame, cropping)
            found[split] += samples
            faults += [f"{frame.image}: {fault}" for fault in wrong]
    if faults:
        what = "with boxes too small to crop" if cropping else "that show several classes"
        raise InputError("\n".join(_listed(dataset, what, faults)) + "\n" + _remedy(cropping))
    return found


def _of_frame(
    dataset: Dataset, frame: Frame, cropping: Cropping | None
) -> tuple[list[Sample], list[str]]:
    """The samples of a frame, or what is wrong with it."""
    boxes = [
        (note.class_name, box)
        for note in frame.objects or ()
        if (box := exported_box(note, frame.width, frame.height, dataset.box)) is not None
    ]
    if cropping is not None and boxes:
        sides = [max(x1 - x0, y1 - y0) for _, (x0, y0, x1, y1) in boxes]
        small = [f"{side:.3g} px" for side in sides if side < cropping.least_px]
        return [Sample(frame, name, box) for name, box in boxes], small
    classes = sorted({name for name, _ in boxes}) if frame.label is None else [frame.label]
    if len(classes) > 1:
        return [], [", ".join(classes)]
    return [Sample(frame, classes[0] if classes else None)], []


def _remedy(cropping: Cropping | None) -> str:
    if cropping is None:
        return "vqc train --crop learns from the boxes; or leave these sets out of the mix"
    return (
        f"Expected {cropping.least_px} px or more; --least-px of vqc train sets another "
        "bound, and vqc mix --min-visibility leaves out what hardly shows"
    )


def _unlabelled(frame: Frame, classes: Sequence[str]) -> str:
    if frame.label is not None and frame.label not in classes:
        return f"{frame.label} is none of the set's classes"
    return "no label and no objects" if frame.label is None and frame.objects is None else ""


def _class_faults(dataset: Dataset, cropping: Cropping | None) -> list[str]:
    """Too few classes that train, and what val and test show beyond them."""
    if not dataset.frames("train"):
        return []
    trained, *others = (_classes(dataset, split, cropping) for split in SPLITS)
    found = []
    if len(trained) < 2:
        shown = ", ".join(trained) or "none"
        found.append(f"{dataset.folder}: expected two classes or more that train, got {shown}")
    for split, shown_there in zip(SPLITS[1:], others, strict=True):
        if foreign := sorted(shown_there - trained):
            found.append(f"{dataset.folder}: {split} shows what never trains: {', '.join(foreign)}")
    return found


def _classes(dataset: Dataset, split: str, cropping: Cropping | None) -> set[str]:
    """Of the samples of a split; pictures that cannot be one have none."""
    samples = (s for f in dataset.frames(split) for s in _of_frame(dataset, f, cropping)[0])
    return {sample.truth for sample in samples if sample.truth is not None}


def _listed(dataset: Dataset, what: str, faults: Sequence[str]) -> list[str]:
    if not faults:
        return []
    more = [f"  ... and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
    shown = [f"  {fault}" for fault in faults[:_SHOWN]]
    return [f"{dataset.folder}: {len(faults)} frames {what}:", *shown, *more]


# Their pixels -----------------------------------------------------------------------------


def region_of(box: Box | None, width: int, height: int, margin: float) -> Region:
    """The square around a box with its margin, or around a whole picture without any."""
    x0, y0, x1, y1 = box or (0, 0, width, height)
    side = max(x1 - x0, y1 - y0) * (1 + 2 * margin * (box is not None))
    return Region((x0 + x1 - side) / 2, (y0 + y1 - side) / 2, side)


def cut(rgb: ByteArray, region: Region, size: int) -> ByteArray:
    """(size, size, 3): the region of a picture (H, W, 3); beyond the border its edge goes on.

    Shapes keep their proportions, which tell parts apart.
    """
    import cv2

    height, width = rgb.shape[:2]
    scale = size / region.side
    spans = []
    for start, full in ((region.x, width), (region.y, height)):
        low = min(max(0, round(start)), full - 1)
        high = max(low + 1, min(full, round(start + region.side)))
        length = min(size, max(1, round((high - low) * scale)))
        before = min(max(0, round((low - start) * scale)), size - length)
        spans.append((low, high, length, before))
    (x0, x1, wide, left), (y0, y1, tall, top) = spans
    inner, _ = augment.fit(rgb[y0:y1, x0:x1], None, (wide, tall))
    edges = (top, size - top - tall, left, size - left - wide)
    return np.asarray(cv2.copyMakeBorder(inner, *edges, cv2.BORDER_REPLICATE), np.uint8)


def square(rgb: ByteArray, size: int) -> ByteArray:
    """(size, size, 3): a whole picture."""
    height, width = rgb.shape[:2]
    return cut(rgb, region_of(None, width, height, 0), size)


class Pixels:
    """Square pictures of samples; kept once they were read, as far as a gigabyte goes."""

    def __init__(
        self, dataset: Dataset, samples: Sequence[Sample], size: int, margin: float
    ) -> None:
        self._dataset, self._samples, self._size, self._margin = dataset, samples, size, margin
        self._kept: dict[int, ByteArray] = {}
        self._most = _CACHE_BYTES // (size * size * 3)

    def __len__(self) -> int:
        return len(self._samples)

    def load(self, number: int) -> ByteArray:
        """(size, size, 3). Raises InputError for a picture that does not open."""
        from vqc.pictures import read_picture

        found = self._kept.get(number)
        if found is not None:
            return found
        sample = self._samples[number]
        rgb = np.asarray(read_picture(self._dataset.path(sample.frame)), np.uint8)
        height, width = rgb.shape[:2]
        found = cut(rgb, region_of(sample.box, width, height, self._margin), self._size)
        if len(self._kept) < self._most:
            self._kept[number] = found
        return found


def numbers(samples: Sequence[Sample], classes: Sequence[str]) -> Any:
    """(N,) int64: the class of each sample, -1 for none of these."""
    known = {name: number for number, name in enumerate(classes)}
    return np.array([-1 if s.truth is None else known[s.truth] for s in samples], np.int64)


def by_image(samples: Sequence[Sample]) -> Iterator[tuple[str, list[int]]]:
    """Each image, in order, with the places of its samples, which follow each other."""
    places: dict[str, list[int]] = {}
    for place, sample in enumerate(samples):
        places.setdefault(sample.frame.image, []).append(place)
    yield from places.items()
