"""Files that appear whole, and folders that one command at a time has."""

import fcntl

import pytest

from vqc import files
from vqc.errors import BusyError, InputError, OutputError
from vqc.files import held, replace_file


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


# Held folders -----------------------------------------------------------------------------


def test_one_command_at_a_time_holds_a_folder(tmp_path):
    folder = tmp_path / "a" / "b"
    with held(folder, "it is busy"):
        with pytest.raises(BusyError, match="it is busy"), held(folder, "it is busy"):
            pass
        assert issubclass(BusyError, InputError)
    with held(folder, "it is busy"):
        assert [path.name for path in folder.iterdir()] == [files.LOCK]


def test_a_place_without_locks_is_not_called_busy(tmp_path, monkeypatch):
    def no_locks(file, how):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    said = "cannot be locked: Operation not supported"
    with pytest.raises(OutputError, match=said), held(tmp_path, "it is busy"):
        pass


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError, match="file/b: cannot be written"),
        held(tmp_path / "file" / "b", "it is busy"),
    ):
        pass
