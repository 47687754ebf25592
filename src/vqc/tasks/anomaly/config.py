"""Settings of an anomaly detector's training and prediction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from vqc.errors import InputError
from vqc.tasks.anomaly.thresholds import read_rule
from vqc.tasks.contract import Headline
from vqc.tasks.settings import LARGEST_SEED, about, sift

TASK = "anomaly"
HEADLINE = Headline("AUROC")
PATCHCORE, CONV_AE = "patchcore", "conv-ae"
STRIDES = (4, 8, 16, 32)
LARGEST_IMGSZ = 4096
"""Beyond it memory runs out before anything is found."""
LARGEST_PATCH = 64
"""Beyond it a frame is hardly divided any more."""
_OF_PATCHES = ("imgsz", "strides", "patch", "relative", "bank", "pool")
_OF_EPOCHS = ("epochs", "batch", "rate")


@dataclass(frozen=True, slots=True)
class AnomalyConfig:
    """How an anomaly detector is trained.

    weights_sha256: of the detector's file whose backbone sees, None where none is read.
    """

    model: Literal["patchcore", "conv-ae"] = field(
        default="patchcore", metadata=about("nearest known patches, or the small autoencoder")
    )
    weights: str = field(
        default="yolov8n.pt",
        metadata=about("detector whose backbone sees, its name in weights/, or yolov8n.yaml"),
    )
    imgsz: int = field(
        default=448,
        metadata=about(
            "patchcore: longer side of what the backbone sees, px", low=32, high=LARGEST_IMGSZ
        ),
    )
    strides: tuple[int, ...] = field(
        default=(4, 8),
        metadata=about("patchcore: scales of the backbone, of 4, 8, 16 and 32", low=4, high=32),
    )
    patch: int = field(
        default=16,
        metadata=about(
            "patchcore: side of a patch, px, a multiple of every stride", low=4, high=LARGEST_PATCH
        ),
    )
    relative: bool = field(
        default=True,
        metadata=about("patchcore: against the usual patches of the same frame, too"),
    )
    bank: int = field(
        default=2000, metadata=about("patchcore: patches that are kept, of each group", low=1)
    )
    pool: int = field(
        default=30000, metadata=about("patchcore: patches that these are chosen from", low=1)
    )
    epochs: int = field(
        default=30, metadata=about("conv-ae: how often the pictures are seen", low=1)
    )
    batch: int = field(default=16, metadata=about("conv-ae: pictures a step", low=1))
    rate: float = field(default=1e-3, metadata=about("conv-ae: learning rate", low=0))
    contamination: float = field(
        default=0.0,
        metadata=about("share of training frames that may have a defect", low=0, high=0.5),
    )
    groups: int | Literal["auto"] = field(
        default=1, metadata=about("of look-alike frames, each with its own model", low=1)
    )
    threshold: str = field(
        default="auto", metadata=about("auto, f1, false-alarms:0.01 or quantile:0.99")
    )
    device: str = field(default="", metadata=about("cpu, or a GPU such as 0; empty: GPU if any"))
    seed: int = field(default=0, metadata=about("of everything random", low=0, high=LARGEST_SEED))
    weights_sha256: str | None = None

    @property
    def has_backbone(self) -> bool:
        """Whether a detector's backbone is needed, to see patches or to tell groups."""
        return self.model == PATCHCORE or self.groups != 1

    def identity(self) -> dict[str, Any]:
        """What decides the result: weights by their hash, and nothing that the model ignores."""
        record = asdict(self)
        ignored = _OF_EPOCHS if self.model == PATCHCORE else _OF_PATCHES
        for name in ("device", *ignored):
            record.pop(name)
        if self.weights_sha256 is not None or not self.has_backbone:
            record.pop("weights")
        record["strides"] = list(self.strides) if self.model == PATCHCORE else []
        return record


@dataclass(frozen=True, slots=True)
class PredictConfig:
    """How to predict."""

    bottleneck: bool = field(
        default=False, metadata=about("conv-ae: draw its 16 bottleneck maps, not the heat map")
    )
    device: str = field(default="", metadata=about("cpu, or a GPU such as 0; empty: GPU if any"))


def configure(settings: Mapping[str, Any]) -> AnomalyConfig:
    """Settings by name to a config; InputError lists every one that is unknown or does not fit."""
    from vqc.tasks.learning.device import device_faults
    from vqc.tasks.learning.weights import sha256_of

    values, unfit = sift(AnomalyConfig, settings)
    config = AnomalyConfig(**values)
    faults = list(unfit.values())
    try:
        read_rule(config.threshold)
    except InputError as error:
        faults.append(str(error))
    faults += device_faults(config.device)
    faults += () if unfit.keys() & {"strides", "patch"} else _scale_faults(config)
    if config.model == CONV_AE and config.contamination > 0 and config.epochs < 2:
        faults.append(
            "epochs: expected 2 or more with contamination, since conv-ae leaves frames out after "
            f"half of them, got {config.epochs}"
        )
    if faults:
        raise InputError("\n".join(faults))
    sha256 = sha256_of(config.weights) if config.has_backbone else None
    return replace(config, strides=tuple(sorted(config.strides)), weights_sha256=sha256)


def _scale_faults(config: AnomalyConfig) -> list[str]:
    """What is wrong with the scales and with the patches that they are averaged over."""
    faults = []
    unfit = sorted(set(config.strides) - set(STRIDES))
    if unfit or not config.strides or len(set(config.strides)) < len(config.strides):
        got = ",".join(map(str, config.strides)) or "nothing"
        faults.append(f"strides: expected some of 4, 8, 16 and 32, each once, got {got}")
    broken = [stride for stride in STRIDES if stride in config.strides and config.patch % stride]
    if broken:
        # Of these strides, every one divides the largest.
        faults.append(
            f"patch: expected a multiple of every stride, so of {broken[-1]}, got {config.patch}"
        )
    return faults
