"""Settings of a training of `segment`, and what each model sets where nothing is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from vqc.errors import InputError
from vqc.tasks.settings import LARGEST_SEED, about, sift

BACKBONE, STEEL, CRACK = "backbone", "unet-steel", "unet-crack"
Model = Literal["backbone", "unet-steel", "unet-crack"]
Loss = Literal["bce", "dice", "focal", "bce-dice"]
STEP_PX = 32
"""Sides of what a network sees are multiples of this: all models halve five times."""


@dataclass(frozen=True, slots=True)
class SegmentConfig:
    """How a segmenter is trained. None where the model decides: see DEFAULTS.

    weights_sha256: of the file that the encoder starts from, or None from scratch.
    """

    model: Model = field(
        default="backbone",
        metadata=about("a detector's backbone with a light decoder, or an original U-Net"),
    )
    weights: str = field(
        default="yolov8n.pt",
        metadata=about("detector for backbone: a file, or yolov8n.yaml from scratch"),
    )
    epochs: int = field(default=40, metadata=about("how often the pictures are seen", low=1))
    imgsz: int | None = field(
        default=None,
        metadata=about("longer side that pictures are brought to, px; none: as they are", low=64),
    )
    tile: int = field(
        default=512,
        metadata=about("longer pictures train in crops and are answered in tiles, px", low=64),
    )
    overlap: int = field(default=64, metadata=about("of neighbouring tiles, px", low=0))
    batch: int | None = field(default=None, metadata=about("pictures a step", low=1))
    rate: float | None = field(default=None, metadata=about("learning rate", low=0))
    loss: Loss | None = field(default=None, metadata=about("what training makes small"))
    positive_weight: float | None = field(
        default=None, metadata=about("of a class's pixels in BCE and focal loss", low=0)
    )
    negative_weight: float | None = field(
        default=None, metadata=about("of all other pixels in BCE and focal loss", low=0)
    )
    augment: Literal["none", "flip", "full"] | None = field(
        default=None, metadata=about("how training pictures are varied")
    )
    tolerance: float = field(
        default=2.0,
        metadata=about("px within which F1-tolerant calls a pixel right", low=0, high=100),
    )
    amp: Literal["off", "bf16"] = field(
        default="off", metadata=about("bf16: half precision, where the machine has it")
    )
    seed: int = field(default=0, metadata=about("of everything random", low=0, high=LARGEST_SEED))
    patience: int = field(
        default=0, metadata=about("epochs without a gain on val, then it ends; 0: never", low=0)
    )
    epoch_images: int | None = field(
        default=None, metadata=about("pictures an epoch, all in turns; none: each once", low=1)
    )
    device: str = field(default="", metadata=about("cpu, or a GPU such as 0; empty: GPU if any"))
    weights_sha256: str | None = None

    def resolved(self) -> SegmentConfig:
        """With what the model sets where nothing was given."""
        missing = {k: v for k, v in DEFAULTS[self.model].items() if getattr(self, k) is None}
        return replace(self, **missing)

    def identity(self) -> dict[str, Any]:
        """What decides the result: weights by their hash, and no device."""
        record = asdict(self.resolved())
        record.pop("device")
        if self.model != BACKBONE or self.weights_sha256 is not None:
            record.pop("weights")
        return record


DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    BACKBONE: {
        "batch": 16, "rate": 2e-3, "loss": "bce-dice", "augment": "full",
        "positive_weight": 1.0, "negative_weight": 1.0,
    },
    STEEL: {
        "batch": 16, "rate": 1e-3, "loss": "bce-dice", "augment": "none",
        "positive_weight": 1.0, "negative_weight": 1.0,
    },
    CRACK: {
        "batch": 20, "rate": 1e-4, "loss": "bce", "augment": "none",
        "positive_weight": 1.1, "negative_weight": 0.9,
    },
}  # fmt: skip
"""The originals' own where they are known; their optimiser is Adam at a constant rate."""


@dataclass(frozen=True, slots=True)
class PredictConfig:
    """How to predict. None leaves it to the run."""

    conf: float | None = field(
        default=None,
        metadata=about(
            "probability from which a pixel counts; none: for each class what val chose",
            low=0,
            high=1,
        ),
    )
    imgsz: int | None = field(
        default=None, metadata=about("longer side for the network, px; none: the run's", low=64)
    )
    tile: int | None = field(
        default=None, metadata=about("side of a tile, px; none: the run's", low=64)
    )
    overlap: int | None = field(
        default=None, metadata=about("of neighbouring tiles, px; none: the run's", low=0)
    )
    batch: int = field(default=4, metadata=about("tiles at once", low=1))
    foreground: str | None = field(
        default=None,
        metadata=about("Segment Anything's file, such as sam_b.pt: outside the structure is none"),
    )
    device: str = field(default="", metadata=about("cpu, or a GPU such as 0; empty: GPU if any"))


def configure(settings: Mapping[str, Any]) -> SegmentConfig:
    """Settings by name to a config; InputError lists every one that is unknown or does not fit."""
    from vqc.tasks.learning.device import device_faults
    from vqc.tasks.learning.weights import sha256_of

    values, unfit = sift(SegmentConfig, settings)
    config = SegmentConfig(**values)
    faults = [*unfit.values(), *_step_faults(config.tile, config.overlap)]
    if not unfit.keys() & {"tile", "overlap"}:
        given_by = "" if "overlap" in settings else "default"
        faults += _overlap_faults(config.tile, config.overlap, given_by)
    faults += device_faults(config.device)
    if config.model != BACKBONE and "weights" in settings:
        faults.append(f"weights: {config.model} starts from nothing; leave it out")
    if faults:
        raise InputError("\n".join(faults))
    if config.model != BACKBONE:
        return config
    return replace(config, weights_sha256=sha256_of(config.weights))


def _step_faults(tile: int, overlap: int) -> list[str]:
    return [
        f"{name}: expected a multiple of {STEP_PX}, got {value}"
        for name, value in (("tile", tile), ("overlap", overlap))
        if value % STEP_PX
    ]


def _overlap_faults(tile: int, overlap: int, given_by: str) -> list[str]:
    if overlap <= tile // 2:
        return []
    got = f"the {given_by} is {overlap}" if given_by else f"got {overlap}"
    largest = tile // 2 // STEP_PX * STEP_PX
    return [
        f"overlap: expected at most half of the tile ({tile // 2}), {got}; give --overlap {largest}"
    ]


def require_tiles(tile: int, overlap: int, given_by: str = "") -> None:
    """InputError where tiles of that size and overlap cannot be laid.

    given_by: what the overlap is from where nobody gave it, such as "default".
    """
    if faults := _step_faults(tile, overlap) + _overlap_faults(tile, overlap, given_by):
        raise InputError("\n".join(faults))
