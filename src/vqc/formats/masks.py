"""Pictures with mask pictures: `images/` beside `masks/`, or `x.jpg` beside `x_mask.png`.

The reader pairs them by name. What the masks' pixels mean is known once all of them were seen:
`values_of_mask` for each, `names_of_values` for all, then `objects_of_mask` for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqc.errors import InputError, ManifestError
from vqc.formats import rle
from vqc.formats.labels import Labelled, Wrong, is_turned, stored_size
from vqc.formats.layout import Pairs, good_level, pair
from vqc.formats.source import Item, Listing, MaskFile, Reading, split_of, text_of
from vqc.formats.table import rows_of, with_rows
from vqc.types import ByteArray, Fault, Frame

MOST_VALUES = 32
"""A mask of more different values was smoothed or saved with loss."""

_BACKGROUND = ("0", "#000000")


def evidence(listing: Listing) -> str | None:
    """Pictures and masks of the same names, and no folder of good ones."""
    pairs = pair(listing)
    found = [mask for mask in pairs.masks.values() if mask is not None]
    if not found or good_level(pairs.masks) is not None:
        return None
    return f"{len(found)} of {len(pairs.masks)} pictures have a mask of their name: {found[0]}"


def read(listing: Listing, unlabelled_is_empty: bool = False) -> Reading:
    """Every picture with its mask; `objects` stays None where a mask is to tell them.

    `classes` are the lines of a `classes.txt` at the root, for the values from 1 on.
    """
    pairs = pair(listing)
    rows, row_faults = rows_of(listing, pairs.masks)
    labelled = Labelled(faults=[*row_faults])
    for lonely in pairs.alone:
        text = "a mask without picture: expected one of the same name, in the same place"
        labelled.faults.append(Fault(lonely, None, text))
    for file, mask in pairs.masks.items():
        if mask is not None:
            faults = pair_faults(listing, file, mask, pairs)
            masks = (MaskFile(mask),)
            labelled.add(Item(file, mask, split_of(file), masks=masks, faults=faults))
    reading = labelled.reading(
        pairs.masks, "a mask of the same name", unlabelled_is_empty, _classes(listing)
    )
    return with_rows(reading, rows)


def pair_faults(listing: Listing, file: str, mask: str, pairs: Pairs) -> tuple[Fault, ...]:
    """What names and headers say against a mask: it belongs to several pictures, cannot be
    read, or has another size than its picture. No pixel is decoded.

    A picture that cannot be read is not the mask's fault; opening it will tell.
    """
    faults = []
    if mask in pairs.shared:
        several = ", ".join(pairs.shared[mask][:3])
        faults.append(Fault(mask, None, f"the mask of several pictures: {several}"))
    try:
        width, height = stored_size(listing.root / file)
    except Wrong:
        return tuple(faults)
    try:
        found = stored_size(listing.root / mask)
    except Wrong as error:
        return (*faults, Fault(mask, None, str(error)))
    fits = found == (width, height)
    if not fits and not (found == (height, width) and is_turned(listing.root / file)):
        text = f"expected {width} x {height} as {file} has, got {found[0]} x {found[1]}"
        faults.append(Fault(mask, None, text))
    return tuple(faults)


def values_of_mask(pixels: NDArray[Any]) -> frozenset[str]:
    """The different values of a mask besides the background.

    pixels: as stored, not converted: (H, W) bool, whole numbers or places in a palette, or
        (H, W, 3 or 4) uint8 colours; with 4, what is transparent is background.
    Numbers come as "3", colours as "#ff8000". Raises InputError where there are more than
    MOST_VALUES, and for pixels of another kind.
    """
    numbers = _numbers(pixels)
    if numbers.dtype == np.uint8:
        values = np.flatnonzero(np.bincount(numbers.ravel(), minlength=256))
    else:
        values = np.unique(numbers)
    if len(values) > MOST_VALUES + 1:
        raise InputError(
            f"a mask of {len(values)} different values, expected at most {MOST_VALUES} and 0: it "
            "was smoothed or saved with loss (JPEG); save it as PNG, one value for each class"
        )
    return frozenset(_text(int(v), _is_colour(pixels)) for v in values) - set(_BACKGROUND)


def names_of_values(values: Iterable[str], classes: Sequence[str] = ()) -> dict[str, str]:
    """The class that each value stands for, once the values of all masks are known.

    classes: value k is the k-th of them; as a masks source's `classes.txt` says. Without:
    a single value is "defect", and of several each is named as it stands, greys as numbers.
    Raises InputError for a value beyond the classes.
    """
    found = sorted(set(values), key=lambda v: (len(v), v))
    if classes:
        beyond = [v for v in found if v.startswith("#") or int(v) > len(classes)]
        if beyond:
            raise InputError(
                f"masks hold {', '.join(beyond)}; classes.txt names 1 to {len(classes)} only"
            )
        return {v: classes[int(v) - 1] for v in found}
    if len(found) == 1:
        return {found[0]: "defect"}
    grey = all(not v.startswith("#") or v[1:3] == v[3:5] == v[5:] for v in found)
    return {v: str(int(v[1:3], 16)) if grey and v.startswith("#") else v for v in found}


def objects_of_mask(
    pixels: NDArray[Any], names: Mapping[str, str] | str
) -> dict[str, NDArray[np.bool_]]:
    """One (H, W) mask for each class that shows, by class name; empty where none does.

    pixels: as for `values_of_mask`. names: as `names_of_values` gives it, or the one class of
        every pixel that is not background (`MaskFile.class_name`).
    """
    numbers = _numbers(pixels)
    if isinstance(names, str):
        shown = numbers != 0
        return {names: shown} if shown.any() else {}
    found: dict[str, NDArray[np.bool_]] = {}
    for value, name in names.items():
        shown = numbers == (int(value[1:], 16) if value.startswith("#") else int(value))
        if value.startswith("#") == _is_colour(pixels) and shown.any():
            found[name] = found[name] | shown if name in found else shown
    return dict(sorted(found.items()))


def condition_of(objects: Mapping[str, NDArray[np.bool_]]) -> str:
    """ "good" where no mask shows anything, else the class of the largest area."""
    if not objects:
        return "good"
    return max(objects, key=lambda name: int(objects[name].sum()))


def to_mask(frame: Frame, classes: Sequence[str]) -> ByteArray:
    """(H, W) uint8: 0 for the background, k for the k-th class.

    Raises ManifestError where that cannot say it: nobody labelled the frame, an object that
    shows has no mask, two classes share a pixel, or there are more than 255 classes.
    """
    if frame.objects is None:
        raise ManifestError("nobody labelled it")
    if len(classes) > 255:
        raise ManifestError(f"masks tell 255 classes apart, here are {len(classes)}")
    pixels = np.zeros((frame.height, frame.width), np.uint8)
    for note in frame.objects:
        if note.mask is None:
            if note.box_xyxy is not None:
                raise ManifestError("an object has no mask")
            continue
        shown = rle.decode(note.mask)
        value = classes.index(note.class_name) + 1
        if np.any(shown & (pixels != 0) & (pixels != value)):
            raise ManifestError("two classes share pixels")
        pixels[shown] = value
    return pixels


def _classes(listing: Listing) -> tuple[str, ...]:
    if "classes.txt" not in listing.files:
        return ()
    text = text_of(listing.root, "classes.txt")
    if isinstance(text, Fault):
        raise InputError(str(text))
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _numbers(pixels: NDArray[Any]) -> NDArray[Any]:
    """(H, W) whole numbers, 0 for the background; colours as 0xrrggbb."""
    if pixels.ndim == 2 and pixels.dtype == bool:
        return pixels.astype(np.uint8)
    if pixels.ndim == 2 and pixels.dtype.kind in "ui":
        return pixels
    if pixels.ndim == 3 and pixels.shape[2] in (3, 4) and pixels.dtype == np.uint8:
        red, green, blue = (pixels[..., i].astype(np.int32) for i in range(3))
        colours = red << 16 | green << 8 | blue
        return colours if pixels.shape[2] == 3 else np.where(pixels[..., 3] > 0, colours, 0)
    if pixels.ndim == 3 and pixels.shape[2] == 2 and pixels.dtype == np.uint8:
        return np.where(pixels[..., 1] > 0, pixels[..., 0], 0)
    raise InputError(
        f"a mask of shape {pixels.shape} and type {pixels.dtype}: expected whole numbers (H, W) "
        "or 8-bit colours (H, W, 3)"
    )


def _is_colour(pixels: NDArray[Any]) -> bool:
    return pixels.ndim == 3 and pixels.shape[2] > 2


def _text(value: int, is_colour: bool) -> str:
    return f"#{value:06x}" if is_colour else str(value)
