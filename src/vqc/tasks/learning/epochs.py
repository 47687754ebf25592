"""Epoch after epoch, through interruptions: what every task that trains with torch shares.

A training that was cut off goes on from its last whole epoch and comes to the very same weights
as one that was not, on one machine's CPU with as many threads: whatever is random follows from the
seed and the epoch. A GPU is asked for as much (see `device.repeatable`).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vqc.errors import InputError, VqcError
from vqc.runs import ANEW, LAST
from vqc.tasks.contract import Fitted, Headline, Monitor
from vqc.tasks.learning import files
from vqc.tasks.learning.device import repeatable

if TYPE_CHECKING:
    from torch import nn, optim


class Learner(Protocol):
    """A network with what it learns from.

    network, optimizer: on their device. pictures: seen in an epoch.
    """

    network: nn.Module
    optimizer: optim.Optimizer
    pictures: int

    def learn(self, epoch: int, seen: Seen) -> Mapping[str, float]:
        """One pass, epoch counted from 0; gives metrics such as `train/loss`.

        Sets the learning rate itself, by the epoch and the step. Calls seen(pictures) after each
        step.
        """

    def validate(self) -> Mapping[str, float]:
        """Metrics on val, such as `val/accuracy`; none where the set has no val."""


class Seen(Protocol):
    def __call__(self, pictures: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Rules:
    """How long to train. patience: epochs without a gain on val, then it ends; 0 for never.

    headline: its metric, as `val/<metric>`, chooses the epoch.
    """

    task: str
    headline: Headline
    epochs: int
    patience: int
    seed: int


def train(learner: Learner, rules: Rules, run_dir: Path, monitor: Monitor) -> Fitted:
    """Train until the epochs are done or val gains no more; the network then has the best weights.

    Keeps last.pt in run_dir after every epoch, which `forget` removes. Raises VqcError where the
    loss is no number, InputError where last.pt is not of this training.
    """
    state = _resume(learner, rules, run_dir, monitor)
    with repeatable(next(learner.network.parameters()).device):
        while not _is_over(state, rules):
            metrics = _epoch(learner, rules, state.epochs, monitor)
            monitor.epoch(state.epochs + 1, metrics)
            state = _after(state, learner, rules, metrics)
            _save(state, learner, rules, run_dir)
    learner.network.load_state_dict(state.weights)
    learner.network.eval()
    chosen_on = "val" if state.score is not None else None
    return Fitted(state.epochs, state.best_epoch, state.metrics, chosen_on)


def fitted_in(file: Path, task: str) -> Fitted:
    """What a finished training came to, as its best.pt says; InputError where it does not."""
    about, _ = files.load(file, task, ANEW)
    try:
        return Fitted(**about["fitted"])
    except (KeyError, TypeError):
        raise InputError(f"{file}: does not say how it was trained; {ANEW}") from None


def forget(run_dir: Path) -> None:
    """Remove what was kept to go on from; after best.pt is there."""
    (run_dir / LAST).unlink(missing_ok=True)


def _epoch(learner: Learner, rules: Rules, epoch: int, monitor: Monitor) -> Mapping[str, float]:
    """Learn and validate once; epoch counted from 0."""
    import torch

    torch.manual_seed(rules.seed * 1_000_003 + epoch)
    learner.network.train()
    seen = _Told(monitor, learner.pictures, rules.epochs, epoch)
    metrics = dict(learner.learn(epoch, seen))
    if not all(math.isfinite(value) for value in metrics.values()):
        raise VqcError(
            f"training failed: epoch {epoch + 1} gave {metrics}; a smaller learning rate may "
            "help (--set rate=0.0001)"
        )
    learner.network.eval()
    with torch.inference_mode():
        return metrics | dict(learner.validate())


@dataclass(frozen=True, slots=True)
class _State:
    """epochs: done. score: of the best one, None where nothing chooses. metrics: on val."""

    epochs: int
    best_epoch: int
    score: float | None
    metrics: Mapping[str, float]
    weights: Mapping[str, Any]


class _Told:
    """Adds up what an epoch has shown, and tells the monitor."""

    def __init__(self, monitor: Monitor, pictures: int, epochs: int, epoch: int) -> None:
        self._monitor, self._total = monitor, pictures * epochs
        self._seen, self._most = pictures * epoch, pictures * (epoch + 1)

    def __call__(self, pictures: int) -> None:
        self._seen = min(self._seen + pictures, self._most)
        self._monitor.progress(self._seen, self._total)


def _is_over(state: _State, rules: Rules) -> bool:
    waited = state.epochs - state.best_epoch
    stalls = state.score is not None and 0 < rules.patience <= waited
    return state.epochs >= rules.epochs or stalls


def _after(state: _State, learner: Learner, rules: Rules, metrics: Mapping[str, float]) -> _State:
    """The state after one more epoch; of equal scores the lower loss counts, else the earlier."""
    epochs = state.epochs + 1
    on_val = {k.removeprefix("val/"): v for k, v in metrics.items() if k.startswith("val/")}
    score = on_val.get(rules.headline.metric)
    if score is not None and not math.isfinite(score):
        score = None
    if not _is_better(score, on_val, state, rules.headline):
        return _State(epochs, state.best_epoch, state.score, state.metrics, state.weights)
    weights = copy.deepcopy({k: v.cpu() for k, v in learner.network.state_dict().items()})
    return _State(epochs, epochs, score, on_val, weights)


def _is_better(
    score: float | None, on_val: Mapping[str, float], state: _State, headline: Headline
) -> bool:
    """Whether these weights count from now on. score: None where val says nothing."""
    if state.score is None:
        return True
    if score is None:
        return False
    sign = 1 if headline.higher_is_better else -1
    losses = on_val.get("loss", math.inf), state.metrics.get("loss", math.inf)
    return (sign * score, -losses[0]) > (sign * state.score, -losses[1])


def _save(state: _State, learner: Learner, rules: Rules, run_dir: Path) -> None:
    about = {
        "task": rules.task, "epochs": state.epochs, "best_epoch": state.best_epoch,
        "score": state.score, "metrics": dict(state.metrics),
    }  # fmt: skip
    tensors = {
        "network": learner.network.state_dict(),
        "optimizer": learner.optimizer.state_dict(),
        "best": dict(state.weights),
    }
    files.save(run_dir / LAST, about, tensors)


def _resume(learner: Learner, rules: Rules, run_dir: Path, monitor: Monitor) -> _State:
    """Where the last whole epoch left it, or the beginning."""
    file = run_dir / LAST
    if not file.is_file():
        return _State(0, 0, None, {}, {})
    about, tensors = files.load(file, rules.task, ANEW)
    try:
        state = _State(
            epochs=int(about["epochs"]),
            best_epoch=int(about["best_epoch"]),
            score=about["score"],
            metrics=dict(about["metrics"]),
            weights=tensors["best"],
        )
        files.restore(learner.network, tensors["network"], file, ANEW)
        learner.optimizer.load_state_dict(tensors["optimizer"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{file}: not of this training ({error!r}); {ANEW}") from None
    monitor.resumed(state.epochs)
    return state
