import json
import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from vqc import evaluations
from vqc.errors import InputError, OutputError
from vqc.tasks.contract import BACKGROUND, Confusion, Curve, Evaluation, Mistake
from vqc.tasks.detect.answers import Detections

SHA256 = "ab" * 32
MARK, REASONS = "not an honest score: same shoot", ("all 2 frames are of shoot hall",)


def curve(points):
    x = np.linspace(0, 1, points)
    return Curve("precision-recall", "recall", "precision", x, {"qd": 1 - x, "all": 1 - x**2})


def made_up(**fields):
    answer = Detections(
        "images/a.png", np.array([[1.0, 2.0, 3.0, 4.004]]), np.array([0.9]), ("qd",)
    )
    empty = Detections("images/b.png", np.zeros((0, 4)), np.zeros(0), ())
    base = {
        "split": "test",
        "frames": 2,
        "metrics": {"mAP50": 0.823, "F1": math.nan},
        "per_class": {"qd": {"recall": 1 / 3, "objects": 4}, "qf": {"recall": math.nan}},
        "threshold": 0.25,
        "confusion": Confusion(("qd", BACKGROUND), np.array([[3, 1], [2, 0]])),
        "curves": (curve(1000),),
        "groups": {"object size": {"small": {"objects": 12, "recall": 0.5}}},
        "mistakes": (
            Mistake("images/a.png", "false", None, "qd", 0.7, 0.7, (1, 2, 3, 4)),
            Mistake("images/b.png", "missed", "qd", None, 0.3, 0.0, likeliest="qf"),
            Mistake("images/b.png", "poor", "qd", "qd", 0.9, 0.0, dice=0.4),
        ),
        "predictions": (answer, empty),
    }
    return Evaluation(**{**base, **fields})


def stored(folder, of=None, mark="", reasons=(), **more):
    evaluations.write(folder, of or made_up(), mark, reasons, "magnets", SHA256, **more)
    return evaluations.read(folder)


def test_what_is_written_comes_back(tmp_path):
    of = made_up()
    found = stored(tmp_path / "e", of, MARK, REASONS, simulated=True)
    assert (found.split, found.frames, found.threshold) == ("test", 2, 0.25)
    assert (found.dataset_name, found.manifest_sha256) == ("magnets", SHA256)
    assert (found.mark, found.reasons, found.simulated) == (MARK, REASONS, True)
    assert found.per_class["qd"] == of.per_class["qd"] and found.groups == of.groups
    assert found.mistakes == of.mistakes
    assert found.confusion.names == of.confusion.names
    np.testing.assert_array_equal(found.confusion.counts, of.confusion.counts)


def test_a_histogram_comes_back_as_one(tmp_path):
    bins = replace(curve(4), is_histogram=True)
    found = stored(tmp_path, made_up(curves=(curve(4), bins))).curves
    assert [each.is_histogram for each in found] == [False, True]


def test_mistakes_of_older_evaluations_say_less(tmp_path):
    stored(tmp_path)
    file = tmp_path / "evaluation.json"
    record = json.loads(file.read_text())
    assert [mistake.pop("likeliest") for mistake in record["mistakes"]] == [None, "qf", None]
    assert [mistake.pop("dice") for mistake in record["mistakes"]] == [None, None, 0.4]
    file.write_text(json.dumps(record))
    found = evaluations.read(tmp_path).mistakes
    assert {(mistake.likeliest, mistake.dice) for mistake in found} == {(None, None)}


def test_a_score_is_honest_where_nothing_speaks_against_it(tmp_path):
    assert stored(tmp_path / "a").honest
    assert not stored(tmp_path / "b", mark=MARK).honest
    assert not stored(tmp_path / "c", reasons=REASONS).honest


def test_what_is_not_defined_is_null_in_the_file_and_nan_when_read(tmp_path):
    found = stored(tmp_path)
    text = (tmp_path / "evaluation.json").read_text()
    assert "NaN" not in text and json.loads(text)["metrics"]["F1"] is None
    assert math.isnan(found.metrics["F1"]) and found.metrics["mAP50"] == 0.823
    assert math.isnan(found.per_class["qf"]["recall"])


def test_curves_are_thinned_and_keep_their_ends(tmp_path):
    (found,) = stored(tmp_path).curves
    assert len(found.x) == evaluations.CURVE_POINTS == 200
    assert (found.x[0], found.x[-1]) == (0, 1) and list(found.lines) == ["qd", "all"]
    np.testing.assert_allclose(found.lines["all"], 1 - found.x**2, atol=2e-5)
    short = evaluations.thinned(curve(50))
    assert len(short.x) == 50


def test_predictions_are_read_line_by_line(tmp_path):
    found = stored(tmp_path)
    first = {"class": "qd", "score": 0.9, "box": [1.0, 2.0, 3.0, 4.0]}
    assert list(found.predictions()) == [
        {"image": "images/a.png", "score": 0.9, "objects": [first]},
        {"image": "images/b.png", "score": 0.0, "objects": []},
    ]
    (tmp_path / "predictions.jsonl").write_text('{"image": "images/a.png"}\n[]\n')
    lines = found.predictions()
    assert next(lines) == {"image": "images/a.png"}
    with pytest.raises(InputError, match=r"predictions.jsonl:2: expected a JSON object"):
        next(lines)
    (tmp_path / "predictions.jsonl").unlink()
    with pytest.raises(InputError, match="cannot be read"):
        next(found.predictions())


DRAWN = {
    "images/a.png": np.full((30, 80, 3), 200, np.uint8),
    "images/other/a.png": np.zeros((30, 40, 3), np.uint8),
    "images/größe 1%00/..\\..\\x" + "y" * 300: np.zeros((30, 40, 3), np.uint8),
}


def test_drawn_pictures_come_back_under_plain_names(tmp_path):
    found = stored(tmp_path, made_up(drawn=DRAWN))
    assert set(found.drawn) == set(DRAWN) and len(set(found.drawn.values())) == 3
    for image, file in found.drawn.items():
        assert file.parent == tmp_path / "pictures"
        assert file.name.isascii() and len(file.name) < 80 and ".." not in file.name
        with Image.open(file) as picture:
            assert picture.format == "JPEG" and picture.size == DRAWN[image].shape[1::-1]
    assert np.asarray(Image.open(found.drawn["images/a.png"])).mean() == pytest.approx(200, abs=1)
    assert not list((tmp_path / "pictures").glob(".*"))


def test_an_evaluation_from_before_drawn_pictures_reads(tmp_path):
    assert stored(tmp_path).drawn == {} and not (tmp_path / "pictures").exists()
    file = tmp_path / "evaluation.json"
    record = json.loads(file.read_text())
    record.pop("drawn")
    file.write_text(json.dumps(record))
    assert evaluations.read(tmp_path).drawn == {}


def test_the_folder_tells_set_and_split(tmp_path):
    place = evaluations.folder_of(tmp_path, "january", "test")
    assert place == tmp_path / "eval" / "january-test"
    assert evaluations.found_in(tmp_path) == []
    stored(place)
    stored(evaluations.folder_of(tmp_path, "hall", "val"))
    (tmp_path / "eval" / "unfinished").mkdir()
    assert [f.name for f in evaluations.found_in(tmp_path)] == ["hall-val", "january-test"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vqc_evaluation": 2}, "expected vqc_evaluation 1, got 2"),
        ({"metrics": None}, "not an evaluation"),
        ({"confusion": {"names": ["qd"], "counts": [[1, 2]]}}, "not an evaluation"),
        ({"mistakes": [{"image": "a.png"}]}, "not an evaluation"),
        ({"drawn": {"images/a.png": "../../mine.jpg"}}, "expected the name of a file in pictures/"),
        ({"drawn": {"images/a.png": 3}}, "not an evaluation"),
        ({"curves": [{"name": "f", "x_label": "", "y_label": "", "x": [0], "lines": {"a": []}}]},
         "not as long as its x"),
    ],
)  # fmt: skip
def test_a_file_of_another_make_is_refused(tmp_path, change, message):
    stored(tmp_path)
    file = tmp_path / "evaluation.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(InputError, match=rf"{message}.*; vqc eval makes it anew"):
        evaluations.read(tmp_path)
    file.write_text(file.read_text()[:-9])
    with pytest.raises(InputError, match=r"not JSON: .*; vqc eval makes it anew"):
        evaluations.read(tmp_path)


def test_no_file_and_no_place_to_write(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        evaluations.read(tmp_path)
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        stored(tmp_path / "taken" / "e")
