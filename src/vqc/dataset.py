"""A training set: the folder that `vqc mix` wrote, and what its manifest says.

In: a folder. Out: the frames of each split, with the labels that a task trains on.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from vqc.errors import InputError
from vqc.formats import BoxKind
from vqc.manifest import RECIPE, find_manifest, parse, read_manifest
from vqc.types import Frame, Manifest

SPLITS = ("train", "val", "test")
_AGAIN = "it says which boxes count: make the set again (vqc mix --fresh)"


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A set of frames in a folder.

    sha256: of the manifest file. box: which box of an object its labels carry.
    """

    folder: Path
    manifest: Manifest
    sha256: str
    box: BoxKind = "modal"

    def frames(self, split: str) -> tuple[Frame, ...]:
        """The frames of a split, in the manifest's order."""
        return tuple(frame for frame in self.manifest.frames if frame.split == split)

    def path(self, frame: Frame) -> Path:
        """Where the picture of a frame lies; absolute."""
        return self.folder.resolve() / frame.image


def open_dataset(folder: Path) -> Dataset:
    """Read a set.

    Raises InputError where there is no such folder or its recipe is not the manifest's, and
    ManifestError for a broken manifest.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; vqc mix makes a training set")
    file = find_manifest(folder)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None
    manifest = _parsed(data, file)
    sha256 = hashlib.sha256(data).hexdigest()
    return Dataset(folder, manifest, sha256, _box_of(folder / RECIPE, manifest.recipe_sha256))


def _box_of(recipe: Path, sha256: str) -> BoxKind:
    """Which box counts, as the set's own recipe says; InputError where that is not at hand."""
    import yaml

    try:
        data = recipe.read_bytes()
    except OSError as error:
        raise InputError(f"{recipe}: cannot be read: {error.strerror}; {_AGAIN}") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise InputError(f"{recipe} is not the one that the manifest was written with; {_AGAIN}")
    try:
        found = yaml.safe_load(data)
    except (ValueError, yaml.YAMLError):
        raise InputError(f"{recipe}: not YAML; {_AGAIN}") from None
    return "amodal" if isinstance(found, dict) and found.get("box") == "amodal" else "modal"


def _parsed(data: bytes, file: Path) -> Manifest:
    """Frames and hash are of the same bytes, whatever another command does to the file."""
    manifest, faults = parse(data)
    if manifest is None or faults:
        read_manifest(file)  # it tells every fault
        raise InputError(f"{file} was changed while it was read; give the command again")
    return manifest


def dataset_from(data: bytes, folder: Path, box: BoxKind = "modal") -> Dataset:
    """A set from the bytes of its manifest, as a run keeps them; pictures may be gone."""
    manifest, faults = parse(data)
    if manifest is None or faults:
        raise InputError(f"{folder}: its manifest does not read: {faults[0] if faults else ''}")
    return Dataset(folder, manifest, hashlib.sha256(data).hexdigest(), box)


def changed(dataset: Dataset, frames: Sequence[Frame]) -> list[str]:
    """Pictures that are gone, lie elsewhere or are not those of the manifest, with the reason."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        found = pool.map(lambda frame: _picture_fault(dataset, frame), frames)
        return [
            f"{frame.image}: {fault}" for frame, fault in zip(frames, found, strict=True) if fault
        ]


def _picture_fault(dataset: Dataset, frame: Frame) -> str:
    try:
        data = dataset.path(frame).read_bytes()
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return "" if hashlib.sha256(data).hexdigest() == frame.sha256 else "changed since"
