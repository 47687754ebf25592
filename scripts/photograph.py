"""Make renders a little like photos: light from one side, a soft lens, noise, JPEG.

Usage: python scripts/photograph.py FOLDER BRIGHTNESS BLUR_PX
Every .jpg below FOLDER is replaced; the same bytes come out each time. For demonstrations only:
such pictures are simulated photos, and a score on them says nothing about real ones.
"""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

_SHADE = 0.35  # how much darker the far side is
_NOISE = 4.0  # sd, of 255


def photograph(file: Path, brightness: float, blur_px: float) -> None:
    """Shade, blur and spoil one picture where it lies."""
    rng = np.random.default_rng(zlib.crc32(file.name.encode()))
    with Image.open(file) as picture:
        soft = picture.convert("RGB").filter(ImageFilter.GaussianBlur(blur_px))
    pixels = np.asarray(soft, np.float32)
    height, width = pixels.shape[:2]
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-0.5 : 0.5 : height * 1j, -0.5 : 0.5 : width * 1j]
    light = brightness * (1 - _SHADE * (0.5 + np.cos(angle) * x + np.sin(angle) * y))
    spoilt = pixels * light[..., None] + rng.normal(0, _NOISE, pixels.shape)
    Image.fromarray(spoilt.clip(0, 255).astype(np.uint8)).save(file, quality=85)


def main() -> None:
    folder, brightness, blur_px = Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    for file in sorted(folder.rglob("*.jpg")):
        photograph(file, brightness, blur_px)


if __name__ == "__main__":
    main()
