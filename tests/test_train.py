"""`vqc train`, whatever the task: what is verified, what a run folder holds, what a crash costs."""

from __future__ import annotations

import contextlib
import csv
import fcntl
import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import training
import typer
from training import contents, finish_set, write_set
from typer.testing import CliRunner

from vqc import environment, files, lineage, runs, train
from vqc.cli import train as command
from vqc.errors import InputError, LeakError, ManifestError, OutputError, RecipeError
from vqc.manifest import write_manifest
from vqc.runs import LAST, RESULT, WEIGHTS
from vqc.tasks.contract import Fitted, Headline
from vqc.tasks.settings import parse
from vqc.train import Training
from vqc.verify import verify

EPOCHS = 3


@dataclass(frozen=True)
class Settings:
    epochs: int = field(default=EPOCHS, metadata={"help": "passes"})
    seed: int = field(default=0, metadata={"help": "of nothing"})
    stop_in: int = field(default=0, metadata={"help": "an epoch that fails"})

    def identity(self):
        return {"epochs": self.epochs, "seed": self.seed}


class Counting:
    """A task that learns to count: it is through at once, and goes on after anything."""

    name, headline, config = "counting", Headline("mAP50"), Settings

    def configure(self, settings):
        return Settings(**parse(Settings, settings))

    def check(self, dataset):
        lacking = [f.image for f in dataset.manifest.frames if f.objects is None]
        if lacking:
            raise InputError(f"no boxes: {', '.join(lacking)}")

    def fit(self, dataset, config, run_dir, monitor):
        done = 0
        if (run_dir / LAST).is_file():
            done = runs.read_json(run_dir / LAST)["epochs"]
            monitor.resumed(done)
        for epoch in range(done + 1, config.epochs + 1):
            monitor.progress(epoch, config.epochs)
            monitor.epoch(epoch, {"train/loss": 1 / epoch})
            if epoch == config.stop_in:
                raise InputError("stopped")
            files.replace_file(run_dir / LAST, runs.json_bytes({"epochs": epoch}))
        files.replace_file(run_dir / WEIGHTS, b"weights")
        return Fitted(config.epochs, config.epochs, {"mAP50": 0.5}, None)


@dataclass
class Listener:
    epochs: list[int] = field(default_factory=list)
    resumed_after: list[int] = field(default_factory=list)

    def progress(self, done, total): ...

    def epoch(self, number, metrics):
        self.epochs.append(number)

    def resumed(self, epochs_done):
        self.resumed_after.append(epochs_done)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A working folder; the task is there, and environments are quick to tell."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train, "find", lambda name: Counting())
    monkeypatch.setattr(environment, "describe", lambda: {"vqc": "here"})
    return tmp_path


@pytest.fixture
def dataset(place):
    return write_set(place / "datasets" / "squares")


def asked(dataset, **more) -> Training:
    return Training(dataset.folder, **more)


def epochs_of(folder: Path) -> list[str]:
    with (folder / runs.METRICS).open() as lines:
        return [row["epoch"] for row in csv.DictReader(lines)]


# What a run leaves ------------------------------------------------------------------------


def test_a_run_holds_what_it_says(dataset):
    heard, before = Listener(), contents(dataset.folder)
    done = train.train(asked(dataset, settings={"seed": "4"}), heard)
    folder = Path("runs/counting/squares")
    assert done.run.folder == folder and not done.was_there and heard.epochs == [1, 2, 3]
    assert {p.name for p in folder.iterdir()} - {".lock", LAST} == {
        runs.ASKED, runs.DATASET, runs.LINEAGE, runs.ENVIRONMENT, runs.METRICS, WEIGHTS, RESULT
    }  # fmt: skip
    assert (folder / runs.DATASET).read_bytes() == (dataset.folder / "manifest.jsonl").read_bytes()
    assert epochs_of(folder) == ["1", "2", "3"]
    again = runs.read_run(folder)
    assert (again.seed, again.epochs, again.chosen_on) == (4, EPOCHS, None)
    assert again.manifest_sha256 == dataset.sha256 == runs.dataset_of(again).sha256
    assert runs.read_json(folder / runs.LINEAGE) and contents(dataset.folder) == before


def test_the_result_is_written_last(dataset, monkeypatch):
    written = []
    replace_file = files.replace_file

    def note(path, data, scratch=None):
        written.append(path.name)
        replace_file(path, data, scratch)

    for module in (files, runs):
        monkeypatch.setattr(module, "replace_file", note)
    train.train(asked(dataset))
    assert written[0] == runs.ASKED and written[-2:] == [WEIGHTS, RESULT]


def test_trackers_end_after_the_result_is_there(dataset, monkeypatch):
    import vqc.trackers

    told = []

    class Tracker:
        def log(self, epoch, metrics):
            told.append(epoch)

        def end(self, metrics):
            told.append((Path("runs/counting/squares") / RESULT).is_file())

    @contextlib.contextmanager
    def open_tracker(*_, **__):
        yield Tracker()

    monkeypatch.setattr(vqc.trackers, "open_tracker", open_tracker)
    train.train(asked(dataset))
    assert told == [1, 2, 3, True]


def test_the_same_command_again_changes_nothing(dataset):
    folder = train.train(asked(dataset)).run.folder
    before, heard = contents(folder), Listener()
    done = train.train(asked(dataset), heard)
    assert done.was_there and heard.epochs == [] and contents(folder) == before


def test_a_finished_run_needs_no_pictures(dataset):
    train.train(asked(dataset))
    next((dataset.folder / "images").rglob("*.png")).unlink()
    assert train.train(asked(dataset)).was_there


def test_equal_work_has_an_equal_identity_anywhere(dataset, place):
    first = train.train(asked(dataset)).run
    other = train.train(asked(dataset, root=place / "elsewhere", name="other")).run
    assert first.run_id == other.run_id
    assert train.train(asked(dataset, name="s", settings={"seed": 1})).run.run_id != first.run_id
    larger = write_set(place / "datasets" / "larger", {"train": 6, "val": 2})
    assert train.train(asked(larger)).run.run_id != first.run_id


# Another training under that name --------------------------------------------------------------


def test_other_settings_are_refused_with_what_differs(dataset, place):
    folder = train.train(asked(dataset)).run.folder
    before = contents(folder)
    with pytest.raises(RecipeError) as caught:
        train.train(asked(dataset, settings={"epochs": 5, "seed": 1}))
    lines = str(caught.value).splitlines()
    assert lines[0].endswith("holds another training; these differ:")
    assert lines[1:3] == ["  epochs: 3 there, 5 asked for", "  seed: 0 there, 1 asked for"]
    assert "--fresh" in lines[3]
    larger = write_set(place / "larger" / "squares", {"train": 6, "val": 2})
    with pytest.raises(RecipeError, match=rf"dataset: {dataset.sha256} there, {larger.sha256}"):
        train.train(asked(larger))
    assert contents(folder) == before


def test_another_training_that_never_began_is_no_hindrance(dataset, monkeypatch):
    """Such as one that was asked for with a device that is not there."""

    def fails(*_):
        raise InputError("--device 7: cannot be used here")

    with monkeypatch.context() as patch, pytest.raises(InputError, match="--device 7"):
        patch.setattr(Counting, "fit", fails)
        train.train(asked(dataset, settings={"epochs": 9}))
    assert train.train(asked(dataset)).run.epochs == EPOCHS


def test_fresh_trains_again_in_its_place(dataset):
    folder = train.train(asked(dataset)).run.folder
    (folder / "eval").mkdir()
    (folder / "eval" / "old.json").touch()
    done = train.train(asked(dataset, fresh=True, settings={"epochs": 2}))
    assert not done.was_there and epochs_of(folder) == ["1", "2"]
    assert not (folder / "eval").exists()


def test_fresh_keeps_the_old_run_until_the_set_is_found_sound(dataset):
    folder = train.train(asked(dataset)).run.folder
    next((dataset.folder / "images").rglob("*.png")).unlink()
    before = contents(folder)
    with pytest.raises(InputError, match="is not sound"):
        train.train(asked(dataset, fresh=True))
    assert contents(folder) == before


def test_fresh_keeps_the_old_run_where_the_machine_cannot_train(dataset, monkeypatch):
    folder = train.train(asked(dataset)).run.folder
    before = contents(folder)

    def refuse(task, config):
        raise InputError(f"--device: there is none for seed {config.seed}")

    monkeypatch.setattr(Counting, "check_machine", refuse, raising=False)
    for more in ({"fresh": True}, {"name": "new"}):
        with pytest.raises(InputError, match="there is none for seed 3"):
            train.train(asked(dataset, settings={"seed": 3}, **more))
    assert contents(folder) == before and not Path("runs/counting/new").exists()
    assert train.train(asked(dataset)).was_there  # which needs no machine


@pytest.mark.parametrize("fresh", [False, True])
def test_a_folder_that_is_no_run_is_left_alone(dataset, fresh):
    mine = Path("runs/counting/squares/thesis.txt")
    mine.parent.mkdir(parents=True)
    mine.write_text("years of work")
    with pytest.raises(InputError, match="is there and is no run; choose another --name"):
        train.train(asked(dataset, fresh=fresh))
    assert mine.read_text() == "years of work"


@pytest.mark.parametrize("text", ["", "[1", "- 1", "run_id: 1", "\x00"])
def test_a_spoilt_run_yaml_is_told(dataset, text):
    folder = train.train(asked(dataset)).run.folder
    (folder / runs.ASKED).write_text(text)
    with pytest.raises(InputError, match=r"run\.yaml: cannot be read; --fresh"):
        train.train(asked(dataset))
    assert not train.train(asked(dataset, fresh=True)).was_there


def test_a_second_command_on_the_run_is_refused(dataset):
    folder = Path("runs/counting/squares")
    folder.mkdir(parents=True)
    with (folder / ".lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="is being trained by another command; wait"):
            train.train(asked(dataset))
    assert not train.train(asked(dataset)).was_there


def test_a_set_that_is_made_anew_while_it_is_verified_does_not_train(dataset, place):
    """What the run says it was trained on must be what it was trained on."""
    folder = train.train(asked(dataset)).run.folder
    before = contents(folder)
    other = write_set(place / "other" / "squares", {"train": 4, "val": 2})

    def make_anew(done, total):
        data = (other.folder / "manifest.jsonl").read_bytes()
        (dataset.folder / "manifest.jsonl").write_bytes(data)

    with pytest.raises(InputError, match=r"manifest\.jsonl was changed while it was verified"):
        train.train(asked(dataset, fresh=True), on_verify=make_anew)
    assert contents(folder) == before


def test_what_trained_the_start_weights_is_in_the_lineage(dataset, place, monkeypatch):
    earlier = train.train(asked(dataset)).run.folder
    assert "weights" not in runs.read_json(earlier / runs.LINEAGE)
    packed, fit = lineage.seen(earlier), Counting.fit

    def goes_on_from(task, data, config, run_dir, monitor):
        lineage.inherit(run_dir, packed)
        return fit(task, data, config, run_dir, monitor)

    monkeypatch.setattr(Counting, "fit", goes_on_from)
    other = write_set(place / "datasets" / "more", {"train": 4, "val": 2})
    run = train.train(asked(other)).run
    record = runs.read_json(run.folder / runs.LINEAGE)
    assert record["weights"] == [{"name": "squares", "sha256": dataset.sha256}]
    assert f"  ← weights that squares ({dataset.sha256[:8]}…) trained" in lineage.sentences(record)
    assert [each.sha256 for each in lineage.ancestors(run.folder)] == [dataset.sha256]


# What is asked before anything starts ------------------------------------------------------------


@pytest.mark.parametrize(
    "name, says",
    [("a/b", "--name: expected"), ("..", "--name: expected"), ("", "got ''"), ("x" * 300, "got")],
)
def test_names_are_checked(dataset, name, says):
    with pytest.raises(InputError, match=says):
        train.train(asked(dataset, name=name))
    assert not Path("runs").exists()


def test_an_unknown_tracker_is_told_before_anything_is_written(dataset):
    with pytest.raises(InputError, match=r"--tracker tensorbord: .*did you mean 'tensorboard'"):
        train.train(asked(dataset, trackers=("tensorbord",)))
    assert not Path("runs").exists()


def spoil_picture(dataset):
    file = dataset.path(dataset.frames("test")[0])
    file.write_bytes(file.read_bytes()[:200])


def spoil_label(dataset):
    next((dataset.folder / "labels" / "val").iterdir()).write_text("0 0.5 0.5 0.1 0.1\n")


def remove_label(dataset):
    next((dataset.folder / "labels" / "train").iterdir()).unlink()


def add_picture(dataset):
    file = dataset.path(dataset.frames("train")[0])
    file.with_name("999.png").write_bytes(file.read_bytes())


def plant_yaml(dataset):
    file = dataset.folder / "data.yaml"
    file.write_text(file.read_text() + "download: |\n  import os; os.system('touch ran')\n")


def change_manifest(dataset):
    file = dataset.folder / "manifest.jsonl"
    file.write_text(file.read_text().replace('"val"', '"train"'))


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_picture, spoil_label, remove_label, add_picture, plant_yaml,
        change_manifest,
    ],
)  # fmt: skip
def test_a_set_that_is_not_sound_does_not_train(dataset, spoil, monkeypatch):
    spoil(dataset)
    monkeypatch.setattr(Counting, "fit", None)
    with pytest.raises(InputError, match=r"is not sound:\n.*(\n.*)*vqc mix --fresh"):
        train.train(asked(dataset))
    assert not Path("runs").exists() and not Path("ran").exists()


def test_many_faults_are_counted(place):
    dataset = write_set(place / "many", {"train": 30})
    for frame in dataset.manifest.frames:
        dataset.path(frame).unlink()
    with pytest.raises(InputError, match=r"\.\.\. and 10 more"):
        train.train(asked(dataset))


def test_what_the_task_asks_of_the_set_is_asked(dataset, place):
    frames = [replace(f, objects=None) for f in dataset.manifest.frames]
    for frame in frames:
        (dataset.folder / "labels" / frame.split / f"{Path(frame.image).stem}.txt").unlink()
    write_manifest(dataset.folder, replace(dataset.manifest, frames=tuple(frames)))
    assert verify(dataset.folder) == []
    with pytest.raises(InputError, match=r"no boxes: images/test/008\.png"):
        train.train(asked(dataset))


def test_a_set_that_trains_nothing_is_told(place):
    with pytest.raises(InputError, match="no frame has split train; vqc mix"):
        train.train(asked(write_set(place / "set", {"val": 2, "test": 1})))


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_picture_on_both_sides_is_refused(place, split):
    frames = list(write_set(place / "set", {"train": 2, "val": 1, "test": 1}).manifest.frames)
    first = next(frame for frame in frames if frame.split == "train" and frame.objects)
    twin = first.image.replace("train", split).replace(".png", "-twin.png")
    from PIL import Image

    picture = Image.open(place / "set" / first.image)
    frames.append(training.add_frame(place / "set", twin, picture, first.objects))
    dataset = finish_set(place / "set", frames)
    assert verify(dataset.folder) == []
    with pytest.raises(LeakError, match=r"-twin\.png is a picture of train too|of test too"):
        train.train(asked(dataset))


def test_notes_say_what_val_is_worth(place, dataset):
    assert train.train(asked(dataset)).notes == ()
    without = write_set(place / "without", {"train": 3, "test": 1})
    assert "the last epoch counts" in train.train(asked(without)).notes[0]
    frames = [replace(f, same_shoot=f.split == "val") for f in dataset.manifest.frames]
    write_manifest(dataset.folder, replace(dataset.manifest, frames=tuple(frames)))
    (note,) = train.train(asked(dataset, name="same")).notes
    assert note.startswith("3 val pictures are of shoots that also train")
    empty = write_set(place / "empty", {"train": 3, "val": 2, "test": 1}, empty=(3, 4))
    (note,) = train.train(asked(empty)).notes
    assert note.startswith("val shows no object, so it chose nothing: the last epoch counts")


def test_folders_that_are_no_set_are_told(place):
    with pytest.raises(InputError, match="no such folder"):
        train.train(Training(place / "nowhere"))
    with pytest.raises((InputError, ManifestError)):
        train.train(Training(place))
    assert not Path("runs").exists()


def test_a_place_that_cannot_be_written_is_told(dataset, place):
    (place / "file").touch()
    with pytest.raises(OutputError, match=r"file/counting/squares: cannot be written"):
        train.train(asked(dataset, root=place / "file"))


def test_a_full_disk_is_told(dataset, monkeypatch):
    def full(path, data, scratch=None):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runs, "replace_file", full)
    with pytest.raises(OutputError, match=r"run\.yaml: cannot be written: No space left"):
        train.train(asked(dataset))


def test_a_task_that_leaves_no_weights_makes_no_run(dataset, monkeypatch):
    monkeypatch.setattr(Counting, "fit", lambda *_: Fitted(1, 1, {}, None))
    with pytest.raises(OutputError, match="the task counting left no weights there"):
        train.train(asked(dataset))
    assert not Path("runs/counting/squares", RESULT).exists()


# Whatever interrupts ---------------------------------------------------------------------------


class Died(BaseException):
    """The process is gone, at once: nothing is tidied up."""


def die_at(monkeypatch, step: int, before: bool) -> None:
    """The process ends in the step-th rename; what was to be renamed stays, as after kill -9."""
    os_replace, steps = os.replace, iter(range(step + 1))

    def rename(source, target):
        now = next(steps)
        if now < step or not before:
            os_replace(source, target)
        if now == step:
            if before:
                os.link(source, f"{source[:-4] if isinstance(source, str) else source}.tmp")
            raise Died

    monkeypatch.setattr(files.os, "replace", rename)


@pytest.fixture
def whole(dataset):
    """metrics.csv and result of a training that nothing interrupted, but for the seconds."""
    folder = train.train(asked(dataset, name="whole")).run.folder
    return told(folder)


def told(folder: Path):
    with (folder / runs.METRICS).open() as lines:
        rows = [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(lines)]
    record = runs.read_json(folder / RESULT)
    return rows, {k: v for k, v in record.items() if k not in ("name", "seconds")}


WRITES = 4 + 2 * EPOCHS + 2
"""What is asked, manifest, lineage, environment; table and checkpoint; weights, result."""


@pytest.mark.parametrize("before", [True, False])
def test_a_crash_at_any_write_costs_an_epoch_at_most(dataset, whole, before):
    for step in range(WRITES):
        heard, name = Listener(), f"crash{step}"
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Died):
            die_at(patch, step, before)
            train.train(asked(dataset, name=name), heard)
        again = Listener()
        done = train.train(asked(dataset, name=name), again)
        assert told(done.run.folder) == whole
        if not done.was_there:
            went_on = again.resumed_after[0] if again.resumed_after else 0
            assert went_on >= max(heard.epochs, default=0) - 1
            assert again.epochs == list(range(went_on + 1, EPOCHS + 1))
        left = [p.name for p in done.run.folder.rglob("*") if p.name.endswith(".tmp")]
        assert left == [], f"crash at write {step}"
    with pytest.MonkeyPatch.context() as patch:
        die_at(patch, WRITES, before)
        assert told(train.train(asked(dataset, name="none")).run.folder) == whole


def test_a_crash_while_an_old_run_is_removed_leaves_an_unfinished_one(dataset, whole):
    """Neither half of the old run nor a mixture of both comes out of it."""
    for step in range(9):
        for stop_in in (0, 2):  # the old run is finished, or was interrupted
            name = f"old{step}-{stop_in}"
            if stop_in:
                with pytest.raises(InputError, match="stopped"):
                    train.train(asked(dataset, name=name, settings={"stop_in": stop_in}))
            else:
                train.train(asked(dataset, name=name))
            with pytest.MonkeyPatch.context() as patch:
                die_at_removal(patch, step)
                with contextlib.suppress(Died):
                    train.train(asked(dataset, name=name, fresh=True))
            done = train.train(asked(dataset, name=name))
            assert told(done.run.folder) == whole, (step, stop_in)


def die_at_removal(monkeypatch, step: int) -> None:
    unlink, steps = Path.unlink, iter(range(10**6))

    def remove(self, missing_ok=False):
        if self.suffix != ".tmp" and next(steps) == step:
            raise Died
        unlink(self, missing_ok)

    monkeypatch.setattr(Path, "unlink", remove)


def test_seconds_add_up_over_interruptions(dataset, monkeypatch):
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(train.time, "monotonic", lambda: float(next(clock)))
    with pytest.raises(InputError, match="stopped"):
        train.train(asked(dataset, settings={"stop_in": 2}))
    folder = Path("runs/counting/squares")
    before = runs.MetricsTable(folder / runs.METRICS).seconds
    run = train.train(asked(dataset)).run
    assert before == 20 and run.seconds == 20 + 30
    assert json.loads((folder / RESULT).read_text())["seconds"] == 50


def test_settings_are_kept_as_they_were_asked(dataset):
    import yaml

    run = train.train(asked(dataset, settings={"epochs": 2, "seed": 9})).run
    kept = yaml.safe_load((run.folder / runs.ASKED).read_text())
    assert kept["settings"] == dict(run.config) == {"epochs": 2, "seed": 9}
    assert kept["run_id"] == run.run_id and kept["dataset"]["name"] == "squares"


# The command ---------------------------------------------------------------------------------


@pytest.fixture
def vqc_train():
    app = typer.Typer()
    app.command(name="train")(command.train)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def test_the_command_says_what_happened(dataset, vqc_train):
    done = vqc_train(dataset.folder, "--set", "epochs=2")
    assert done.exit_code == 0, done.output
    assert "runs/counting/squares: 2 epochs in" in done.output
    assert "weights of the last epoch: runs/counting/squares/best.pt" in done.output
    assert "epoch 2: train/loss 0.500" in done.stderr
    again = vqc_train(dataset.folder, "--epochs", "2")
    assert "was trained already, nothing changed" in again.output
    assert vqc_train(dataset.folder, "--epochs", "2", "--quiet").output == ""


def test_the_command_goes_on_and_says_so(dataset, vqc_train):
    stopped = vqc_train(dataset.folder, "--set", "stop_in=2")
    assert isinstance(stopped.exception, InputError)
    assert "note: goes on after epoch 1" in vqc_train(dataset.folder).stderr


def test_the_command_gives_json(dataset, vqc_train):
    record = json.loads(vqc_train(dataset.folder, "--json", "--seed", "3").stdout)
    assert (record["name"], record["seed"], record["was_there"]) == ("squares", 3, False)
    assert record["folder"] == "runs/counting/squares" and record["notes"] == []


def test_all_pairs_that_are_none_are_told(dataset, vqc_train):
    words = ["--set", "lr0", "--set", "=3", "--set", "epochs=4", "--epochs", "5"]
    said = str(vqc_train(dataset.folder, *words).exception)
    assert said.splitlines() == [
        "--set lr0: expected key=value, such as lr0=0.005",
        "--set =3: expected key=value, such as lr0=0.005",
        "--set epochs=4: epochs was given before, as 5",
    ]
    twice = vqc_train(dataset.folder, "--set", "epochs=4", "--set", "epochs=5")
    assert "epochs was given before, as 4" in str(twice.exception)
    assert vqc_train(dataset.folder, "--set", "epochs=4", "--epochs", "4").exit_code == 0
