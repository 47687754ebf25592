"""What a segmenter answers for one picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vqc.formats import rle
from vqc.formats.severstal import runs_of
from vqc.tasks.contract import Row
from vqc.tasks.segment.counts import hundredths
from vqc.tasks.segment.thresholds import Thresholds
from vqc.tasks.segment.tiles import Maps


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """The pixels of one class. score: the highest probability among them. code: COCO's RLE."""

    class_name: str
    score: float
    area_px: int
    code: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Masks:
    """The classes that one picture shows, in the order of the classes.

    score: the highest probability of any class anywhere, also where no pixel counts.
    classes: all that were looked for. size: width and height, px.
    """

    image: str
    score: float
    masks: tuple[Mask, ...]
    classes: tuple[str, ...]
    size: tuple[int, int]

    def record(self) -> dict[str, Any]:
        pixels = self.size[0] * self.size[1]
        found = [
            {
                "class": mask.class_name, "score": round(mask.score, 5), "area_px": mask.area_px,
                "area_share": round(mask.area_px / pixels, 6), "mask": dict(mask.code),
            }
            for mask in self.masks
        ]  # fmt: skip
        return {"image": self.image, "score": self.score, "masks": found}

    def rows(self) -> list[Row]:
        """As the Severstal steel data has them: a row for every class, empty where it is not."""
        codes = {mask.class_name: mask.code for mask in self.masks}
        return [
            {
                "ImageId_ClassId": f"{self.image}_{name}",
                "EncodedPixels": runs_of(rle.decode(codes[name])) if name in codes else "",
            }
            for name in self.classes
        ]


def masks_from(image: str, maps: Maps, classes: tuple[str, ...], thresholds: Thresholds) -> Masks:
    """The answer by (C, H, W) probabilities."""
    levels = hundredths(maps)
    found = []
    for name, level, values, threshold, least in zip(
        classes, levels, maps, thresholds.hundredths, thresholds.least_px, strict=True
    ):
        counts = level >= threshold
        area = int(counts.sum())
        if area and area >= least:
            score = min(1.0, float(values[counts].max()))
            found.append(Mask(name, score, area, rle.encode(counts)))
    score = round(min(1.0, max(0.0, float(maps.max()))), 5)
    return Masks(image, score, tuple(found), classes, (maps.shape[2], maps.shape[1]))
