"""Frames of a manifest as Ultralytics reads them.

Pictures are read where they lie and labels come from the manifest alone. Nothing is looked up
beside a picture: no label file, no label cache (a pickle), no .npy in its place, and nothing is
written there. So no frame can be dropped or repaired behind the user's back.

Import this after `vqc.ultra.prepare()`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from ultralytics.data.dataset import YOLODataset

from vqc.dataset import Dataset
from vqc.formats import exported_box
from vqc.types import Frame


def names_of(dataset: Dataset) -> dict[int, str]:
    """Class numbers to names, as Ultralytics wants them."""
    return dict(enumerate(dataset.manifest.classes))


def data_record(dataset: Dataset) -> dict[str, Any]:
    """What Ultralytics would read from a data.yaml; each split is its own name."""
    names = names_of(dataset)
    return {
        "names": names, "nc": len(names), "channels": 3,
        "train": "train", "val": "val", "test": "test",
    }  # fmt: skip


def label_of(dataset: Dataset, frame: Frame) -> dict[str, Any]:
    """One frame's label: classes (n, 1) and boxes (n, 4) as centre and size, in shares."""
    numbers = {name: number for number, name in enumerate(dataset.manifest.classes)}
    rows = []
    for note in frame.objects or ():
        box = exported_box(note, frame.width, frame.height, dataset.box)
        if box is not None:
            x0, y0, x1, y1 = box
            rows.append(
                (
                    numbers[note.class_name],
                    (x0 + x1) / 2 / frame.width,
                    (y0 + y1) / 2 / frame.height,
                    (x1 - x0) / frame.width,
                    (y1 - y0) / frame.height,
                )
            )
    table = np.array(rows, np.float32).reshape(-1, 5)
    return {
        "im_file": str(dataset.path(frame)),
        "shape": (frame.height, frame.width),
        "cls": table[:, :1],
        "bboxes": table[:, 1:],
        "segments": [],
        "keypoints": None,
        "normalized": True,
        "bbox_format": "xywh",
    }


def repeated(frames: Sequence[Frame], count: int | None, seed: int) -> list[Frame]:
    """`count` frames: all of them over and over, the last time a random part of them.

    None takes each once. Equal epochs make trainings on sets of different size comparable:
    as many pictures, steps, warm-up and validations.
    """
    if count is None:
        return list(frames)
    whole, rest = divmod(count, len(frames))
    part = np.sort(np.random.default_rng([seed, count]).permutation(len(frames))[:rest])
    return list(frames) * whole + [frames[i] for i in part]


class FrameDataset(YOLODataset):  # type: ignore[misc]
    """Ultralytics' dataset over frames of a manifest, in their order.

    scratch: where decoded pictures go with cache=disk.
    """

    def __init__(
        self, dataset: Dataset, frames: Sequence[Frame], scratch: Path, **settings: Any
    ) -> None:
        self._dataset, self._frames, self._scratch = dataset, frames, scratch
        super().__init__(img_path="", data=data_record(dataset), task="detect", **settings)

    def get_img_files(self, img_path: object) -> list[str]:
        return [str(self._dataset.path(frame)) for frame in self._frames]

    def get_labels(self) -> list[dict[str, Any]]:
        return [label_of(self._dataset, frame) for frame in self._frames]

    @property
    def cv2_flag(self) -> int:
        return self._cv2_flag

    @cv2_flag.setter
    def cv2_flag(self, flag: int) -> None:
        # A tag in the file may ask viewers to turn it; boxes are of the pixels as they lie.
        self._cv2_flag: int = flag | cv2.IMREAD_IGNORE_ORIENTATION

    @property
    def npy_files(self) -> list[Path]:
        return self._npy_files

    @npy_files.setter
    def npy_files(self, beside: Sequence[Path]) -> None:
        # Ultralytics looks beside the picture, where anybody may have put one.
        self._npy_files = [self._scratch / f"{i}.npy" for i in range(len(beside))]

    def check_cache_disk(self, safety_margin: float = 0.1) -> bool:
        self._scratch.mkdir(parents=True, exist_ok=True)
        return True


def build(
    dataset: Dataset,
    frames: Sequence[Frame],
    args: Any,
    stride: int,
    batch: int,
    augment: bool,
    scratch: Path,
) -> FrameDataset:
    """Ultralytics' dataset over these frames, in this order.

    args: Ultralytics' settings. augment: as for training; otherwise as for scoring, where
    frames are sorted by their shape. scratch: where decoded pictures go with cache=disk.
    """
    return FrameDataset(
        dataset,
        frames,
        scratch,
        imgsz=args.imgsz,
        batch_size=batch,
        augment=augment,
        hyp=args,
        rect=args.rect or not augment,
        cache=args.cache or None,
        stride=stride,
        pad=0.0 if augment else 0.5,
    )
