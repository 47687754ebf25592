"""Pictures that nobody labelled."""

from __future__ import annotations

from vqc.formats.layout import class_folders, looks_labelled
from vqc.formats.source import Item, Listing, Reading, split_of
from vqc.formats.table import rows_of, with_rows


def evidence(listing: Listing, has_session_folders: bool = False) -> str | None:
    """Pictures in one folder, splits aside, without a label file.

    has_session_folders: folders part photo shoots, so there may be any number of them.
    """
    pictures = listing.images
    if not pictures or looks_labelled(listing):
        return None
    if has_session_folders:
        return f"{len(pictures)} pictures, their folders are sessions"
    if len(set(class_folders(pictures).values())) > 1:
        return None
    return f"{len(pictures)} pictures and nothing that labels them"


def read(listing: Listing, unlabelled_is_empty: bool = False) -> Reading:
    """Every picture; `objects` is None, or () where the user says that they show nothing."""
    rows, faults = rows_of(listing, listing.images)
    objects = () if unlabelled_is_empty else None
    items = tuple(Item(file, file, split_of(file), objects) for file in listing.images)
    unused = (
        f"{len(items)} pictures that nobody labelled: they never train; if they were looked at "
    )
    notes = () if unlabelled_is_empty else (unused + "and show nothing, say --background",)
    return with_rows(Reading(items, faults=faults, notes=notes), rows)
