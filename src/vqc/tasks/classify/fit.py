"""A dataset → the weights of a classifier, calibrated on val, through interruptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vqc import ultra
from vqc.dataset import Dataset
from vqc.runs import LAST, WEIGHTS
from vqc.tasks.classify import calibration
from vqc.tasks.classify.config import BACKBONE, HEADLINE, ClassifyConfig
from vqc.tasks.classify.samples import (
    Cropping,
    Pixels,
    Sample,
    numbers,
    require_classes,
    samples_of,
)
from vqc.tasks.contract import Fitted, Monitor
from vqc.tasks.learning import epochs, files, norms
from vqc.tasks.learning.device import device_of
from vqc.tasks.learning.reading import batches, epoch_order
from vqc.tasks.learning.weights import inherit, seen_tensor

if TYPE_CHECKING:
    import torch
    from torch import nn

TASK = "classify"
_MEASURED, _AT_ONCE = 128, 32
"""Pictures on which folded batch normalisation is measured."""


def fit(dataset: Dataset, config: ClassifyConfig, run_dir: Path, monitor: Monitor) -> Fitted:
    """Train until the epochs are done or val gains no more; goes on where it was cut off.

    Leaves best.pt in run_dir, with temperature and threshold, which are 1 and 0 where val shows
    nothing to choose them on. Raises InputError for frames that cannot be used, for weights that
    are missing or unsafe and for a device that is not there, VqcError where training fails.
    """
    file = run_dir / WEIGHTS
    if file.is_file():
        epochs.forget(run_dir)  # killed between the two
        return epochs.fitted_in(file, TASK)
    ultra.prepare()
    import torch

    from vqc.tasks.classify.learner import ClassifyLearner, logits_of
    from vqc.tasks.classify.networks import build

    cropping = Cropping(config.margin, config.least_px) if config.crop else None
    samples = samples_of(dataset, ("train", "val"), cropping)
    require_classes(dataset, cropping)
    known = {split: [s for s in of if s.truth is not None] for split, of in samples.items()}
    device = device_of(config.device)
    if config.model == BACKBONE:
        inherit(config.start, run_dir)
    classes = dataset.manifest.classes
    torch.manual_seed(config.seed)
    network = build(config, len(classes)).to(device)
    train, val = (_read(dataset, known[split], config) for split in ("train", "val"))
    if config.model == BACKBONE and not (run_dir / LAST).is_file():
        _unfold(network, train[0], config, device)
    learner = ClassifyLearner(network, train, val, config, device)
    recipe = config.recipe
    rules = epochs.Rules(TASK, HEADLINE, recipe.epochs, config.patience, config.seed)
    fitted = epochs.train(learner, rules, run_dir, monitor)
    chosen = {"temperature": 1.0, "threshold": 0.0}
    if known["val"]:
        pixels, _ = _read(dataset, samples["val"], config)
        logits = logits_of(learner.network, pixels, device)
        chosen = calibrated(logits, samples["val"], classes, config.keep)
    _save(file, learner.network, config, classes, fitted, chosen)
    epochs.forget(run_dir)
    return fitted


def calibrated(
    logits: Any, samples: Sequence[Sample], classes: Sequence[str], keep: float
) -> dict[str, float]:
    """Temperature and threshold, chosen on (N, K) logits of val."""
    truth = numbers(samples, classes)
    is_known = truth >= 0
    temperature = calibration.fit_temperature(logits[is_known], truth[is_known])
    shares = calibration.probabilities(logits, temperature)
    is_right = shares.argmax(1) == truth
    threshold = calibration.choose_threshold(shares.max(1), is_known, is_right, keep)
    return {"temperature": temperature, "threshold": threshold}


def _read(
    dataset: Dataset, samples: Sequence[Sample], config: ClassifyConfig
) -> tuple[Pixels, Any]:
    pixels = Pixels(dataset, samples, config.recipe.imgsz, config.margin)
    return pixels, numbers(samples, dataset.manifest.classes)


def _unfold(
    network: nn.Module, pixels: Pixels, config: ClassifyConfig, device: torch.device
) -> None:
    """Give folded batch normalisation the statistics of training pictures."""
    from vqc.tasks.classify.learner import to_batch

    layers: Any = network.layers
    if not norms.is_folded(layers):
        return
    order = epoch_order(len(pixels), None, config.seed, 0)[:_MEASURED]
    read = batches(pixels.load, order, _AT_ONCE)
    norms.unfold(layers, (to_batch(pictures, device) for pictures in read))


def _save(
    file: Path,
    network: nn.Module,
    config: ClassifyConfig,
    classes: Sequence[str],
    fitted: Fitted,
    chosen: Mapping[str, float],
) -> None:

    from vqc.tasks.classify.networks import described

    about = {
        "task": TASK, "model": config.model, "classes": list(classes),
        "imgsz": config.recipe.imgsz, "crop": config.crop, "margin": config.margin,
        "least_px": config.least_px, **chosen, "fitted": asdict(fitted), **described(network),
    }  # fmt: skip
    tensors = {"network": {k: v.cpu().contiguous() for k, v in network.state_dict().items()}}
    files.save(file, about, tensors | seen_tensor(file.parent))
