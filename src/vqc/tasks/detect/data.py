"""Frames of a manifest as Ultralytics reads them.

Pictures are read where they lie and labels come from the manifest alone. Nothing is looked up
beside a picture: no label file, no label cache (a pickle), no .npy in its place, and nothing is
written there. So no frame can be dropped or repaired behind the user's back.

Import this after `vqc.ultra.prepare()`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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


def choosing(dataset: Dataset) -> tuple[Frame, ...]:
    """The frames that choose the epoch: those of val, where any object is there to be found."""
    frames = dataset.frames("val")
    return frames if any(len(label_of(dataset, f)["cls"]) for f in frames) else ()


class EqualEpochs:
    """Which frames an epoch shows: the next `count` of an endless series of shuffles of all.

    So each frame is seen as often as any other, or once more, whether the set is smaller than
    an epoch or larger. A sampler for torch. epoch: of the next pass, from 0; passes count it on.
    """

    def __init__(self, frames: int, count: int, seed: int) -> None:
        self._frames, self._count, self._seed = frames, count, seed
        self.epoch = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        first = self.epoch * self._count
        self.epoch += 1
        shuffle, last = np.empty(0, np.int64), -1
        for place in range(first, first + self._count):
            turn, within = divmod(place, self._frames)
            if turn != last:
                shuffle = np.random.default_rng([self._seed, turn]).permutation(self._frames)
                last = turn
            yield int(shuffle[within])


class FrameDataset(YOLODataset):  # type: ignore[misc]
    """Ultralytics' dataset over frames of a manifest, in their order.

    scratch: where decoded pictures go with cache=disk. count: pictures an epoch, which is how
    long Ultralytics takes the set to be; None for as many as there are.
    """

    def __init__(
        self,
        dataset: Dataset,
        frames: Sequence[Frame],
        scratch: Path,
        count: int | None = None,
        **settings: Any,
    ) -> None:
        self._dataset, self._frames, self._scratch = dataset, frames, scratch
        self._count = count or len(frames)
        super().__init__(img_path="", data=data_record(dataset), task="detect", **settings)

    def get_img_files(self, img_path: object) -> list[str]:
        return [str(self._dataset.path(frame)) for frame in self._frames]

    def __len__(self) -> int:
        return self._count

    def get_image_and_label(self, index: int) -> dict[str, Any]:
        # Augmentations that mix pictures pick them out of the whole length.
        found: dict[str, Any] = super().get_image_and_label(index % len(self._frames))
        return found

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
    count: int | None = None,
) -> FrameDataset:
    """Ultralytics' dataset over these frames, in this order.

    args: Ultralytics' settings. augment: as for training; otherwise as for scoring, where
    frames are sorted by their shape. scratch, count: as for FrameDataset.
    """
    return FrameDataset(
        dataset,
        frames,
        scratch,
        count,
        imgsz=args.imgsz,
        batch_size=batch,
        augment=augment,
        hyp=args,
        rect=args.rect or not augment,
        cache=args.cache or None,
        stride=stride,
        pad=0.0 if augment else 0.5,
    )
