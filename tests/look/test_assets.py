import cv2
import numpy as np
import pytest
from sets import picture, render_set

from vqc.errors import InputError
from vqc.look.assets import find_pictures, require_readable
from vqc.look.rest import RestPose
from vqc.look.stock import PHOTO_PX, photo, pick


def test_files_and_folders_give_every_picture_once_and_sorted(tmp_path):
    for name in ("b.jpg", "a/z.PNG", "a/deep/y.jpeg", "a/deep/x.tif"):
        picture(tmp_path / name.lower(), 1)
        (tmp_path / name.lower()).rename(tmp_path / name)
    (tmp_path / "a" / "note.txt").write_text("no picture")
    found = find_pictures([tmp_path / "b.jpg", tmp_path, tmp_path / "a"])
    assert [p.relative_to(tmp_path).as_posix() for p in found] == [
        "a/deep/x.tif", "a/deep/y.jpeg", "a/z.PNG", "b.jpg"
    ]  # fmt: skip
    assert find_pictures([]) == []


def test_of_a_set_only_frames_that_are_known_to_be_empty(tmp_path):
    render_set(tmp_path / "set")  # frame 0 is nobody's, frame 1 is empty
    found = find_pictures([tmp_path / "set"])
    assert [p.name for p in found] == ["qf_000001.png"] and found[0].is_file()


def test_every_place_without_a_picture_is_told_at_once(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "note.txt").write_text("no picture")
    render_set(tmp_path / "full", 2)
    manifest = (tmp_path / "full" / "manifest.jsonl").read_text().splitlines(keepends=True)
    kept = [line for line in manifest if "qf_000001" not in line]
    (tmp_path / "full" / "manifest.jsonl").write_text("".join(kept))
    places = [tmp_path / name for name in ("gone", "empty", "note.txt", "full")]
    with pytest.raises(InputError) as caught:
        find_pictures(places)
    gone, empty, note, full = str(caught.value).splitlines()
    assert "gone: there is no such file or folder" in gone
    assert "empty: holds no picture; expected .jpg" in empty and "note.txt: holds no" in note
    assert "full: the set holds no background" in full and "vqc intake" in full


def test_photos_are_kept_small_and_in_their_colours(tmp_path):
    wide = np.zeros((300, 2000, 3), np.uint8)
    wide[..., 0] = 200  # blue to OpenCV
    cv2.imwrite(str(tmp_path / "wide.png"), wide)
    found = photo(tmp_path / "wide.png")
    assert found.shape == (round(300 * PHOTO_PX / 2000), PHOTO_PX, 3)
    assert (found == (0, 0, 200)).all() and found.flags.c_contiguous
    cv2.imwrite(str(tmp_path / "small.png"), wide[:9, :12, 0])
    assert photo(tmp_path / "small.png").shape == (9, 12, 3)


def test_a_photo_that_cannot_be_read_is_told(tmp_path):
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8 and no more")
    with pytest.raises(InputError, match=r"torn.jpg: this background cannot be read"):
        photo(tmp_path / "torn.jpg")


def test_poses_are_picked_by_their_probability():
    poses = [RestPose(np.eye(3), 0.0, share) for share in (0.5, 0.3, 0.2)]
    shares = np.arange(1000) / 1000
    picked = [pick(poses, share).probability for share in shares]
    assert [picked.count(p.probability) for p in poses] == pytest.approx([500, 300, 200], abs=1)
    assert pick(poses, 0.9999999999999999) is poses[-1]


def test_every_picture_that_cannot_be_read_whole_is_told_at_once(tmp_path):
    good, torn, empty = (tmp_path / name for name in ("good.jpg", "torn.jpg", "empty.png"))
    cv2.imwrite(str(good), np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8))
    torn.write_bytes(good.read_bytes()[:9000])
    empty.touch()
    require_readable([good])
    with pytest.raises(InputError, match=r"torn.jpg: cannot be read(?s:.*)empty.png"):
        require_readable([good, torn, empty])
