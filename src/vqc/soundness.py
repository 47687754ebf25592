"""Whether a training set can be trained on: as its manifest says, and no picture in two splits."""

from __future__ import annotations

from vqc.dataset import Dataset
from vqc.errors import InputError, LeakError
from vqc.types import Progress
from vqc.verify import verify

_SHOWN = 20


def require_sound(dataset: Dataset, on_verify: Progress) -> None:
    """Raise InputError for a set that is damaged or trains nothing, LeakError for one that leaks.

    on_verify: files looked at and files in all.
    """
    faults = verify(dataset.folder, on_progress=on_verify)
    if faults:
        more = [f"... and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
        raise InputError(
            "\n".join([f"{dataset.folder} is not sound:", *map(str, faults[:_SHOWN]), *more])
            + "\nMake it again (vqc mix --fresh), or mend its sources"
        )
    if not dataset.frames("train"):
        raise InputError(
            f"{dataset.folder}: no frame has split train; vqc mix makes a training set"
        )
    _require_apart(dataset)


def _require_apart(dataset: Dataset) -> None:
    """LeakError where a picture of train is in val or test too, or one of val in test."""
    split_of: dict[str, str | None] = {}
    found = []
    for frame in dataset.manifest.frames:
        other = split_of.setdefault(frame.sha256, frame.split)
        if other != frame.split:
            found.append(f"  {frame.image} is a picture of {other} too")
    if found:
        raise LeakError(
            "\n".join([f"{dataset.folder}: the same pictures in two splits:", *found[:_SHOWN]])
            + "\nvqc mix without --allow-leaks keeps them apart"
        )
