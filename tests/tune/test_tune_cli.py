"""`vqc tune` as it is typed: what it says, prints and refuses; its budget and its picture."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tune_project
from PIL import Image
from tune_project import done, here

from vqc import tune as tuning
from vqc.cli import main
from vqc.cli import tune as command
from vqc.errors import InputError
from vqc.tasks.contract import Headline
from vqc.tune import Budget, Result, Status, budget_of, picture

pytest.importorskip("optuna", reason="optuna is not installed: pip install 'optuna>=4,<5'")

SPACE = ("--space", "cad=0..16", "--space", "real=2", "--space", "freeze=0,10")
SMALL = ("tune", "--task", "tuned", "--val", "attic", "--test", "hall", "--runs", "3")


@pytest.fixture
def project(tmp_path, monkeypatch):
    with tune_project.project(tmp_path, monkeypatch) as root:
        yield root


@pytest.fixture
def vqc(project, capsys, monkeypatch):
    """`vqc WORDS`, its trainings in this process: exit code, output and messages."""
    monkeypatch.setattr(tuning, "search", partial(tuning.search, work=here))

    def typed(*words):
        capsys.readouterr()
        code = 0
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(sys, "argv", ["vqc", *map(str, words)])
            try:
                main()
            except SystemExit as end:
                code = end.code
        return code, *capsys.readouterr()

    return typed


def test_it_prints_the_trials_the_best_and_the_lines_to_use(vqc):
    code, out, err = vqc(*SMALL, *SPACE)
    assert code == 0 and "search tuned" in out and "mAP50 on val" in out
    rows = [line.split() for line in out.splitlines() if line.split()[:1] in (["1"], ["2"], ["3"])]
    scores = [float(row[1]) for row in rows]
    assert len(rows) == 3 and scores == sorted(scores, reverse=True)
    assert "the same for all: 22 pictures an epoch, 2 epochs" in out
    best = json.loads(Path("runs/tunes/tuned/tune.json").read_text())["best"]
    assert f"best: trial {best['trial']}, mAP50 {best['score']:.4f}: {best['run']}" in out
    mix, train = (line.strip() for line in out.splitlines() if line.startswith("  vqc "))
    assert mix.startswith("vqc mix --from ") and train.startswith("vqc train datasets/")
    assert f"next: vqc eval {best['run']}" in out
    assert "searched: cad=0..16  freeze=0,10  real=2" in err and err.count(" with cad=") == 3
    assert "is no honest score" in err


def test_json_is_tune_json_and_quiet_says_nothing(vqc):
    code, out, err = vqc(*SMALL, *SPACE, "--json")
    record = json.loads(out)
    assert code == 0 and err == "" and record.pop("folder") == "runs/tunes/tuned"
    assert record == json.loads(Path("runs/tunes/tuned/tune.json").read_text())
    assert vqc(*SMALL, *SPACE, "--quiet") == (0, "", "")
    assert len(done()) == 3 * 2  # the same command again trains nothing


def test_the_default_space_is_searched(vqc):
    code, out, err = vqc(*SMALL, "--runs", "1")
    assert code == 0 and "searched: cad=0..24  real=6" in err and "best: trial 1" in out


def test_failures_are_in_the_table_and_nothing_but_failures_is_an_error(vqc):
    code, out, err = vqc(*SMALL, *SPACE, "--set", "fails=0,10", "--runs", "2")
    assert code == 1 and out.count("CUDA out of memory") == 2 and "best" not in out
    assert "runs/tunes/tuned: no trial has a score; the last one: CUDA out of memory" in err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--runs", "0"), "--runs: expected 1 to"),
        (("--minutes", "-1"), "--minutes: expected a number above 0"),
        (("--minutes", "nan"), "--minutes: expected a number above 0"),
        (("--space", "lr0"), "--space lr0: expected NAME="),
        (("--space", "speed=1..2"), "speed: there is no such setting"),
        (("--space", "lr0=0.1..0.01"), "smaller number first"),
        (("--set", "lr0"), "--set lr0: expected key=value"),
        (("--set", "lr0=fast"), "lr0: expected a number"),
        (("--task", "dance"), "dance"),
        (("--val", "atic"), "did you mean 'attic'?"),
        (("--val", "shop", "--test", "shop"), "session shop is in --val and in --test"),
        (("--val-fraction", "1"), "--val-fraction: expected a number from 0 to below 1"),
        (("--seed", "-1"), "--seed: expected a whole number from 0"),
        (("--name", "a/b"), "--name: expected"),
        (("--from", "nowhere"), "nowhere"),
    ],
)
def test_what_does_not_fit_is_one_message(vqc, words, expected):
    code, out, err = vqc(*SMALL, *SPACE, *words)
    assert code != 0 and out == "" and err.count("vqc: ") == 1 and expected in err, err
    assert not done() and not Path("runs").exists()


def test_too_little_of_everything_is_one_message(vqc):
    for space, expected in (
        ("cad=0..4000", "wanted 2,000 renders, there are 12"),
        ("real=0..99", "too few frames"),
    ):
        code, out, err = vqc(*SMALL, "--space", space, "--space", "freeze=0,10")
        assert code != 0 and out == "" and expected in err
    Path("datasets").rename("elsewhere")
    words = ("tune", "--task", "tuned", "--space", "freeze=0,10")
    code, out, err = vqc(*words, "--space", "cad=4")
    assert code != 0 and "there are no photos for val" in err
    code, out, err = vqc(*words, "--space", "real=1")
    assert code != 0 and "too few frames" in err
    Path("renders").rename("nowhere")
    code, out, err = vqc("tune", "--task", "tuned")
    assert code != 0 and out == "" and err.count("vqc: ") == 1


def test_a_place_that_cannot_be_written(vqc):
    Path("taken").write_text("")
    code, out, err = vqc(*SMALL, *SPACE, "--out", "taken")
    assert code != 0 and out == "" and "taken/tunes/tuned: cannot be written" in err


def test_without_optuna_there_is_a_line_that_installs_it(vqc, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, _, err = vqc(*SMALL, *SPACE)
    assert code != 0 and "pip install 'optuna>=4,<5'" in err


# Lines, budget, picture --------------------------------------------------------------------

DONE = [Result(k, {"cad": k}, score=0.5 + k / 100, seconds=10.0) for k in (1, 2, 3)]
FAILED = Result(4, {"cad": 4}, seconds=2.0, failure="out of memory\nand more")


def test_the_lines_that_tell_how_far_it_is():
    status = Status(7, 6, 1, DONE[2], 300, 1000, 4200.0)
    assert command.status_line(status, 40) == (
        "trial 7 of 40, 300/1,000 pictures, 1 failed, best trial 3: 0.530, 1:10:00 left"
    )
    assert command.status_line(Status(1, 0, 0, None, 0, 0, None), None) == "trial 1"
    assert command.result_line(FAILED) == "failed with cad=4: out of memory"
    assert command.result_line(DONE[0]) == "0.510 with cad=1"


def test_a_budget_is_of_runs_or_minutes():
    assert budget_of(None, None) == Budget(20, None) and budget_of(None, 5.0) == Budget(None, 5.0)
    assert Budget(4).is_open(DONE) and not Budget(3).is_open(DONE)
    assert Budget(None, 1.0).is_open(DONE)  # a fourth one of 10 s ends after 40 s
    assert not Budget(None, 0.66).is_open(DONE) and Budget(None, 0.67).is_open(DONE)
    assert not Budget(3, 60.0).is_open(DONE)
    with pytest.raises(InputError, match="a search needs --runs or --minutes"):
        Budget(None, None)


def test_the_time_that_is_left():
    assert Budget(9).left_s([], None, 0.0) is None
    assert Budget(9).left_s([], 5.0, 0.25) == 20 - 5 + 8 * 20  # of the first trial
    assert Budget(5).left_s(DONE, 4.0, 0.5) == 6 + 10
    assert Budget(5).left_s([*DONE, FAILED], None, 0.0) == 10  # one that failed tells no time
    assert Budget(None, 1.0).left_s(DONE, 4.0, 0.5) == 60 - 30 - 4
    assert Budget(50, 1.0).left_s(DONE, 40.0, 0.5) == 0


@pytest.mark.parametrize("importance", [None, {"cad": 0.7, "lr0": 0.3}])
@pytest.mark.parametrize("results", [DONE[:1], [*DONE, FAILED]])
def test_a_picture_of_whatever_there_is(importance, results, tmp_path):
    out = tmp_path / "new" / "tune.png"
    assert picture.draw(results, Headline("mAP50"), importance, out, "Search a") == out
    found = np.asarray(Image.open(out))
    assert found.std() > 5 and (found.shape[1] > 1000) == bool(importance)
    assert picture.draw([FAILED], Headline("mAP50"), None, tmp_path / "none.png", "b") is None
    assert not (tmp_path / "none.png").exists()
