"""Training sets read from disk: frames of each split, the kind of box, what changed since."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
from training import SPLITS, finish_set, write_set

from vqc.dataset import changed, dataset_from, open_dataset
from vqc.errors import InputError, ManifestError


@pytest.fixture
def dataset(tmp_path):
    return write_set(tmp_path / "squares")


def test_frames_come_by_split_in_the_manifests_order(dataset):
    for split, count in SPLITS.items():
        images = [frame.image for frame in dataset.frames(split)]
        assert len(images) == count and images == sorted(images)
        assert all(image.startswith(f"images/{split}/") for image in images)
    assert dataset.frames("other") == ()


def test_the_hash_is_the_files(dataset):
    data = (dataset.folder / "manifest.jsonl").read_bytes()
    assert dataset.sha256 == hashlib.sha256(data).hexdigest()


def test_paths_are_absolute_and_there(dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    relative = open_dataset(dataset.folder.relative_to(tmp_path))
    for frame in relative.manifest.frames:
        assert relative.path(frame).is_absolute() and relative.path(frame).is_file()


def test_the_kind_of_box_is_the_recipes(tmp_path):
    for box in ("modal", "amodal"):
        assert write_set(tmp_path / box, box=box).box == box


@pytest.mark.parametrize("recipe", [None, "box: [", "box: modal\n"])
def test_a_recipe_that_is_not_the_manifests_is_refused(dataset, recipe):
    """It says which boxes are the truth, so a score would be wrong without a word."""
    file = dataset.folder / "recipe.yaml"
    file.unlink()
    if recipe is not None:
        file.write_text(recipe)
    with pytest.raises(InputError, match=r"recipe.yaml.*which boxes count"):
        open_dataset(dataset.folder)


def test_folders_that_are_no_set_are_told(tmp_path):
    with pytest.raises(InputError, match="no such folder; vqc mix"):
        open_dataset(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="no such folder"):
        open_dataset(tmp_path / "file")
    with pytest.raises((InputError, ManifestError), match=str(tmp_path)):
        open_dataset(tmp_path)


def test_frames_and_hash_are_of_the_same_bytes(dataset, tmp_path, monkeypatch):
    """Another mix is put in its place at any moment: one of both is read, never a mixture."""
    file = dataset.folder / "manifest.jsonl"
    first = file.read_bytes()
    second = (write_set(tmp_path / "more", {"train": 9}).folder / "manifest.jsonl").read_bytes()
    read, wanted = Path.read_bytes, {}
    for data in (first, second):
        manifest = dataset_from(data, dataset.folder).manifest
        wanted[hashlib.sha256(data).hexdigest()] = len(manifest.frames)

    def then_changed(path):
        data = read(path)
        if path == file:
            file.write_bytes(second)
        return data

    monkeypatch.setattr(Path, "read_bytes", then_changed)
    found = open_dataset(dataset.folder)
    assert wanted[found.sha256] == len(found.manifest.frames)


def test_a_set_without_its_folder(dataset):
    data = (dataset.folder / "manifest.jsonl").read_bytes()
    shutil.rmtree(dataset.folder)
    again = dataset_from(data, dataset.folder)
    assert again.sha256 == dataset.sha256 and again.manifest == dataset.manifest
    with pytest.raises(InputError, match="its manifest does not read"):
        dataset_from(data[: len(data) // 2], dataset.folder)
    with pytest.raises(InputError, match="its manifest does not read"):
        dataset_from(b"", dataset.folder)


def test_what_changed_is_told_picture_by_picture(dataset):
    frames = dataset.manifest.frames
    assert changed(dataset, frames) == []
    gone, other, folder = (dataset.path(frame) for frame in frames[:3])
    gone.unlink()
    other.write_bytes(other.read_bytes() + b"\x00")
    folder.unlink()
    folder.mkdir()
    told = changed(dataset, frames)
    assert [line.split(": ")[0] for line in told] == [frame.image for frame in frames[:3]]
    assert "No such file" in told[0] and told[1].endswith("changed since")
    assert "directory" in told[2]
    assert changed(dataset, frames[3:]) == []


def test_an_empty_split_is_no_fault(tmp_path):
    dataset = finish_set(tmp_path, list(write_set(tmp_path, {"train": 3}).manifest.frames))
    assert dataset.frames("val") == () and changed(dataset, ()) == []
