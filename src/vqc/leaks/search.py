"""A set → every leak between its splits: pictures, and sessions.

In: a folder with a manifest. Out: `Leaks`. Pictures are decoded once, at reduced size, on
threads.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from vqc.errors import InputError
from vqc.leaks.align import compare
from vqc.leaks.thumbs import NEAREST, candidates, read_thumbs
from vqc.manifest import read_manifest
from vqc.types import ByteArray, Frame, Manifest, Progress

SPLITS = ("train", "val", "test")
LEAK = 0.6
"""Likeness from which a pair counts. Different photos of the same parts in two shoots had 0.08
at most, photos of one table top 0.2; photos that were cut, moved, mirrored, scaled, made
brighter or darker or encoded again, two of these at once, had 0.7 and more. Renders on a plain
ground whose outlines coincide can reach it too."""
SAME = 0.9
KINDS = ("same bytes", "same picture", "mirrored", "near")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two frames on two sides. score: 0 to 1, the share of what they show that agrees."""

    kind: str
    score: float
    first: Frame
    second: Frame


@dataclass(frozen=True, slots=True)
class SplitCount:
    """frames: in the split. touched: those that are in any pair."""

    split: str
    frames: int
    touched: int


@dataclass(frozen=True, slots=True)
class SharedSession:
    """A session with frames in several splits.

    frames: how many, in the order of `splits`. marked: whether all of its val and test
    frames are marked as same shoot.
    """

    session: str
    splits: tuple[str, ...]
    frames: tuple[int, ...]
    marked: bool

    @property
    def is_allowed(self) -> bool:
        """A val that was cut out of a training shoot, and says so; it scores nothing."""
        return self.marked and "test" not in self.splits


@dataclass(frozen=True, slots=True)
class Leaks:
    """What was found.

    pairs: worst first; for each frame of the later split the worst 8 with each earlier one.
    splits: counts, in the order train, val, test. without_split: frames that were not looked at.
    """

    name: str
    pairs: tuple[Pair, ...]
    splits: tuple[SplitCount, ...]
    sessions: tuple[SharedSession, ...]
    without_split: int

    @property
    def found(self) -> bool:
        """Whether anything leaks."""
        return bool(self.pairs) or not all(session.is_allowed for session in self.sessions)


def find(
    folder: Path | str,
    jobs: int | None = None,
    on_progress: Progress = lambda done, total: None,
) -> Leaks:
    """The same or nearly the same picture, and the same session, in two splits of a set.

    jobs: threads, by default one for each core. on_progress: pictures read, pictures in all.
    Memory: 10 kB a frame. Raises InputError where there are no two splits to compare, or
    where a picture cannot be read, and ManifestError as `read_manifest` does.
    """
    root = Path(folder)
    manifest = read_manifest(root)
    frames = tuple(f for f in manifest.frames if f.split is not None)
    _require_two_splits(root, manifest)
    thumbs = read_thumbs(root, frames, jobs, on_progress)
    rows = {s: [i for i, f in enumerate(frames) if f.split == s] for s in SPLITS}
    pairs: list[Pair] = []
    for before, after in combinations([s for s in SPLITS if rows[s]], 2):
        first, second = ([frames[i] for i in rows[s]] for s in (before, after))
        pairs += _pairs(first, second, thumbs[rows[before]], thumbs[rows[after]], jobs)
    pairs.sort(key=lambda p: (KINDS.index(p.kind) > 0, -p.score, p.second.image, p.first.image))
    touched = {frame.image for pair in pairs for frame in (pair.first, pair.second)}
    counts = tuple(
        SplitCount(split, len(rows[split]), sum(frames[i].image in touched for i in rows[split]))
        for split in SPLITS
        if rows[split]
    )
    unsplit = len(manifest.frames) - len(frames)
    return Leaks(manifest.name, tuple(pairs), counts, shared_sessions(frames), unsplit)


def shared_sessions(frames: Sequence[Frame]) -> tuple[SharedSession, ...]:
    """Every session that has frames in several splits, by name; from the manifest alone."""
    groups: dict[str, list[Frame]] = {}
    for frame in frames:
        if frame.split is not None:
            groups.setdefault(frame.session, []).append(frame)
    found = []
    for session in sorted(groups):
        group = groups[session]
        splits = tuple(s for s in SPLITS if any(f.split == s for f in group))
        if len(splits) > 1:
            sizes = tuple(sum(f.split == s for f in group) for s in splits)
            marked = all(f.same_shoot for f in group if f.split != "train")
            found.append(SharedSession(session, splits, sizes, marked))
    return tuple(found)


def _require_two_splits(root: Path, manifest: Manifest) -> None:
    there = [s for s in SPLITS if any(f.split == s for f in manifest.frames)]
    if len(there) < 2:
        got = f"only {there[0]}" if there else "no frame with a split"
        raise InputError(
            f"{root}: nothing to compare: expected frames in two of train, val and test, "
            f"got {got}; `vqc mix` makes a set with splits, `vqc intake --split` gives photos one"
        )


def _pairs(
    first: Sequence[Frame],
    second: Sequence[Frame],
    first_thumbs: ByteArray,
    second_thumbs: ByteArray,
    jobs: int | None,
) -> list[Pair]:
    """Leaks between two splits; equal bytes are told by the manifest's sha256."""
    import cv2  # noqa: F401  before any thread needs it

    copies: dict[str, list[Frame]] = {}
    for frame in first:
        copies.setdefault(frame.sha256, []).append(frame)
    pairs = [
        Pair(KINDS[0], 1.0, copy, frame)
        for frame in second
        for copy in copies.get(frame.sha256, [])[:NEAREST]
    ]
    likely = [
        c
        for c in candidates(first_thumbs, second_thumbs)
        if first[c.train].sha256 != second[c.other].sha256
    ]
    with ThreadPoolExecutor(jobs or len(os.sched_getaffinity(0))) as pool:
        compared = pool.map(
            lambda c: compare(first_thumbs[c.train], second_thumbs[c.other], c.starts), likely
        )
        for candidate, (score, mirror) in zip(likely, compared, strict=True):
            if score >= LEAK:
                kind = "mirrored" if any(mirror) else "same picture" if score >= SAME else "near"
                ends = first[candidate.train], second[candidate.other]
                pairs.append(Pair(kind, round(score, 3), *ends))
    return pairs
