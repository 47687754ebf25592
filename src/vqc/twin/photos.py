"""The photos that a twin is made from: sets → their training photos, as they are trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vqc.errors import InputError
from vqc.manifest import read_manifest
from vqc.pictures import IMAGE_FORMATS, read_picture
from vqc.twin import jpeg
from vqc.twin.statistics import measure, place
from vqc.types import Box, ByteArray, FloatArray, Frame, Progress


@dataclass(frozen=True, slots=True)
class Found:
    """A photo of which boxes are known."""

    path: Path
    frame: Frame
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What pictures of one kind say.

    values: (N, 8), see `statistics`. places: (M, 3), size, x and y of each object. quality: (N,),
    JPEG, in effect. shown: a few of the pictures.
    """

    values: FloatArray
    places: FloatArray
    quality: FloatArray
    shown: tuple[ByteArray, ...]


def find_photos(
    sets: Sequence[Path], classes: Sequence[str]
) -> tuple[list[Found], tuple[str, ...]]:
    """Real training photos that show a box of the classes, and what was left out, in words.

    What val and test hold is never looked at. Raises InputError where none is left.
    """
    found, names = list[Found](), set[str]()
    held_out = others = without = 0
    for folder in sorted(set(sets)):
        for frame in read_manifest(folder).frames:
            if frame.split not in (None, "train"):
                held_out += 1
            elif frame.source != "real" or frame.simulated:
                others += 1
            else:
                names |= {note.class_name for note in frame.objects or ()}
                boxes = _boxes(frame, classes)
                without += not boxes
                if boxes:
                    found.append(Found(_root(folder) / frame.image, frame, boxes))
    if not found:
        places = ", ".join(map(str, sets))
        raise InputError(
            f"{places}: expected training photos with boxes of {', '.join(classes)}, got none: "
            f"{held_out} frames are of val or test, {others} are no real photos, {without} show no "
            f"such box (their classes: {', '.join(sorted(names)) or 'none'}); "
            "--class stem=name gives a STEP file the name that the photos use"
        )
    left = ((held_out, "of val or test"), (others, "no real photos"), (without, "without such box"))
    notes = tuple(f"{count} frames left out: {why}" for count, why in left if count)
    return found, notes


def read_sample(found: Sequence[Found], side_px: int, shown: int, on_progress: Progress) -> Sample:
    """The photos' numbers, each photo brought to `side_px` along its longer side.

    That is how a training brings photos and renders of that size to its own. Raises InputError.
    """
    values, quality, kept = [], [], []
    wanted = set(np.linspace(0, len(found) - 1, shown).round().astype(int).tolist())
    for number, item in enumerate(found):
        picture = np.asarray(read_picture(item.path))
        shrink = max(picture.shape[:2]) / side_px
        quality.append(jpeg.after_scaling(_quality(item.path, picture), shrink))
        picture = brought(picture, shrink)
        scale = picture.shape[1] / item.frame.width
        values.append(measure(picture, [_times(box, scale) for box in item.boxes]))
        if number in wanted:
            kept.append(picture)
        on_progress(number + 1, len(found))
    places = [place(b, i.frame.width, i.frame.height) for i in found for b in i.boxes]
    return Sample(np.array(values), np.array(places), np.array(quality), tuple(kept))


def brought(picture: ByteArray, shrink: float) -> ByteArray:
    """A picture so many times smaller, by area; or larger, by straight lines."""
    import cv2

    height, width = picture.shape[:2]
    size = max(1, round(width / shrink)), max(1, round(height / shrink))
    if size == (width, height):
        return picture
    how = cv2.INTER_AREA if shrink > 1 else cv2.INTER_LINEAR
    scaled: ByteArray = cv2.resize(picture, size, interpolation=how)
    return scaled


def _boxes(frame: Frame, classes: Sequence[str]) -> tuple[Box, ...]:
    """What is seen of the objects; photos seldom say more."""
    return tuple(
        note.box_xyxy
        for note in frame.objects or ()
        if note.class_name in classes and note.box_xyxy is not None
    )


def _times(box: Box, scale: float) -> Box:
    x0, y0, x1, y1 = (side * scale for side in box)
    return x0, y0, x1, y1


def _root(folder: Path) -> Path:
    return folder if folder.is_dir() else folder.parent


def _quality(path: Path, picture: ByteArray) -> int:
    """By the file's tables where it is a JPEG, else by what shows in its pixels."""
    from PIL import Image

    with Image.open(path, formats=IMAGE_FORMATS) as file:
        tables = getattr(file, "quantization", None)
    return jpeg.quality_of_tables(tables) if tables else jpeg.quality_of_pixels(picture)
