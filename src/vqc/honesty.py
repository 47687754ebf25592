"""The honest-score gate: whether a score tells how a run does on pictures of another day.

In: the manifest that a run was trained on, what its start weights have seen, and the set to be
scored. Out: every reason why the score would be too good. Manifests alone count; no picture is
opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqc.dataset import SPLITS, Dataset
from vqc.errors import HonestyError, InputError
from vqc.leaks import by_hash
from vqc.mix.twins import Labels, labels_agree
from vqc.types import Frame

_DID = {"train": "trained", "val": "chose the epoch"}
"""What the frames of a run's splits did; those of test did nothing."""
_DID_BEFORE = {
    "train": "trained the weights it started from",
    "val": "chose the weights it started from",
}
"""The same of what the run's start weights were trained on."""
_MEANT_FOR = {"train": "training", "val": "choosing"}
_SHOWN = 3

Frames = Sequence[Frame]
Finding = tuple[str, str]
"""A reason, and the word for it in the mark."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a score is honest.

    reasons: why not, in sentences. mark: the same in a few words, such as "not an honest
    score: renders, same shoot", to stand wherever the score stands. Both empty where it is.
    """

    reasons: tuple[str, ...]
    mark: str

    @property
    def honest(self) -> bool:
        return not self.reasons


def judge(
    trained: Dataset, scored: Dataset, split: str, ancestors: Sequence[Dataset] = ()
) -> Verdict:
    """Whether the score of a run on one split of a set would be honest.

    trained: the run's own copy of the manifest that it was trained on. scored: that set again
    or another one. A frame that is in split test of both is fine. ancestors: what the weights
    that the run started from were trained on, and the weights before these.
    Raises InputError where the set has no frame of that split.
    """
    frames = scored.frames(split)
    if not frames:
        raise InputError(_no_frame(scored, split))
    is_own = trained.sha256 == scored.sha256
    used = _used(trained, split if is_own else None, ancestors)
    findings = [
        *_by_split(split, is_own),
        *_by_kind(frames),
        *_by_shoot(frames, used),
        *_by_picture(frames, used),
    ]
    reasons = tuple(reason for reason, _ in findings)
    return Verdict(reasons, mark(word for _, word in findings))


def mark(words: Iterable[str]) -> str:
    """Why a score is not honest, in a few words, each once; empty where there is none."""
    told = ", ".join(dict.fromkeys(words))
    return f"not an honest score: {told}" if told else ""


def require_honest(verdict: Verdict, insist: bool) -> None:
    """Raises HonestyError with every reason; insist: the user wants the score anyway."""
    if verdict.honest or insist:
        return
    reasons = "\n".join(f"  {reason}" for reason in verdict.reasons)
    raise HonestyError(
        f"this score would not be honest:\n{reasons}\n"
        "An honest score needs photos of a shoot that neither trained nor chose; --anyway "
        "gives this one, marked in words",
        verdict.mark,
    )


def _no_frame(scored: Dataset, split: str) -> str:
    counts = [(len(scored.frames(name)), name) for name in SPLITS]
    there = ", ".join(f"{count:,} of {name}" for count, name in counts if count)
    return (
        f"{scored.folder}: the set holds no frame of split {split}: it has "
        f"{there or 'no frame of any split'}; choose another split, or give a shoot to this "
        "one with vqc mix (--test, --val)"
    )


def _used(trained: Dataset, own: str | None, ancestors: Sequence[Dataset]) -> Mapping[str, Frames]:
    """All that the run has seen, by what it did. own: the split scored, where it is the run's.

    A split is not compared with itself, and what trained is not compared with anything. Of the
    ancestors only what is new.
    """
    if own == "train":
        return {}
    used: dict[str, Frames] = {
        did: trained.frames(split) for split, did in _DID.items() if split != own
    }
    told = {(frame.sha256, frame.session) for frames in used.values() for frame in frames}
    before = [each for each in ancestors if each.sha256 != trained.sha256]
    for split, did in _DID_BEFORE.items():
        seen = (frame for each in before for frame in each.frames(split))
        frames = {(frame.sha256, frame.session): frame for frame in seen}
        used[did] = [frame for key, frame in frames.items() if key not in told]
        told |= frames.keys()
    return used


def _by_split(split: str, is_own: bool) -> Iterator[Finding]:
    if split not in _DID:
        return
    if is_own:
        yield f"this split {_DID[split]}", f"{split} split"
    else:
        yield f"split {split} is meant for {_MEANT_FOR[split]}", f"{split} split"


def _by_kind(frames: Frames) -> Iterator[Finding]:
    simulated = sum(frame.simulated for frame in frames)
    renders = sum(not _is_photo(frame) for frame in frames)
    if renders:
        yield _share(renders, len(frames), "renders", "a render"), "renders"
    if simulated:
        told = _share(simulated, len(frames), "simulated photos", "a simulated photo")
        yield told, "simulated photos"


def _by_shoot(frames: Frames, used: Mapping[str, Frames]) -> Iterator[Finding]:
    """Sessions of which the run has seen something, and frames that are marked so themselves."""
    told: set[str] = set()
    for did, theirs in used.items():
        sessions = {frame.session for frame in theirs} - told
        told |= sessions
        mine = [frame for frame in frames if frame.session in sessions]
        if mine:
            names = sorted({frame.session for frame in mine})
            noun = "shoot" if any(map(_is_photo, mine)) else "session"
            noun += "s" * (len(names) > 1)
            what = f"of {noun} {_listed(names)}, which {did}"
            yield _share(len(mine), len(frames), what), "same shoot"
    marked = sum(frame.same_shoot and frame.session not in told for frame in frames)
    if marked:
        yield _share(marked, len(frames), "marked same shoot"), "same shoot"


def _by_picture(frames: Frames, used: Mapping[str, Frames]) -> Iterator[Finding]:
    for did, theirs in used.items():
        pairs = _twins(theirs, frames)
        if pairs:
            one = len(pairs) == 1
            equal = all(mine.sha256 == other.sha256 for mine, other in pairs)
            same = "the same" if equal else "(nearly) the same"
            shown = [f"{_name(mine)} = {_name(other)}" for mine, other in pairs[:_SHOWN]]
            yield (
                (
                    f"{len(pairs):,} {'picture is' if one else 'pictures are'} {same} as "
                    f"{'one' if one else 'ones'} that {did}: {', '.join(shown)}"
                    + ", …"
                    * (len(pairs) > _SHOWN)
                ),
                "same pictures",
            )


def _twins(used: Frames, frames: Frames) -> list[tuple[Frame, Frame]]:
    """Each of the frames that is one of those used, with that one: the nearest.

    The rule of `vqc.mix.twins`: equal bytes, or photos whose perceptual hashes are equal, or
    near while classes and boxes agree.
    """
    first = {frame.sha256: frame for frame in reversed(used)}
    found = {k: first[frame.sha256] for k, frame in enumerate(frames) if frame.sha256 in first}
    left = [frame for frame in used if _is_photo(frame)]
    right = [k for k, frame in enumerate(frames) if _is_photo(frame) and k not in found]
    near = by_hash(_hashes(left), _hashes([frames[k] for k in right]))
    for place in np.lexsort((near.train, near.bits, near.other)).tolist():
        k, other = right[near.other[place]], left[near.train[place]]
        if k not in found and (
            near.bits[place] == 0 or labels_agree(_labels(other), _labels(frames[k]))
        ):
            found[k] = other
    return [(frames[k], found[k]) for k in sorted(found)]


def _hashes(frames: Frames) -> NDArray[np.uint64]:
    return np.array([int(frame.phash, 16) for frame in frames], np.uint64)


def _labels(frame: Frame) -> Labels:
    """Boxes by class, in shares of the frame; a label, or a bare condition, has the whole frame."""
    whole = frame.label or (frame.condition if frame.objects is None else None)
    found: Labels = {whole: [(0, 0, 1, 1)]} if whole else {}
    for note in frame.objects or ():
        if note.box_xyxy is not None:
            x0, y0, x1, y1 = note.box_xyxy
            box = (x0 / frame.width, y0 / frame.height, x1 / frame.width, y1 / frame.height)
            found.setdefault(note.class_name, []).append(box)
    return found


def _is_photo(frame: Frame) -> bool:
    """Photos, and renders that stand in for them."""
    return frame.simulated or frame.source == "real"


def _name(frame: Frame) -> str:
    return frame.image.rpartition("/")[2]


def _share(count: int, total: int, plural: str, singular: str | None = None) -> str:
    """Such as "12 of 64 frames are renders"."""
    if count == 1:
        frame = "the only frame" if total == 1 else f"1 of {total:,} frames"
        return f"{frame} is {singular or plural}"
    frames = f"all {total:,}" if count == total else f"{count:,} of {total:,}"
    return f"{frames} frames are {plural}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
