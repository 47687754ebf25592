"""`vqc leaks` on 10,000 × 1,000 photos, and hashes alone on a million frames.

Photos of 800 × 600 are made of noise with the spectrum of photos, each the sum of three windows
of large fields; each is a JPEG of its own on disk. One val photo in 50 is a moved copy of a
training photo. A whole process is timed, then the reading of the pictures alone.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from vqc import leaks
from vqc.leaks.thumbs import read_thumbs
from vqc.manifest import read_manifest, write_manifest
from vqc.types import Frame, Manifest

WIDTH, HEIGHT = 800, 600
LEAKING = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=int, default=10_000)
    parser.add_argument("--val", type=int, default=1_000)
    parser.add_argument("--hashes-only", action="store_true")
    options = parser.parse_args()
    for train, other in ((100_000, 1_000), (1_000_000, 2_000)):
        time_hashes(train, other)
    if options.hashes_only:
        return
    with tempfile.TemporaryDirectory(prefix="vqc-bench-") as name:
        make_set(Path(name), options.train, options.val)
        started = time.perf_counter()
        code = (
            f"from vqc.leaks import find; found = find({name!r}); "
            "print(len(found.pairs), 'pairs,', found.splits[1])"
        )
        subprocess.run([sys.executable, "-c", code], check=True)
        whole = time.perf_counter() - started
        peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        frames = read_manifest(Path(name)).frames
        started = time.perf_counter()
        read_thumbs(Path(name), frames, None, lambda done, total: None)
        reading = time.perf_counter() - started
    print(
        f"leaks, {options.train:,} x {options.val:,} JPEGs of {WIDTH} x {HEIGHT}: {whole:.1f} s, "
        f"of which reading pictures {reading:.1f} s; {peak_mb:,.0f} MB at most"
    )


def time_hashes(train: int, other: int) -> None:
    rng = np.random.default_rng(0)
    sides = [rng.integers(0, 1 << 63, n, dtype=np.uint64) for n in (train, other)]
    started = time.perf_counter()
    found = leaks.by_hash(*sides)
    seconds = time.perf_counter() - started
    print(f"hashes, {train:,} x {other:,}: {seconds:.2f} s, {len(found.bits)} pairs")


def make_set(root: Path, train: int, val: int) -> None:
    """Training photos are numbers 0, 1, ...; val photos go on from there but for the copies."""
    rng = np.random.default_rng(0)
    fields = [field(rng) for _ in range(40)]
    frames = []
    for split, count in (("train", train), ("val", val)):
        (root / f"images/{split}").mkdir(parents=True)
        for number in range(count):
            if split == "val" and number % LEAKING == 0:
                pixels = window(fields, number, shift=12)
            else:
                pixels = window(fields, number + (train if split == "val" else 0))
            image = f"images/{split}/{number:06d}.jpg"
            data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
            (root / image).write_bytes(data)
            digest = hashlib.sha256(data).hexdigest()
            frames.append(
                Frame(image, digest, "0" * 16, WIDTH, HEIGHT, "real", f"shoot-{split}", split=split)
            )
    write_manifest(root, Manifest("mix", "bench", (), tuple(frames), "0" * 64, "vqc"))


def field(rng: np.random.Generator) -> np.ndarray:
    """(1200, 1600, 3): noise whose power falls with the square of the frequency."""
    waves = np.fft.rfft2(rng.standard_normal((1200, 1600, 3)), axes=(0, 1))
    radius = np.hypot(np.fft.fftfreq(1200)[:, None], np.fft.rfftfreq(1600)[None])
    noise = np.fft.irfft2(waves / np.maximum(radius, 1e-3)[:, :, None], (1200, 1600), axes=(0, 1))
    return (noise / noise.std() * 40 + 120).clip(0, 255).astype(np.uint8)


def window(fields: list[np.ndarray], number: int, shift: int = 0) -> np.ndarray:
    """Picture `number`: three windows of different fields, added; moved by `shift` pixels."""
    rng = np.random.default_rng([number, 1])
    total = np.zeros((HEIGHT, WIDTH, 3), np.uint16)
    for which in rng.choice(len(fields), 3, replace=False):
        x, y = int(rng.integers(0, 780)), int(rng.integers(0, 580))
        total += fields[which][y + shift :, x + shift :][:HEIGHT, :WIDTH]
    return (total // 3).astype(np.uint8)


if __name__ == "__main__":
    main()
