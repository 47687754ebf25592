"""Small pictures, videos and named weights for the tests of `vqc predict`."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from vqc.runs import Run


def noise(seed: int, width: int = 64, height: int = 48) -> np.ndarray:
    """Coarse coloured noise, which an untrained network answers to."""
    cells = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return np.asarray(Image.fromarray(cells).resize((width, height), Image.Resampling.NEAREST))


def save(file: Path, rgb: np.ndarray, **options: object) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rgb).save(file, **options)
    return file


def write_video(
    file: Path,
    pictures: Sequence[np.ndarray],
    stamps_ms: Sequence[int] | None = None,
    turn: int | None = None,
) -> Path:
    """H.264 with 4:4:4 colours, so odd sizes are possible. turn: degrees to show it turned by."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "10", "bf": "0"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv444p"
        if stamps_ms is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if turn is not None:
            stream.set_display_rotation(turn)
        for k, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv444p")
            if stamps_ms is not None:
                frame.pts, frame.time_base = stamps_ms[k], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file


def name_classes(run: Run) -> Run:
    """The run's classes in its weights, as a training writes them."""
    import torch

    saved = torch.load(run.weights, weights_only=False)
    saved["model"].names = dict(enumerate(run.classes))
    torch.save(saved, run.weights)
    return run
