"""Sources → pictures: upright, in RGB, and one bad file stops nothing."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import noise, save, write_video
from PIL import Image

from vqc.errors import InputError
from vqc.predict import reading, source
from vqc.predict.reading import read_still

RGB = noise(0)


@pytest.fixture(scope="module", autouse=True)
def prepared():
    reading.prepare()


def shots(*sources, fps=None, limit=None):
    faults = []
    texts = list(map(str, sources))
    return list(reading.shots(source.find(texts), fps, limit, faults)), faults


@pytest.mark.parametrize(("orientation", "quarters"), [(3, 2), (6, 1), (8, 3)])
def test_pictures_are_turned_as_exif_says(tmp_path, orientation, quarters):
    exif = Image.Exif()
    exif[274] = orientation
    file = save(tmp_path / "turned.png", np.ascontiguousarray(np.rot90(RGB, quarters)), exif=exif)
    assert np.array_equal(read_still(file), RGB)


def test_every_kind_of_pixels_becomes_rgb(tmp_path):
    image = Image.fromarray(RGB)
    grey = np.asarray(image.convert("L"))
    alpha = np.dstack([RGB, np.full(RGB.shape[:2], 7, np.uint8)])
    as_grey = np.dstack([grey] * 3)
    for name, pixels, expected in (
        ("grey", grey, as_grey),
        ("grey16", grey.astype(np.uint16) * 257, as_grey),
        ("rgba", alpha, RGB),
    ):
        assert np.array_equal(read_still(save(tmp_path / f"{name}.png", pixels)), expected)
    deep = tmp_path / "colour16.png"
    cv2.imwrite(str(deep), RGB[..., ::-1].astype(np.uint16) * 257)
    assert np.array_equal(read_still(deep), RGB)
    image.quantize(64).save(tmp_path / "palette.png")
    assert np.array_equal(
        read_still(tmp_path / "palette.png"), np.asarray(image.quantize(64).convert("RGB"))
    )
    image.convert("CMYK").save(tmp_path / "cmyk.tif")
    assert read_still(tmp_path / "cmyk.tif").shape == RGB.shape


def test_what_does_not_open_is_told_in_words(tmp_path, monkeypatch):
    whole = save(tmp_path / "whole.jpg", noise(1, 640, 480), quality=95).read_bytes()
    faults = {
        "cut.jpg": (whole[: len(whole) // 2], "is cut off or damaged"),
        "empty.jpg": (b"", "^is empty$"),
        "text.png": (b"hello", "is no JPEG, PNG, BMP, TIFF, WebP or HEIC picture"),
    }
    for name, (data, message) in faults.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match=message):
            read_still(tmp_path / name)
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(InputError, match="has 32 bits a channel"):
        read_still(tmp_path / "float.tif")
    with pytest.raises(InputError, match="is no longer there"):
        read_still(tmp_path / "gone.jpg")
    monkeypatch.setattr(reading, "LARGEST_MPX", 0.1)
    with pytest.raises(InputError, match=r"more than 0\.1 megapixels"):
        read_still(tmp_path / "whole.jpg")


def test_one_bad_file_stops_nothing(tmp_path):
    save(tmp_path / "a.png", RGB)
    (tmp_path / "b.png").write_bytes(b"nothing")
    (tmp_path / "bad.mp4").write_bytes(b"nothing")
    save(tmp_path / "c.png", RGB)
    came, faults = shots(tmp_path)
    assert [shot.picture.name for shot in came] == ["a.png", "c.png"]
    assert len(faults) == 2
    assert faults[0].startswith(f"{tmp_path}/b.png: is no JPEG")
    assert faults[1].startswith(f"{tmp_path}/bad.mp4: does not open as a video")


def test_a_name_that_is_no_text_can_be_printed(tmp_path):
    try:
        Path(f"{tmp_path}/x\udcff.jpg").write_bytes(b"nothing")
    except OSError:
        pytest.skip("this file system takes no such names")
    _, (fault,) = shots(tmp_path)
    assert "x\\udcff.jpg: is no JPEG" in fault and fault.isprintable()


def test_frames_have_numbers_times_and_one_track(tmp_path):
    stamps = [0, 40, 300, 310, 1000]
    video = write_video(tmp_path / "walk.mkv", [noise(k) for k in range(5)], stamps)
    came, faults = shots(video)
    assert not faults and reading.count(source.find([str(video)]), None, 3) == 3
    assert [shot.picture.name for shot in came] == [f"walk.mkv#{k}" for k in range(5)]
    assert [round(shot.time_s * 1000) for shot in came] == stamps
    assert {shot.picture.track for shot in came} == {"walk.mkv"}
    assert [shot.frame for shot in shots(video, fps=2)[0]] == [0, 4]
    assert [shot.frame for shot in shots(video, limit=2)[0]] == [0, 1]


def test_a_turned_video_is_upright(tmp_path):
    video = write_video(tmp_path / "turned.mp4", [noise(0)] * 2, turn=90)
    came, _ = shots(video)
    assert [shot.picture.rgb.shape for shot in came] == [(64, 48, 3)] * 2
    turned = np.rot90(RGB, 1).astype(int)
    assert np.abs(came[0].picture.rgb.astype(int) - turned).mean() < 10


def test_a_video_that_ends_broken_gives_what_it_has(tmp_path):
    whole = write_video(tmp_path / "whole.mkv", [noise(k, 320, 240) for k in range(20)])
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    came, (fault,) = shots(cut)
    assert 0 < len(came) < 20
    assert fault.startswith(f"{cut}: is cut off") and f"{len(came)} frames" in fault
