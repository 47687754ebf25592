"""What a training set was made of, up to the STEP files and the photos.

In: a set and the folders in which its parents may lie. Out: the content of a run's
lineage.json, and the same in a few lines to read. No absolute paths, no clock times.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vqc.contract import header_faults, is_sha256, is_text
from vqc.dataset import SPLITS, Dataset
from vqc.manifest import FILE_NAME, RECIPE
from vqc.mix.reading import ROOTS
from vqc.types import Frame, Manifest, Parent

VERSION = 1
UNSPLIT = "without split"
"""The name under which frames without a split are counted."""
_PLURAL = {"cad": "renders", "real": "photos", "simulated": "simulated photos"}
"""What frames are counted by, and its words."""
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
    return lines


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
    return f"{len(files):,} {noun}{'s' * (len(files) != 1)}: {shown}{more}"


def _short(sha256: str) -> str:
    return f"{sha256[:_HEX_DIGITS]}…"
