"""Which session a picture gets, and which val and test frames no score may be read from."""

import pytest

from vqc.errors import InputError
from vqc.formats.source import Item
from vqc.intake.sessions import rule_of, session_of, video_sessions, with_same_shoot
from vqc.types import Fault, Frame


def session(typed, file, **row):
    return session_of(Item(file, file, row=row), rule_of(typed, "boards"))


@pytest.mark.parametrize(
    ("typed", "file", "expected"),
    [
        (None, "a/b.jpg", "boards"),
        ("hall 3", "a/b.jpg", "hall 3"),
        ("folder", "december/b.jpg", "december"),
        ("folder", "b.jpg", "boards"),
        ("folder", "valid/images/december/b.jpg", "december"),
        ("folder", "train/images/b.jpg", "boards"),
        ("folder", "2024/december/b.jpg", "2024/december"),
        ("each", "a/b.jpg", "a/b.jpg"),
        ("regex:IMG_(\\d{8})_", "a/IMG_20181228_102420.jpg", "20181228"),
        ("regex:\\d{4}", "2019/b.jpg", "2019"),
        ("regex:(?:x|(y))b", "yb.jpg", "y"),
    ],
)
def test_a_rule_names_the_session(typed, file, expected):
    assert session(typed, file) == expected


def test_a_column_gives_its_value_or_a_part_of_it():
    assert session("column:shoot", "b.jpg", shoot=" may ") == "may"
    assert session("column:source:^(\\w+)/", "b.jpg", source="kos27/Part4.jpg") == "kos27"


@pytest.mark.parametrize(
    ("typed", "row", "said"),
    [
        ("regex:IMG_(\\d+)", {}, "does not match 'b.jpg'"),
        ("regex:(x)?b", {}, "expected a name"),
        ("column:shoot", {"camera": "1"}, "no column 'shoot' for this picture; its columns: cam"),
        ("column:shoot", {"shoot": " "}, "column shoot gives ' '"),
        ("column:shoot:^k", {"shoot": "may"}, "^k does not match 'may'"),
    ],
)
def test_a_picture_without_session_is_at_fault(typed, row, said):
    found = session(typed, "b.jpg", **row)
    assert isinstance(found, Fault) and found.file == "b.jpg" and said in found.message


@pytest.mark.parametrize("typed", ["regex:(", "regex:", "column:", "column::x", "", " a", "a\nb"])
def test_a_rule_that_is_none_is_refused(typed):
    with pytest.raises(InputError, match="--session"):
        rule_of(typed, "boards")


def test_videos_are_named_by_stem_and_by_path_where_two_share_it():
    names = video_sessions(["a/walk.mp4", "b/walk.mov", "b/hall.mp4"])
    assert names == {"a/walk.mp4": "a/walk.mp4", "b/walk.mov": "b/walk.mov", "b/hall.mp4": "hall"}


def frame(session, split):
    name = f"images/{session}_{split}.jpg"
    return Frame(name, "0" * 64, "0" * 16, 4, 3, "real", session, split=split)


def test_val_and_test_frames_beside_frames_to_train_on_are_marked():
    splits = {
        "a": ["train", "val", "test"],
        "b": ["val", "test"],
        "c": [None, "val"],
        "d": ["train", None],
    }
    frames = [frame(session, split) for session, all_of in splits.items() for split in all_of]
    marked, sessions = with_same_shoot(frames)
    assert sessions == ["a", "c"]
    assert [(f.session, f.split) for f in marked if f.same_shoot] == [
        ("a", "val"),
        ("a", "test"),
        ("c", "val"),
    ]
    again, none = with_same_shoot(f for f in marked if f.split in ("val", "test"))
    assert none == [] and not any(f.same_shoot for f in again)
