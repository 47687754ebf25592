"""Weights of a detector for tests: as Ultralytics saves them, but never trained."""

from __future__ import annotations

from pathlib import Path


def write_detector(file: Path) -> Path:
    """YOLOv8n for two classes, with random weights from a fixed seed."""
    from vqc import ultra

    ultra.prepare()
    import torch
    from ultralytics.nn.tasks import DetectionModel

    torch.manual_seed(0)
    model = DetectionModel("yolov8n.yaml", nc=2, verbose=False)
    torch.save({"epoch": -1, "ema": None, "model": model.half(), "train_args": {}}, file)
    return file
