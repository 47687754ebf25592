"""What was tried → what to try next, by Optuna's tree-structured Parzen estimator (TPE) [1].

All settings are drawn together (multivariate [2]), since the good values of one depend on the
others. A failed trial counts as worse than any other one, so its neighbourhood is left alone. The
draw depends on the seed, the space and the earlier results alone: a search that was cut off goes
on as if nothing had happened.

[1] Bergstra, Bardenet, Bengio, Kégl: Algorithms for Hyper-Parameter Optimization. NIPS 2011.
[2] Falkner, Klein, Hutter: BOHB. ICML 2018.
"""

from __future__ import annotations

import contextlib
import importlib.util
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vqc.errors import InputError
from vqc.tasks.contract import Headline
from vqc.tune.result import Result
from vqc.tune.space import Axis, Choice, Range, Space, Value

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

INSTALL = "pip install 'optuna>=4,<5'"
_TPE_TRIES, _RANDOM_TRIES = 10, 200
_FEWEST = 10
"""Fewer trials say nothing of what matters."""


def require_optuna() -> None:
    """InputError where Optuna is missing, with the line that installs it."""
    if importlib.util.find_spec("optuna") is None:
        raise InputError(f"vqc tune needs Optuna, which is not installed: {INSTALL}")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Optuna says nothing meanwhile: no trial by trial log, no word on what is experimental."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


def direction(headline: Headline) -> str:
    """As Optuna calls it."""
    return "maximize" if headline.higher_is_better else "minimize"


def propose(
    space: Space,
    results: Sequence[Result],
    headline: Headline,
    seed: int,
    is_new: Callable[[Mapping[str, Value]], bool],
) -> dict[str, Value] | None:
    """Values of all axes for the next trial; None where nothing new can be found.

    is_new: whether values may be tried, and were not yet.
    """
    import optuna

    number, kinds = len(results), distributions(space)
    with quiet():
        study = optuna.create_study(direction=direction(headline))
        study.add_trials([_seen(result, kinds) for result in results])
        for attempt in range(_TPE_TRIES + _RANDOM_TRIES):
            draw = int(np.random.SeedSequence([seed, number, attempt]).generate_state(1)[0])
            study.sampler = (
                optuna.samplers.TPESampler(seed=draw, multivariate=True)
                if attempt < _TPE_TRIES
                else optuna.samplers.RandomSampler(seed=draw)
            )
            values = space.fixed | _drawn(space, study.ask(kinds).params)
            if is_new(values):
                return {axis.name: values[axis.name] for axis in space.axes}
    return None


def importances(
    space: Space, results: Sequence[Result], headline: Headline
) -> dict[str, float] | None:
    """How much each searched axis decides whether a trial is among the best; shares of 1.

    By PED-ANOVA (Watanabe, Bansal, Hutter, IJCAI 2023). None for too few trials or axes, or
    where all do equally well.
    """
    import optuna

    done = [result for result in results if result.score is not None]
    same = len({result.score for result in done}) < 2
    if len(done) < _FEWEST or len(space.searched) < 2 or same:
        return None
    with quiet():
        study = optuna.create_study(direction=direction(headline))
        study.add_trials([_seen(result, distributions(space)) for result in done])
        found = optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
        )
    return {name: round(share, 4) for name, share in found.items()}


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """The searched axes as Optuna knows them."""
    return {axis.name: _distribution(axis) for axis in space.searched}


def _distribution(axis: Axis) -> BaseDistribution:
    from optuna import distributions as kinds

    if isinstance(axis, Choice):
        return kinds.CategoricalDistribution(axis.samples)
    if axis.is_whole:
        return kinds.IntDistribution(int(axis.low), int(axis.high), log=axis.log)
    return kinds.FloatDistribution(axis.low, axis.high, log=axis.log)


def _drawn(space: Space, drawn: Mapping[str, Any]) -> dict[str, Value]:
    return {
        axis.name: axis.rounded(drawn[axis.name]) if isinstance(axis, Range) else drawn[axis.name]
        for axis in space.searched
    }


def _seen(result: Result, kinds: Mapping[str, BaseDistribution]) -> FrozenTrial:
    """A result as the sampler shall see it: what failed was given up, which ranks last."""
    from optuna.trial import TrialState, create_trial

    return create_trial(
        state=TrialState.PRUNED if result.score is None else TrialState.COMPLETE,
        value=result.score,
        params={name: result.values[name] for name in kinds},
        distributions=dict(kinds),
    )
