"""Proposals: better than random draws, the same again, new ones only, and without a word."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest

from vqc.tasks.contract import Headline
from vqc.tune.propose import importances, propose
from vqc.tune.result import Result
from vqc.tune.space import parse

optuna = pytest.importorskip("optuna", reason="optuna is not installed: pip install 'optuna>=4,<5'")

UP, DOWN = Headline("mAP50"), Headline("loss", higher_is_better=False)
SPACE = parse(["cad=0..1000", "lr0=1e-5..1e-1:log", "freeze=0,5,10", "imgsz=320,640", "real=10"])
TOP = 0.9
NOISE = 0.02
"""About what equal trainings differ by."""


def truth(values) -> float:
    """A smooth bowl, one axis by orders of magnitude, two of choices; 0.9 at best."""
    return (
        TOP
        - 1.2 * ((values["cad"] - 620) / 1000) ** 2
        - 0.06 * (math.log10(values["lr0"]) + 2.7) ** 2
        - {0: 0.1, 5: 0.0, 10: 0.05}[values["freeze"]]
        - {320: 0.05, 640: 0.0}[values["imgsz"]]
    )


def random_values(results, seed):
    rng = np.random.default_rng([seed, len(results)])
    return {
        "cad": int(rng.integers(0, 1001)),
        "lr0": float(10 ** rng.uniform(-5, -1)),
        "freeze": (0, 5, 10)[rng.integers(3)],
        "imgsz": (320, 640)[rng.integers(2)],
        "real": 10,
    }


def proposed(results, seed, space=SPACE, headline=UP, is_new=lambda values: True):
    return propose(space, results, headline, seed, is_new)


def searched(next_values, seed, trials=40, sign=1, fails=lambda values: False):
    """A search on the bowl with noise; sign: -1 turns it over."""
    noise = np.random.default_rng(seed).standard_normal(trials)
    results = []
    for number in range(trials):
        values = next_values(results, seed)
        score = None if fails(values) else sign * (truth(values) + NOISE * noise[number])
        failure = "out of memory" if score is None else None
        results.append(Result(number + 1, values, score=score, failure=failure))
    return results


def regret(results, sign=1) -> float:
    """What the trial that looks best falls short of the best there is."""
    best = max((r for r in results if r.score is not None), key=lambda r: sign * r.score)
    return TOP - truth(best.values)


def test_it_beats_random_search():
    """Thirty trials each. Measured: 0.6 points short of the top against 5.5 in the median, 1.3
    against 5.2 in the mean, nearer to the top with 18 of 20 seeds."""
    ours = [regret(searched(proposed, seed, trials=30)) for seed in range(20)]
    random = [regret(searched(random_values, seed, trials=30)) for seed in range(20)]
    assert np.median(ours) < 0.5 * np.median(random)
    assert np.mean(ours) < 0.5 * np.mean(random)
    assert sum(a < b for a, b in zip(ours, random, strict=True)) >= 15


def test_less_can_be_better():
    downwards = partial(proposed, headline=DOWN)
    assert regret(searched(downwards, 1, sign=-1), sign=-1) < 0.04


def test_proposals_follow_from_seed_and_results_alone():
    results = searched(proposed, 3, trials=14)
    again = [proposed(results[:k], 3) for k in range(14)]
    assert again == [result.values for result in results]
    assert proposed(results, 4) != proposed(results, 3)


def test_values_are_of_the_space():
    for result in searched(proposed, 5, trials=14):
        assert list(result.values) == ["cad", "lr0", "freeze", "imgsz", "real"]
        assert type(result.values["cad"]) is int and 0 <= result.values["cad"] <= 1000
        assert 1e-5 <= result.values["lr0"] <= 1e-1 and result.values["real"] == 10
        assert float(f"{result.values['lr0']:.4g}") == result.values["lr0"]


def test_what_fails_is_avoided():
    """Large pictures with no layer frozen run out of memory; that is also where it looks best."""

    def fails(values):
        return values["imgsz"] == 640 and values["cad"] > 300

    late = [
        fails(result.values)
        for seed in range(5)
        for result in searched(proposed, seed, trials=30, fails=fails)[15:]
    ]
    assert np.mean(late) < 0.2  # a third of the space


def test_only_new_values_are_proposed_until_there_are_none():
    space = parse(["freeze=0,5", "imgsz=320,640", "cad=8"])
    results = []
    while True:
        tried = [result.values for result in results]
        values = propose(space, results, UP, 0, lambda v, tried=tried: v not in tried)
        if values is None:
            break
        results.append(Result(len(results) + 1, values, score=0.5))
    assert len(results) == 4


def test_importance_tells_what_matters():
    found = [importances(SPACE, searched(proposed, seed), UP) for seed in range(3)]
    for shares in found:
        assert set(shares) == {"cad", "lr0", "freeze", "imgsz"}  # what is fixed has no share
        assert sum(shares.values()) == pytest.approx(1, abs=1e-3)
        assert shares["cad"] + shares["lr0"] > 0.7
    results = searched(proposed, 0, trials=9)
    assert importances(SPACE, results, UP) is None
    same = [Result(k, searched(proposed, 0, trials=1)[0].values, score=0.5) for k in range(12)]
    assert importances(SPACE, same, UP) is None


def test_optuna_says_nothing(capfd, recwarn):
    before = optuna.logging.get_verbosity()
    searched(proposed, 0, trials=12)
    assert capfd.readouterr() == ("", "") and not recwarn.list
    assert optuna.logging.get_verbosity() == before
