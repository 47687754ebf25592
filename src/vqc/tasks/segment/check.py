"""Whether a set says for every pixel what `segment` learns from."""

from __future__ import annotations

from vqc.dataset import SPLITS, Dataset
from vqc.errors import InputError
from vqc.types import Frame

_SHOWN = 50


def check(dataset: Dataset) -> None:
    """Raises InputError once, with every frame that nobody labelled or whose objects lack masks."""
    frames = [frame for split in SPLITS for frame in dataset.frames(split)]
    faults = [f"  {frame.image}: {fault}" for frame in frames if (fault := _fault(frame))]
    if faults:
        more = [f"  ... and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
        raise InputError(
            f"{dataset.folder}: {len(faults)} frames do not say which pixels show what:\n"
            + "\n".join([*faults[:_SHOWN], *more])
            + "\nDraw masks, render with --masks, or leave their set out of the mix"
        )
    trains = dataset.frames("train")
    if trains and not any(note.mask for frame in trains for note in frame.objects or ()):
        raise InputError(f"{dataset.folder}: no training frame shows any class: expected masks")


def _fault(frame: Frame) -> str:
    if frame.objects is None:
        return "nobody labelled it (objects is null; an empty list would say that nothing is there)"
    lacking = [n.class_name for n in frame.objects if n.mask is None and n.box_xyxy is not None]
    if lacking:
        names = ", ".join(sorted(set(lacking)))
        return f"{len(lacking)} objects with a box and no mask ({names})"
    for note in frame.objects:
        if note.mask is not None and list(note.mask["size"]) != [frame.height, frame.width]:
            height, width = note.mask["size"]
            return (
                f"a mask of {note.class_name} is {width}x{height}, the picture "
                f"{frame.width}x{frame.height}"
            )
    return ""
