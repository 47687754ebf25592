"""Whether a set says what an anomaly detector has to know; everything that is missing at once."""

from __future__ import annotations

from collections.abc import Sequence

from vqc.dataset import Dataset
from vqc.errors import InputError
from vqc.tasks.anomaly.truth import GOOD, state_of
from vqc.types import Frame

_SHOWN = 20
_SILENT = "say neither good nor defect; expected a condition, or objects (none on a good frame)"


def check(dataset: Dataset) -> None:
    """Raises InputError once, with every frame that lacks something.

    A set trains on frames that are known to be good, or, with `contamination`, on frames of which
    nobody has said anything; the two are not mixed. What chooses or is scored must say which it is.
    """
    train = dataset.frames("train")
    states = [state_of(frame) for frame in train]
    unknown = [frame for frame, state in zip(train, states, strict=True) if state is None]
    faults = []
    if train and GOOD not in states and not unknown:
        faults.append(
            "no training frame is good: expected condition good, or labelled frames without any "
            "object; got defects only"
        )
    if unknown and GOOD in states:
        faults += _listed(
            unknown,
            "training frames say neither good nor defect while others are known to be good; label "
            "them (condition), or leave their set or the good ones out of the mix",
        )
    scored = [frame for split in ("val", "test") for frame in dataset.frames(split)]
    if silent := _silent(scored):
        faults += _listed(silent, f"frames of val or test {_SILENT}")
    if faults:
        raise InputError("\n".join([f"{dataset.folder}:", *faults]))


def require_said(frames: Sequence[Frame]) -> None:
    """Raises InputError with every frame of which nobody has said whether it is good."""
    if silent := _silent(frames):
        raise InputError("\n".join(_listed(silent, f"frames to be scored {_SILENT}")))


def training_frames(dataset: Dataset, contamination: float) -> tuple[Frame, ...]:
    """What trains: the good frames, or, where none is known to be, those that nobody labelled.

    Raises InputError where only such frames are there and contamination is 0.
    """
    train = dataset.frames("train")
    good = tuple(frame for frame in train if state_of(frame) == GOOD)
    if good:
        return good
    unknown = tuple(frame for frame in train if state_of(frame) is None)
    if not unknown:
        raise InputError(f"{dataset.folder}: there is no good frame to train on")
    if contamination == 0:
        raise InputError(
            f"{dataset.folder}: none of its {len(unknown)} training frames is known to be good; "
            "give the share that may have a defect, such as --contamination 0.02, or label them"
        )
    return unknown


def _silent(frames: Sequence[Frame]) -> list[Frame]:
    return [frame for frame in frames if state_of(frame) is None]


def _listed(frames: Sequence[Frame], what: str) -> list[str]:
    more = [f"  ... and {len(frames) - _SHOWN} more"] if len(frames) > _SHOWN else []
    return [f"{len(frames)} {what}:", *(f"  {frame.image}" for frame in frames[:_SHOWN]), *more]
