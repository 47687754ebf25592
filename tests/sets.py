"""Small sets on disk, whole and sound, for tests to read, export and spoil."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vqc.formats import rle, yolo
from vqc.manifest import write_manifest
from vqc.types import Annotation, Frame, Manifest

CLASSES = ("qd", "qf")
WIDTH, HEIGHT = 64, 48
RECIPE = "vqc_recipe: 1\nkind: render\nname: magnets\nseed: 7\n"


def boxed(number: int, instance: int) -> Annotation:
    """A box that no other frame has, its mask full but for one corner."""
    x0, y0 = 2 + 3 * number + instance, 1 + number + 10 * instance
    x1, y1 = x0 + 11 + instance, y0 + 9
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[y0:y1, x0:x1] = True
    mask[y0, x0] = False
    return Annotation(
        class_name=CLASSES[(number + instance) % 2],
        part_name="yoke",
        instance=instance,
        box_xyxy=(x0, y0, x1, y1),
        amodal_box_xyxy=(x0 - 5.25, y0, x1 + 0.5, y1),
        visibility=0.875,
        truncated=x0 < 6,
        mask=rle.encode(mask),
        pose=tuple(np.eye(4).ravel().tolist()),
    )


def objects_of(number: int) -> tuple[Annotation, ...] | None:
    """Frame 0 is nobody's, frame 1 is empty, every other one has two boxes."""
    if number < 2:
        return None if number == 0 else ()
    return (boxed(number, 1), boxed(number, 2))


def picture(file: Path, seed: int) -> str:
    """Noise of its own for every seed; returns the sha256 of the file."""
    pixels = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)
    return hashlib.sha256(file.read_bytes()).hexdigest()


def frame(root: Path, number: int, image: str | None = None, **fields: Any) -> Frame:
    """A frame with its image and labels written below the root."""
    suffix = "png" if number % 2 else "jpg"
    name = image or f"images/qf/000/qf_{number:06d}.{suffix}"
    sha256 = picture(root / name, number)
    if "objects" not in fields:
        fields["objects"] = objects_of(number)
    fields = {"seed": 7, "session": "qf-3f2a", **fields}
    if fields["objects"] is not None:
        labels = root / yolo.label_path(name)
        labels.parent.mkdir(parents=True, exist_ok=True)
        labels.write_text(yolo.label_text(fields["objects"], CLASSES, WIDTH, HEIGHT))
    phash = f"{number:016x}"
    view = {"azimuth_deg": 15.0 * number, "elevation_deg": -30.0, "distance_mm": 812.4}
    return Frame(name, sha256, phash, WIDTH, HEIGHT, "cad", view=view, **fields)


def render_set(root: Path, frames: int = 8) -> Manifest:
    """A set as rendering leaves it; the last frame has a depth layer."""
    made = [frame(root, number) for number in range(frames - 1)]
    depth = "depth/qf/000/last.png"
    extra = {"depth": depth, "depth_sha256": picture(root / depth, 1000)}
    made.append(frame(root, frames - 1, extra=extra))
    return finish(root, "render", made)


def mixed_set(root: Path, source: Path, box: str = "modal") -> Manifest:
    """A set of links into another one, with splits."""
    made = []
    for number in range(2, 8):
        split = ("train", "val", "test")[number % 3]
        suffix = "png" if number % 2 else "jpg"
        name = f"images/{split}/magnets__qf_{number:06d}.{suffix}"
        made.append(frame(root, number, name, split=split))
        (root / name).unlink()
        os.symlink((source / f"images/qf/000/qf_{number:06d}.{suffix}").resolve(), root / name)
    for item in made:
        text = yolo.label_text(item.objects, CLASSES, WIDTH, HEIGHT, box)
        (root / yolo.label_path(item.image)).write_text(text)
    return finish(root, "mix", made, RECIPE + f"box: {box}\n")


def finish(
    root: Path, kind: str, frames: list[Frame], recipe: str = RECIPE, name: str = "magnets"
) -> Manifest:
    """The files that make a folder of frames a set."""
    (root / "recipe.yaml").write_text(recipe)
    (root / "classes.txt").write_text("".join(f"{name}\n" for name in CLASSES))
    digest = hashlib.sha256(recipe.encode()).hexdigest()
    ordered = tuple(sorted(frames, key=lambda f: f.image))
    manifest = Manifest(kind, name, CLASSES, ordered, digest, "vqc 0.1.0")
    if kind == "mix":
        (root / "data.yaml").write_text(yolo.data_yaml(CLASSES, {f.split for f in frames}))
    write_manifest(root, manifest)
    return manifest
