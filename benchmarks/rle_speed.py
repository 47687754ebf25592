"""How long the run-length codes of 256×1600 masks take: python benchmarks/rle_speed.py [COUNT]

Masks of one to four ellipses, as large as the defects of the Severstal steel data and larger.
Prints seconds for 100,000 masks, of the wall clock and of the processor. The bar is 60.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from vqc.formats import rle, severstal

HEIGHT, WIDTH = 256, 1600
FULL = 100_000


def mask(rng: np.random.Generator) -> np.ndarray:
    drawn = np.zeros((HEIGHT, WIDTH), np.uint8)
    for _ in range(rng.integers(1, 5)):
        centre = int(rng.integers(WIDTH)), int(rng.integers(HEIGHT))
        axes = int(rng.integers(3, 80)), int(rng.integers(3, 60))
        cv2.ellipse(drawn, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
    return drawn.astype(bool)


def timed(name: str, function: Callable[[Any], Any], items: Sequence[Any], laps: int) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(laps):
        for item in items:
            function(item)
    scale = FULL / (laps * len(items))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{name:28s} {wall * scale:6.1f} s   processor {cpu * scale:6.1f} s")


def main(count: int) -> None:
    rng = np.random.default_rng(0)
    masks = [mask(rng) for _ in range(200)]
    texts = [severstal.runs_of(each) for each in masks]
    codes = [severstal.code_of(text, WIDTH, HEIGHT) for text in texts]
    print(f"{FULL:,} masks; {np.mean([len(t.split()) / 2 for t in texts]):.0f} runs a mask")
    laps = max(1, count // len(masks))
    timed("mask to EncodedPixels", severstal.runs_of, masks, laps)
    timed(
        "EncodedPixels to COCO's code", lambda t: severstal.code_of(t, WIDTH, HEIGHT), texts, laps
    )
    timed("COCO's code to mask", rle.decode, codes, laps)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 2000)
