"""Manifests → a pool: only what selects a frame is decoded, a million frames in seconds.

The lines themselves stay on disk and are fetched again, by their place in the file, for the
frames that were drawn.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from vqc.contract import header_faults
from vqc.errors import InputError, ManifestError
from vqc.manifest import FILE_NAME, RECIPE, find_manifest, read_manifest, with_zero_digest
from vqc.mix.pool import (
    CAD,
    DEFECT,
    EMPTY,
    GOOD,
    HIDDEN,
    LABELLED,
    REAL,
    SIMULATED,
    SPLITS,
    UNLABELLED,
    WHOLE,
    Pool,
    Source,
    Thing,
)  # fmt: skip
from vqc.types import Parent, Progress

ROOTS = (Path("renders"), Path("datasets"))
_COLUMNS = (
    "source", "offset", "length", "kind", "session", "split", "state", "primary", "count"
)  # fmt: skip
_PRELABELS = "prelabels"
"""The header's field by which `vqc predict --as-set` marks a set that nobody has corrected."""
_GOOD = "good"
"""The condition of a picture without a defect (docs/format.md)."""
_BLOCK = 10_000
_CHUNK = 1 << 20


class _Line(msgspec.Struct, gc=False):
    image: str
    sha256: str
    phash: str
    source: str
    session: str
    simulated: bool = False
    split: str | None = None
    label: str | None = None
    condition: str | None = None
    objects: list[Thing] | None = None


def find_sets(roots: Sequence[Path] | None = None) -> tuple[list[Path], list[str]]:
    """The finished sets at or right below the roots, and notes on the rest.

    Mixes are left out, and so are sets of pre-labels: what a model drew is no truth.

    roots: by default renders/ and datasets/, as far as they are there.
    Raises InputError for a root that is not there or is left out itself, and where there is
    no set at all, and ManifestError for a header that cannot be read.
    """
    named = roots is not None
    if roots is None:
        roots = [root for root in ROOTS if root.is_dir()]
    folders: dict[Path, Path] = {}
    notes = []
    for root in roots:
        if not root.is_dir():
            raise InputError(f"--from {root}: there is no such folder")
        if named and _is_unfinished(root):
            raise InputError(f"--from {root}: unfinished; give the command that made it once more")
        inside = sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
        for folder in [root] if (root / FILE_NAME).is_file() else inside:
            if (folder / FILE_NAME).is_file():
                header, _ = _header(folder)
                reason = _reason_against(header, folder)
                if reason is None:
                    folders.setdefault(folder.resolve(), folder)
                elif folder == root:
                    raise InputError(f"--from {root}: {reason}")
                elif header["kind"] != "mix":
                    notes.append(f"{folder}: not taken: {reason}")
            elif _is_unfinished(folder):
                notes.append(f"{folder}: unfinished, not taken; give its command once more")
    if not folders:
        where = " and ".join(map(str, roots or ROOTS))
        advice = "make one with vqc render or vqc intake, or name its folder with --from"
        raise InputError("\n".join([f"no finished set in {where}: {advice}", *notes]))
    return list(folders.values()), notes


def _is_unfinished(folder: Path) -> bool:
    begun = (folder / RECIPE).is_file() or (folder / ".partial").is_dir()
    return begun and not (folder / FILE_NAME).is_file()


def _reason_against(header: dict[str, Any], folder: Path) -> str | None:
    """Why a finished set is not drawn from, and what to do; None where it is."""
    if header["kind"] == "mix":
        return "is a mix; give the sets that it was made of"
    if header.get(_PRELABELS):
        return (
            "holds pre-labels, which nobody has checked; correct them (vqc export "
            f"{folder} --format cvat, or labelstudio) and take the result in with vqc intake"
        )
    return None


def read_pool(
    folders: Sequence[Path],
    min_visibility: float = 0.0,
    on_progress: Progress = lambda done, total: None,
) -> Pool:
    """The frames of several sets as columns.

    folders: of finished sets, in any order: renders come first, then photos, each by name,
        and that is how classes are numbered.
    min_visibility: objects of which less shows do not count.
    on_progress: bytes read and bytes in all.
    Raises ManifestError for a manifest that breaks the contract or was changed.
    """
    reader = _Reader(min_visibility)
    total = sum(find_manifest(folder).stat().st_size for folder in folders)
    done = 0
    for folder in sorted(folders, key=_rank):
        done += reader.read(folder, partial(_advance, on_progress, done, total))
    return reader.pool()


def _with_prefixes(sources: Sequence[Source]) -> tuple[Source, ...]:
    """Sets of one name told apart by their kind; InputError where that does not do."""
    names = Counter(source.parent.name for source in sources)
    told = [
        replace(s, prefix=f"{s.kind}-{s.prefix}") if names[s.parent.name] > 1 else s
        for s in sources
    ]
    prefixes = Counter(source.prefix for source in told)
    clash = [source for source in told if prefixes[source.prefix] > 1]
    if clash:
        where = ", ".join(f"{source.folder} ({source.parent.name})" for source in clash)
        raise InputError(
            f"sets of one kind have one name, which their manifests give: {where}; choose with "
            "--from, or make one anew under another name"
        )
    return tuple(told)


def _rank(folder: Path) -> tuple[bool, str]:
    header, _ = _header(folder)
    return header["kind"] != "render", header["name"]


def _advance(on_progress: Progress, before: int, total: int, at: int) -> None:
    on_progress(before + at, total)


class _Reader:
    def __init__(self, min_visibility: float) -> None:
        self.sources: list[Source] = []
        self._min_visibility = min_visibility
        self._classes: dict[str, int] = {}
        self._sessions: dict[str, int] = {}
        self._rows: list[tuple[int, ...]] = []
        self._blocks = [np.empty((0, len(_COLUMNS)), np.int64)]
        self._shown = array("i")
        self._digests = bytearray()

    def read(self, folder: Path, on_progress: Callable[[int], None]) -> int:
        """Append one set; returns the bytes of its manifest."""
        header, start = _header(folder)
        for name in header["classes"]:
            self._classes.setdefault(name, len(self._classes))
        sha256 = _checked_sha256(folder, header.get("digest"))
        names: set[int] = set()
        decode = msgspec.json.Decoder(_Line).decode
        frames, at = 0, start
        with (folder / FILE_NAME).open("rb") as file:
            file.seek(start)
            for raw in file:
                try:
                    line = decode(raw)
                except msgspec.DecodeError as error:
                    raise ManifestError(f"{folder / FILE_NAME}:{frames + 2}: {error}") from None
                self._append(at, len(raw) - 1, line)
                names.add(hash(line.image.rpartition("/")[2].rpartition(".")[0]))
                frames, at = frames + 1, at + len(raw)
                if not frames % _BLOCK:
                    self._flush()
                    on_progress(at)
        self._flush()
        on_progress(at)
        parent = Parent(header["name"], sha256)
        flat = len(names) == frames
        source = Source(folder, header["kind"], parent, parent.name, frames, flat)
        self.sources.append(source)
        return at

    def _append(self, offset: int, length: int, line: _Line) -> None:
        shown, primary, state = self._content(line)
        kind = SIMULATED if line.simulated else REAL if line.source == "real" else CAD
        split = -1 if line.split is None else SPLITS.index(line.split)
        session = self._sessions.setdefault(line.session, len(self._sessions))
        count, number = len(shown), len(self.sources)
        self._rows.append((number, offset, length, kind, session, split, state, primary, count))
        self._shown.extend(shown)
        self._digests += bytes.fromhex(line.sha256 + line.phash)

    def _flush(self) -> None:
        if self._rows:
            self._blocks.append(np.array(self._rows, np.int64))
            self._rows = []

    def _content(self, line: _Line) -> tuple[list[int], int, int]:
        """Classes shown, the primary one, and the state."""
        largest: dict[str, float] = {}
        for thing in line.objects or ():
            if thing.box is not None and thing.is_clear(self._min_visibility):
                x0, y0, x1, y1 = thing.box
                area = (x1 - x0) * (y1 - y0)
                largest[thing.class_name] = max(largest.get(thing.class_name, 0.0), area)
        if line.label is not None and not largest:
            number = self._classes.setdefault(line.label, len(self._classes))
            return [number], number, WHOLE
        if largest:
            primary = max(largest, key=lambda name: (largest[name], name))
            shown = sorted(self._classes[name] for name in largest)
            return shown, self._classes[primary], LABELLED
        if line.objects is not None:
            return [], -1, HIDDEN if line.objects else EMPTY
        if line.condition is None:
            return [], -1, UNLABELLED
        if line.condition == _GOOD:
            return [], -1, GOOD
        number = self._classes.setdefault(line.condition, len(self._classes))
        return [number], number, DEFECT

    def pool(self) -> Pool:
        """What was read, as arrays."""
        column = dict(zip(_COLUMNS, np.concatenate(self._blocks).T, strict=True))
        digests = np.frombuffer(bytes(self._digests), ">u8").reshape(-1, 5).astype(np.uint64)
        return Pool(
            sources=_with_prefixes(self.sources),
            classes=tuple(self._classes),
            sessions=tuple(self._sessions),
            source=column["source"].astype(np.int32),
            offset=column["offset"].copy(),
            length=column["length"].copy(),
            kind=column["kind"].astype(np.int8),
            session=column["session"].astype(np.int32),
            split=column["split"].astype(np.int8),
            state=column["state"].astype(np.int8),
            shown_at=np.concatenate(([0], np.cumsum(column["count"]))),
            shown=np.array(self._shown, np.int32),
            primary=column["primary"].astype(np.int32),
            sha256=np.ascontiguousarray(digests[:, :4]),
            phash=np.ascontiguousarray(digests[:, 4]),
        )


def _header(folder: Path) -> tuple[dict[str, Any], int]:
    """The header of a manifest and the length of its line in bytes."""
    path = folder / FILE_NAME
    try:
        with path.open("rb") as file:
            line = file.readline()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        header = json.loads(line)
    except ValueError as error:
        raise ManifestError(f"{path}:1: not JSON: {error}") from None
    faults = header_faults(header) if isinstance(header, dict) else ["expected a JSON object"]
    if faults:
        raise ManifestError("\n".join(f"{path}:1: {fault}" for fault in faults))
    return header, len(line)


def _checked_sha256(folder: Path, digest: str | None) -> str:
    """The hash of a manifest that is known to keep the contract.

    One whose digest fits is as vqc wrote it, so it did; any other is read in full.
    Raises ManifestError where it does not, or was changed.
    """
    plain, inner = hashlib.sha256(), hashlib.sha256()
    with (folder / FILE_NAME).open("rb") as file:
        line = file.readline()
        plain.update(line)
        inner.update(with_zero_digest(line, digest or ""))
        while chunk := file.read(_CHUNK):
            plain.update(chunk)
            inner.update(chunk)
    if digest is None:
        read_manifest(folder)
    elif inner.hexdigest() != digest:
        read_manifest(folder)
        raise ManifestError(f"{folder}: was changed after it was written; see vqc verify {folder}")
    return plain.hexdigest()
