"""Pre-labels make the round through a labelling tool, and never pass for truth on their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import name_classes, noise, save, write_video
from made_runs import CLASSES, make_run
from PIL import Image

from vqc import mix
from vqc.errors import InputError
from vqc.export import export
from vqc.intake.build import take_in
from vqc.intake.request import Request as Intake
from vqc.manifest import read_manifest
from vqc.predict.job import predict
from vqc.predict.request import Request
from vqc.verify import verify

SET = Path("datasets/pre")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return name_classes(make_run(tmp_path_factory.mktemp("runs") / "m")).folder


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Two pictures with fractions in their boxes, one turned by EXIF, and a copy of one."""
    monkeypatch.chdir(tmp_path)
    exif = Image.Exif()
    exif[274] = 6
    save(Path("photos/a.png"), noise(0, 90, 70))
    save(Path("photos/größe 1.jpg"), noise(1, 70, 90), quality=95)
    save(Path("photos/turned.png"), np.rot90(noise(2, 90, 70)).copy(), exif=exif)
    save(Path("photos/z.png"), noise(0, 90, 70))
    return "photos"


def label(run, *sources, name="pre", **fields):
    settings = {"device": "cpu"}
    return predict(Request(run, sources, settings=settings, as_set=name, images=False, **fields))


@pytest.mark.parametrize("fmt", ["cvat", "labelstudio"])
def test_a_round_through_a_labelling_tool_changes_nothing(photos, run, fmt):
    result = label(run, photos)
    assert result.as_set == (SET, 3)
    assert result.faults == ("photos/z.png: not in the set: the same picture as a.png",)
    assert verify(SET) == []
    before = read_manifest(SET)
    assert before.classes == CLASSES
    export(SET, fmt, Path("exported"))
    take_in(Path("exported"), Intake("back"))
    after = {frame.sha256: frame for frame in read_manifest(Path("datasets/back")).frames}
    assert len(after) == 3 and sum(len(frame.objects) for frame in before.frames) > 3
    for frame in before.frames:
        same = after[frame.sha256]
        assert [o.class_name for o in frame.objects] == [o.class_name for o in same.objects]
        boxes = np.array([[o.box_xyxy for o in f.objects] for f in (frame, same)])
        assert np.abs(boxes[0] - boxes[1]).max() < 1e-6


def test_labels_fit_the_picture_as_stored(photos, run):
    label(run, photos)
    for frame in read_manifest(SET).frames:
        stored = Image.open(SET / frame.image)
        assert stored.size == (frame.width, frame.height) and stored.getexif().get(274, 1) == 1
        for thing in frame.objects:
            x0, y0, x1, y1 = thing.box_xyxy
            assert 0 <= x0 < x1 <= frame.width and 0 <= y0 < y1 <= frame.height
            assert thing.extra["score"] >= 0.25


def test_nobody_trains_on_them_by_accident(photos, run):
    label(run, photos)
    manifest = read_manifest(SET)
    assert manifest.extra == {"prelabels": True}
    assert all(frame.extra["prelabels"] is True for frame in manifest.frames)
    with pytest.raises(InputError, match="holds pre-labels, which nobody has checked"):
        mix.find_sets([SET])
    export(SET, "cvat", Path("exported"))
    take_in(Path("exported"), Intake("corrected"))
    folders, notes = mix.find_sets()
    assert folders == [Path("datasets/corrected")]
    assert len(notes) == 1 and notes[0].startswith("datasets/pre: not taken")


def test_frames_of_a_video_become_pictures_of_a_session(photos, run):
    write_video(Path("walk.mp4"), [noise(k) for k in range(4)])
    assert label(run, "walk.mp4").as_set == (SET, 4)
    assert verify(SET) == []
    frames = read_manifest(SET).frames
    assert {frame.session for frame in frames} == {"walk"}
    assert [frame.extra["time_s"] for frame in frames] == [0, 0.04, 0.08, 0.12]


def test_only_pre_labels_are_ever_replaced(photos, run):
    label(run, photos)
    with pytest.raises(InputError, match="holds pre-labels already; --fresh replaces them"):
        label(run, photos, out=Path("second"))
    assert label(run, "photos/a.png", out=Path("second"), fresh=True).as_set == (SET, 1)
    Path("photos/z.png").unlink()
    take_in(Path("photos"), Intake("own"))
    with pytest.raises(InputError, match="datasets/own is there and holds no pre-labels"):
        label(run, photos, name="own", out=Path("third"), fresh=True)
    assert len(read_manifest(Path("datasets/own")).frames) == 3


@pytest.mark.parametrize("name", ["../elsewhere", "a/b", ".hidden", ""])
def test_a_name_stays_inside_datasets(photos, run, name):
    with pytest.raises(InputError, match="--as-set: expected letters, digits"):
        label(run, photos, name=name)
    assert not Path("predictions").exists() and not Path("elsewhere").exists()
