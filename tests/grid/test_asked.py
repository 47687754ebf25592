"""A grid is named by its content, spread over workers, and cut down to a time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from projects import photos
from test_trainings import asked, run, trained
from training import contents

from vqc import grid as grids
from vqc.errors import InputError, RecipeError
from vqc.grid.model import ASKED
from vqc.grid.pace import Pace

PACE = Pace(start_s=10, picture_s=1, check_s=0.5, epoch_s=2)


def timed(grid, pace=PACE) -> grids.Estimate:
    return grids.Estimate(len(grid.trials), 0.0, {trial.pace: pace for trial in grid.trials})


def test_the_name_follows_from_what_is_asked(project):
    name = asked().grid_name
    assert name.startswith("cad0to8-real1to2-") and asked().grid_name == name
    assert asked(settings={"device": "cpu"}).grid_name == name
    for other in (asked(repeats=2), asked(minutes=5), asked(settings={"batch": "8"})):
        assert other.grid_name != name
    assert asked(name="mine").grid_name == "mine"
    for wrong in ("", "../x", ".x", "a/b"):
        with pytest.raises(InputError, match="--name: expected letters"):
            asked(name=wrong)


def test_how_trainings_are_spread():
    assert grids.workers_of(None, None, "cpu") == grids.Workers((None,))
    assert grids.workers_of("0, 1,3", None, None) == grids.Workers(("0", "1", "3"))
    two = grids.workers_of(None, 2, None)
    assert two.devices == (None, None) and two.threads >= 1
    for arguments, message in (
        (("0;1", None, None), "--devices: expected numbers"),
        (("", None, None), "--devices: expected numbers"),
        ((None, 0, None), "--jobs: expected 1"),
        (("0", 2, None), "give no --jobs"),
        (("0", None, "1"), "no --device"),
    ):
        with pytest.raises(InputError, match=message):
            grids.workers_of(*arguments)


VAL = 9
"""A fifth of 24 and of 12 photos of the two classes, and of 12 that are empty."""


def cost(images: int, val: int, epochs: int, cells: int) -> float:
    return cells * (10 + epochs * (2 + images + 0.5 * val))


def test_a_time_takes_repeats_first_and_then_epochs(project):
    """6 cells; the largest has 14 pictures."""
    grid = grids.prepare(asked(repeats=3, axes={"epochs": (10,)}))
    assert {(t.images, t.epochs) for t in grid.trials} == {(14, 10)}
    assert {t.drawn.count(1) for t in grid.trials} == {VAL}
    once = cost(14, VAL, 10, 6) / 60

    same = grids.shorten(grid, 3 * once + 0.01, timed(grid))
    assert len(same.trials) == 18 and "all of it fits" in same.cut.words
    less = grids.shorten(grid, 3 * once - 0.01, timed(grid))
    assert len(less.trials) == 12 and less.cut.epochs == {}
    assert "2 repeats instead of 3" in less.cut.words
    least = grids.shorten(grid, once - 0.01, timed(grid))
    assert len(least.trials) == 6 and least.cut.epochs == {10: 9}
    assert "1 repeat instead of 3, 9 epochs instead of 10" in least.cut.words
    half = grids.shorten(grid, cost(14, VAL, 5, 6) / 60, timed(grid))
    assert half.cut.epochs == {10: 5} and {t.epochs for t in half.trials} == {5}
    with pytest.raises(InputError, match="one epoch of every cell, once, takes about"):
        grids.shorten(grid, cost(14, VAL, 1, 6) / 60 - 0.01, timed(grid))
    with pytest.raises(InputError, match="no training could be timed: because"):
        grids.shorten(grid, 1, grids.Estimate(18, None, {}, ("because",)))


def test_workers_share_the_time(project):
    workers = grids.Workers(("0", "1", "2"))
    grid = grids.prepare(asked(repeats=3, workers=workers, axes={"epochs": (10,)}))
    enough = cost(14, VAL, 10, 6) / 60 + 0.01
    assert len(grids.shorten(grid, enough, timed(grid)).trials) == 18


def test_a_time_once_shared_out_stays_so(project, undrawn):
    """A resumed grid must not cut again, or nothing of what is there would fit."""
    wanted = {"repeats": 2, "minutes": 1.0, "axes": {"epochs": (4,)}, "cad": (4,), "real": (1,)}
    grid = grids.prepare(asked(**wanted))
    cut = grids.shorten(grid, 1.0, timed(grid, Pace(0, 1, 0)))
    assert cut.cut.repeats == 2
    cut = grids.shorten(grid, 0.4, timed(grid, Pace(0, 1, 0)))
    assert cut.cut.repeats == 1 and cut.cut.epochs == {4: 3}
    assert cut.name == grid.name
    grids.run(cut)
    again = grids.prepare(asked(**wanted))
    assert again.cut == cut.cut and [t.name for t in again.trials] == list(trained())
    assert cut.cut.words in again.book().notes
    assert grids.prepare(asked(**wanted | {"minutes": 2.0})).cut is None


def test_another_grid_does_not_take_a_name(project, undrawn):
    made, _ = run(name="mine", cad=(4,), real=(1,))
    before = contents(made.folder)
    for other, differs in (
        ({"cad": (5,), "real": (1,)}, "  cad: [4] there, [5] asked for"),
        ({"cad": (4, 5), "real": (2,)}, "  real: [1] there, [2] asked for"),
        ({"cad": (4,), "real": (1,), "seed": 3}, "  seed: 0 there, 3 asked for"),
        ({"cad": (4,), "real": (1,), "settings": {"batch": 2}}, '  settings: {} there, {"batch"'),
        ({"cad": (4,), "real": (1,), "axes": {"imgsz": (32,)}}, '  axes: {} there, {"imgsz"'),
    ):
        grid = grids.prepare(asked(name="mine", **other))
        with pytest.raises(RecipeError, match="mine holds another grid; these differ:") as caught:
            grids.run(grid)
        told = str(caught.value)
        assert differs in told and "--fresh" in told and told in grid.notes
    assert contents(made.folder) == before
    grids.run(grids.prepare(asked(name="mine", cad=(5,), real=(1,), fresh=True)))
    assert len(trained()) == 2 and len(list(Path("runs/cells/fake").glob("cad*"))) == 2


def test_a_set_that_has_grown_makes_another_grid(project, undrawn):
    run(name="mine", cad=(4,), real=(1,), leaks=True)
    photos(Path("datasets/more"), "more", name="more", noise=500)
    with pytest.raises(RecipeError, match="the sets that cells are mixed from"):
        run(name="mine", cad=(4,), real=(1,), leaks=True)


def test_a_grid_that_grows_goes_on_under_its_name(project, undrawn):
    run(name="mine", cad=(4,), real=(1,))
    grid = grids.prepare(asked(name="mine", cad=(4, 5), real=(1,), minutes=3.0))
    (note,) = grid.notes
    assert "--set epoch_images=7 keeps them" in note
    kept = asked(name="mine", cad=(4, 5), real=(1,), settings={"epoch_images": 7})
    assert not any("holds another" in note for note in grids.prepare(kept).notes)
    grids.run(grids.prepare(asked(name="mine", cad=(4, 5), real=(1,))))
    assert len(trained()) == 3  # the larger cell changed what all see
    again = grids.prepare(asked(name="mine", cad=(4, 5), real=(1,)))
    assert again.notes == () and not again.book().in_state("waiting")
    assert Path("runs/grids/mine", ASKED).read_text().count("run: cad") == 2


def test_minutes_that_cannot_be(project):
    for wrong in (0, -1, float("nan"), float("inf")):
        with pytest.raises(InputError, match="--budget: expected minutes above 0"):
            replace(asked(), minutes=wrong)
