"""`vqc predict` with tasks that give no boxes: a class a picture, rows, a map beside the photo."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import av
import numpy as np
import pytest
import typer
from clips import noise, save, write_video
from PIL import Image
from typer.testing import CliRunner

from vqc import runs, tasks
from vqc.cli import extras
from vqc.cli import predict as command
from vqc.errors import InputError
from vqc.export import export
from vqc.manifest import read_manifest
from vqc.predict import job
from vqc.predict.fitting import counts_words
from vqc.predict.job import predict
from vqc.predict.request import Request
from vqc.runs import Run
from vqc.verify import verify

CLASSES = ("bright", "dark")


@dataclass(frozen=True)
class Answer:
    image: str
    score: float
    kind: str | None

    def record(self):
        return {"image": self.image, "score": self.score, "class": self.kind}


class Light:
    """Whether a picture is bright or dark, and none where that is hard to say."""

    name = "light"

    def predict(self, run, pictures, settings):
        for picture in pictures:
            share = float(picture.rgb.mean() / 255)
            kind = None if 0.45 < share < 0.55 else CLASSES[share < 0.5]
            yield picture, Answer(picture.name, round(max(share, 1 - share), 3), kind)

    def draw(self, picture, prediction):
        return np.concatenate([picture.rgb, np.full_like(picture.rgb, 255)], axis=1)

    def rows(self, prediction):
        return [
            {"image": prediction.image, "class": name, "probability": prediction.score}
            for name in CLASSES
            if prediction.kind is not None
        ]


class Silent(Light):
    """Neither boxes nor a class, and no rows."""

    rows = None

    def predict(self, run, pictures, settings):
        class Bare(Answer):
            def record(self):
                return {"image": self.image, "score": self.score}

        for picture in pictures:
            yield picture, Bare(picture.name, 0.5, None)


class Masked(Light):
    """Masks of classes, two in a picture that is hard to tell, and none in a bright one."""

    def predict(self, run, pictures, settings):
        class Found(Answer):
            def record(self):
                shown = {"bright": (), "dark": ("dark",), None: (*CLASSES, "dark")}[self.kind]
                masks = [{"class": name, "score": 0.9} for name in shown]
                return {"image": self.image, "score": self.score, "masks": masks}

        for picture, answer in super().predict(run, pictures, settings):
            yield picture, Found(answer.image, answer.score, answer.kind)


@pytest.fixture
def task(monkeypatch):
    found = Light()
    monkeypatch.setattr(job, "find", lambda name: found)
    return found


@pytest.fixture
def run(tmp_path, monkeypatch, task):
    """A run in an empty project, and photos: two dark ones, a bright one, one in between."""
    monkeypatch.chdir(tmp_path)
    folder = Path("runs/light/m")
    folder.mkdir(parents=True)
    made = Run(
        folder, "0123456789ab", "light", "m", {}, 0, CLASSES, "hall", "0" * 64, {}, 1, 1, None,
        1.0, folder / "best.pt",
    )  # fmt: skip
    made.weights.write_bytes(b"weights")
    (folder / "run.json").write_text(json.dumps(runs.result_record(made)))
    for name, level in (("a", 20), ("b", 240), ("c", 30), ("d", 127)):
        pixels = noise(level, 40, 30) // 16 + np.uint8(level - 8)
        save(Path(f"photos/{name}.png"), pixels)
    return folder


def go(run, *sources, **fields):
    return predict(Request(run, sources or ("photos",), **fields))


def vqc_predict(*words):
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command(cls=extras.TaskCommand)(command.predict)
    return CliRunner().invoke(app, list(map(str, words)))


def table(folder, name="predictions.csv"):
    with (folder / name).open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_classes_of_pictures_are_counted(run):
    result = go(run)
    assert result.objects is None and result.classes == {"bright": 1, "dark": 2}
    said = " ".join(vqc_predict(run, "photos", "--fresh").stdout.split())
    assert "class pictures" in said and "dark 2" in said
    assert " 4 pictures " in said and "object" not in said
    told = json.loads(vqc_predict(run, "photos", "--fresh", "--json").stdout)
    assert told["objects"] is None and told["classes"] == {"bright": 1, "dark": 2}


def test_pictures_that_are_none_of_these_are_counted_too(run, monkeypatch):
    said = " ".join(vqc_predict(run, "photos").stdout.split())
    assert "dark 2 none of these 1" in said
    told = json.loads(vqc_predict(run, "photos", "--fresh", "--json").stdout)
    assert told["none_of_these"] == 1
    only = json.loads(vqc_predict(run, "photos/d.png", "--json").stdout)
    assert (only["classes"], only["none_of_these"]) == ({}, 1)
    monkeypatch.setattr(job, "find", lambda name: Silent())
    silent = json.loads(vqc_predict(run, "photos", "--fresh", "--json").stdout)
    assert silent["none_of_these"] is None


def test_pictures_that_show_masks_of_a_class_are_counted_once(run, monkeypatch):
    monkeypatch.setattr(job, "find", lambda name: Masked())
    result = go(run)
    assert (result.objects, result.without_class) == (None, 1)
    assert result.classes == {"bright": 1, "dark": 3}
    said = " ".join(vqc_predict(run, "photos", "--fresh").stdout.split())
    assert "class pictures" in said and "dark 3 none of these 1" in said


def test_a_least_score_speaks_of_no_objects(run, task):
    @dataclass
    class Settings:
        conf: float = field(default=0.5, metadata={"help": "least score"})

    task.predict_config = Settings
    said = vqc_predict(run, "photos").stdout
    assert "4 pictures; least score: 0.5 (--conf)" in said
    assert "object" not in said


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("segment", {"conf": 0.3}, "probability from which a pixel counts: 0.3 (--conf)"),
        ("segment", {}, "probability from which a pixel counts: for each class what val chose"),
        ("classify", {"conf": 0.3}, "least probability of a class that counts: 0.3 (--conf)"),
        ("classify", {}, "least probability of a class that counts: what val chose"),
        ("anomaly", {}, ""),
    ],
)
def test_when_an_answer_counts_is_said_as_its_task_has_it(name, given, said):
    task = tasks.find(name)
    settings = asdict(task.predict_config(**given))
    assert counts_words(task, settings) == said


def test_a_task_that_names_no_least_score_says_nothing_of_it(run, task):
    assert counts_words(Silent(), {"conf": 0.5}) == ""
    assert vqc_predict(run, "photos").stdout.count("4 pictures\n") == 1


def test_rows_become_a_table_of_all_pictures(run):
    folder = go(run).folder
    rows = table(folder)
    assert [row["image"] for row in rows] == ["a.png", "a.png", "b.png", "b.png", "c.png", "c.png"]
    assert list(rows[0]) == ["image", "class", "probability"]
    assert (folder / "predictions.csv").read_text().startswith("image,class,probability\na.png,")
    assert not list(folder.glob("*.part"))


def test_rows_of_a_video_come_as_its_frames_do(run):
    write_video(Path("walk.mp4"), [np.full((30, 40, 3), 20, np.uint8)] * 3)
    rows = table(go(run, "walk.mp4").folder)
    assert [row["image"] for row in rows[::2]] == ["walk.mp4#0", "walk.mp4#1", "walk.mp4#2"]


def test_rows_that_do_not_fit_the_first_one_are_told_to_their_author(run, task):
    task.rows = lambda p: [{"image": p.image, ("x" if p.image == "a.png" else "y"): 1.0}]
    with pytest.raises(InputError, match=r"task light: rows\(\) gave for b.png the columns image,"):
        go(run)


def test_a_task_without_rows_leaves_no_table(run, monkeypatch):
    monkeypatch.setattr(job, "find", lambda name: Silent())
    result = go(run)
    assert not (result.folder / "predictions.csv").exists()
    assert result.objects is None and result.classes == {}


def test_a_drawing_may_have_a_size_of_its_own(run):
    write_video(Path("walk.mp4"), [np.full((30, 40, 3), 20, np.uint8)] * 2)
    folder = go(run).folder
    assert Image.open(folder / "images" / "a.jpg").size == (80, 30)
    (video,) = go(run, "walk.mp4").videos
    with av.open(str(video)) as container:
        assert [(f.width, f.height) for f in container.decode(video=0)] == [(80, 30)] * 2


@pytest.mark.parametrize(
    ("fields", "option"),
    [
        ({"crops": True}, "crops"),
        ({"settings": {"conf": 0.4}}, "conf"),
        ({"settings": {"iou": 0.4}}, "iou"),
    ],
)
def test_options_for_boxes_are_refused_before_anything_is_written(run, fields, option):
    with pytest.raises(InputError, match=f"--{option}: the task light gives no boxes"):
        go(run, **fields)
    assert not Path("predictions").exists() and not list(Path("datasets").glob("*"))


def test_a_task_that_tells_its_settings_has_no_others(run, task):
    @dataclass
    class Settings:
        batch: int = field(default=1, metadata={"help": "pictures at once"})

    task.predict_config = Settings
    for options, says in (
        (("--conf", 0.4), "--conf: the task of this run has no such setting"),
        (("--track",), "--track: the task of this run has no such setting"),
        (("--batch", "many"), "batch: expected a whole number, got many"),
        (("--crosp",), "--crosp: there is no such option; did you mean --crops?"),
    ):
        assert says in str(vqc_predict(run, "photos", *options).exception)
    assert not Path("predictions").exists()
    assert vqc_predict(run, "--batch", 2, "photos", "--no-images").exit_code == 0
    asked = json.loads(Path("predictions/m-photos/predict.json").read_text())
    assert asked["settings"] == {"batch": "2"}


def test_pre_labels_of_whole_pictures(run):
    assert go(run, as_set="pre").as_set == (Path("datasets/pre"), 4)
    assert verify(Path("datasets/pre")) == []
    frames = read_manifest(Path("datasets/pre")).frames
    assert sorted(map(str, (f.label for f in frames))) == ["None", "bright", "dark", "dark"]
    assert all(f.objects is None and f.extra["score"] >= 0.5 for f in frames)
    export(Path("datasets/pre"), "classes", Path("exported"))
    assert len(list(Path("exported").rglob("dark/*.png"))) == 2
    said = vqc_predict(run, "photos", "--as-set", "again", "--fresh").stdout
    assert "vqc export datasets/again --format classes" in said


def test_nothing_to_label_with(run, monkeypatch):
    monkeypatch.setattr(job, "find", lambda name: Silent())
    with pytest.raises(InputError, match="--as-set: the task light gives no boxes to label with"):
        go(run, as_set="pre")
    assert not Path("predictions").exists() and not list(Path("datasets").glob("*"))
