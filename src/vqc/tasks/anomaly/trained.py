"""A trained anomaly detector: pictures in, distances and heat maps out. It is all of best.pt.

Import this late: it loads torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqc import ultra
from vqc.errors import InputError
from vqc.runs import ANEW
from vqc.tasks.anomaly.answers import WHOLE, Anomalies
from vqc.tasks.anomaly.autoencoder import Autoencoders, grey_of
from vqc.tasks.anomaly.bank import Bank, peak_of, smoothed, usual_of, without_border
from vqc.tasks.anomaly.config import CONV_AE, PATCHCORE, TASK
from vqc.tasks.anomaly.groups import nearest
from vqc.tasks.anomaly.patches import Seer, stored_backbone
from vqc.tasks.anomaly.thresholds import Scale
from vqc.tasks.learning import files
from vqc.tasks.learning.device import device_of
from vqc.types import ByteArray, FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """peak: the distance of what is farthest from good. usual: what the picture's own patches
    differ by anyway, 0 where that does not count.

    heat: (h, w). covers: what it spans, in heights and widths of the picture, 1 or more.
    bottleneck: of an autoencoder.
    """

    peak: float
    usual: float
    heat: NDArray[np.float32]
    covers: tuple[float, float] = WHOLE
    bottleneck: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """centres: (K, D) in units of `spread` about `mean`, both (D,)."""

    centres: FloatArray
    mean: FloatArray
    spread: FloatArray

    def of(self, whole: FloatArray) -> int:
        """The group of a frame that looks like `whole`, (D,)."""
        return int(nearest(((whole - self.mean) / self.spread)[None], self.centres)[0])


@dataclass(frozen=True, slots=True, eq=False)
class Detector:
    """seer: None for autoencoders of one group. model: banks, or autoencoders, one a group.

    relative: whether patches are measured against the frame's own usual ones.
    """

    seer: Seer | None
    grouping: Grouping
    model: Sequence[Bank] | Autoencoders
    relative: bool = False

    def group_of(self, rgb: ByteArray) -> int:
        """The number of the group whose frames a picture (H, W, 3) resembles most."""
        if self.seer is None or len(self.grouping.centres) == 1:
            return 0
        return self.grouping.of(self.seer.whole(rgb))

    def judge(self, rgb: ByteArray, group: int, without: int | None = None) -> Judged:
        """How far a picture is from what is good in its group.

        without: number of a training frame whose own patches do not count.
        """
        if isinstance(self.model, Autoencoders):
            distance, heat, maps = self.model.judge(grey_of(rgb), group)
            return Judged(distance, 0.0, heat, bottleneck=maps)
        if self.seer is None:
            raise TypeError("banks need a backbone")
        apart = without_border(self.model[group].distances(self.seer.patches(rgb), without))
        usual = usual_of(apart) if self.relative else 0.0
        return Judged(peak_of(apart), usual, smoothed(apart), self.seer.covers(rgb))


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A detector with what was measured of it: a scale for each group, and the classes of parts."""

    detector: Detector
    scales: tuple[Scale, ...]
    parts: frozenset[str]

    def answer(self, name: str, rgb: ByteArray, bottleneck: bool = False) -> Anomalies:
        """bottleneck: keep the maps of the autoencoder's narrowest layer."""
        group = self.detector.group_of(rgb)
        found, scale = self.detector.judge(rgb, group), self.scales[group]
        maps = found.bottleneck if bottleneck else None
        distance = scale.distance(found.peak, found.usual)
        return Anomalies(name, distance, scale, group, found.heat, found.covers, maps)


def save(file: Path, trained: Trained, about: Mapping[str, Any], more: Mapping[str, Any]) -> None:
    """Write best.pt. about: plain values, more: tensors, kept beside the detector's own."""
    detector = trained.detector
    seer, model = detector.seer, detector.model
    own: dict[str, Any] = {
        "task": TASK,
        "model": CONV_AE if isinstance(model, Autoencoders) else PATCHCORE,
        "scales": [scale.record() for scale in trained.scales],
        "parts": sorted(trained.parts),
        "seer": None,
        "relative": detector.relative,
    }
    tensors: dict[str, Any] = {"grouping": grouping_tensors(detector.grouping), "model": {}}
    if seer is not None:
        plan = seer.backbone.plan
        own["seer"] = {
            "plan": plan,
            "imgsz": seer.imgsz,
            "strides": list(seer.strides),
            "patch": seer.patch,
            "spreads": list(seer.spreads),
        }
        tensors["backbone"] = {k: v.cpu() for k, v in seer.backbone.layers.state_dict().items()}
    if isinstance(model, Autoencoders):
        tensors["model"] = {k: v.cpu() for k, v in model.members.state_dict().items()}
    else:
        tensors["model"] = {"banks": bank_tensors(model)}
    files.save(file, {**about, **own}, {**tensors, **more})


def load(file: Path, device: str) -> Trained:
    """The detector of a run's file, on its device.

    Raises InputError for a file that holds none, or none that can be opened safely, and for a
    device that is not there.
    """
    ultra.prepare()
    where = device_of(device)
    about, tensors = files.load(file, TASK, ANEW)
    try:
        grouping = grouping_from(tensors["grouping"])
        relative = about.get("relative") is True
        scales = tuple(_scale(row, relative, file) for row in about["scales"])
        parts = frozenset(map(str, about["parts"]))
        _require_spreads(about, file)
        seer = _seer(about["seer"], tensors, where, file)
        model = _model(about["model"], tensors["model"], len(scales), where, file)
        fits = len(scales) == len(grouping.centres) > 0 and (
            isinstance(model, Autoencoders) or (seer is not None and len(model) == len(scales))
        )
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise InputError(f"{file}: not the weights of {TASK} ({error!r}); {ANEW}") from None
    if not fits:
        raise InputError(f"{file}: its groups do not fit each other; {ANEW}")
    return Trained(Detector(seer, grouping, model, relative), scales, parts)


def _scale(row: Mapping[str, Any], relative: bool, file: Path) -> Scale:
    """Raises InputError for a file of a time when there was no limit to what is taken off."""
    if relative and "limit" not in row:
        raise InputError(
            f"{file}: does not say how odd a good frame may be all over (limit), so black frames "
            f"would pass as good; an earlier version of vqc wrote it; {ANEW}"
        )
    return Scale(**{"limit": 0.0, **{name: float(value) for name, value in row.items()}})


def _require_spreads(about: Mapping[str, Any], file: Path) -> None:
    """Raises InputError for a file of a time when the scales of features were not divided."""
    if about["model"] == PATCHCORE and "spreads" not in about["seer"]:
        raise InputError(
            f"{file}: does not say how far good patches spread at each scale (spreads), so "
            f"distances would not be those of its bank; an earlier version of vqc wrote it; {ANEW}"
        )


def spreads_from(found: Sequence[float], scales: int) -> tuple[float, ...]:
    """Raises TypeError and ValueError for what is not one positive number for each scale."""
    spreads = tuple(map(float, found))
    if len(spreads) != scales or not all(0 < s < math.inf for s in spreads):
        raise ValueError(f"spreads {list(spreads)} of {scales} scales")
    return spreads


def bank_tensors(banks: Sequence[Bank]) -> list[dict[str, Tensor]]:
    return [{"features": b.features.cpu(), "owners": b.owners.cpu()} for b in banks]


def banks_from(found: Sequence[Mapping[str, Tensor]], device: torch.device) -> list[Bank]:
    """Raises KeyError, TypeError and ValueError for what `bank_tensors` did not make."""
    banks = [Bank(row["features"].float().to(device), row["owners"].long()) for row in found]
    if any(bank.features.ndim != 2 or not len(bank.features) for bank in banks):
        raise ValueError("a bank holds no patches")
    return banks


def grouping_tensors(grouping: Grouping) -> dict[str, Tensor]:
    rows = (grouping.centres, grouping.mean, grouping.spread)
    return {k: torch.from_numpy(v) for k, v in zip(_GROUPING, rows, strict=True)}


def grouping_from(found: Mapping[str, Tensor]) -> Grouping:
    return Grouping(*(np.asarray(found[key].numpy(), np.float64) for key in _GROUPING))


_GROUPING = ("centres", "mean", "spread")


def _seer(
    about: Mapping[str, Any] | None, tensors: Mapping[str, Any], device: torch.device, file: Path
) -> Seer | None:
    if about is None:
        return None
    backbone = stored_backbone(about["plan"], str(file))
    files.restore(backbone.layers, tensors["backbone"], file, ANEW)
    backbone.layers.eval().to(device)
    strides = tuple(map(int, about["strides"]))
    # Groups of autoencoders need neither: earlier versions wrote none there.
    patch = int(about.get("patch", max(strides, default=1)))
    spreads = spreads_from(about.get("spreads", [1.0] * len(strides)), len(strides))
    return Seer(backbone, device, int(about["imgsz"]), strides, patch, spreads)


def _model(
    name: str, tensors: Mapping[str, Any], groups: int, device: torch.device, file: Path
) -> Sequence[Bank] | Autoencoders:
    if name == PATCHCORE:
        return banks_from(tensors["banks"], device)
    if name != CONV_AE:
        raise ValueError(f"there is no model {name}")
    network = Autoencoders(groups, 0)
    files.restore(network.members, tensors, file, ANEW)
    network.eval().to(device)
    return network
