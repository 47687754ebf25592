"""The structure that a picture is of, by Segment Anything: what lies outside is not looked at.

Ultralytics' own implementation, with a file of weights that the user brings. Nothing is
downloaded. Not run on published weights: none were at hand.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqc.errors import InputError
from vqc.types import ByteArray, FloatArray

Bools = NDArray[np.bool_]
Isolate = Callable[[ByteArray], Bools]
"""An (H, W, 3) picture → (H, W), where its structure is."""

KNOWN = ("sam_b.pt", "sam_l.pt", "sam_h.pt", "mobile_sam.pt")
_ADDRESS = "https://github.com/ultralytics/assets/releases/download/v8.4.0"
_AROUND = 1 / 8
"""Of the sides: how far from the middle the structure is asked for, besides the middle."""


def load(file: str, device: str = "") -> Isolate:
    """Segment Anything with the weights of a file.

    Raises InputError where there is no such file, or where it is none of KNOWN.
    """
    path = Path(file)
    kind = next((name for name in KNOWN if path.name.endswith(name)), None)
    if kind is None:
        raise InputError(
            f"foreground: expected a file of Segment Anything called {', '.join(KNOWN)}, got {file}"
        )
    if not path.is_file():
        raise InputError(
            f"foreground: {file}: there is no such file. vqc downloads nothing; this fetches it:\n"
            f"  curl -L -o {file} {_ADDRESS}/{kind}"
        )
    segments = _segmenter(path, kind, device)

    def isolate(rgb: ByteArray) -> Bools:
        return largest(segments(rgb, middle_points(*rgb.shape[1::-1])), rgb.shape[:2])

    return isolate


def middle_points(width: int, height: int) -> FloatArray:
    """(5, 2) pixels: the middle, and four points around it."""
    steps = np.array([(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)]) * _AROUND
    return (steps + 0.5) * [width, height]


def largest(segments: Bools, size: tuple[int, ...]) -> Bools:
    """The largest of the (N, H, W) segments that the middle points lie in; all where none is."""
    if not len(segments) or not segments.any():
        return np.ones(size[:2], bool)
    biggest: Bools = segments[int(segments.sum((1, 2)).argmax())]
    return biggest


def _segmenter(path: Path, kind: str, device: str) -> Callable[[ByteArray, FloatArray], Bools]:
    """Pictures and (N, 2) points → (N, H, W), the segment that each point lies in."""
    import torch

    from vqc import ultra

    folder = ultra.prepare()
    ultra.require_device(device)
    from ultralytics.models.sam import Predictor
    from ultralytics.models.sam.build import sam_model_map

    # Built without weights and filled here: Ultralytics' own reading would run code of the file.
    network: Any = sam_model_map[kind](None)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        state = state["model"] if isinstance(state.get("model"), dict) else state
        network.load_state_dict(state)
    except Exception as error:  # a spoilt or hostile file may raise anything
        # Its kind alone: PyTorch's own words advise to read the file unsafely.
        raise InputError(
            f"foreground: {path}: holds no weights of {kind} that can be read safely "
            f"({type(error).__name__}). This fetches them:\n  curl -L -o {path} {_ADDRESS}/{kind}"
        ) from None
    options = {
        "task": "segment", "mode": "predict", "imgsz": 1024, "conf": 0.0, "save": False,
        "verbose": False, "retina_masks": True, "device": device or None, "project": str(folder),
    }  # fmt: skip
    predictor = Predictor(overrides=options)
    predictor.setup_model(network, verbose=False)

    def segments(rgb: ByteArray, points: FloatArray) -> Bools:
        predictor.set_prompts({"points": points.tolist(), "labels": [1] * len(points)})
        (result,) = predictor(np.ascontiguousarray(rgb[:, :, ::-1]))
        if result.masks is None:
            return np.zeros((0, *rgb.shape[:2]), bool)
        found: Bools = result.masks.data.cpu().numpy() > 0
        return found

    return segments
