"""Runs, sets and grids made up for the report: numbers known beforehand, pictures tiny."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vqc import evaluations
from vqc.manifest import RECIPE, write_manifest
from vqc.runs import json_bytes
from vqc.tasks.contract import BACKGROUND, Confusion, Curve, Evaluation, Mistake
from vqc.tasks.detect.answers import Detections
from vqc.types import Annotation, Frame, Manifest

CLASSES = ("qd", "qf", "sd")
MARK = "not an honest score: val split, same shoot"
REASONS = ("this split chose the epoch", "all 6 frames are of shoot hall, which trained")
_RECIPE = b"box: modal\n"
DRAWING = np.full((60, 140, 3), (0, 160, 0), np.uint8)
"""What a task draws: a photo and a map beside each other, say."""
STUDY = {"precision": 0.813, "recall": 0.725, "mAP50": 0.823, "mAP50-95": 0.612, "F1": 0.767}


def frame(split: str, number: int, source: str = "real", side: int = 48, **fields: Any) -> Frame:
    """One box of class number % 3, or nothing for each fourth; names tell the sources."""
    boxes = ()
    if number % 4 != 3:
        x = side * (0.1 + 0.05 * (number % 5))
        box = (x, side * 0.3, x + side * 0.4, side * 0.7)
        boxes = (Annotation(CLASSES[number % 3], box_xyxy=box),)
    name = f"images/{split}/{source}_{number:03d}.png"
    digest = hashlib.sha256(f"{name}{side}".encode()).hexdigest()
    view = {"azimuth_deg": 15.0 * number, "elevation_deg": -10.0} if source == "cad" else None
    fields = {"objects": boxes, "session": "hall", "view": view, **fields}
    return Frame(name, digest, "0" * 16, side, side * 3 // 4, source, split=split, **fields)


def training_set(folder: Path, cad: int = 4, real: int = 3, side: int = 48) -> Manifest:
    """A set with pictures: `cad` renders and `real` photos to train on, six frames to test on."""
    frames = [frame("train", k, "cad", side) for k in range(cad)]
    frames += [frame("train", k, side=side) for k in range(real)]
    frames += [frame("test", k, side=side, session="january") for k in range(6)]
    frames += [frame("val", k, side=side) for k in range(6)]
    ordered = tuple(sorted(frames, key=lambda f: f.image))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECIPE).write_bytes(_RECIPE)
    recipe_sha256 = hashlib.sha256(_RECIPE).hexdigest()
    manifest = Manifest("mix", folder.name, CLASSES, ordered, recipe_sha256, "vqc 0.1.0")
    for each in ordered:
        file = folder / each.image
        file.parent.mkdir(parents=True, exist_ok=True)
        paint(each).save(file)
    write_manifest(folder, manifest)
    return manifest


def paint(of: Frame) -> Image.Image:
    """A grey gradient with a darker block in each box."""
    ramp = np.linspace(120, 230, of.width)[None, :] + np.linspace(0, 20, of.height)[:, None]
    pixels = np.repeat(ramp.astype(np.uint8)[:, :, None], 3, axis=2)
    for note in of.objects or ():
        x0, y0, x1, y1 = (round(v) for v in note.box_xyxy)
        pixels[y0:y1, x0:x1] = (70, 90, 60 + 40 * CLASSES.index(note.class_name))
    return Image.fromarray(pixels)


def manifest_sha256(folder: Path) -> str:
    return hashlib.sha256((folder / "manifest.jsonl").read_bytes()).hexdigest()


def evaluation(
    data: Path, split: str = "test", metrics: dict[str, float] = STUDY, draws: bool = False
) -> Evaluation:
    """Every box found a little aside; one missed, one false and one confused.

    draws: whether the task has drawn the one that is missed and the last frame.
    """
    from vqc.manifest import read_manifest

    frames = [f for f in read_manifest(data).frames if f.split == split]
    answers = [
        Detections(
            f.image,
            np.array([np.add(n.box_xyxy, 2) for n in f.objects], float).reshape(-1, 4),
            np.full(len(f.objects), 0.9),
            tuple(note.class_name for note in f.objects),
        )
        for f in frames
    ]
    boxed = [f for f in frames if f.objects]
    first, second, box = boxed[0], boxed[1], boxed[0].objects[0].box_xyxy
    empty = next(f for f in frames if not f.objects)
    x = np.linspace(0, 1, 500)
    lines = {name: 1 - x ** (3 - 0.5 * k) for k, name in enumerate((*CLASSES, "all"))}
    curves = (
        Curve("precision-recall", "recall", "precision", x, lines),
        Curve("F1-confidence", "confidence", "F1", x, lines),
    )
    counts = np.array([[5, 1, 0, 1], [0, 6, 0, 0], [0, 0, 7, 1], [1, 0, 0, 0]])
    return Evaluation(
        split=split,
        frames=len(frames),
        metrics=metrics,
        per_class={
            name: {**STUDY, "recall": 0.5 + 0.1 * k, "objects": 10 + k}
            for k, name in enumerate(CLASSES)
        },
        threshold=0.25,
        confusion=Confusion((*CLASSES, BACKGROUND), counts),
        curves=curves,
        groups={
            "object size": {
                "small": {"objects": 12, "recall": 0.5},
                "large": {"objects": 30, "recall": 0.875},
                "huge": {"objects": 0, "recall": float("nan")},
            }
        },
        mistakes=(
            Mistake(first.image, "missed", first.objects[0].class_name, None, 0.0, 2.0, None, box),
            Mistake(empty.image, "false", None, "qf", 0.71, 1.5, (5, 5, 30, 25), None),
            Mistake(second.image, "confused", "qf", "sd", 0.55, 1.0, box, box),
        ),
        predictions=tuple(answers),
        drawn={f.image: DRAWING for f in (first, frames[-1])} if draws else {},
    )


def run(folder: Path, data: Path, seed: int = 0, name: str | None = None, **config: Any) -> Path:
    """A finished run on a set, not yet evaluated."""
    from vqc import lineage
    from vqc.dataset import open_dataset

    folder.mkdir(parents=True)
    dataset = open_dataset(data)
    settings = {"weights": "yolov8n.pt", "epochs": 12, "imgsz": 640, "seed": seed, **config}
    record = {
        "vqc_run": 1,
        "run_id": hashlib.sha256(str(folder.name).encode()).hexdigest()[:12],
        "task": "detect",
        "name": name or folder.name,
        "config": settings,
        "seed": seed,
        "classes": list(CLASSES),
        "dataset": {"name": dataset.manifest.name, "sha256": dataset.sha256},
        "metrics": {"mAP50": 0.9, "recall": 0.85},
        "epochs": 12,
        "best_epoch": 9,
        "chosen_on": "val",
        "seconds": 754.2,
    }
    (folder / "best.pt").write_bytes(b"weights")
    (folder / "dataset.jsonl").write_bytes((data / "manifest.jsonl").read_bytes())
    (folder / "run.yaml").write_text("vqc_run: 1\n")
    (folder / "lineage.json").write_bytes(json_bytes(lineage.trace(dataset, [])))
    environment = {"vqc": "0.1.0", "python": "3.11", "packages": {"torch": "2.13.0"}, "gpus": None}
    (folder / "environment.json").write_bytes(json_bytes(environment))
    rows = ["epoch,seconds,train/box_loss,val/box_loss,precision,recall,mAP50"]
    for epoch in range(1, 13):
        loss, score = 2 / epoch, 1 - 1 / (epoch + 1)
        rows.append(
            f"{epoch},{epoch * 60},{loss},{loss + 0.2},{score},{score - 0.1},{score - 0.05}"
        )
    (folder / "metrics.csv").write_text("\n".join(rows) + "\n")
    (folder / "run.json").write_bytes(json_bytes(record))
    return folder


def evaluated(
    folder: Path,
    data: Path,
    split: str = "test",
    mark: str = "",
    reasons: tuple[str, ...] = (),
    draws: bool = False,
    **metrics: float,
) -> Path:
    """Evaluate a made-up run; metrics: those that differ from the study's row."""
    named = {key.replace("_", "-"): value for key, value in metrics.items()}
    of = evaluation(data, split, STUDY | named, draws)
    place = evaluations.folder_of(folder, data.name, split)
    evaluations.write(place, of, mark, reasons, data.name, manifest_sha256(data))
    return folder


def repeat(score: float | None, seed: int, run: str = "", failure: str | None = None) -> dict:
    """One training of a grid: done with a score, failed with a reason, or waiting."""
    state = "done" if score is not None else "failed" if failure else "waiting"
    metrics = {}
    if score is not None:
        metrics = {"mAP50": score, "precision": score + 0.05, "recall": score - 0.06}
        metrics["F1"] = score - 0.02
    return {"seed": seed, "state": state, "metrics": metrics, "run": run, "failure": failure}


def cell(cad: int, real: int, repeats: list[dict], **settings: Any) -> dict:
    further = "".join(f"-{key}{value}" for key, value in settings.items())
    return {
        "name": f"cad{cad}-real{real}{further}",
        "cad": cad,
        "real": real,
        "settings": settings,
        "repeats": repeats,
    }


def study_cells(run: str = "") -> list[dict]:
    """The original study's grid, with one failed cell, one that waits and one that is not there."""
    cells = []
    for cad in (150, 250, 500, 1000):
        for real in (5, 10, 20):
            if (cad, real) == (250, 20):
                continue
            middle = 0.9 - 0.12 * (real < 10) - 0.05 * (real < 20) - 20 / cad
            scores = [round(middle + d, 3) for d in (-0.02, 0.0, 0.02)]
            repeats = [repeat(score, k, run) for k, score in enumerate(scores)]
            if (cad, real) == (500, 5):
                repeats = [repeat(None, k, failure="CUDA ran out of memory") for k in range(3)]
            if (cad, real) == (1000, 10):
                repeats = [*repeats[:1], repeat(None, 1, failure="killed"), repeat(None, 2)]
            cells.append(cell(cad, real, repeats))
    return cells


def grid(folder: Path, cells: list[dict] | None = None, **fields: Any) -> Path:
    """A grid's folder; fields: what differs in grid.json, None leaves a key out."""
    x = [5, 10, 20, 30]
    curve = {"x": x, "mean": [0.7, 0.8, 0.85, 0.87], "low": [0.65, 0.76, 0.8, 0.8]}
    curve["high"] = [0.75, 0.84, 0.9, 0.94]
    record = {
        "vqc_grid": 1,
        "name": folder.name,
        "task": "detect",
        "metric": "mAP50",
        "axes": {"cad": [150, 250, 500, 1000], "real": [5, 10, 20]},
        "cells": study_cells() if cells is None else cells,
        "chosen": {
            "cell": "cad500-real20",
            "test": [
                {"seed": 0, "metrics": {"mAP50": 0.81, "recall": 0.74}, "mark": ""},
                {"seed": 1, "metrics": {"mAP50": 0.83, "recall": 0.76}, "mark": ""},
            ],
        },
        "budget": {
            "sentences": ["10 more photos a class: about +3 mAP50 (1 to 5); more CAD: no gain"],
            "curves": {"photos": [{"cad": 500, **curve}], "renders": []},
        },
        "notes": ["1 photo a class is the least that was there"],
        "val": {"name": "december", "same_shoot": True, "mark": MARK},
        **fields,
    }
    folder.mkdir(parents=True, exist_ok=True)
    kept = {key: value for key, value in record.items() if value is not None}
    (folder / "grid.json").write_text(json.dumps(kept))
    return folder
