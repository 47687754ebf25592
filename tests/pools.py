"""Sets of made-up frames: manifests alone, since drawing reads nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vqc.manifest import write_manifest
from vqc.mix import Pool, read_pool
from vqc.types import Annotation, Frame, Manifest

RECIPE = "vqc_recipe: 1\nkind: intake\n"
SIZE = (640, 480)


def frame(image: str, shows: Sequence[str] | None = (), **fields: Any) -> Frame:
    """A frame that shows objects of these classes, the first one the largest.

    Hashes follow from the name, and perceptual ones are far apart.
    """
    digest = hashlib.sha256(image.encode()).hexdigest()
    objects = None
    if shows is not None:
        objects = tuple(
            Annotation(name, instance=k, box_xyxy=(0.0, 0.0, 200.0 - k, 100.0), visibility=1.0)
            for k, name in enumerate(shows)
        )
    given = {"source": "real", "session": "shop", "objects": objects, "sha256": digest}
    return Frame(image=f"images/{image}.jpg", phash=digest[-16:], width=SIZE[0], height=SIZE[1],
                 **{**given, **fields})  # fmt: skip


def render(image: str, shows: str, session: str = "a-0000", **fields: Any) -> Frame:
    return frame(image, (shows,), **{"source": "cad", "session": session, **fields})


def write(folder: Path, *frames: Frame, kind: str = "intake", name: str | None = None) -> Path:
    """A set's manifest and recipe, without pictures."""
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(RECIPE)
    classes = sorted({o.class_name for f in frames for o in f.objects or ()})
    digest = hashlib.sha256(RECIPE.encode()).hexdigest()
    ordered = tuple(sorted(frames, key=lambda f: f.image))
    head = Manifest(kind, name or folder.name, tuple(classes), ordered, digest, "vqc 0.1.0")
    write_manifest(folder, head)
    return folder


def pool(root: Path, *frames: Frame, **options: Any) -> Pool:
    """Renders and photos as a set each, read back."""
    renders = [f for f in frames if f.source == "cad"]
    photos = [f for f in frames if f.source == "real"]
    folders = []
    if renders:
        folders.append(write(root / "parts", *renders, kind="render"))
    if photos:
        folders.append(write(root / "photos", *photos))
    return read_pool(folders, **options)


def names(of: Pool, rows: Any) -> set[str]:
    """The drawn frames by set and path."""
    return {name for _, name in of.images(rows)}
