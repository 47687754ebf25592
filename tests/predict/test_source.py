"""What a user calls SOURCE, and what it stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from vqc.errors import InputError
from vqc.predict.source import find, require_apart


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A folder with pictures whose names clash, a video and a text."""
    monkeypatch.chdir(tmp_path)
    names = ("b.JPG", "a.png", "a.jpg", "sub/a.jpg", "größe 漢.webp", "walk.mp4", "notes.txt")
    for name in names:
        file = Path("photos", name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    return Path("photos")


def test_a_folder_gives_pictures_then_videos_sorted(photos):
    found = find(["photos"])
    assert found.name == "photos" and found.live is None
    assert [f.name for f in found.stills] == [
        "a.jpg", "a.png", "b.JPG", "größe 漢.webp", "sub/a.jpg"
    ]  # fmt: skip
    assert [f.name for f in found.clips] == ["walk.mp4"]


def test_stems_are_names_without_suffix_as_far_as_they_differ(photos):
    assert [f.stem for f in find(["photos"]).stills] == [
        "a.jpg", "a.png", "b", "größe 漢", "sub/a"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("photos/*.jpg", ["a.jpg"]),
        ("photos/**/*.jpg", ["a.jpg", "sub/a.jpg"]),
        ("photos/a.*", ["a.jpg", "a.png"]),
    ],
)
def test_patterns(photos, pattern, expected):
    assert [f.name for f in find([pattern]).stills] == expected


def test_a_picture_that_is_meant_twice_counts_once(photos):
    assert len(find(["photos/a.jpg", "photos/*.jpg"]).stills) == 1


def test_a_name_with_characters_of_patterns_is_a_file_first(photos):
    file = photos / "a[1].jpg"
    file.write_bytes(b"x")
    assert [f.path for f in find([str(file)]).stills] == [file]


def test_everything_that_leads_nowhere_is_told_at_once(photos):
    Path("empty").mkdir()
    with pytest.raises(InputError) as caught:
        find(["empty", "nothere.jpg", "photos/*.bmp", "http://host/x.mp4", "photos"])
    first, *rest = str(caught.value).splitlines()
    assert first.startswith("empty: no picture and no video inside (looked for .jpg")
    assert rest == [
        "nothere.jpg: there is no such file or folder; expected pictures, a video, a camera's "
        "number or an RTSP address",
        "photos/*.bmp: no picture and no video fits this pattern",
        "http://…: expected an address that begins with rtsp:// or rtsps://",
    ]


def test_a_number_is_a_camera_unless_it_is_a_file(photos):
    live = find(["0"]).live
    assert live is not None and live.address == 0 and live.name == live.slug == "camera-0"
    Path("0").mkdir()
    Path("0/a.jpg").write_bytes(b"x")
    assert len(find(["0"]).stills) == 1


def test_no_password_of_a_camera_is_in_its_name():
    address = "rtsp://me:secret@10.0.0.7:554/door?token=secret"
    found = find([address])
    assert found.live is not None and found.live.address == address
    assert found.live.name == "rtsp://10.0.0.7:554/door"
    assert found.live.slug == found.name == "rtsp-10.0.0.7-554-door"


@pytest.mark.parametrize("address", ["rtsp://", "rtsp://:554/x", "rtsp://host:port/x"])
def test_rtsp_addresses_that_are_none(address):
    with pytest.raises(InputError, match="RTSP address"):
        find([address])


def test_a_camera_stands_alone(photos):
    with pytest.raises(InputError, match="camera-0: a camera is a source of its own"):
        find(["photos", "0"])


def test_the_output_may_not_lie_in_the_source(photos):
    found = find(["photos"])
    with pytest.raises(InputError, match="lies in the source photos"):
        require_apart(found, ["photos"], Path("photos/out"))
    require_apart(found, ["photos"], Path("photos-out"))
