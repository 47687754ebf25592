"""Time is told from a few timed batches, or from finished trainings of the same kind."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from test_trainings import asked, done, run

from vqc import grid as grids
from vqc.grid import pace
from vqc.grid.pace import EnoughError, Pace, Stopwatch, known_paces, seconds_of


class Clock:
    """A clock that is told what time it is."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(pace, "time", made)
    return made


def epochs(watch, clock, count=2, batches=3):
    """Batches of 4 pictures: 2 s each, the first 7 s later; 3 s of val, 1 s between epochs."""
    clock.now += 5
    for epoch in range(1, count + 1):
        for batch in range(batches):
            clock.now += 2
            watch.progress((epoch - 1) * 4 * batches + 4 * (batch + 1), 0)
        clock.now += 3
        watch.epoch(epoch, {})
        clock.now += 1


def test_a_stopwatch_tells_what_took_how_long(clock):
    watch = Stopwatch()
    epochs(watch, clock)
    found = watch.pace(clock.now + 3, val=6)
    assert found == Pace(start_s=5 + 1 + 3, picture_s=0.5, check_s=0.5, epoch_s=1)


def test_one_batch_an_epoch_is_enough(clock):
    watch = Stopwatch()
    epochs(watch, clock, batches=1)
    found = watch.pace(clock.now, val=6)
    assert found.picture_s == 0.75 and found.check_s == 0.5  # with what is between epochs


def test_what_takes_too_long_is_cut_short(clock):
    watch = Stopwatch(enough_s=8)
    with pytest.raises(EnoughError):
        epochs(watch, clock)
    found = watch.pace(clock.now, val=6)
    assert found.picture_s == 0.5 and found.check_s == pytest.approx(0.5 / 3)


def test_nothing_told_is_no_crash(clock):
    assert Stopwatch().pace(clock.now + 2, val=3) == Pace(2, 0, 0)


def test_seconds_of_trainings(project):
    trials = grids.prepare(asked(cad=(4,), real=(1, 2), axes={"epochs": (10,)})).trials
    each = 3 + 10 * (2 + 10 * 0.5 + trials[0].drawn.count(1) * 0.25)
    paces = {trials[0].pace: Pace(3, 0.5, 0.25, 2)}
    assert seconds_of(trials, paces, 1) == 2 * each
    assert seconds_of(trials, paces, 2) == each == seconds_of(trials, paces, 9)
    assert seconds_of(trials, {}, 1) is None and seconds_of([], {}, 1) == 0
    unknown = [replace(trials[0], pace="other"), *trials]
    assert seconds_of(unknown, paces, 1) == 3 * each  # as slow as the slowest


def test_an_estimate_trains_a_few_pictures_and_leaves_nothing(project):
    grid = grids.prepare(asked(axes={"imgsz": (32, 64)}, settings={"slow": 0.01, "epochs": 40}))
    before = sorted(Path().rglob("*"))
    told = []
    estimate = grids.estimate(grid, lambda *counts: told.append(counts))
    assert sorted(Path().rglob("*")) == before and not done()
    assert estimate.missing == 12 and len(estimate.paces) == 2 and told[-1] == (2, 2)
    batches = 12 * 40 * 14 / 4
    assert 0.01 * batches < estimate.seconds < 0.05 * batches


def test_finished_trainings_serve_instead_of_timing(project, undrawn):
    run(cad=(4,), real=(1,), settings={"slow": 0.02, "epoch_images": 8})
    grid = grids.prepare(asked(settings={"slow": 0.02, "epoch_images": 16}))
    told = []
    estimate = grids.estimate(grid, lambda *counts: told.append(counts))
    assert told[-1] == (0, 0) and len(estimate.paces) == 1
    (found,) = estimate.paces.values()
    assert found.picture_s * 4 > 0.01 and estimate.seconds > 0
    other = known_paces(grid.trials, grid.runs, threads=77, device="")
    assert other == {}  # with so many threads nothing was trained
    for file in Path("runs/cells/fake").glob("*/environment.json"):
        file.write_text(json.dumps(json.loads(file.read_text()) | {"cpu": "another"}))
    assert known_paces(grid.trials, grid.runs, None, "") == {}


def test_a_kind_that_fails_is_told_and_the_rest_is_timed(project):
    grid = grids.prepare(asked(cad=(4,), real=(1,), settings={"fails": "cad4-real1"}))
    estimate = grids.estimate(grid)
    assert estimate.seconds is None and estimate.paces == {}
    assert estimate.notes == (f"{grid.trials[0].name} could not be timed: cad4-real1 is not liked",)
