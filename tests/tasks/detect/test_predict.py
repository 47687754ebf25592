"""A detector on pictures answers as Ultralytics' own predict does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from made_runs import CLASSES, make_run

from vqc.errors import InputError
from vqc.runs import Run
from vqc.tasks.contract import Picture
from vqc.tasks.detect.predict import TRACKER, _Tracker, predict

CPU = {"device": "cpu"}


def name_classes(run: Run) -> Run:
    """The run's classes in its weights, as a training writes them."""
    import torch

    saved = torch.load(run.weights, weights_only=False)
    saved["model"].names = dict(enumerate(run.classes))
    torch.save(saved, run.weights)
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return name_classes(make_run(tmp_path_factory.mktemp("runs") / "m"))


def picture(seed, width=64, height=48, track=None):
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Picture(f"p{seed}", rgb, track)


def answers(run, pictures, **settings):
    return [found for _, found in predict(run, pictures, CPU | settings)]


@pytest.mark.parametrize("settings", [{}, {"conf": 0.01, "iou": 0.4, "imgsz": 96}])
def test_boxes_and_scores_are_those_of_ultralytics(run, settings):
    from ultralytics import YOLO

    model = YOLO(run.weights)
    asked = {"imgsz": 64, **settings}
    pictures = [picture(0), picture(1, 48, 64), picture(2, 200, 120), picture(3, 9, 7)]
    count = 0
    for shown, found in zip(pictures, answers(run, pictures, **settings), strict=True):
        (result,) = model.predict(shown.rgb[..., ::-1], device="cpu", verbose=False, **asked)
        rows = result.boxes.data.numpy()
        rows = rows[np.argsort(-rows[:, 4], kind="stable")]
        assert np.allclose(found.boxes_xyxy, rows[:, :4], atol=1e-3)
        assert np.allclose(found.scores, rows[:, 4], atol=1e-6)
        assert found.class_names == tuple(CLASSES[int(k)] for k in rows[:, 5])
        count += len(rows)
    assert count > 4


def test_answers_come_in_order_as_pictures_do(run):
    asked = []

    def pictures():
        for seed in range(3):
            asked.append(seed)
            yield picture(seed)

    for number, (shown, found) in enumerate(predict(run, pictures(), CPU)):
        assert shown.name == found.image == f"p{number}" and asked == list(range(number + 1))


def test_a_batch_changes_no_box(run):
    pictures = [picture(0), picture(1), picture(2, 48, 64), picture(3)]
    for one, many in zip(answers(run, pictures), answers(run, pictures, batch=3), strict=True):
        assert np.allclose(one.boxes_xyxy, many.boxes_xyxy, atol=0.01)
        assert np.allclose(one.scores, many.scores, atol=1e-4)


def test_boxes_lie_in_the_picture_and_the_surest_are_first(run):
    for found in answers(run, [picture(seed, 50, 37) for seed in range(4)], conf=0.01):
        boxes = found.boxes_xyxy
        assert len(boxes) and (np.diff(found.scores) <= 0).all()
        assert (boxes >= 0).all() and (boxes[:, 2] <= 50).all() and (boxes[:, 3] <= 37).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()


def test_all_that_does_not_fit_is_told_at_once(run):
    with pytest.raises(InputError) as caught:
        predict(run, [], {"conf": 2, "iou": "much", "colour": 1})
    message = str(caught.value)
    assert "conf: expected" in message and "iou: expected" in message and "colour: there" in message


@pytest.mark.parametrize("device", ["97", "gpu", "intel", "tpu", "vulkan"])
def test_a_device_that_is_not_there(run, device):
    with pytest.raises(InputError, match=f"^--device {device}: .*vqc doctor") as caught:
        predict(run, [], {"device": device})
    assert "\n" not in str(caught.value)


def test_only_the_device_is_blamed_on_the_device(run, monkeypatch):
    """What fails for another reason is not told as a mistake in --device."""
    from vqc import ultra

    ultra.prepare()
    from ultralytics.models.yolo.detect import DetectionPredictor

    def broken(*_, **__):
        raise RuntimeError("the layers do not fit")

    monkeypatch.setattr(DetectionPredictor, "setup_model", broken)
    with pytest.raises(RuntimeError, match="the layers do not fit"):
        predict(run, [], CPU)


@pytest.mark.parametrize("classes", [("bolt", "nut", "washer"), ("nut", "bolt"), ("bolt", "Nut")])
def test_weights_of_another_run_are_refused(run, classes):
    with pytest.raises(InputError, match="belongs to another run"):
        predict(replace(run, classes=classes), [], CPU)


# Following objects ------------------------------------------------------------------------


def boxes_at(frame):
    """Two squares on noise that move towards each other's side, as Ultralytics gives boxes."""
    from ultralytics.engine.results import Boxes

    left, right = 10 + 3 * frame, 200 - 3 * frame
    data = [[left, 20, left + 40, 60, 0.9, 0], [right, 120, right + 40, 160, 0.8, 0]]
    rgb = np.random.default_rng(0).integers(80, 120, (180, 260, 3), np.uint8)
    rgb[20:60, left : left + 40], rgb[120:160, right : right + 40] = 250, 10
    return SimpleNamespace(boxes=Boxes(np.array(data, np.float32), rgb.shape[:2]), bgr=rgb)


def test_objects_keep_their_numbers_and_another_video_begins_anew():
    from vqc import ultra

    ultra.prepare()
    tracker = _Tracker(0.25)
    shown = picture(0, track="a.mp4")
    ids = [tracker.ids(shown, boxes_at(frame)) for frame in range(30)]
    assert ids == [[1, 2]] * 30
    other = tracker.ids(picture(0, track="b.mp4"), boxes_at(0))
    assert other == [1, 2]


def test_a_tracker_of_the_working_folder_is_not_taken(tmp_path, monkeypatch):
    from vqc import ultra

    ultra.prepare()
    import ultralytics
    from ultralytics.trackers.utils import reid

    own = Path(ultralytics.__file__).parent / "cfg" / "trackers" / TRACKER
    planted = own.read_text().replace("with_reid: False", "with_reid: True")
    planted = planted.replace("model: auto", "model: planted.pt")
    planted = planted.replace("track_buffer: 30", "track_buffer: 1")
    (tmp_path / TRACKER).write_text(planted)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(reid, "ReID", lambda *_, **__: pytest.fail("a planted file is opened"))
    tracker = _Tracker(0.25)
    shown = picture(0, track="a.mp4")
    empty = SimpleNamespace(boxes=boxes_at(0).boxes[:0], bgr=boxes_at(0).bgr)
    assert tracker.ids(shown, boxes_at(0)) == [1, 2]
    for _ in range(5):  # a track lives longer than the planted file says
        assert tracker.ids(shown, empty) == []
    assert tracker.ids(shown, boxes_at(0)) == [1, 2]


def test_only_frames_of_videos_are_followed(run):
    still, *frames = answers(run, [picture(0), *[picture(0, track="v")] * 3], track=True)
    assert still.track_ids is None
    assert all(found.track_ids is not None and any(found.track_ids) for found in frames)
    # Fainter boxes keep tracks alive, but are not told.
    assert np.array_equal(still.scores, frames[0].scores) and (still.scores >= 0.25).all()
