"""Scoring a run, whatever its task: which set, what is refused before any work, what it leaves."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from pools import RECIPE
from typer.testing import CliRunner

from vqc import evaluations, lineage, runs, scoring, tasks
from vqc.cli import evaluate as command
from vqc.dataset import open_dataset
from vqc.errors import HonestyError, InputError
from vqc.manifest import write_manifest
from vqc.runs import Run
from vqc.tasks.contract import BACKGROUND, Confusion, Curve, Evaluation, Headline, Mistake
from vqc.types import Annotation, Frame, Manifest

CLASSES = ("bolt", "nut")
SHOOTS = (("train", "december", 3), ("val", "autumn", 2), ("test", "january", 4))
BOX = (8.0, 6.0, 40.0, 30.0)
GREEN = (0, 200, 0)


def write_set(folder: Path, shoots=SHOOTS, classes=CLASSES, seed: int = 0, **fields) -> Path:
    """Photos with a box each, in splits by shoot; every seed has its own pictures."""
    rng, frames = np.random.default_rng(seed), []
    for split, session, count in shoots:
        for number in range(count):
            image = f"images/{split}/{session}-{number}.png"
            (folder / image).parent.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 256, (48, 64, 3), np.uint8)
            Image.fromarray(pixels).save(folder / image)
            digest = hashlib.sha256((folder / image).read_bytes()).hexdigest()
            note = Annotation(classes[number % len(classes)], instance=1, box_xyxy=BOX)
            given = {"source": "real", "objects": (note,), **fields}
            frames.append(
                Frame(image, digest, digest[:16], 64, 48, session=session, split=split, **given)
            )
    (folder / "recipe.yaml").write_text(RECIPE)
    recipe = hashlib.sha256(RECIPE.encode()).hexdigest()
    ordered = tuple(sorted(frames, key=lambda frame: frame.image))
    write_manifest(folder, Manifest("mix", folder.name, classes, ordered, recipe, "vqc 0.1.0"))
    return folder


def write_run(folder: Path, trained_on: Path) -> Path:
    """A run folder as training leaves it, without any training."""
    dataset = open_dataset(trained_on)
    folder.mkdir(parents=True)
    run = Run(
        folder, "0123456789ab", "look", folder.name, {}, 0, dataset.manifest.classes,
        dataset.manifest.name, dataset.sha256, {}, 3, 2, "val", 1.0, folder / runs.WEIGHTS,
    )  # fmt: skip
    run.weights.write_bytes(b"weights")
    shutil.copyfile(trained_on / "manifest.jsonl", folder / runs.DATASET)
    (folder / runs.RESULT).write_bytes(runs.json_bytes(runs.result_record(run)))
    return folder


class Look:
    """A task whose score is known: half of the bolts are taken for nuts."""

    name, headline = "look", Headline("mAP50")

    def __init__(self):
        self.checked = []
        self.asked = []
        self.mistakes = True
        self.drawn = False
        self.background = True
        self.own = {}

    def threshold_of(self, name):
        return {"threshold": self.own[name]} if name in self.own else {}

    def check(self, dataset):
        self.checked.append(dataset)
        if any(frame.objects is None for frame in dataset.manifest.frames):
            raise InputError("frames without boxes")

    def evaluate(self, run, dataset, split, device=""):
        self.asked.append((dataset, split, device))
        frames = dataset.frames(split)
        image = frames[0].image
        mistakes = (
            Mistake(image, "confused", "bolt", "nut", 0.8, 0.8, BOX, BOX),
            Mistake(image, "missed", "nut", None, 0.0, 0.7, None, BOX),
        )
        x = np.linspace(0, 1, 11)
        return Evaluation(
            split=split,
            frames=len(frames),
            metrics={"precision": 0.75, "mAP50": 0.8234},
            per_class={
                "bolt": {"precision": 0.5, "mAP50": 0.6} | self.threshold_of("bolt"),
                "nut": {"precision": math.nan, "mAP50": math.nan} | self.threshold_of("nut"),
            },
            threshold=min(self.own.values(), default=0.31),
            confusion=self.confusion(),
            curves=(Curve("F1-confidence", "confidence", "F1", x, {"bolt": x, "all": 1 - x}),),
            groups={
                "session": {
                    "january": {"frames": 3, "objects": 17, "recall": 0.667},
                    "march": {"frames": 1, "objects": 1, "recall": 0.0},
                }
            },
            mistakes=mistakes if self.mistakes else (),
            drawn={image: np.full((30, 40, 3), GREEN, np.uint8)} if self.drawn else {},
        )

    def confusion(self):
        if not self.background:
            return Confusion(CLASSES, np.array([[5, 2], [0, 7]]))
        return Confusion((*CLASSES, BACKGROUND), np.array([[5, 2, 1], [0, 7, 3], [1, 3, 0]]))


@pytest.fixture
def task(monkeypatch):
    found = Look()
    monkeypatch.setattr(scoring, "find", lambda name: found)
    monkeypatch.setattr(tasks, "find", lambda name: found)
    return found


@pytest.fixture
def place(tmp_path, monkeypatch, task):
    """The folder of a project with a set and a run trained on it; (run, set)."""
    monkeypatch.chdir(tmp_path)
    trained_on = write_set(Path("datasets") / "boards")
    return write_run(Path("runs") / "look" / "hall", trained_on), trained_on


# What comes out --------------------------------------------------------------------------------


def test_an_honest_score_is_written_with_figures_and_mistakes(place, task):
    run, trained_on = place
    scored = scoring.score(run, device="cpu")
    assert scored.verdict.honest
    assert scored.folder == run / "eval" / "boards-test"
    assert task.asked[0][1:] == ("test", "cpu")
    stored = evaluations.read(scored.folder)
    assert stored.honest and not stored.simulated
    assert (stored.split, stored.frames, stored.metrics["mAP50"]) == ("test", 4, 0.8234)
    assert stored.manifest_sha256 == open_dataset(trained_on).sha256
    names = ["confusion.png", "F1-confidence.png", "groups.png", "mistakes.png"]
    assert [file.name for file in scored.files] == names
    for file in scored.files:
        with Image.open(file) as picture:
            picture.load()


def test_figures_of_an_earlier_scoring_do_not_stay(place, task):
    run, _ = place
    first = scoring.score(run)
    task.mistakes = False
    second = scoring.score(run)
    assert first.folder == second.folder
    assert sorted(second.folder.glob("*.png")) == sorted(second.files)


def test_what_the_task_has_drawn_is_kept_and_stands_on_the_sheet(place, task):
    run, _ = place
    task.drawn = True
    scored = scoring.score(run)
    (image,) = scored.evaluation.drawn
    (file,) = (scored.folder / "pictures").iterdir()
    assert evaluations.read(scored.folder).drawn == {image: file}
    sheet = np.asarray(Image.open(scored.folder / "mistakes.png").convert("RGB"))
    assert (sheet == GREEN).all(axis=-1).sum() > 2 * 400 * 300  # both mistakes are of that image
    task.drawn = False
    scored = scoring.score(run)
    assert not list((scored.folder / "pictures").iterdir())
    assert evaluations.read(scored.folder).drawn == {}


def test_nothing_is_written_into_the_set(place):
    run, trained_on = place
    before = {path: path.stat().st_mtime_ns for path in trained_on.rglob("*")}
    scoring.score(run)
    assert {path: path.stat().st_mtime_ns for path in trained_on.rglob("*")} == before


def test_outcome_counts_every_answer():
    matrix = Confusion((*CLASSES, BACKGROUND), np.array([[5, 2, 1], [0, 7, 3], [1, 3, 0]]))
    counts = {"right": 12, "confused": 2, "missed": 4, "false": 4}
    assert scoring.outcome(matrix) == counts
    classified = Confusion(CLASSES, np.array([[5, 2], [1, 7]]))
    assert scoring.outcome(classified) == {"right": 12, "confused": 3}


# Which set -------------------------------------------------------------------------------------


def test_the_runs_set_is_found_under_another_name_and_from_elsewhere(place, tmp_path, monkeypatch):
    run, trained_on = place
    write_set(Path("datasets") / "another", seed=5)
    trained_on.rename(trained_on.with_name("renamed"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    scored = scoring.score(tmp_path / run)
    assert scored.dataset.folder.resolve() == tmp_path / "datasets" / "renamed"
    assert scored.folder.name == "boards-test"


def test_a_run_of_a_cell_is_scored_as_the_hint_says(place, monkeypatch, capsys):
    """Grids and searches end with the line "next: vqc eval RUN"."""
    run, trained_on = place
    Path("datasets/cells").mkdir()
    trained_on.rename("datasets/cells/boards")
    Path("runs/cells/look").mkdir(parents=True)
    cell = run.rename("runs/cells/look/hall")
    app = typer.Typer()
    app.command(name="eval")(command.evaluate)
    said = CliRunner().invoke(app, [str(cell)])
    assert said.exit_code == 0, said.output
    assert (cell / "eval" / "boards-test" / "evaluation.json").is_file()


def test_a_shoot_that_trained_the_start_weights_is_refused(place, task):
    """A run on boards starts from weights that january, among others, has trained."""
    run, _ = place
    january = write_set(Path("earlier"), [("train", "january", 3)], seed=4)
    lineage.inherit(run, lineage.seen(write_run(Path("runs/look/earlier"), january)))
    with pytest.raises(HonestyError, match="shoot january, which trained the weights it started"):
        scoring.score(run)
    assert task.asked == []
    assert scoring.score(run, insist=True).verdict.mark == "not an honest score: same shoot"


def test_a_set_that_is_gone_or_was_made_anew_is_asked_for(place, task):
    run, trained_on = place
    shutil.rmtree(trained_on)
    with pytest.raises(InputError, match=r"boards .*not there; --on"):
        scoring.score(run)
    write_set(trained_on, seed=1)
    with pytest.raises(InputError, match="another manifest now; --on"):
        scoring.score(run)
    assert task.asked == []


def test_another_set_is_scored_where_it_is_named(place, task):
    run, _ = place
    other = write_set(Path("february"), [("test", "february", 2)], seed=7)
    scored = scoring.score(run, other)
    assert scored.verdict.honest
    assert scored.folder == run / "eval" / "february-test"
    assert [frame.session for frame in scored.frames] == ["february"] * 2


def test_classes_of_the_set_may_lie_otherwise_but_not_be_others(place, task):
    run, _ = place
    turned = write_set(Path("turned"), [("test", "march", 2)], CLASSES[::-1], seed=8)
    assert scoring.score(run, turned).dataset.manifest.classes == CLASSES
    fewer = write_set(Path("fewer"), [("test", "april", 2)], ("nut",), seed=9)
    assert scoring.score(run, fewer).dataset.manifest.classes == CLASSES
    strange = write_set(Path("strange"), [("test", "may", 2)], ("nut", "cog"), seed=10)
    with pytest.raises(InputError, match=r"(?s)cog.*the set: nut, cog.*the run: bolt, nut"):
        scoring.score(run, strange)


# What is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_score_that_is_not_honest_is_refused_before_any_work(place, task, split):
    run, trained_on = place
    (trained_on / "images" / split).rename(trained_on / "gone")  # nobody looks there
    with pytest.raises(HonestyError, match="--anyway"):
        scoring.score(run, split=split)
    assert task.checked == [] and task.asked == []
    assert not (run / "eval").exists()


def test_with_insistence_it_is_given_and_marked(place):
    run, _ = place
    scored = scoring.score(run, split="val", insist=True)
    assert not scored.verdict.honest
    stored = evaluations.read(scored.folder)
    assert stored.mark == "not an honest score: val split"
    assert stored.reasons == ("this split chose the epoch",)


def test_simulated_photos_are_said_to_be_so(place):
    run, _ = place
    fake = write_set(Path("fake"), [("test", "fake", 2)], seed=3, source="cad", simulated=True)
    assert evaluations.read(scoring.score(run, fake, insist=True).folder).simulated


@pytest.mark.parametrize(
    "split, says", [("tests", "expected train, val, test"), ("val", "no frame")]
)
def test_splits_that_are_not_there(place, split, says):
    run, _ = place
    other = write_set(Path("february"), [("test", "february", 2)], seed=7)
    with pytest.raises(InputError, match=says):
        scoring.score(run, other, split)


def test_only_frames_of_the_split_are_checked(place, task):
    run, _ = place
    other = write_set(Path("february"), [("test", "february", 2)], seed=7)
    dataset = open_dataset(other)
    unlabelled = Frame("images/val/x.png", "0" * 64, "0" * 16, 64, 48, "real", "march", split="val")
    frames = (*dataset.manifest.frames, unlabelled)
    write_manifest(other, replace(dataset.manifest, frames=frames))
    scoring.score(run, other)
    labelled = Frame("images/test/x.png", "0" * 64, "0" * 16, 64, 48, "real", "june", split="test")
    write_manifest(other, replace(dataset.manifest, frames=(*dataset.manifest.frames, labelled)))
    with pytest.raises(InputError, match="without boxes"):
        scoring.score(run, other)
    assert len(task.asked) == 1


def test_pictures_that_changed_are_refused_all_of_them_at_once(place, task):
    run, trained_on = place
    (trained_on / "images" / "test" / "january-0.png").write_bytes(b"other")
    (trained_on / "images" / "test" / "january-2.png").unlink()
    (trained_on / "images" / "train" / "december-0.png").unlink()  # is not scored
    with pytest.raises(InputError) as failure:
        scoring.score(run)
    assert "january-0.png: changed since" in str(failure.value)
    assert "january-2.png: cannot be read" in str(failure.value)
    assert "december" not in str(failure.value)
    assert task.asked == []


def test_a_manifest_that_was_edited_is_refused(place):
    run, _ = place
    other = write_set(Path("february"), [("test", "february", 2)], seed=7)
    file = other / "manifest.jsonl"
    file.write_text(file.read_text().replace("[8, 6, 40, 30]", "[8, 6, 41, 30]", 1))
    with pytest.raises(InputError, match="digest does not fit"):
        scoring.score(run, other)


def test_unfinished_runs_have_no_score(place):
    run, _ = place
    (run / runs.RESULT).unlink()
    with pytest.raises(InputError, match="no run"):
        scoring.score(run)


# The command -------------------------------------------------------------------------------------


@pytest.fixture
def vqc_eval():
    app = typer.Typer()
    app.command(name="eval")(command.evaluate)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def test_the_command_prints_scores_and_the_headline(place, vqc_eval):
    done = vqc_eval(place[0])
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "bolt 8 0.500 0.600" in said
    assert "nut 10 – –" in said
    assert "all 18 0.750 0.823" in said
    assert "answers from score 0.31 on: 12 right, 2 confused, 4 missed, 4 false" in said
    assert "session january 3 17 0.667" in said
    assert "mAP50 0.823 on 4 photos of shoot january, which neither trained nor chose" in said
    assert "mistakes.png" in said


def test_each_class_is_told_with_its_own_threshold(place, task, vqc_eval):
    task.own = {"bolt": 0.32, "nut": 0.61}
    said = " ".join(vqc_eval(place[0]).output.split())
    assert "class objects precision mAP50 threshold" in said
    assert "bolt 8 0.500 0.600 0.320" in said and "all 18 0.750 0.823 –" in said
    assert "answers from score 0.32 to 0.61 (by class) on: 12 right" in said


def test_without_a_background_frames_are_counted(place, task, vqc_eval):
    task.background, task.drawn = False, True
    said = " ".join(vqc_eval(place[0]).output.split())
    assert "class frames precision" in said and "bolt 7 0.500" in said
    assert "mistakes.png, pictures/" in said
    task.background = True
    assert "class objects precision" in " ".join(vqc_eval(place[0]).output.split())


def test_the_command_says_where_a_score_is_not_honest(place, vqc_eval):
    refused = vqc_eval(place[0], "--split", "val")
    assert isinstance(refused.exception, HonestyError)
    assert refused.exception.exit_code == 1
    said = vqc_eval(place[0], "--split", "val", "--anyway").output
    assert "NOT an honest score: val split: mAP50 0.823 on 2 photos of shoot autumn" in said
    assert "neither trained nor chose" not in said


def test_the_command_gives_json(place, vqc_eval):
    run, _ = place
    record = json.loads(vqc_eval(run, "--json").stdout)
    assert record["honest"] and record["mark"] == ""
    assert record["run"] == {"task": "look", "name": "hall", "run_id": "0123456789ab"}
    assert record["metrics"]["mAP50"] == 0.8234
    assert record["per_class"]["nut"]["mAP50"] is None
    assert record["outcome"]["missed"] == 4
    assert record["folder"] == "runs/look/hall/eval/boards-test"
    assert len(record["files"]) == 4
