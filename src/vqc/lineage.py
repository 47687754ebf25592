"""What a training set was made of, up to the STEP files and the photos, and what a run has seen.

In: a set and the folders in which its parents may lie. Out: the content of a run's
lineage.json, and the same in a few lines to read. No absolute paths, no clock times.

A run that starts from the weights of another one has seen what that one saw. `seen` packs that
for a task to keep in its weights, `inherit` notes it in the folder of a run that starts from them.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from vqc.contract import header_faults, is_sha256, is_text
from vqc.counts import counted
from vqc.dataset import SPLITS, Dataset, dataset_from
from vqc.errors import InputError, ManifestError
from vqc.manifest import FILE_NAME, RECIPE, frame_from_json, frame_to_json
from vqc.mix.reading import ROOTS
from vqc.runs import ANEW, DATASET, SEEN, write_file
from vqc.types import Annotation, Frame, Manifest, Parent

VERSION = 1
UNSPLIT = "without split"
"""The name under which frames without a split are counted."""
_PLURAL = {"cad": "renders", "real": "photos", "simulated": "simulated photos"}
"""What frames are counted by, and its words."""
_USED = ("train", "val")
"""The splits that a training looks at."""
_LARGEST_BYTES = 2**30
"""What is packed may not unfold to more than this."""
_SHOWN = 5
_HEX_DIGITS = 8


def trace(dataset: Dataset, roots: Sequence[Path] = ROOTS) -> dict[str, Any]:
    """The content of lineage.json, as plain JSON values.

    roots: folders with sets, or sets. A parent is known again by the SHA-256 of its manifest,
    wherever it lies; one that is not there, or has changed since, has `found` false. What a
    set was made of is left out where its recipe is gone or is not the one of its manifest.
    """
    manifest = dataset.manifest
    there = _find(manifest.parents, roots)
    return {
        "vqc_lineage": VERSION,
        "name": manifest.name,
        "sha256": dataset.sha256,
        "kind": manifest.kind,
        "created_by": manifest.created_by,
        "recipe_sha256": manifest.recipe_sha256,
        "frames": _counts(manifest),
        **_made_of(dataset.folder, manifest.kind, manifest.recipe_sha256),
        "parents": [_parent(parent, there.get(parent.sha256)) for parent in manifest.parents],
    }


def sentences(lineage: Mapping[str, Any]) -> list[str]:
    """The chain in plain lines: the set, what it is made of, and each of its parents.

    lineage: as `trace` gives it.
    """
    counts = ", ".join(_count_text(split, n) for split, n in lineage["frames"].items())
    lines = [f"{lineage['name']} ({_short(lineage['sha256'])}): {counts or 'no frames'}"]
    if lineage["kind"] != "mix":
        lines.append(f"  ← {_origin_text(lineage)}")
    for parent in lineage["parents"]:
        what = _origin_text(parent) if parent["found"] else "not found here"
        name = parent["folder"] if parent["found"] else parent["name"]
        lines.append(f"  ← {name} ({_short(parent['sha256'])}): {what}")
    for ancestor in lineage.get("weights", ()):
        lines.append(f"  ← weights that {ancestor['name']} ({_short(ancestor['sha256'])}) trained")
    return lines


# What a run has seen ----------------------------------------------------------------------


def seen(folder: Path) -> bytes:
    """What the run in a folder trains and chooses on, and what its ancestors did, packed.

    A task that can start from weights keeps this in those that it leaves, so that it is known
    wherever they go. It holds what the honesty gate compares: hashes, shoots, boxes.
    Raises InputError where the run's own manifest does not read.
    """
    try:
        data = (folder / DATASET).read_bytes()
    except OSError as error:
        raise InputError(f"{folder / DATASET}: cannot be read: {error.strerror}") from None
    sets = (dataset_from(data, folder), *ancestors(folder))
    lines = [line for each in {s.sha256: s for s in sets}.values() for line in _seen_lines(each)]
    return gzip.compress("\n".join([*lines, ""]).encode(), mtime=0)


def inherit(folder: Path, packed: bytes) -> None:
    """Note in a run's folder what the weights have seen that it starts from, as `seen` packed it.

    Raises InputError for anything else, OutputError where it cannot be written.
    """
    _unpacked(packed, "--weights")
    write_file(folder / SEEN, packed)


def ancestors(folder: Path) -> tuple[Dataset, ...]:
    """The sets that trained the weights which the run in a folder started from, and theirs.

    They hold the frames that trained or chose, without folders. Empty where the run started
    from nothing, or from weights that say nothing of it. Raises InputError for a spoilt file.
    """
    file = folder / SEEN
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None
    try:
        return _unpacked(data, str(file))
    except InputError as error:
        raise InputError(f"{error}; {ANEW}") from None


def ancestor_records(sets: Sequence[Dataset]) -> list[dict[str, str]]:
    """`weights` of lineage.json: names and manifests of what trained the start weights."""
    return [{"name": each.manifest.name, "sha256": each.sha256} for each in sets]


def _seen_lines(dataset: Dataset) -> Iterator[str]:
    frames = [frame for frame in dataset.manifest.frames if frame.split in _USED]
    name = dataset.manifest.name
    head = {"vqc_seen": VERSION, "name": name, "sha256": dataset.sha256, "frames": len(frames)}
    yield json.dumps(head, ensure_ascii=False)
    yield from (frame_to_json(_reduced(frame)) for frame in frames)


def _reduced(frame: Frame) -> Frame:
    notes = frame.objects
    if notes is not None:
        notes = tuple(Annotation(note.class_name, box_xyxy=note.box_xyxy) for note in notes)
    return replace(frame, objects=notes, condition=None, seed=None, view=None, extra={})


def _unpacked(data: bytes, where: str) -> tuple[Dataset, ...]:
    unfolding = zlib.decompressobj(wbits=31)  # of gzip
    try:
        text = unfolding.decompress(data, _LARGEST_BYTES).decode()
        if not unfolding.eof or not text.endswith("\n"):
            raise ValueError("cut off, or too large")
        return tuple(_seen_sets(iter(text.split("\n")[:-1])))
    except (zlib.error, ValueError, RecursionError, ManifestError) as error:
        raise InputError(
            f"{where}: what it says of the pictures that trained it does not read: {error}"
        ) from None


def _seen_sets(lines: Iterator[str]) -> Iterator[Dataset]:
    """Raises ValueError and ManifestError for what `_seen_lines` did not make."""
    for line in lines:
        head = json.loads(line)
        if not isinstance(head, dict) or head.get("vqc_seen") != VERSION:
            raise ValueError(f"expected vqc_seen {VERSION}")
        name, sha256, count = str(head.get("name")), str(head.get("sha256")), head.get("frames")
        if not (is_text(name) and is_sha256(sha256) and isinstance(count, int)):
            raise ValueError("its header is not one of vqc")
        frames = tuple(frame_from_json(text, name) for text in islice(lines, count))
        if len(frames) != count:
            raise ValueError("frames are missing")
        yield Dataset(Path(name), Manifest("mix", name, (), frames, "", ""), sha256)


# Reading ----------------------------------------------------------------------------------


def _find(parents: Sequence[Parent], roots: Sequence[Path]) -> dict[str, tuple[Path, Any]]:
    """Manifests' hashes to the folder and header of the first set that has it.

    Only manifests with the name of a parent are hashed. What cannot be read is no parent.
    """
    names = {parent.name for parent in parents}
    found: dict[str, tuple[Path, Any]] = {}
    for folder in _folders(roots) if names else ():
        try:
            with (folder / FILE_NAME).open("rb") as file:
                header = json.loads(file.readline())
                if not isinstance(header, dict) or header_faults(header):
                    continue
                if header["name"] in names:
                    file.seek(0)
                    sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                    found.setdefault(sha256, (folder, header))
        except (OSError, ValueError, RecursionError):
            continue
    return found


def _folders(roots: Sequence[Path]) -> Iterator[Path]:
    """Every root that is a set, or else the sets right below it, sorted."""
    for root in roots:
        if os.path.isfile(root / FILE_NAME):  # false for what may not be read, too
            yield root
            continue
        try:
            inside = sorted(root.iterdir())
        except OSError:
            continue
        yield from (p for p in inside if p.name[:1] != "." and os.path.isfile(p / FILE_NAME))


def _parent(parent: Parent, there: tuple[Path, Any] | None) -> dict[str, Any]:
    record = {"name": parent.name, "sha256": parent.sha256, "found": there is not None}
    if there is None:
        return record
    folder, header = there
    return {
        **record,
        "folder": f"{folder.parent.name}/{folder.name}".lstrip("/"),
        **{key: header[key] for key in ("kind", "created_by", "recipe_sha256")},
        **_made_of(folder, header["kind"], header["recipe_sha256"]),
    }


def _made_of(folder: Path, kind: str, recipe_sha256: str) -> dict[str, Any]:
    """`step_files` of renders, `source` of photos, as the recipe holds them; else nothing."""
    import yaml

    try:
        data = (folder / RECIPE).read_bytes()
        recipe = yaml.safe_load(data)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}
    if hashlib.sha256(data).hexdigest() != recipe_sha256 or not isinstance(recipe, dict):
        return {}
    if kind == "render" and isinstance(recipe.get("sources"), list):
        files = [_step_file(source) for source in recipe["sources"] if _is_step_file(source)]
        return {"step_files": files} if files else {}
    if kind == "intake" and recipe.get("source") in ("real", "cad"):
        return {"source": _source(recipe)}
    return {}


def _is_step_file(source: Any) -> bool:
    return (
        isinstance(source, dict) and is_text(source.get("file")) and is_sha256(source.get("sha256"))
    )


def _step_file(source: Mapping[str, Any]) -> dict[str, str]:
    found = {"name": source["file"].rpartition("/")[2], "sha256": source["sha256"]}
    return found | ({"class": source["class_name"]} if is_text(source.get("class_name")) else {})


def _source(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """What an intake recipe says of where its pictures came from."""
    found: dict[str, Any] = {
        "source": recipe["source"],
        "simulated": recipe.get("simulated") is True,
    }
    found |= {key: recipe[key] for key in ("format", "session") if is_text(recipe.get(key))}
    videos = recipe.get("videos")
    if isinstance(videos, dict) and videos:
        found["videos"] = [
            {"name": name, "sha256": sha256}
            for name, sha256 in sorted(videos.items())
            if is_text(name) and is_sha256(sha256)
        ]
    return found


def _counts(manifest: Manifest) -> dict[str, dict[str, int]]:
    """Frames by split and source; only those that are there."""
    counts = Counter((frame.split or UNSPLIT, _source_of(frame)) for frame in manifest.frames)
    table = {
        split: {name: counts[split, name] for name in _PLURAL if counts[split, name]}
        for split in (*SPLITS, UNSPLIT)
    }
    return {split: row for split, row in table.items() if row}


def _source_of(frame: Frame) -> str:
    return "simulated" if frame.simulated else frame.source


# Words ------------------------------------------------------------------------------------


def _count_text(split: str, counts: Mapping[str, int]) -> str:
    """Such as "590 train (500 renders, 90 photos)" or "34 val (photos)"."""
    if len(counts) == 1:
        parts = _PLURAL[next(iter(counts))]
    else:
        parts = ", ".join(f"{n:,} {_PLURAL[source]}" for source, n in counts.items())
    return f"{sum(counts.values()):,} {split} ({parts})"


def _origin_text(record: Mapping[str, Any]) -> str:
    """What a set was made of, by its recipe."""
    if "step_files" in record:
        return _files_text("STEP file", record["step_files"])
    if record["kind"] == "mix":
        return "a mix itself"
    if "source" not in record:
        return "its recipe is gone or does not belong to it"
    source = record["source"]
    what = _PLURAL["simulated" if source["simulated"] else source["source"]]
    text = f"{what}, taken in as {source['format']}" if "format" in source else what
    videos = source.get("videos")
    return f"{text}; {_files_text('video', videos)}" if videos else text


def _files_text(noun: str, files: Sequence[Mapping[str, str]]) -> str:
    """Such as "2 STEP files: a.step (ab12…), b.step (cd34…)"."""
    shown = ", ".join(f"{file['name']} ({_short(file['sha256'])})" for file in files[:_SHOWN])
    more = f" and {len(files) - _SHOWN:,} more" if len(files) > _SHOWN else ""
    return f"{counted(len(files), noun)}: {shown}{more}"


def _short(sha256: str) -> str:
    return f"{sha256[:_HEX_DIGITS]}…"
