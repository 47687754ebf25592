"""A run's model for other software answers the same, or is not kept."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from made_runs import make_run
from PIL import Image
from sets import HEIGHT, WIDTH, finish, picture
from typer.testing import CliRunner

from vqc import export_model
from vqc.cli import app
from vqc.dataset import open_dataset
from vqc.errors import InputError, OutputError
from vqc.export_model import Exported, export
from vqc.runs import Run, result_record
from vqc.types import Frame


def name_classes(run: Run) -> Run:
    """The run's classes in its weights, as a training writes them."""
    import torch

    saved = torch.load(run.weights, weights_only=False)
    saved["model"].names = dict(enumerate(run.classes))
    torch.save(saved, run.weights)
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """With names that Ultralytics, or a format, could take for something else."""
    folder = tmp_path_factory.mktemp("runs") / "yolov5n 'ü'; {x}"
    return name_classes(make_run(folder, classes=("qd 'old', {1}", 'Größe "漢"'))).folder


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def photos(folder, count=2):
    folder.mkdir()
    for seed in range(count):
        rgb = np.random.default_rng(seed).integers(0, 256, (48, 64, 3), np.uint8)
        Image.fromarray(rgb).save(folder / f"{seed}.png")
    return folder


@pytest.mark.parametrize("fmt", ["onnx", "torchscript"])
def test_the_exported_model_answers_as_the_original(here, run, fmt, monkeypatch):
    for package in export_model.FORMATS[fmt]:
        pytest.importorskip(package, reason=f"{package} is not installed (extra: export)")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("a command was run"))
    monkeypatch.setattr(subprocess, "check_output", lambda *_, **__: pytest.fail("likewise"))
    done = export(run, fmt, data=photos(here / "photos"))
    assert done.file == run / "export" / f"best.{fmt}" and done.file.is_file()
    assert done.agrees and done.pictures == 2 and done.boxes > 100 and done.imgsz == 64
    assert done.box_px < 0.1 and done.score < 1e-3
    told = json.loads(export_model.comparison_file(done.file).read_text())
    assert told["agrees"] is True and told["file"] == f"best.{fmt}"
    assert str(here) not in json.dumps(told | {"pictures_from": ""})
    assert not [p for p in done.file.parent.iterdir() if p.name.startswith(".")]
    with pytest.raises(InputError, match="is there already; --fresh replaces it"):
        export(run, fmt)


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    """A run, and its model as the exporter writes it."""
    made = name_classes(make_run(tmp_path_factory.mktemp("ready") / "m"))
    return made, export(made.folder, "torchscript").file.rename(made.folder / "ready.torchscript")


@pytest.fixture
def at_once(ready, here, monkeypatch):
    """A folder of that run, of which the model is written without a wait."""
    made, file = ready

    def exported(network, run, fmt, size, scratch):
        return Path(shutil.copyfile(file, scratch / "best.torchscript"))

    monkeypatch.setattr(export_model, "_exported", exported)
    folder = here / "runs" / "detect" / "m"
    folder.mkdir(parents=True)
    for name in ("best.pt", "run.json"):
        shutil.copyfile(made.folder / name, folder / name)
    return dataclasses.replace(made, folder=folder)


def spoil(monkeypatch, change):
    """The exported model answers otherwise."""
    loaded = export_model._loaded

    def spoilt(made, fmt):
        answer, notes = loaded(made, fmt)
        return (lambda tensor: change(answer(tensor).copy())), notes

    monkeypatch.setattr(export_model, "_loaded", spoilt)


def shifted(rows):
    rows[:, 0] += 5
    return rows


def not_a_number(rows):
    rows[:, 4] = np.nan
    return rows


def test_a_model_that_answers_otherwise_is_not_kept(here, tmp_path, monkeypatch):
    folder = name_classes(make_run(tmp_path / "m")).folder
    spoil(monkeypatch, shifted)
    done = CliRunner().invoke(app, ["export-model", str(folder), "--format", "torchscript"])
    assert done.exit_code == 1
    assert "best.torchscript is not kept: boxes differ" in done.stderr
    assert "by up to 5 px (tolerance 1)" in done.stderr
    kept = sorted(path.name for path in (folder / "export").iterdir())
    assert kept == ["best.torchscript.json"]
    told = json.loads((folder / "export" / kept[0]).read_text())
    assert told["agrees"] is False and told["pictures_from"] == "made" and told["pictures"] == 8


def test_not_a_number_agrees_with_nothing(here, tmp_path, monkeypatch):
    spoil(monkeypatch, not_a_number)
    done = export(
        name_classes(make_run(tmp_path / "m")).folder, "torchscript", data=photos(here / "photos")
    )
    assert not done.agrees and not done.file.exists()
    assert done.record()["score"] is None


def test_a_fresh_model_that_does_not_agree_leaves_no_earlier_one(at_once, here, monkeypatch):
    folder, data = at_once.folder, photos(here / "photos")
    assert export(folder, "torchscript", data=data).file.is_file()
    with monkeypatch.context() as patch:
        spoil(patch, shifted)
        done = export(folder, "torchscript", data=data, fresh=True)
    assert [path.name for path in done.file.parent.iterdir()] == ["best.torchscript.json"]
    assert json.loads(export_model.comparison_file(done.file).read_text())["agrees"] is False
    assert export(folder, "torchscript", data=data).agrees and done.file.is_file()


@pytest.mark.parametrize("earlier", [False, True])
def test_an_interruption_leaves_no_model_without_its_comparison(
    at_once, here, monkeypatch, earlier
):
    folder, data = at_once.folder, photos(here / "photos")
    if earlier:
        export(folder, "torchscript", data=data)

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(export_model, "replace_file", interrupted)
        with pytest.raises(KeyboardInterrupt):
            export(folder, "torchscript", data=data, fresh=earlier)
    assert list((folder / "export").iterdir()) == []
    assert export(folder, "torchscript", data=data).file.is_file()


def test_a_model_in_a_folder_replaces_an_earlier_one(tmp_path):
    """As OpenVINO's, without OpenVINO: of the earlier one no file is left."""
    target = tmp_path / "export" / "best_openvino_model"
    for number in range(2):
        scratch = tmp_path / "export" / f"scratch{number}"
        made = scratch / "best_openvino_model"
        made.mkdir(parents=True)
        (made / f"{number}.xml").write_text("<net/>")
        done = Exported("0123456789ab", "openvino", target, 64, 1, "made", 1, 0.0, 0.0)
        export_model._place(done, made, scratch)
    assert [path.name for path in target.iterdir()] == ["1.xml"]
    assert json.loads(export_model.comparison_file(target).read_text())["agrees"] is True


def test_weights_of_another_run_are_not_written(at_once):
    swapped = dataclasses.replace(at_once, classes=at_once.classes[::-1])
    (at_once.folder / "run.json").write_text(json.dumps(result_record(swapped)))
    with pytest.raises(InputError, match="belongs to another run"):
        export(at_once.folder, "torchscript")


def test_the_pictures_are_of_the_runs_own_set(at_once, here, monkeypatch):
    """Whatever its folder is called, and wherever the command is given; never a namesake."""
    root, elsewhere = here / "datasets" / "renamed", here / "elsewhere"
    digest = picture(root / "images/test/a.png", 0)
    frame = Frame(
        "images/test/a.png", digest, digest[:16], WIDTH, HEIGHT, "real", "s",
        split="test", objects=(),
    )  # fmt: skip
    finish(root, "mix", [frame])
    own = open_dataset(root)
    known = dataclasses.replace(at_once, dataset_name=own.manifest.name, manifest_sha256=own.sha256)
    (at_once.folder / "run.json").write_text(json.dumps(result_record(known)))
    namesake = elsewhere / "datasets" / own.manifest.name
    namesake.parent.mkdir(parents=True)
    photos(namesake, 3)
    monkeypatch.chdir(elsewhere)
    done = export(at_once.folder, "torchscript")
    assert done.pictures == 1 and Path(done.pictures_from).resolve() == root.resolve()
    root.rename(here / "away")
    assert export(at_once.folder, "torchscript", fresh=True).pictures_from == "made"


def test_an_unknown_format_lists_the_known_ones(here, run):
    with pytest.raises(InputError, match="expected onnx, openvino, torchscript, got 'tflite'"):
        export(run, "tflite")


def test_a_missing_package_is_named_and_not_installed(here, run, monkeypatch):
    monkeypatch.setattr(export_model, "_is_installed", lambda name: name != "onnxslim")
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a command was run"))
    with pytest.raises(InputError, match=r"needs onnxslim, not installed here: pip install onnx"):
        export(run, "onnx", fresh=True)


def test_ultralytics_may_install_nothing():
    from vqc import ultra

    ultra.prepare()
    from ultralytics.utils import AUTOINSTALL
    from ultralytics.utils.checks import check_requirements

    assert AUTOINSTALL is False
    assert check_requirements("surely-no-such-package>=99") is False


def test_what_cannot_be_used_is_told(here, run, monkeypatch):
    with pytest.raises(InputError, match="there is no such run"):
        export(Path("nowhere"), "onnx")
    with pytest.raises(InputError, match="--imgsz: expected 32 to 8192 px, got 8"):
        export(run, "torchscript", imgsz=8, fresh=True)
    with pytest.raises(InputError, match="--data nowhere: there is no such folder"):
        export(run, "torchscript", data=Path("nowhere"), fresh=True)
    Path("empty").mkdir()
    with pytest.raises(InputError, match="empty: no picture inside to compare on"):
        export(run, "torchscript", data=Path("empty"), fresh=True)
    Path("empty/a.jpg").write_bytes(b"nothing")
    with pytest.raises(InputError, match="a picture of it is no JPEG"):
        export(run, "torchscript", data=Path("empty"), fresh=True)


def test_a_place_that_cannot_be_written(here, tmp_path):
    folder = name_classes(make_run(tmp_path / "m")).folder
    (folder / "export").write_text("a file is in the place")
    with pytest.raises(OutputError, match="export: cannot be written"):
        export(folder, "torchscript", data=photos(here / "photos"))
