"""Pictures sorted into good ones and defects, as MVTec does: `good/` beside `crack/`.

Masks, where there are any, lie in a folder such as `ground_truth/crack/000_mask.png` or beside
the pictures, by the rules of `vqc.formats.layout.pair`.
"""

from __future__ import annotations

from vqc.formats.labels import Labelled
from vqc.formats.layout import GOOD, Pairs, folders_of, good_level, pair
from vqc.formats.masks import pair_faults
from vqc.formats.source import Item, Listing, MaskFile, Reading, split_of
from vqc.formats.table import rows_of, with_rows
from vqc.types import Fault


def evidence(listing: Listing) -> str | None:
    """A folder of good pictures."""
    pictures = pair(listing).masks
    level = good_level(pictures)
    if level is None:
        return None
    names = sorted({name for file in pictures if (name := _folder(file, level)) is not None})
    return f"pictures in {', '.join(names[:4])}{', ...' if len(names) > 4 else ''}"


def read(listing: Listing, unlabelled_is_empty: bool = False) -> Reading:
    """Each picture's condition is its folder, "good" for all folders that mean it.

    With masks, a defect's mask gives one object of its condition's name, and good pictures
    have none. Without, `objects` is None throughout: nobody marked anything.
    """
    pairs = pair(listing)
    rows, faults = rows_of(listing, pairs.masks)
    labelled = Labelled(faults=[*faults])
    level = good_level(pairs.masks) or 0
    has_masks = any(pairs.masks.values()) or bool(pairs.alone)
    for lonely in pairs.alone:
        text = "a mask without picture: expected one of the same name in the folder of its name"
        labelled.faults.append(Fault(lonely, None, text))
    for file in pairs.masks:
        name = _folder(file, level)
        if name is not None:
            labelled.add(_item(listing, file, name, pairs, has_masks))
    unused = sum(
        mask is not None and _folder(file, level) == "good" for file, mask in pairs.masks.items()
    )
    notes = [f"{unused} masks of good pictures are passed over"] if unused else []
    expected = "a folder named like its condition"
    reading = labelled.reading(pairs.masks, expected, unlabelled_is_empty, notes=notes)
    return with_rows(reading, rows)


def _item(listing: Listing, file: str, name: str, pairs: Pairs, has_masks: bool) -> Item:
    mask, split = pairs.masks[file], split_of(file)
    if name == "good" or not has_masks:
        objects = () if has_masks else None
        return Item(file, file, split, objects, condition=name)
    if mask is None:
        text = "no mask: expected one of the same name, as other pictures have it"
        return Item(file, file, split, condition=name, faults=(Fault(file, None, text),))
    masks = (MaskFile(mask, name),)
    faults = pair_faults(listing, file, mask, pairs)
    return Item(file, mask, split, condition=name, masks=masks, faults=faults)


def _folder(file: str, level: int) -> str | None:
    """The condition that a picture's folders say; None where it lies outside of such folders."""
    folders = folders_of(file)
    if any(folder.lower() in GOOD for folder in folders):
        return "good"
    return folders[level] if len(folders) > level else None
