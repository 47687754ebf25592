"""Small parts: markup, and what is read of grids and answers."""

import math

import madeup
import numpy as np
import pytest

from vqc.errors import InputError
from vqc.report import grids, html
from vqc.report.evaluation import origin, predicted_of, slug


def test_whatever_is_not_markup_is_escaped():
    assert html.tag("p", "<b>", class_='"x"') == '<p class="&quot;x&quot;">&lt;b&gt;</p>'
    assert html.tag("p", html.tag("b", "1 & 2"), None) == "<p><b>1 &amp; 2</b></p>"
    assert html.tag("img", src="a", alt="<") == '<img src="a" alt="&lt;">'
    assert html.join(["<", html.Markup("<br>")], " ") == "&lt; <br>"


def test_scores_are_said_with_their_spread():
    text = html.score([0.8, 0.84], doubtful=False)
    assert "0.820" in text and "± 0.028" in text and 'class="score"' in text
    assert 'class="doubtful"' in html.score([0.5], doubtful=True)
    assert "–" in html.score([math.nan], doubtful=False)


def test_a_grid_with_further_settings_tells_them_apart(tmp_path):
    cells = [madeup.cell(150, 5, [madeup.repeat(0.5, 0)], imgsz=s, grey=True) for s in (320, 640)]
    found = grids.read_grid(madeup.grid(tmp_path / "g", cells, chosen=None))
    assert found.combinations == ("imgsz 320, grey yes", "imgsz 640, grey yes")
    assert found.places[0].cell.label == "150 CAD + 5, imgsz 320, grey yes"


def test_what_a_grid_holds(tmp_path):
    found = grids.read_grid(madeup.grid(tmp_path / "g"))
    by_name = {place.name: place for place in found.places}
    assert by_name["cad500-real5"].cell.failed == 3
    assert by_name["cad1000-real10"].states == {"done": 1, "failed": 1, "waiting": 1}
    assert by_name["cad150-real5"].cell.scores["mAP50"] == (0.577, 0.597, 0.617)
    assert found.chosen is by_name["cad500-real20"] and len(found.tests) == 2
    assert found.metric == "mAP50" and found.val == "december"
    ((against, band),) = found.bands
    assert (against, band.level) == ("real", 500)
    np.testing.assert_array_equal(band.middle, [0.7, 0.8, 0.85, 0.87])


def test_a_metric_that_is_null_is_not_defined(tmp_path):
    repeat = madeup.repeat(0.5, 0)
    repeat["metrics"]["mAP50"] = None
    found = grids.read_grid(madeup.grid(tmp_path / "g", [madeup.cell(1, 2, [repeat])]))
    assert math.isnan(found.places[0].cell.scores["mAP50"][0])


def test_answers_below_the_threshold_are_not_drawn():
    objects = [
        {"class": "qd", "score": 0.9, "box": [1, 2, 3, 4]},
        {"class": "qf", "score": 0.2, "box": [1, 2, 3, 4]},
    ]
    drawn = predicted_of({"image": "a", "score": 0.9, "objects": objects}, 0.25)
    assert drawn.boxes == (((1.0, 2.0, 3.0, 4.0), "qd", 0.9),) and drawn.text == ""


def test_an_answer_without_boxes_is_told_in_words():
    assert predicted_of({"image": "a", "score": 0.75, "label": "qd"}, 0.5).text == "qd 0.75"


@pytest.mark.parametrize(
    "record",
    [{"objects": [{"score": 0.9}]}, {"objects": 3}, {"label": "qd"},
     {"objects": [{"score": 0.9, "class": "qd", "box": [1, 2, 3, math.nan]}]}],
)  # fmt: skip
def test_an_answer_of_another_make_is_refused(record):
    with pytest.raises(InputError, match="not an answer"):
        predicted_of(record, 0.5)


def test_the_source_of_a_picture_in_words():
    assert origin(madeup.frame("train", 3, "cad")) == "CAD, session hall, az 45° el -10°"
    assert origin(madeup.frame("test", 3)) == "photo, session hall"
    simulated = madeup.frame("test", 0, "cad", simulated=True, view=None)
    assert origin(simulated) == "simulated, session hall"


def test_names_of_files_hold_letters_digits_and_dashes():
    assert slug("Präzision / F1 (all)") == "pr-zision-f1-all"
