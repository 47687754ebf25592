"""Tiny sets for the anomaly detector: grey textures, some with a planted blob."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image

from vqc.dataset import Dataset, open_dataset
from vqc.formats import rle, yolo
from vqc.manifest import write_manifest
from vqc.types import Annotation, Frame, Manifest

SIDE = 64
SMALL = {"weights": "yolov8n.yaml", "imgsz": 64, "bank": 60, "device": "cpu"}
"""Settings with which patchcore is through in a second."""


def texture(seed: int, level: int = 120) -> np.ndarray:
    """(64, 64, 3): fine noise about a grey level."""
    noise = np.random.default_rng(seed).integers(-12, 13, (SIDE, SIDE, 1))
    return np.repeat((level + noise).astype(np.uint8), 3, 2)


def blob_mask(seed: int) -> np.ndarray:
    """(64, 64): a square of 14 pixels, somewhere inside."""
    x, y = np.random.default_rng([seed, 1]).integers(10, SIDE - 24, 2)
    mask = np.zeros((SIDE, SIDE), bool)
    mask[y : y + 14, x : x + 14] = True
    return mask


def frame(
    root: Path,
    number: int,
    split: str,
    condition: str | None = "good",
    level: int = 120,
    labelled: bool = True,
) -> Frame:
    """A frame with its picture; a bright blob with its mask where the condition is not good."""
    pixels, objects = texture(number, level), ()
    if condition not in (None, "good"):
        mask = blob_mask(number)
        pixels[mask] = 250
        objects = (Annotation("blob", box_xyxy=box_of(mask), mask=rle.encode(mask)),)
    name = f"images/{split}/{number:03d}.png"
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)
    return Frame(
        image=name, sha256=hashlib.sha256(file.read_bytes()).hexdigest(), phash=f"{number:016x}",
        width=SIDE, height=SIDE, source="real", session=split, split=split,
        condition=condition, objects=objects if labelled else None,
    )  # fmt: skip


def box_of(mask: np.ndarray) -> tuple[float, float, float, float]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def dataset(root: Path, frames: list[Frame]) -> Dataset:
    recipe = b"vqc_recipe: 1\nkind: mix\nname: tiny\n"
    root.mkdir(exist_ok=True, parents=True)
    (root / "recipe.yaml").write_bytes(recipe)
    (root / "classes.txt").write_text(yolo.names_text(("blob",)))
    digest = hashlib.sha256(recipe).hexdigest()
    ordered = tuple(sorted(frames, key=lambda f: f.image))
    write_manifest(root, Manifest("mix", "tiny", ("blob",), ordered, digest, "vqc 0.1.0"))
    return open_dataset(root)


def usual(root: Path) -> Dataset:
    """Eight good frames that train; six and six that choose, four and four to test on."""
    frames = [frame(root, n, "train") for n in range(8)]
    for first, split, count in ((20, "val", 6), (40, "test", 4)):
        frames += [frame(root, first + n, split) for n in range(count)]
        frames += [frame(root, first + 10 + n, split, "blob") for n in range(count)]
    return dataset(root, frames)
