"""Figures as files: there, of the right size, not blank, and marked where a score is not honest."""

import math

import numpy as np
import pytest
from PIL import Image

from vqc.errors import OutputError
from vqc.figures import bars, confusion, curves, grid, style, training
from vqc.tasks.contract import BACKGROUND, Confusion, Curve
from vqc.tasks.drawing import colour_of

MARK = "not an honest score: simulated photos"
X = np.linspace(0, 1, 50)
COUNTS = np.array([[8, 2, 0], [0, 0, 0], [1, 0, 0]])
MATRIX = Confusion(("qd", "qf", BACKGROUND), COUNTS)
CURVE = Curve("F1", "confidence", "F1", X, {"qd": X, "qf": 1 - X, "all": X * 0 + 0.5})
EPOCHS = np.arange(1.0, 6)
COLUMNS = {"epoch": EPOCHS, "seconds": EPOCHS, "lr/pg0": EPOCHS, "train/box_loss": 1 / EPOCHS,
           "val/box_loss": 2 / EPOCHS, "mAP50": EPOCHS / 6}  # fmt: skip
CELL = grid.GridCell(150, 5, "150 CAD + 5", {"mAP50": (0.8, 0.82), "F1": (0.7, 0.72)})
OTHER = grid.GridCell(500, 10, "500 CAD + 10", {"mAP50": (0.9,), "F1": (0.85,)}, failed=1)
BAR = bars.Bar("cad150", {"mAP50": (0.8, 0.82), "recall": (0.7,)})
GROUPS = {"size": {"small": {"objects": 3, "recall": 0.5}, "large": {"objects": 9, "recall": 1.0}}}

DRAWN = {
    "confusion": lambda out, mark: confusion.draw(MATRIX, out, mark=mark),
    "curve": lambda out, mark: curves.draw(CURVE, out, mark=mark, threshold=0.3),
    "training": lambda out, mark: training.draw(COLUMNS, out, mark=mark, best_epoch=4),
    "heatmap": lambda out, mark: grid.heatmap([CELL, OTHER], "mAP50", out, mark=mark),
    "composition": lambda out, mark: grid.composition([CELL, OTHER], out, mark=mark),
    "learning": lambda out, mark: grid.learning([CELL, OTHER], "mAP50", out, mark=mark),
    "bars": lambda out, mark: bars.runs([BAR, bars.Bar("b", BAR.scores, mark)], out),
    "groups": lambda out, mark: bars.groups(GROUPS, out, mark=mark),
}


def pixels(file):
    return np.asarray(Image.open(file).convert("RGB")).astype(int)


def colours_in(file):
    return len(np.unique(pixels(file) @ (1 << 16, 1 << 8, 1)))


def count(file, colour, within=6):
    wanted = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
    return int((np.abs(pixels(file) - wanted).max(axis=-1) <= within).sum())


@pytest.mark.parametrize("kind", DRAWN)
def test_every_figure_is_drawn_and_says_where_a_score_is_not_honest(kind, tmp_path):
    plain, marked = tmp_path / "new" / "plain.png", tmp_path / "marked.png"
    assert DRAWN[kind](plain, "") == plain and DRAWN[kind](marked, MARK) == marked
    found = pixels(plain)
    wide = {round(inches * style.DPI) for inches in (style.HALF_IN, style.WIDE_IN)}
    assert found.shape[1] in wide or found.shape[1] > min(wide)
    assert colours_in(plain) > 20
    assert count(plain, style.MARK_PAPER, 0) == 0
    assert count(marked, style.MARK_PAPER, 0) > 2000
    assert pixels(marked).shape[0] > found.shape[0]  # the mark hides nothing


def test_the_same_numbers_give_the_same_bytes(tmp_path):
    for name in ("a.png", "b.png"):
        grid.heatmap([CELL, OTHER], "mAP50", tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_mark_of_one_line_s_length_has_one_line(tmp_path):
    mark = "not an honest score: val split, simulated photos, same shoot"
    for name, text in (("short", MARK), ("long", mark), ("two", f"{mark}, same pictures")):
        grid.heatmap([CELL], "mAP50", tmp_path / f"{name}.png", mark=text)
    short, long, two = (pixels(tmp_path / f"{n}.png") for n in ("short", "long", "two"))
    assert short.shape == long.shape and two.shape[0] > long.shape[0]
    beside = long[:, -40:]  # its box ends before the border
    assert (np.abs(beside - (0xB5, 0x89, 0x00)).max(axis=-1) > 6).all()


def test_a_figure_that_cannot_be_written(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        confusion.draw(MATRIX, tmp_path / "taken" / "a.png")


# Confusion --------------------------------------------------------------------------------


def test_shares_are_of_rows_and_undefined_in_an_empty_one():
    shares = confusion.shares_of_rows(MATRIX)
    np.testing.assert_allclose(shares[0], [0.8, 0.2, 0])
    assert np.isnan(shares[1]).all()
    np.testing.assert_allclose(shares[2], [1, 0, 0])


@pytest.mark.parametrize("classes", [1, 12, 40])
def test_any_number_of_classes_fits(classes, tmp_path):
    names = tuple(f"a class with a long name {k}" for k in range(classes))
    matrix = Confusion(names, np.eye(classes, dtype=int) * 7)
    confusion.draw(matrix, tmp_path / "m.png")
    height, width, _ = pixels(tmp_path / "m.png").shape
    assert width >= style.HALF_IN * style.DPI - 1 and height < 2.5 * width


# Curves and training ----------------------------------------------------------------------


def test_many_classes_become_grey_but_for_the_lowest(tmp_path):
    few = {f"c{k}": X * 0 + k / 20 for k in range(5)}
    many = {f"c{k}": X * 0 + k / 20 for k in range(15)}
    for name, lines in (("few", few), ("many", many)):
        curves.draw(Curve(name, "x", "y", X, lines), tmp_path / f"{name}.png")
    assert count(tmp_path / "few.png", style.PALE, 3) < count(tmp_path / "many.png", style.PALE, 3)


def test_a_class_keeps_its_colour_whichever_classes_have_a_line(tmp_path):
    """The second of two classes is blue on masks, and so alone on a curve."""
    blue = colour_of("qf", ("qd", "qf"))
    file = curves.draw(Curve("F1", "recall", "F1", X, {"qf": X}), tmp_path / "a.png")
    assert count(file, blue) == 0
    alone = Curve("F1", "recall", "F1", X, {"qf": X})
    assert count(curves.draw(alone, tmp_path / "b.png", classes=("qd", "qf")), blue) > 500


def test_the_line_of_the_only_class_is_not_hidden_by_that_of_all(tmp_path):
    colour = colour_of("qd", ("qd",))
    one = curves.draw(Curve("F1", "x", "y", X, {"qd": X, "all": X}), tmp_path / "one.png")
    assert count(one, colour) > 500
    ideal = curves.draw(Curve("F1", "x", "y", X, {"ideal": X, "all": X**2}), tmp_path / "two.png")
    assert (pixels(ideal).max(axis=-1) < 80).sum() > (pixels(one).max(axis=-1) < 80).sum() + 500


def test_a_histogram_stands_on_the_ground_and_fills_the_picture(tmp_path):
    """One bin of four holds half of the frames: a filled column a quarter of the width."""
    middles = np.array([0.125, 0.375, 0.625, 0.875])
    shares = np.array([0.0, 0.0, 0.0, 0.5])
    bins = Curve("scores", "score", "share", middles, {"qd": shares}, is_histogram=True)
    seen = pixels(curves.draw(bins, tmp_path / "a.png", classes=("qd",)))
    red, green = (seen[..., k].astype(int) for k in (0, 1))
    filled = (red - green > 25).sum(axis=0)
    columns = np.flatnonzero(filled > seen.shape[0] / 3)
    panel = np.flatnonzero((seen.max(axis=-1) < 80).any(axis=0))
    assert 0.18 < len(columns) / (panel[-1] - panel[0]) < 0.26


def test_thresholds_that_differ_are_marked_on_the_line_of_each_class(tmp_path):
    own = {"qd": {"threshold": 0.3}, "qf": {"threshold": 0.6}}
    assert curves.in_use(0.3, own) == {"qd": 0.3, "qf": 0.6}
    assert curves.in_use(0.3, {"qd": {"F1": 1.0}}) == 0.3
    assert curves.in_use(0.1, {"qd": {"threshold": 0.3}, "qf": {"threshold": 0.3}}) == 0.3
    flat = Curve("F1", "threshold", "F1", X, {"qd": X * 0 + 0.2, "qf": X * 0 + 0.8})
    bare = curves.draw(flat, tmp_path / "a.png")
    marked = curves.draw(flat, tmp_path / "b.png", threshold={"qd": 0.3, "qf": 0.6, "sd": 0.5})
    for name in ("qd", "qf"):
        colour = colour_of(name, ("qd", "qf"))
        assert count(marked, colour) > count(bare, colour) + 40
    one = curves.draw(flat, tmp_path / "c.png", threshold=0.3)
    upright = (pixels(one).max(axis=-1) < 80).sum(axis=0)
    dotted = (pixels(marked).max(axis=-1) < 80).sum(axis=0)
    assert upright[200:-50].max() > dotted[200:-50].max() + 50


@pytest.mark.parametrize(
    ("label", "is_over"),
    [("confidence", True), ("Score", True), ("anomaly score", True), ("score threshold", True),
     ("recall", False), ("scored pictures", False), ("", False)],
)  # fmt: skip
def test_a_curve_over_a_score_is_known_by_a_word_of_its_axis(label, is_over):
    assert curves.is_over_score(Curve("c", label, "y", X, {"all": X})) is is_over


def test_a_line_may_be_undefined(tmp_path):
    lines = {"qd": X * math.nan, "all": X}
    assert curves.draw(Curve("f", "x", "y", X, lines), tmp_path / "a.png").is_file()


def test_training_without_losses_without_scores_and_without_both(tmp_path):
    out = tmp_path / "t.png"
    assert training.draw({"epoch": EPOCHS, "accuracy": EPOCHS / 9}, out) == out
    assert training.draw({"loss": 1 / EPOCHS, "val_loss": EPOCHS * math.nan}, out) == out
    assert training.draw({"epoch": EPOCHS, "seconds": EPOCHS, "lr0": EPOCHS}, out) is None


# Grid -------------------------------------------------------------------------------------


def test_a_heatmap_frames_the_best_cell(tmp_path):
    cells = [grid.GridCell(c, r, "", {"mAP50": (s,)}) for c, r, s in
             ((150, 5, 0.5), (500, 5, 0.6), (150, 10, 0.9), (500, 10, 0.7))]  # fmt: skip
    grid.heatmap(cells, "mAP50", tmp_path / "h.png")
    found = pixels(tmp_path / "h.png")
    frame = np.argwhere(np.abs(found - (0xD5, 0x5E, 0x00)).max(axis=-1) <= 6)
    top, left = frame.min(axis=0)
    bottom, right = frame.max(axis=0)
    # 150 CAD with 10 photos: the left column, the upper row.
    assert right < found.shape[1] / 2 and (top + bottom) / 2 < found.shape[0] / 2
    assert bottom - top > 50 and right - left > 100


@pytest.mark.parametrize(
    "cells",
    [
        [grid.GridCell(150, 5, "one", {"mAP50": (0.5,)})],
        [grid.GridCell(150, 5, "failed", {}, failed=3)],
        [grid.GridCell(150, 5, "not yet", {})],
        [grid.GridCell(150, 5, "undefined", {"mAP50": (math.nan, math.nan)}), CELL],
        [grid.GridCell(150, 5, "a", {"mAP50": (0.0,)}), grid.GridCell(0, 20, "b", {})],
        [CELL, grid.GridCell(150, 5, "same place, better", {"mAP50": (0.99,)})],
    ],
)
def test_a_heatmap_of_whatever_there_is(cells, tmp_path):
    out = tmp_path / "h.png"
    assert grid.heatmap(cells, "mAP50", out) == out
    assert colours_in(out) > 5


def test_places_without_score_are_hatched(tmp_path):
    full = [grid.GridCell(c, r, "", {"mAP50": (0.5,)}) for c in (1, 2) for r in (1, 2)]
    grid.heatmap(full, "mAP50", tmp_path / "full.png")
    grid.heatmap(full[:3], "mAP50", tmp_path / "gap.png")
    assert count(tmp_path / "gap.png", style.PALE, 8) > count(tmp_path / "full.png", style.PALE, 8)


def test_curves_of_a_grid_without_scores_are_none(tmp_path):
    empty = [grid.GridCell(150, 5, "", {}), grid.GridCell(1, 1, "", {"mAP50": (math.nan,)})]
    assert grid.composition(empty, tmp_path / "a.png") is None
    assert grid.learning(empty, "mAP50", tmp_path / "a.png") is None
    assert not (tmp_path / "a.png").exists()


def test_learning_curves_in_both_directions_with_bands(tmp_path):
    band = grid.Band(150, np.array([0.0, 20]), X[:2], X[:2] + 0.1, X[:2] + 0.2)
    cells = [grid.GridCell(c, r, "", {"mAP50": (0.1 * k, 0.1 * k + 0.05)})
             for k, (c, r) in enumerate(((0, 5), (150, 0), (150, 5), (1000, 100)))]  # fmt: skip
    for against in ("real", "cad"):
        out = tmp_path / f"{against}.png"
        assert grid.learning(cells, "mAP50", out, against, [band]) == out


def test_all_photos_come_behind_the_largest_number_of_them(tmp_path):
    cells = [grid.GridCell(c, r, "", {"mAP50": (s,)}) for c, r, s in
             ((150, "all", 0.9), (500, "all", 0.6), (150, 10, 0.5), (500, 10, 0.7))]  # fmt: skip
    grid.heatmap(cells, "mAP50", tmp_path / "h.png")
    found = pixels(tmp_path / "h.png")
    frame = np.argwhere(np.abs(found - (0xD5, 0x5E, 0x00)).max(axis=-1) <= 6)
    (top, _), (bottom, right) = frame.min(axis=0), frame.max(axis=0)
    # 150 CAD with all photos: the left column, the upper row.
    assert right < found.shape[1] / 2 and (top + bottom) / 2 < found.shape[0] / 2
    for against in ("real", "cad"):
        out = tmp_path / f"{against}.png"
        for some in (cells, cells[:2]):
            assert grid.learning(some, "mAP50", out, against) == out


def test_a_mean_leaves_out_what_is_not_defined():
    cell = grid.GridCell(1, 1, "", {"mAP50": (0.4, math.nan, 0.6)})
    assert cell.mean("mAP50") == pytest.approx(0.5)
    assert math.isnan(cell.mean("recall"))


# Bars -------------------------------------------------------------------------------------


def test_runs_without_any_of_the_metrics_give_no_bars(tmp_path):
    assert bars.runs([bars.Bar("a", {"Dice": (0.5,)})], tmp_path / "b.png") is None
    assert bars.runs([bars.Bar("a", {"Dice": (0.5,)})], tmp_path / "b.png", metrics=["Dice"])


def test_with_several_marks_each_bar_says_which_is_its_own():
    one, two = bars.Bar("a", {}, "same shoot"), bars.Bar("b", {}, "simulated photos")
    assert bars.named([one, bars.Bar("c", {})]) == (["a", "c"], "hatched: same shoot")
    assert bars.named([one, two, one, bars.Bar("c", {})]) == (
        ["a (a)", "b (b)", "a (a)", "c"],
        "hatched: (a) same shoot; (b) simulated photos",
    )
    assert bars.named([bars.Bar("c", {})]) == (["c"], "")


def test_groups_need_two_groups_with_scores(tmp_path):
    one = {"session": {"hall": {"objects": 3, "recall": 0.5}}}
    counts = {"size": {"small": {"objects": 3}, "large": {"objects": 4}}}
    assert bars.groups(one, tmp_path / "g.png") is None
    assert bars.groups(counts, tmp_path / "g.png") is None
    assert bars.groups(GROUPS | one, tmp_path / "g.png")


def test_titles_of_groups_end_inside_the_figure(tmp_path):
    row = {"objects": 1200, "recall": 0.6, "precision": 0.5}
    two = {"object size": {"large (over 9 %)": row, "small (under 1 %)": row}}
    bars.groups(two, tmp_path / "g.png")
    assert (pixels(tmp_path / "g.png")[:, -3:] > 250).all()


# Words and numbers ------------------------------------------------------------------------


def test_spread_is_the_sample_standard_deviation():
    mean, spread, n = style.mean_and_spread((0.8, 0.84, math.nan))
    assert (round(mean, 6), round(spread, 6), n) == (0.82, 0.028284, 2)
    assert style.said(mean, spread) == "0.82 ± 0.03"
    assert style.said(*style.mean_and_spread((0.8,))[:2]) == "0.80"
    assert style.said(*style.mean_and_spread(())[:2]) == "–"


@pytest.mark.parametrize(
    ("name", "spelt"),
    [("map50", "mAP50"), ("metrics/mAP50-95(B)", "mAP50-95"), ("f1", "F1"), ("recall", "recall"),
     ("AUROC", "AUROC")],
)  # fmt: skip
def test_metrics_are_spelt_as_people_write_them(name, spelt):
    assert style.spelled(name) == spelt


def test_a_long_name_keeps_its_beginning_and_its_end():
    assert style.short("quadrupole_0001_left", 11) == "quadr…_left"
    assert style.short("qd") == "qd"


def test_axes_hold_all_values():
    assert style.share_axis([0.2, 0.9]) == (0, 1)
    assert style.share_axis([math.nan, 3.0]) == (0, pytest.approx(3.15))
    low, high = style.near_axis([0.61, 0.88])
    assert 0 <= low <= 0.6 and 0.88 < high <= 1.02
