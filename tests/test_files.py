import pytest

from vqc.files import replace_file


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "a" / "b.txt"
    for content in (b"one", b"two"):
        replace_file(path, content)
        assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_the_temporary_file_lies_in_the_scratch_folder(tmp_path):
    replace_file(tmp_path / "b.txt", b"one", tmp_path / "scratch")
    assert (tmp_path / "b.txt").read_bytes() == b"one"
    assert list((tmp_path / "scratch").iterdir()) == []


def test_what_cannot_be_written_leaves_the_old_file(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        replace_file(tmp_path / "folder", b"one")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]
