"""`vqc predict` from beginning to end, with a network that was never trained."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import av
import numpy as np
import pytest
from clips import name_classes, noise, save, write_video
from made_runs import make_run
from PIL import Image
from typer.testing import CliRunner

from vqc import files
from vqc.cli import app
from vqc.errors import BusyError, InputError, OutputError
from vqc.intake.video import VideoFrame
from vqc.predict import job, reading
from vqc.predict.job import predict
from vqc.predict.request import Request
from vqc.runs import result_record
from vqc.tasks.detect import Detect

CPU = {"device": "cpu"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return name_classes(make_run(tmp_path_factory.mktemp("runs") / "m")).folder


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def photos(*names):
    for seed, name in enumerate(names or ("a.jpg", "b.png", "sub/a.jpg")):
        save(Path("photos", name), noise(seed, 80 + seed, 60))
    return ("photos",)


def go(run, *sources, settings=None, hooks=(), **fields):
    return predict(Request(run, sources, settings=CPU | (settings or {}), **fields), *hooks)


def records(folder, name="predictions.jsonl"):
    return [json.loads(line) for line in Path(folder, name).read_text().splitlines()]


def frames_of(file):
    with av.open(str(file)) as container:
        return sum(1 for _ in container.decode(video=0))


def command(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments), "--device", "cpu"])


# Pictures ---------------------------------------------------------------------------------


def test_a_folder_of_pictures(here, run):
    from ultralytics import YOLO

    result = go(run, *photos(), crops=True)
    assert result.folder == Path("predictions/m-photos") and result.faults == ()
    assert (result.frames, result.total, result.stopped) == (3, 3, False)
    told = records(result.folder)
    assert [r["image"] for r in told] == ["a.jpg", "b.png", "sub/a.jpg"]
    model = YOLO(run / "best.pt")
    for record in told:
        (bare,) = model.predict(f"photos/{record['image']}", imgsz=64, device="cpu", verbose=False)
        rows = bare.boxes.data.numpy()
        rows = rows[np.argsort(-rows[:, 4], kind="stable")]
        assert len(rows) == len(record["objects"]) > 0
        for row, thing in zip(rows, record["objects"], strict=True):
            assert np.allclose(row[:4], thing["box"], atol=0.006)
            assert abs(row[4] - thing["score"]) < 1e-5
    drawn = sorted(
        p.relative_to(result.folder / "images") for p in result.folder.glob("images/**/*.jpg")
    )
    assert list(map(str, drawn)) == ["a.jpg", "b.jpg", "sub/a.jpg"]
    assert Image.open(result.folder / "images/b.jpg").size == (81, 60)
    counts = Counter(thing["class"] for record in told for thing in record["objects"])
    assert dict(result.objects) == dict(counts)
    for name, count in counts.items():
        assert len(list((result.folder / "crops" / name).iterdir())) == count
    first = told[2]["objects"][0]
    crop = Image.open(result.folder / "crops" / first["class"] / "sub__a_1.jpg")
    x0, y0, x1, y1 = first["box"]
    assert crop.size == (np.ceil(x1) - int(x0), np.ceil(y1) - int(y0))
    assert json.loads((result.folder / "predict.json").read_text())["source"] == ["photos"]


def test_what_is_there_is_not_overwritten(here, run, monkeypatch):
    photos()
    Path("mine").mkdir()
    Path("mine/thesis.txt").write_text("years of work")
    first = go(run, "photos", images=False).folder
    with monkeypatch.context() as patch:
        patch.setattr("vqc.ultra.load_detector", lambda path: pytest.fail("asked too late"))
        with pytest.raises(InputError, match="--fresh replaces them, --out NAME keeps both"):
            go(run, "photos")
        with pytest.raises(InputError, match="mine is there and holds no predictions"):
            go(run, "photos", out=Path("mine"), fresh=True)
    Path("photos/a.jpg").unlink()
    assert go(run, "photos", fresh=True).folder == first and len(records(first)) == 2
    assert Path("mine/thesis.txt").read_text() == "years of work"


def test_a_task_tells_its_settings(here, run, monkeypatch):
    photos("a.png")

    @dataclass
    class Settings:
        conf: float = field(default=0.5, metadata={"help": "least score"})
        device: str = field(default="", metadata={"help": "where"})

    class Told(Detect):
        predict_config = Settings

    monkeypatch.setattr(job, "find", lambda name: Told())
    assert go(run, "photos", images=False).least_score == 0.5
    with pytest.raises(InputError, match="iou: there is no such setting"):
        go(run, "photos", settings={"iou": 0.5}, out=Path("other"))
    assert not Path("other").exists()
    monkeypatch.setattr(Told, "predict_config", None)  # as in a task that says nothing
    assert go(run, "photos", out=Path("silent"), images=False).least_score is None


@pytest.mark.parametrize("fresh", [False, True])
def test_two_commands_into_one_folder(here, run, fresh):
    photos()
    busy = "predictions/m-photos is written by another command now; wait for it"
    said = []

    def other(done, total):
        with pytest.raises(BusyError, match=busy):
            go(run, "photos", fresh=fresh)
        said.append(done)

    with pytest.raises(BusyError), files.held(Path("predictions/m-photos"), ""):
        go(run, "photos", fresh=fresh)
    result = go(run, "photos", hooks=(other,))
    assert said == [1, 2, 3] and len(records(result.folder)) == 3


def test_what_another_command_has_put_there_meanwhile_stays(here, run):
    photos()

    with pytest.MonkeyPatch.context() as patch:
        shots = reading.shots

        def after_another(*arguments):
            patch.undo()
            go(run, "photos", out=Path("out"))
            return shots(*arguments)

        patch.setattr(reading, "shots", after_another)
        with pytest.raises(InputError, match="out holds predictions already; --fresh"):
            go(run, "photos", out=Path("out"), limit=1)
    assert len(records("out")) == 3


def test_bad_files_are_told_and_the_rest_is_done(here, run):
    photos("a.png", "c.png")
    Path("photos/b.png").write_bytes(b"nothing")
    done = command("predict", run, "photos")
    assert done.exit_code == 1
    assert "2 pictures" in done.stdout
    assert (
        "photos/b.png: is no JPEG" in done.stderr and "1 fault(s); the rest is done" in done.stderr
    )
    for name in ("a.png", "c.png"):
        Path("photos", name).unlink()
    none = go(run, "photos", fresh=True)
    assert none.frames == 0 and none.speed is None and records(none.folder) == []


def test_everything_that_does_not_fit_is_told_before_anything_is_written(here, run):
    photos()
    with pytest.raises(InputError) as caught:
        go(run, "photos", settings={"track": True}, fps=2, limit=0)
    assert [line.partition(" ")[0] for line in str(caught.value).splitlines()] == [
        "--track", "--fps:", "--limit:"
    ]  # fmt: skip
    with pytest.raises(InputError, match="conf: expected a number from 0 to 1") as caught:
        go(run, "photos", settings={"conf": 3}, limit=0)
    assert "--limit: expected 1 or more" in str(caught.value)
    with pytest.raises(InputError, match="no picture and no video fits this pattern"):
        go(run, "photos/*.bmp")
    assert not Path("predictions").exists()


@pytest.mark.parametrize("typed", [("--track",), ("--set", "track=true"), ("--set", "track=on")])
def test_stills_are_not_followed_however_that_is_asked_for(here, run, typed):
    done = command("predict", run, *photos(), *typed)
    assert isinstance(done.exception, InputError)
    assert "--track follows objects through a video" in str(done.exception)
    assert not Path("predictions").exists()


def test_weights_of_another_run_label_nothing(here, tmp_path):
    """As many classes, but in another order: every label would be wrong."""
    made = name_classes(make_run(tmp_path / "runs" / "swapped"))
    (made.folder / "run.json").write_text(
        json.dumps(result_record(replace(made, classes=("nut", "bolt"))))
    )
    with pytest.raises(InputError, match="knows the classes bolt, nut; expected nut, bolt"):
        go(made.folder, *photos(), as_set="pre")
    assert not list(Path("datasets").glob("*")) and not Path("predictions").exists()


def test_a_full_or_forbidden_place_is_one_message(here, run, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vqc.predict.output.replace_file", full)
    with pytest.raises(OutputError, match="No space left on device; free some space"):
        go(run, *photos())


# Interrupted ------------------------------------------------------------------------------


def interrupt_after(count):
    def on_progress(done, total):
        if done == count:
            os.kill(os.getpid(), signal.SIGINT)

    return on_progress


def test_ctrl_c_leaves_whole_pictures_and_says_how_far_it_was(here, run):
    photos(*(f"{k}.png" for k in range(9)))
    result = go(run, "photos", as_set="pre", hooks=(interrupt_after(3),))
    assert result.stopped and 3 <= result.frames < 9 and result.total == 9
    told = records(result.folder, "predictions.jsonl.part")
    assert len(told) == result.frames == len(list((result.folder / "images").iterdir()))
    assert not (result.folder / "predictions.jsonl").exists()
    assert result.as_set is None and list(Path("datasets").iterdir()) == []


def test_ctrl_c_leaves_a_whole_video(here, run):
    write_video(Path("walk.mp4"), [noise(k) for k in range(12)])
    result = go(run, "walk.mp4", hooks=(interrupt_after(4),))
    assert result.stopped and 4 <= result.frames < 12
    assert frames_of(result.videos[0]) == result.frames == len(records(result.folder))


def test_the_command_says_so_and_exits_with_130(here, run, monkeypatch):
    photos(*(f"{k}.png" for k in range(9)))
    progress = interrupt_after(3)

    def interrupted(request, on_progress, on_note):
        return predict(request, progress, on_note)

    monkeypatch.setattr(job, "predict", interrupted)
    done = command("predict", run, "photos", "--as-set", "pre")
    assert done.exit_code == 130
    assert " of 9 pictures; the files of these are whole" in done.stderr
    assert "datasets/pre was not made" in done.stderr


# Videos and cameras -----------------------------------------------------------------------


def test_a_folder_with_videos(here, run):
    write_video(Path("v/a.mp4"), [noise(k, 65, 49) for k in range(5)])
    whole = write_video(Path("v/b.mkv"), [noise(k, 320, 240) for k in range(12)]).read_bytes()
    Path("v/b.mkv").write_bytes(whole[: len(whole) // 2])
    result = go(run, "v")
    assert [path.name for path in result.videos] == ["a.mp4", "b.mp4"]
    assert len(result.faults) == 1 and result.faults[0].startswith("v/b.mkv: is cut off")
    frames = Counter(record["image"].partition("#")[0] for record in records(result.folder))
    assert frames["a.mp4"] == 5 == frames_of(result.videos[0])
    assert frames["b.mkv"] == frames_of(result.videos[1]) > 0
    assert [path.name for path in result.folder.glob(".*")] == [files.LOCK]
    first = records(result.folder)[1]
    assert first["image"] == "a.mp4#1" and first["frame"] == 1 and first["time_s"] == 0.04


def test_videos_that_differ_in_their_suffix(here, run):
    for name in ("walk.mp4", "walk.mkv"):
        write_video(Path("v", name), [noise(0)] * 2)
    result = go(run, "v", settings={"conf": 0.5})
    assert sorted(path.name for path in result.videos) == ["walk.mkv.mp4", "walk.mp4.mp4"]


def camera(count, then=None):
    def frames_from(live):
        for k in range(count):
            yield VideoFrame(noise(k), k / 25, k)
        if then is not None:
            raise then

    return frames_from


def test_a_camera_until_it_breaks_off(here, run, monkeypatch):
    gone = InputError("camera-0: broke off")
    monkeypatch.setattr(reading, "frames_from", camera(30, then=gone))
    monkeypatch.setenv("DISPLAY", "")
    notes = []
    result = go(run, "0", hooks=(lambda done, total: None, notes.append))
    assert result.faults == ("camera-0: broke off",) and not result.stopped
    told = records(result.folder)
    assert len(told) == result.frames == frames_of(result.videos[0])
    assert result.frames + result.dropped == 30
    assert told[0]["image"] == "camera-0#0"
    assert [note.partition(":")[0] for note in notes] == ["no window"]


def test_a_camera_that_gives_nothing_costs_no_earlier_predictions(here, run, monkeypatch):
    monkeypatch.setattr(reading, "frames_from", camera(3))
    first = go(run, "0", show=False).folder
    monkeypatch.setattr(reading, "frames_from", camera(0, then=InputError("camera-0: dark")))
    with pytest.raises(InputError, match="camera-0: dark"):
        go(run, "0", show=False, fresh=True)
    assert len(records(first)) > 0


def test_no_show_wants_no_display(here, run, monkeypatch):
    monkeypatch.setattr(reading, "frames_from", camera(3))
    monkeypatch.setenv("DISPLAY", "")
    notes = []
    go(run, "0", show=False, images=False, hooks=(lambda done, total: None, notes.append))
    assert notes == []


def test_a_camera_that_gives_nothing_is_an_error_and_leaves_nothing(here, run, monkeypatch):
    monkeypatch.setattr(reading, "frames_from", camera(0, then=InputError("camera-0: dark")))
    with pytest.raises(InputError, match="camera-0: dark"):
        go(run, "0", show=False)
    assert not Path("predictions").exists()


def test_ctrl_c_ends_a_camera_as_it_should_be_ended(here, run, monkeypatch):
    monkeypatch.setattr(reading, "frames_from", camera(1_000_000))
    result = go(run, "0", show=False, hooks=(interrupt_after(3),))
    assert not result.stopped and result.faults == ()
    assert frames_of(result.videos[0]) == result.frames == len(records(result.folder))


# The command ------------------------------------------------------------------------------


def test_what_the_command_says(here, run):
    photos()
    done = command("predict", run, "photos", "--no-images")
    assert done.exit_code == 0, done.output
    assert "objects with a score from 0.25 on (--conf)" in done.stdout
    assert "predictions/m-photos" in done.stdout.splitlines()[-1]
    assert not Path("predictions/m-photos/images").exists()
    quiet = command("predict", run, "photos", "--fresh", "--quiet")
    assert quiet.exit_code == 0 and quiet.output == ""
    as_json = command("predict", run, "photos", "--fresh", "--json", "--conf", "0.9")
    told = json.loads(as_json.stdout)
    assert told["pictures"] == told["pictures_in_all"] == 3 and told["least_score"] == 0.9
    assert told["folder"] == "predictions/m-photos" and told["faults"] == []


def test_settings_are_given_once(here, run):
    photos()
    twice = command("predict", run, "photos", "--conf", "0.5", "--set", "conf=0.4")
    assert isinstance(twice.exception, InputError)
    assert "--set conf=0.4: conf was given before, as 0.5" in str(twice.exception)
    none = command("predict", run, "photos", "--set", "conf")
    assert "expected key=value" in str(none.exception)
