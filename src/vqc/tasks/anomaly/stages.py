"""Banks of patches, made in stages that count as epochs: each is whole or done again.

1 bank: every training frame is seen, groups and the spreads of the features are found, patches
chosen. 2 clean, with contamination only: the frames that lie farthest from all others are left
out, and patches chosen again. Last, threshold: val is judged. Import this late: it loads torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from vqc.errors import InputError
from vqc.runs import ANEW, LAST
from vqc.tasks.anomaly import held, trained
from vqc.tasks.anomaly.autoencoder import lowest
from vqc.tasks.anomaly.bank import Bank, make_bank, sample
from vqc.tasks.anomaly.config import TASK
from vqc.tasks.anomaly.job import ONE_GROUP, Job, Told
from vqc.tasks.anomaly.patches import Seer, spreads_of
from vqc.tasks.anomaly.thresholds import Scale, limit_of
from vqc.tasks.anomaly.trained import Detector, Grouping
from vqc.tasks.contract import Fitted, Monitor
from vqc.tasks.learning import files
from vqc.types import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """done: stages. kept: (N,), the training frames that are not left out. spreads: see `Seer`."""

    done: int
    grouping: Grouping
    banks: Sequence[Bank]
    kept: NDArray[np.bool_]
    spreads: tuple[float, ...]


def fit_banks(
    job: Job, seer: Seer, run_dir: Path, monitor: Monitor
) -> tuple[Detector, tuple[Scale, ...], Fitted]:
    """Make the banks and measure the scales; keeps last.pt in run_dir after every stage.

    Raises InputError where last.pt is not of this training.
    """
    frames, has_clean = len(job.frames), job.config.contamination > 0
    sizes = [frames, *([2 * frames] if has_clean else []), job.held_count]
    state = _resume(job, run_dir, monitor)
    done = state.done if state else 0
    told = Told(monitor, sum(sizes), sum(sizes[:done]))
    if state is None:
        state = _first(job, seer, told)
        monitor.epoch(1, _about_banks(state))
        _save(state, run_dir)
    seer = replace(seer, spreads=state.spreads)
    if has_clean and state.done == 1:
        state = _cleaned(job, seer, state, told)
        monitor.epoch(2, _about_banks(state))
        _save(state, run_dir)
    detector = Detector(seer, state.grouping, state.banks, job.config.relative)
    val, train = job.look(detector, state.kept, told)
    scales = job.scales(val, train, len(state.banks))
    fitted = job.fitted(len(sizes), len(sizes), val, scales)
    of_val = {f"val/{name}": value for name, value in fitted.metrics.items()}
    monitor.epoch(len(sizes), {**_about_banks(state), **of_val})
    return detector, scales, fitted


def _first(job: Job, seer: Seer, told: Callable[[int], None]) -> _State:
    """Groups and banks of all training frames. seer: its spreads are still to be found."""
    config = job.config
    kept = np.ones(len(job.frames), bool)
    wholes = []
    features, owners = [], []
    for number, rgb in enumerate(held.rgbs(job.dataset, job.frames)):
        if config.groups != 1:
            wholes.append(seer.whole(rgb))
        features.append(_sampled(job, seer, rgb, number))
        owners += [number] * len(features[-1])
        told(1)
    grouping = job.grouping(np.array(wholes)) if wholes else ONE_GROUP
    groups = np.array([grouping.of(w) for w in wholes] or [0] * len(kept))
    raw = torch.cat(features)
    spreads = spreads_of(raw, seer.widths)
    rows = replace(seer, spreads=spreads).divided(raw)
    banks = _banks(job, rows, torch.tensor(owners), groups)
    return _State(1, grouping, banks, kept, spreads)


def _cleaned(job: Job, seer: Seer, state: _State, told: Callable[[int], None]) -> _State:
    """The banks anew, without the frames that lie farthest from the others of their group."""
    detector = Detector(seer, state.grouping, state.banks, job.config.relative)
    numbers = range(len(job.frames))
    looked = held.look(detector, job.dataset, job.frames, told, numbers)
    kept = lowest(_apart(looked, job.config.contamination), looked.groups, job.config.contamination)
    stay = np.flatnonzero(kept).tolist()
    features, owners = [], []
    for number, rgb in zip(
        stay, held.rgbs(job.dataset, [job.frames[n] for n in stay]), strict=True
    ):
        features.append(_sampled(job, seer, rgb, number))
        owners += [number] * len(features[-1])
        told(1)
    told(len(kept) - len(stay))
    banks = _banks(job, torch.cat(features), torch.tensor(owners), looked.groups)
    return replace(state, done=2, banks=banks, kept=kept)


def _apart(looked: held.Looked, contamination: float) -> FloatArray:
    """(N,): distances of training frames, some of which may be odd all over.

    What is usual for a good one is learnt from the share that is good, in each group.
    """
    found = np.empty(len(looked.peaks))
    for group in np.unique(looked.groups):
        mine = looked.groups == group
        usuals = looked.usuals[mine]
        found[mine] = looked.of(mine).distances(
            limit_of(usuals[usuals <= np.quantile(usuals, 1 - contamination)])
        )
    return found


def _sampled(job: Job, seer: Seer, rgb: NDArray[np.uint8], number: int) -> torch.Tensor:
    """As many patches of a frame as the pool has room for, on the CPU."""
    count = -(-job.config.pool // len(job.frames))
    return sample(seer.patches(rgb), count, (job.config.seed, number)).cpu()


def _banks(
    job: Job, features: torch.Tensor, owners: torch.Tensor, groups: NDArray[np.int64]
) -> list[Bank]:
    """groups: (N,), of every training frame."""
    of_patch = torch.from_numpy(np.asarray(groups, np.int64))[owners]
    found = []
    for group in range(int(groups.max()) + 1):
        mine = of_patch == group
        bank = make_bank(
            features[mine].to(job.device), owners[mine], job.config.bank, job.config.seed
        )
        found.append(bank)
    return found


def _about_banks(state: _State) -> dict[str, float]:
    return {
        "train/frames": float(state.kept.sum()),
        "train/groups": float(len(state.banks)),
        "train/patches": float(sum(len(bank.features) for bank in state.banks)),
    }


def _save(state: _State, run_dir: Path) -> None:
    tensors = {
        "grouping": trained.grouping_tensors(state.grouping),
        "banks": trained.bank_tensors(state.banks),
        "kept": torch.from_numpy(state.kept),
    }
    about = {"task": TASK, "stages": state.done, "spreads": list(state.spreads)}
    files.save(run_dir / LAST, about, tensors)


def _resume(job: Job, run_dir: Path, monitor: Monitor) -> _State | None:
    """Where the last whole stage left it; None at the beginning."""
    file = run_dir / LAST
    if not file.is_file():
        return None
    about, tensors = files.load(file, TASK, ANEW)
    try:
        kept = np.asarray(tensors["kept"].numpy(), bool)
        state = _State(
            int(about["stages"]),
            trained.grouping_from(tensors["grouping"]),
            trained.banks_from(tensors["banks"], job.device),
            kept,
            trained.spreads_from(about["spreads"], len(job.config.strides)),
        )
        if len(kept) != len(job.frames):
            raise ValueError(f"{len(kept)} training frames")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{file}: not of this training ({error!r}); {ANEW}") from None
    monitor.resumed(state.done)
    return state
