"""Mask pictures of a source → which pixels show which class.

What the values of masks mean is known only when all of them were seen, so they are looked at
once for the values, before any picture is opened, and once more with their picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqc.errors import InputError
from vqc.formats.masks import names_of_values, objects_of_mask, values_of_mask
from vqc.formats.source import Item, Reading
from vqc.intake.labels import MaskObject
from vqc.pictures import IMAGE_FORMATS
from vqc.types import Fault

_LOSSY = ("JPEG", "MPO")
_BLURRED = (
    "a mask saved with loss (JPEG), so its values are no longer what was drawn: save it as PNG, "
    "one value for each class"
)


@dataclass(frozen=True, slots=True)
class Marks:
    """How to read mask pictures.

    names: the class of each value. faults: of single masks. are_defects: nobody named the
    values, as where good parts and defects are told apart; a list of names may be of parts.
    """

    root: Path
    max_pixels: int
    names: Mapping[str, str]
    faults: Mapping[str, Fault]
    are_defects: bool

    def of(self, item: Item) -> tuple[list[MaskObject], list[Fault]]:
        """What the masks of one picture hold, and what is wrong with them."""
        found: list[MaskObject] = []
        faults: list[Fault] = []
        told = {fault.file for fault in item.faults}
        for mask in item.masks:
            if mask.file in told:
                continue
            pixels = self.faults.get(mask.file) or _pixels(self.root, mask.file, self.max_pixels)
            if isinstance(pixels, Fault):
                faults.append(pixels)
                continue
            try:
                objects = objects_of_mask(pixels, mask.class_name or self.names)
            except InputError as error:
                faults.append(Fault(mask.file, None, str(error)))
                continue
            found += [MaskObject(mask.file, name, shown) for name, shown in objects.items()]
        return found, faults


def marks_of(root: Path, reading: Reading, max_pixels: int, threads: int) -> Marks:
    """Look at every mask whose values tell the classes; `picture.prepare` was called.

    Raises InputError where the values of all of them make no classes.
    """
    files = sorted(
        {mask.file for item in reading.items for mask in item.masks if mask.class_name is None}
    )

    def values(file: str) -> frozenset[str] | Fault:
        pixels = _pixels(root, file, max_pixels)
        if isinstance(pixels, Fault):
            return pixels
        try:
            return values_of_mask(pixels)
        except InputError as error:
            return Fault(file, None, str(error))

    with ThreadPoolExecutor(threads) as pool:
        found = dict(zip(files, pool.map(values, files), strict=True))
    seen: Iterable[str] = {
        value for values in found.values() if not isinstance(values, Fault) for value in values
    }
    names = names_of_values(seen, reading.classes)
    faults = {file: value for file, value in found.items() if isinstance(value, Fault)}
    return Marks(root, max_pixels, names, faults, are_defects=not reading.classes)


def _pixels(root: Path, file: str, max_pixels: int) -> NDArray[Any] | Fault:
    """A mask's values as stored: numbers, places in a palette, or colours."""
    from PIL import Image

    try:
        with Image.open(root / file, formats=IMAGE_FORMATS) as picture:
            width, height = picture.size
            if width * height > max_pixels:
                megapixels = width * height / 1e6
                return Fault(
                    file,
                    None,
                    f"{megapixels:.1f} megapixels, expected at most {max_pixels / 1e6:g}: "
                    "allow it with --max-mpx",
                )
            pixels = np.asarray(picture)
            if picture.format in _LOSSY and not np.isin(pixels, (0, 255)).all():
                return Fault(file, None, _BLURRED)
            return pixels
    except Exception as error:  # a decoder may raise anything on broken data
        return Fault(file, None, f"does not open as a picture ({type(error).__name__})")
