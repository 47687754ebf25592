"""Small parts: markup, and what is read of grids and answers."""

import math
from dataclasses import replace

import madeup
import numpy as np
import pytest
from PIL import Image

from vqc.dataset import open_dataset
from vqc.errors import InputError
from vqc.report import answer, grids, html
from vqc.report.evaluation import predicted_of, slug, truth_of
from vqc.types import Annotation


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


def test_a_grid_whose_trainings_have_no_score_says_so(tmp_path):
    repeats = [{**madeup.repeat(0.5, k), "metrics": {}} for k in range(2)]
    folder = madeup.grid(tmp_path / "g", [madeup.cell(1, 2, repeats)], chosen=None, task="plain")
    (line,) = answer.of_grid(grids.read_grid(folder))
    assert "task plain gives no score on val, so" in line.text
    assert line.text.endswith("(2 of 2 trainings done).")
    undefined = [{**madeup.repeat(0.5, 0), "metrics": {"mAP50": None}}]
    folder = madeup.grid(tmp_path / "u", [madeup.cell(1, 2, undefined)], chosen=None)
    assert "mAP50 is undefined on val" in answer.of_grid(grids.read_grid(folder))[0].text
    there = madeup.grid(tmp_path / "t", [madeup.cell(1, 2, [madeup.repeat(0.5, 0)])], chosen=None)
    assert grids.read_grid(there).why_none() == ""


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


def test_masks_are_told_by_their_classes():
    """The mark of the whole picture is no score of an answer."""
    masks = [{"class": "crack", "score": 0.9}, {"class": "pore", "score": 0.4}]
    record = {"image": "a", "score": 1.0}
    assert predicted_of({**record, "masks": masks}, 0.5).text == "crack, pore"
    assert predicted_of({**record, "masks": []}, 0.5).text == "nothing"


def test_the_truth_of_masks_is_what_they_show(tmp_path):
    mask = {"size": [36, 48], "counts": "d2P7"}
    notes = (Annotation("qf", mask=mask), Annotation("qd", mask=mask), Annotation("sd"))
    madeup.training_set(tmp_path / "mix")
    dataset = open_dataset(tmp_path / "mix")
    frame = madeup.frame("test", 0, objects=notes, condition="2")
    assert truth_of(frame, dataset, by_masks=True).text == "qd, qf"
    assert truth_of(replace(frame, objects=()), dataset, by_masks=True).text == "nothing"
    assert truth_of(replace(frame, objects=None), dataset, by_masks=True).text == "2"
    assert truth_of(frame, dataset).text == "2"


@pytest.mark.parametrize(
    "record",
    [{"objects": [{"score": 0.9}]}, {"objects": 3}, {"label": "qd"},
     {"objects": [{"score": 0.9, "class": "qd", "box": [1, 2, 3, math.nan]}]}],
)  # fmt: skip
def test_an_answer_of_another_make_is_refused(record):
    with pytest.raises(InputError, match="not an answer"):
        predicted_of(record, 0.5)


@pytest.mark.parametrize("data", [b"", b"\x89PNG", b"no picture", None])
def test_a_damaged_figure_is_one_message(tmp_path, data):
    file = tmp_path / "a.png"
    Image.new("RGB", (64, 64), "red").save(file)
    file.write_bytes(file.read_bytes()[:60] if data is None else data)
    with pytest.raises(InputError, match=r"a\.png: cannot be read as a PNG"):
        html.figure(file, "a")
    with pytest.raises(InputError, match="cannot be read"):
        html.figure(tmp_path / "gone.png", "a")


def test_a_small_figure_is_not_blown_up_to_the_width_of_the_page(tmp_path):
    for name, width in (("small", 700), ("large", 1760)):
        Image.new("RGB", (width, 90)).save(tmp_path / f"{name}.png")
    assert 'class="wide"' in html.figure(tmp_path / "large.png", "a", wide=True)
    assert "wide" not in html.figure(tmp_path / "small.png", "a", wide=True)
    assert "wide" not in html.figure(tmp_path / "large.png", "a")


def test_the_command_after_a_mark_is_no_part_of_it(tmp_path):
    mark = "not an honest score: renders"
    test = {"metrics": {}, "mark": f"{mark}; vqc eval runs/a --split test --anyway gives it"}
    cells = [madeup.cell(1, 2, [madeup.repeat(0.5, 0)])]
    chosen = {"cell": "cad1-real2", "test": [test]}
    found = grids.read_grid(madeup.grid(tmp_path / "g", cells, chosen=chosen))
    assert found.tests[0].mark == mark
    line = answer.of_grid(found)[1]
    assert line.mark == mark and line.text.endswith(
        "so there is no headline. The one that is not: vqc eval runs/a --split test --anyway"
    )


def test_names_of_files_hold_letters_digits_and_dashes():
    assert slug("Präzision / F1 (all)") == "pr-zision-f1-all"
