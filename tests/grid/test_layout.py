"""Cells are drawn alike, see as much, and are named by what they are."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pools import frame, pool, render

from vqc.errors import InputError
from vqc.grid import GridRequest
from vqc.grid.layout import draw, lay_out
from vqc.grid.request import counts, number_or_all, numbers, words
from vqc.mix import Request, SplitRules
from vqc.mix.splits import TRAIN, VAL

pytestmark = pytest.mark.usefixtures("tasks")


def frames(renders=400, each=40, empty=40, marked=False):
    """Two classes; photos of three shoots, of which the last may be marked val."""
    made = [render(f"c{k}", f"c{k % 2}", f"c{k % 2}") for k in range(renders)]
    for k in range(2 * each + empty):
        shows = (f"c{k % 2}",) if k < 2 * each else ()
        split = "val" if marked and k % 3 == 2 else None
        made.append(frame(f"p{k}", shows, session=f"s{k % 3}", split=split))
    return made


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    return pool(tmp_path_factory.mktemp("usual"), *frames())


def request(cad=(0, 20, 100), real=(0, 5), **options):
    mix = Request(cad=cad[-1], real=real[-1], splits=options.pop("splits", SplitRules()))
    options = {"repeats": 2, "task": "fake", **options}
    return GridRequest(replace(mix, **options.pop("mix", {})), cad, real, **options)


def trials(of, **options):
    return lay_out(draw(request(**options), of))


def names(found):
    return [trial.name for trial in found]


def test_by_default_it_is_the_original_study_s_grid(tmp_path):
    drawn_from = pool(tmp_path, *frames(1200, 60, 60))
    asked = GridRequest(Request(cad=1000, real=20), task="fake")
    found = lay_out(draw(asked, drawn_from))
    assert len(found) == 3 * 12
    cells = [(t.drawn.cell.cad, t.drawn.cell.real) for t in found[:12]]
    assert cells == [(cad, real) for real in (5, 10, 20) for cad in (150, 250, 500, 1000)]
    assert [t.drawn.seed for t in found[::12]] == [0, 1, 2]


def test_all_cells_have_one_val_which_trains_nowhere(usual):
    drawing = draw(request(), usual)
    val = drawing.drawn[0].plan.rows_in(VAL).tolist()
    assert drawing.same_shoot and drawing.val == "s0, s1, s2"
    assert len(val) == 8 + 8 + 8  # a fifth of each class and of the backgrounds
    assert any("a fifth of the training photos" in note for note in drawing.notes)
    for drawn in drawing.drawn:
        assert drawn.plan.rows_in(VAL).tolist() == val
        assert not {*val} & {*drawn.plan.rows_in(TRAIN).tolist()}
    by_seed = {d.seed: d.plan.rows_in(TRAIN).tolist() for d in drawing.drawn}
    assert by_seed[0] != by_seed[1]


def test_a_shoot_for_val_is_taken_as_it_is(tmp_path, usual):
    for drawing in (
        draw(request(splits=SplitRules(val=("s2",))), usual),
        draw(request(), pool(tmp_path, *frames(marked=True))),
    ):
        assert drawing.val == "s2" and not drawing.same_shoot
        assert not any("a fifth" in note for note in drawing.notes)


def test_the_cell_of_nothing_is_left_out_and_that_is_said(usual):
    drawing = draw(request(repeats=1), usual)
    assert [d.cell.name for d in drawing.drawn] == [
        "cad20-real0", "cad100-real0", "cad0-real5", "cad20-real5", "cad100-real5",
    ]  # fmt: skip
    assert any("0 renders and 0 photos is left out" in note for note in drawing.notes)
    with pytest.raises(InputError, match="no cell is left"):
        GridRequest(Request(background=3), (0,), (0,))


def test_every_cell_sees_what_the_largest_one_holds(usual):
    found = trials(usual)
    assert {t.images for t in found} == {115} and {t.seen for t in found} == {230}
    assert {t.settings["epoch_images"] for t in found} == {115}
    found = trials(usual, equal="epochs")
    assert sorted({t.images for t in found}) == [15, 20, 35, 100, 115]
    assert not any("epoch_images" in t.settings for t in found)
    assert {t.images for t in trials(usual, settings={"epoch_images": 50})} == {50}


def test_what_is_seen_is_equal_among_cells_of_the_same_other_settings(tmp_path):
    """Some photos show both classes, so draws of one size differ in their number of frames."""
    both = [frame(f"b{k}", ("c0", "c1"), session="s0") for k in range(30)]
    drawn_from = pool(tmp_path, *frames(), *both)
    found = trials(drawn_from, cad=(20,), real=(2, 10), axes={"imgsz": (32, 64)}, repeats=3)
    for seed in range(3):
        mine = [t for t in found if t.drawn.seed == seed]
        assert {t.images for t in mine} == {max(t.drawn.count(TRAIN) for t in mine)}


def test_a_task_that_cannot_repeat_pictures_trains_equal_epochs(usual):
    assert not any("epoch_images" in t.settings for t in trials(usual, task="plain"))
    with pytest.raises(InputError, match="task plain has no epoch_images; --equal epochs"):
        trials(usual, task="plain", equal="images")


def test_a_training_has_one_name_in_every_grid(usual, tmp_path):
    """More repeats, other cells and axes keep the names of what stays; nothing else does."""
    settings = {"epoch_images": 50}
    some = names(trials(usual, settings=settings))
    assert len({*some}) == 10 and all(name.startswith("cad") for name in some)
    more = trials(usual, cad=(0, 20, 50, 100), repeats=3, settings=settings)
    assert {*some} < {*names(more)}
    axes = {"imgsz": (32, 64), "select": ("random",)}
    assert {*some} < {*names(trials(usual, axes=axes, settings=settings))}
    for other in (
        trials(usual, settings={"epoch_images": 51}),
        trials(usual, settings=settings, axes={"epochs": (3,)}),
        trials(usual, settings=settings, mix={"min_visibility": 0.5}),
        trials(pool(tmp_path, *frames(401)), settings=settings),
    ):
        assert not {*some} & {*names(other)}
    assert some == names(trials(usual, settings={**settings, "device": "1"}))


def test_selecting_among_no_photos_makes_no_other_cell(usual):
    found = trials(usual, cad=(20,), real=(0,), axes={"select": ("random", "diverse")}, repeats=1)
    assert len(found) == 2 and len({*names(found)}) == 1
    assert [t.drawn.cell.name for t in found] == [
        "cad20-real0-selectrandom", "cad20-real0-selectdiverse"
    ]  # fmt: skip


def test_the_settings_of_each_cell_reach_its_training(usual):
    axes = {"grey": (False, True), "imgsz": (32, 64), "epochs": (1, 3), "freeze": (0, 1)}
    found = trials(usual, cad=(20,), real=(0,), axes=axes, repeats=1)
    assert len(found) == 16
    last = found[-1]
    assert last.drawn.cell.combination == "greyyes-imgsz64-epochs3-freeze1"
    assert last.drawn.cell.words == "grey yes, imgsz 64, epochs 3, freeze 1"
    assert last.settings["imgsz"] == 64 and last.epochs == 3 and last.drawn.plan.request.grey
    assert "grey" not in last.settings


def test_fewer_repeats_and_epochs_are_the_same_trainings_in_the_same_order(usual):
    drawing = draw(request(), usual)
    assert names(lay_out(drawing, repeats=1)) == names(lay_out(drawing))[:5]
    assert {t.epochs for t in lay_out(drawing, 1, {2: 1})} == {1}


def test_what_cannot_be_drawn_is_told_once(usual, tmp_path):
    with pytest.raises(InputError) as caught:
        draw(request(real=(5, 35, 36)), usual)
    text = str(caught.value)
    assert text.startswith("cell cad100-real36 cannot be drawn: too few frames")
    assert text.endswith(
        "and so cannot cad0-real35, cad20-real35, cad100-real35, cad0-real36, cad20-real36"
    )
    with pytest.raises(InputError) as caught:
        draw(request(splits=SplitRules(val=("s9",))), usual)
    assert str(caught.value).startswith("--val s9: no photo has this session")
    renders = pool(tmp_path, *[render(f"c{k}", "c0") for k in range(40)])
    with pytest.raises(InputError, match="there are no photos for val"):
        draw(request(cad=(20,), real=(0,)), renders)


def test_settings_that_do_not_fit_are_told_once(usual):
    with pytest.raises(InputError) as caught:
        trials(usual, settings={"imgs": "64"}, equal="epochs")
    assert str(caught.value).count("imgs: there is no such setting") == 1


def test_numbers_and_words():
    assert numbers("--cad", "500, 0,150,0") == (0, 150, 500)
    assert words("--select", "diverse,random", ("random", "diverse")) == ("random", "diverse")
    assert number_or_all("--per-class-val", "all") is None
    for wrong in ("", "1,,2", "-1", "1.5", "a", "9" * 10):
        with pytest.raises(InputError, match="--cad: expected whole numbers from 0"):
            numbers("--cad", wrong)
    with pytest.raises(InputError, match="--select: expected random or diverse"):
        words("--select", "odd", ("random", "diverse"))


def test_counts_have_all_at_their_end():
    assert counts("--real", "all, 10,5,10") == (5, 10, "all")
    assert counts("--real", "all") == ("all",) and counts("--real", "0") == (0,)
    for wrong in ("", "all,", "5,ALL", "-1"):
        with pytest.raises(InputError, match="--real: expected whole numbers from 0, or all"):
            counts("--real", wrong)


def test_all_photos_are_a_cell_that_never_lacks_any(usual):
    found = trials(usual, cad=(0, 20), real=(5, "all"), repeats=1)
    assert [t.drawn.cell.name for t in found] == [
        "cad0-real5", "cad20-real5", "cad0-realall", "cad20-realall",
    ]  # fmt: skip
    # Of 40 photos of each class and as many backgrounds, a fifth is in val.
    assert [t.drawn.count(TRAIN) for t in found] == [15, 35, 96, 116]
    assert {t.images for t in found} == {116} and found[2].name.startswith("cad0-realall-seed0-")
    with pytest.raises(InputError, match="cell cad0-real99 cannot be drawn"):
        draw(request(cad=(0,), real=(99, "all")), usual)


def test_of_all_photos_none_is_selected(usual):
    axes = {"select": ("random", "diverse")}
    plans = draw(request(cad=(0,), real=("all",), repeats=1, axes=axes), usual).drawn
    assert [d.cell.name for d in plans] == [
        "cad0-realall-selectrandom", "cad0-realall-selectdiverse",
    ]  # fmt: skip
    assert len({d.set_name for d in plans}) == 1


def test_requests_that_cannot_be(usual):
    with pytest.raises(InputError) as caught:
        request(repeats=0, seed=-1, equal="steps", settings={"seed": 1, "imgsz": 3},
                axes={"imgsz": (32,)})  # fmt: skip
    text = str(caught.value)
    for part in ("--repeats: expected 1 to", "--equal: expected images or", "--seed: expected",
                 "--set seed: has an option", "--set imgsz: has an option"):  # fmt: skip
        assert part in text
