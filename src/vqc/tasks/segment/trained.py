"""best.pt of a segmenter: network, thresholds and how it answers; written and read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vqc.errors import InputError
from vqc.runs import ANEW
from vqc.tasks.contract import Fitted
from vqc.tasks.learning import files
from vqc.tasks.learning.device import device_of
from vqc.tasks.learning.weights import seen_tensor
from vqc.tasks.segment import networks
from vqc.tasks.segment.config import SegmentConfig
from vqc.tasks.segment.thresholds import Thresholds

if TYPE_CHECKING:
    from torch import nn

TASK = "segment"
_KEPT = ("model", "imgsz", "tile", "overlap", "tolerance")
"""Settings that count after training."""


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """network: ready to evaluate. config: of it, only what counts after training."""

    network: nn.Module
    classes: tuple[str, ...]
    config: SegmentConfig
    thresholds: Thresholds
    fitted: Fitted


def write(file: Path, trained: Trained, plan: Mapping[str, Any]) -> None:
    """Keep it. plan: of the backbone, or empty."""
    about = {
        "task": TASK,
        "classes": list(trained.classes),
        "config": {name: getattr(trained.config, name) for name in _KEPT},
        "plan": dict(plan),
        "thresholds": asdict(trained.thresholds),
        "fitted": asdict(trained.fitted),
    }
    tensors: dict[str, Any] = {"network": trained.network.state_dict()}
    files.save(file, about, tensors | seen_tensor(file.parent))


def read(file: Path, device: str = "") -> Trained:
    """What was kept, on its device.

    Raises InputError where there is no such file, where it is none of a segmenter, and for a
    device that is not there.
    """
    place = device_of(device)
    about, tensors = files.load(file, TASK, ANEW)
    try:
        known = {f.name for f in fields(SegmentConfig)}
        config = SegmentConfig(**{k: v for k, v in about["config"].items() if k in known})
        classes = tuple(map(str, about["classes"]))
        thresholds = Thresholds(
            tuple(map(int, about["thresholds"]["hundredths"])),
            tuple(map(int, about["thresholds"]["least_px"])),
        )
        fitted = Fitted(**about["fitted"])
        network = networks.from_record(config.model, about["plan"], len(classes))
        weights = tensors["network"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{file}: not of a training of {TASK} ({error!r}); {ANEW}") from None
    files.restore(network, weights, file, ANEW)
    return Trained(network.to(place).eval(), classes, config, thresholds, fitted)
