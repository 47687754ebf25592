"""Settings of a detector's training: some by name, and every other one of Ultralytics'."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from vqc.errors import InputError
from vqc.tasks.settings import LARGEST_SEED, about, sift

_WITHOUT_EFFECT = ("device", "workers", "cache", "plots", "save_period")
"""Settings that change speed or extra files, never what is learnt."""

_TAKEN = {
    **dict.fromkeys(("data", "fraction"), "vqc mix decides what trains"),
    **dict.fromkeys(("model", "pretrained"), "--weights names the model"),
    **dict.fromkeys(("project", "name", "save_dir", "exist_ok"), "--out and --name say where"),
    **dict.fromkeys(
        ("val", "split"), "the set's val split chooses the epoch, test is for vqc eval"
    ),
    **dict.fromkeys(("task", "mode"), "this is vqc train --task detect"),
    **dict.fromkeys(("single_cls", "classes"), "the classes are the set's; vqc mix picks them"),
    "resume": "the same command goes on by itself",
    "save": "a training goes on from what it saved",
    "cfg": "give each setting with --set",
    "time": "vqc grid --budget keeps to a time",
    "verbose": "vqc shows its own progress",
    "distill_model": "it would open a file without checking it",
}

CHOICES: Mapping[str, tuple[str, ...]] = {
    "optimizer": (
        "auto", "SGD", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "MuSGD",
    ),
    "copy_paste_mode": ("flip", "mixup"),
    "cache": ("ram", "disk"),
}  # fmt: skip
"""Words that Ultralytics takes, and would only ask for once training has begun."""

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][+-]?[0-9]+")


@dataclass(frozen=True, slots=True)
class DetectConfig:
    """How a detector is trained. Whatever has no field here is in `others`, by Ultralytics' name.

    weights_sha256: of the file that training starts from, or None from scratch.
    """

    weights: str = field(
        default="yolov8n.pt",
        metadata=about("file to start from, its name in weights/, or yolov8n.yaml from scratch"),
    )
    epochs: int = field(default=100, metadata=about("how often the pictures are seen", low=1))
    imgsz: int = field(
        default=640, metadata=about("longer side that pictures are reduced to, px", low=32)
    )
    batch: int = field(default=16, metadata=about("pictures a step", low=1))
    device: str = field(default="", metadata=about("cpu, or a GPU such as 0; empty: GPU if any"))
    freeze: int | None = field(
        default=None, metadata=about("first layers that stay as they are", low=0)
    )
    seed: int = field(default=0, metadata=about("of everything random", low=0, high=LARGEST_SEED))
    patience: int = field(
        default=100, metadata=about("epochs without a gain on val, then it ends; 0: never", low=0)
    )
    epoch_images: int | None = field(
        default=None,
        metadata=about("pictures an epoch, all in turns; empty: each once", low=1),
    )
    others: Mapping[str, Any] = field(default_factory=dict)
    weights_sha256: str | None = None

    def identity(self) -> dict[str, Any]:
        """What decides the result: weights by their hash, no device, no worker counts."""
        record = asdict(self)
        record |= {"others": {k: v for k, v in self.others.items() if k not in _WITHOUT_EFFECT}}
        record.pop("device")
        if self.weights_sha256 is not None:
            record.pop("weights")
        return record

    def arguments(self) -> dict[str, Any]:
        """All of it as Ultralytics' arguments, but for the weights and the pictures."""
        ours = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _NOT_THEIRS}
        return {"plots": False, **self.others, **ours}


_NOT_THEIRS = ("weights", "epoch_images", "others", "weights_sha256")


@dataclass(frozen=True, slots=True)
class PredictConfig:
    """How to predict. imgsz, batch: None leaves them to the run and to the device."""

    conf: float = field(default=0.25, metadata=about("least score of an object", low=0, high=1))
    iou: float = field(
        default=0.7, metadata=about("overlap from which two boxes are one object", low=0, high=1)
    )
    imgsz: int | None = field(
        default=None, metadata=about("longer side for the network, px; none: the run's", low=32)
    )
    device: str = field(default="", metadata=about("cpu, or a GPU such as 0; empty: GPU if any"))
    batch: int | None = field(
        default=None, metadata=about("pictures at once; none: what suits the device", low=1)
    )
    track: bool = field(default=False, metadata=about("follow objects through a video"))


def configure(settings: Mapping[str, Any]) -> DetectConfig:
    """Settings by name to a config; InputError lists every one that is unknown or does not fit."""
    from vqc.tasks.learning.device import device_faults
    from vqc.tasks.learning.weights import sha256_of

    ours = {f.name for f in fields(DetectConfig)} - {"others", "weights_sha256"}
    others: dict[str, Any] = {}
    values, unfit_ours = sift(DetectConfig, {k: v for k, v in settings.items() if k in ours})
    faults = [*unfit_ours.values(), *device_faults(values.get("device", ""))]
    rest = {key: value for key, value in settings.items() if key not in ours}
    if rest:
        others, unfit = _others(rest, ours)
        faults += unfit
    if others.get("rect") and values.get("epoch_images") is not None:
        faults.append(
            "rect: puts pictures of one shape together, so epoch_images cannot choose them; give "
            "one of the two (vqc grid --equal epochs gives no epoch_images)"
        )
    if faults:
        raise InputError("\n".join(faults))
    config = DetectConfig(**values, others=others)
    return DetectConfig(**values, others=others, weights_sha256=sha256_of(config.weights))


def _others(settings: Mapping[str, Any], ours: set[str]) -> tuple[dict[str, Any], list[str]]:
    """Ultralytics' own settings, typed, and what is wrong with them."""
    from vqc import ultra

    ultra.prepare()
    from ultralytics.cfg import check_cfg
    from ultralytics.utils import DEFAULT_CFG_DICT

    known = sorted(({*DEFAULT_CFG_DICT} | ours) - {*_TAKEN})
    values, faults = {}, []
    for key, value in settings.items():
        if key in _TAKEN:
            faults.append(f"{key} cannot be set: {_TAKEN[key]}")
        elif key not in DEFAULT_CFG_DICT:
            near = difflib.get_close_matches(key, known, 3)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            faults.append(f"{key}: Ultralytics has no such setting{hint}")
        else:
            try:
                one = {key: _typed(value)}
                check_cfg(one)
                values[key] = _chosen(key, one[key])
            except (TypeError, ValueError) as error:
                faults.append(f"{key}: {error}")
    return dict(sorted(values.items())), faults


def _chosen(key: str, value: Any) -> Any:
    """A word as Ultralytics spells it; ValueError for one that it does not take."""
    known = {word.lower(): word for word in CHOICES.get(key, ())}
    if not known or not isinstance(value, str):
        return value
    if value.lower() in known:
        return known[value.lower()]
    near = difflib.get_close_matches(value.lower(), known, 1)
    hint = f"; did you mean {known[near[0]]}?" if near else ""
    raise ValueError(f"expected {', '.join(known.values())}, got {value}{hint}")


def _typed(value: Any) -> Any:
    """A value as YAML reads it; ValueError for what is no plain, finite value or list of such."""
    import yaml

    if isinstance(value, str):
        try:
            found = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError, RecursionError):
            raise ValueError(f"expected a value such as 0.5, true or name, got {value}") from None
        if isinstance(found, str) and _NUMBER.fullmatch(found):
            return float(found)  # YAML wants 1.0e-3 where people write 1e-3
        value = found
    for item in value if isinstance(value, list | tuple) else (value,):
        if isinstance(item, float) and not math.isfinite(item):
            raise ValueError(f"expected a finite number, got {item}")
        if not isinstance(item, bool | int | float | str | None):
            raise ValueError(f"expected a number, a word, or a list of these, got {value}")
    return value
