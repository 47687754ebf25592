"""A dataset → the weights of a segmenter, and from which probability its pixels count."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vqc.dataset import Dataset
from vqc.runs import LAST, WEIGHTS
from vqc.tasks.contract import Fitted, Headline, Monitor
from vqc.tasks.learning import epochs
from vqc.tasks.learning.device import device_of
from vqc.tasks.learning.weights import inherit
from vqc.tasks.segment import networks, trained
from vqc.tasks.segment.config import BACKBONE, SegmentConfig
from vqc.tasks.segment.learner import Learner, tiling_of
from vqc.tasks.segment.scoring import answer_of, counts_of
from vqc.tasks.segment.thresholds import choose, middle
from vqc.tasks.segment.trained import TASK, Trained


def fit(dataset: Dataset, config: SegmentConfig, run_dir: Path, monitor: Monitor) -> Fitted:
    """Train until the epochs are done or val gains no more; goes on where it was cut off.

    Leaves best.pt in run_dir. Raises InputError for weights that are missing or no detector, and
    VqcError where training fails.
    """
    import torch

    if (run_dir / WEIGHTS).is_file():
        epochs.forget(run_dir)  # cut off between the two
        return epochs.fitted_in(run_dir / WEIGHTS, TASK)
    config, device = config.resolved(), device_of(config.device)
    if config.model == BACKBONE:
        inherit(config.weights, run_dir)
    torch.manual_seed(config.seed)
    classes = dataset.manifest.classes
    network, plan = networks.build(config, len(classes))
    network = network.to(device, memory_format=torch.channels_last)
    learner = Learner(network, dataset, config, device)
    if not (run_dir / LAST).is_file():
        learner.unfold()
    rules = epochs.Rules(TASK, Headline("Dice"), config.epochs, config.patience, config.seed)
    fitted = epochs.train(learner, rules, run_dir, monitor)
    thresholds = middle(len(classes))
    if dataset.frames("val"):
        thresholds = choose(counts_of(answer_of(network), dataset, "val", tiling_of(config)))
    kept = Trained(network, classes, replace(config, device=""), thresholds, fitted)
    trained.write(run_dir / WEIGHTS, kept, plan)
    epochs.forget(run_dir)
    return fitted
