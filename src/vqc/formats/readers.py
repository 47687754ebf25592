"""The formats that intake reads, by name, and which of them a source is."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Protocol, cast

from vqc.errors import InputError
from vqc.formats.source import Listing, Reading

LABELLED = ("yolo", "coco", "voc", "labelstudio", "cvat", "severstal", "masks")
"""Formats whose files say what pictures show."""
FORMATS = (*LABELLED, "conditions", "classes", "images")
"""All formats; the surest first."""

_IN_ONE_MODULE = ("severstal", "masks", "conditions", "classes", "images")
"""Of the others, module X writes and module X_reader reads."""


class Reader(Protocol):
    """What the module of each format offers."""

    def evidence(self, listing: Listing) -> str | None:
        """Why a source looks like this format, in a few words; None where it does not."""

    def read(self, listing: Listing, unlabelled_is_empty: bool = False) -> Reading:
        """What the source says of its pictures. Raises InputError where it says nothing."""


def reader(name: str) -> Reader:
    """The reader of a format, loaded when it is asked for; raises InputError."""
    if name not in FORMATS:
        raise InputError(f"format: expected one of {', '.join(FORMATS)}, got {name!r}")
    module = name if name in _IN_ONE_MODULE else f"{name}_reader"
    return cast(Reader, importlib.import_module(f"vqc.formats.{module}"))


def recognise(listing: Listing, has_session_folders: bool = False) -> tuple[str, str]:
    """The format of a source, and what it was recognised by.

    has_session_folders: plain folders of pictures part photo shoots, not classes.
    Label files count more than the names of folders; of these, good and defect folders come
    first, then classes, then pictures without any label. Raises InputError where several kinds
    of label files fit, or nothing does.
    """
    fitting = {name: why for name in LABELLED if (why := reader(name).evidence(listing))}
    if len(fitting) > 1:
        seen = [f"  {name}: {why}" for name, why in fitting.items()]
        choice = " or ".join(f"--format {name}" for name in fitting)
        text = f"several formats fit; say {choice}"
        raise InputError("\n".join([text, *seen]))
    if fitting:
        return next(iter(fitting.items()))
    for name in ("conditions",) if has_session_folders else ("conditions", "classes"):
        why = reader(name).evidence(listing)
        if why:
            return name, why
    from vqc.formats import images

    why = images.evidence(listing, has_session_folders)
    if why:
        return "images", why
    raise InputError(_nothing_fits(listing))


def _nothing_fits(listing: Listing) -> str:
    there = f"{len(listing.files)} files, {len(listing.images)} of them pictures"
    if not listing.images:
        return f"{there}: expected pictures"
    return (
        f"{there}: this is no format that vqc recognises; say --format images where nobody "
        "labelled them, --session folder where folders are photo shoots, else "
        f"--format {_list(FORMATS[:-1])}"
    )


def _list(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
