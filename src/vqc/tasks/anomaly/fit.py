"""A dataset → an anomaly detector with its thresholds, through interruptions.

Import this late: it loads torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from vqc import ultra
from vqc.dataset import Dataset
from vqc.pictures import read_picture
from vqc.runs import WEIGHTS
from vqc.tasks.anomaly import held, trained
from vqc.tasks.anomaly.autoencoder import AeLearner, Autoencoders, grey_of
from vqc.tasks.anomaly.config import HEADLINE, PATCHCORE, TASK, AnomalyConfig
from vqc.tasks.anomaly.job import ONE_GROUP, Job, job_of
from vqc.tasks.anomaly.measures import auroc
from vqc.tasks.anomaly.stages import fit_banks
from vqc.tasks.anomaly.thresholds import Scale
from vqc.tasks.anomaly.trained import Detector, Trained
from vqc.tasks.anomaly.truth import part_classes
from vqc.tasks.contract import Fitted, Monitor
from vqc.tasks.learning import epochs
from vqc.tasks.learning.weights import inherit, seen_tensor
from vqc.types import ByteArray


def fit(dataset: Dataset, config: AnomalyConfig, run_dir: Path, monitor: Monitor) -> Fitted:
    """Train; goes on where it was cut off. Leaves best.pt in run_dir, thresholds in it.

    Raises InputError where no frame is good, where val lacks what the threshold needs, for
    weights that are missing or unsafe and for a device that is not there.
    """
    file = run_dir / WEIGHTS
    if file.is_file():
        epochs.forget(run_dir)  # killed between the two
        return epochs.fitted_in(file, TASK)
    ultra.prepare()
    job = job_of(dataset, config)
    if config.has_backbone:
        inherit(config.weights, run_dir)
    if config.model == PATCHCORE and job.seer is not None:
        detector, scales, fitted = fit_banks(job, job.seer, run_dir, monitor)
    else:
        detector, scales, fitted = _fit_autoencoders(job, run_dir, monitor)
    parts = part_classes(dataset.manifest.frames)
    about = {"fitted": asdict(fitted), "threshold": config.threshold}
    trained.save(file, Trained(detector, scales, parts), about, seen_tensor(run_dir))
    epochs.forget(run_dir)
    return fitted


def _fit_autoencoders(
    job: Job, run_dir: Path, monitor: Monitor
) -> tuple[Detector, tuple[Scale, ...], Fitted]:
    config, seer, grouping = job.config, job.seer, ONE_GROUP
    groups = np.zeros(len(job.frames), np.int64)
    if seer is not None:
        wholes = np.array([seer.whole(rgb) for rgb in held.rgbs(job.dataset, job.frames)])
        grouping = job.grouping(wholes)
        groups = np.array([grouping.of(whole) for whole in wholes])
    torch.manual_seed(config.seed)
    network = Autoencoders(len(grouping.centres), len(job.frames)).to(job.device)
    detector = Detector(seer, grouping, network)

    def load(number: int) -> ByteArray:
        rgb = np.asarray(read_picture(job.dataset.path(job.frames[number])), np.uint8)
        return grey_of(rgb)

    def measure() -> Mapping[str, float]:
        if not job.shows_both:
            return {}
        val = held.look(detector, job.dataset, job.val, lambda frames: None)
        # Groups have no thresholds yet: distances are compared as they are.
        return {f"val/{HEADLINE.metric}": auroc(val.distances(0.0), job.is_defect)}

    learner = AeLearner(network, load, groups, config, measure)
    rules = epochs.Rules(TASK, HEADLINE, config.epochs, 0, config.seed)
    done = epochs.train(learner, rules, run_dir, monitor)
    val, train = job.look(detector, network.kept.cpu().numpy(), lambda frames: None)
    scales = job.scales(val, train, len(grouping.centres))
    return detector, scales, job.fitted(done.epochs, done.best_epoch, val, scales)
