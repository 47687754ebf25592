"""Pictures sorted by class in folders, below train, valid and test or not."""

from __future__ import annotations

from vqc.formats.labels import Labelled
from vqc.formats.layout import class_folders, looks_labelled
from vqc.formats.source import Item, Listing, Reading, split_of
from vqc.formats.table import rows_of, with_rows


def evidence(listing: Listing) -> str | None:
    """At least two folders of pictures, no picture outside of them, no mask and no label file."""
    folders = class_folders(listing.images)
    names = sorted({parts[0] for parts in folders.values() if parts})
    if len(names) < 2 or not all(folders.values()) or looks_labelled(listing):
        return None
    shown = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
    return f"pictures in {len(names)} folders: {shown}"


def read(listing: Listing, unlabelled_is_empty: bool = False) -> Reading:
    """Each picture's label is its outermost folder, splits and folders that all share left out.

    `objects` stays None: a class says nothing about objects. A picture in no such folder has
    no label: it is at fault, or empty where the user says so.
    """
    pictures = listing.images
    rows, faults = rows_of(listing, pictures)
    labelled = Labelled(faults=[*faults])
    for file, parts in class_folders(pictures).items():
        if parts:
            labelled.add(Item(file, file, split_of(file), label=parts[0]))
    names = sorted({item.label for item in labelled.items.values() if item.label})
    expected = "a folder named like its class"
    return with_rows(labelled.reading(pictures, expected, unlabelled_is_empty, names), rows)
