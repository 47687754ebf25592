"""A run's model for other software answers the same, or is not kept."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from made_runs import make_run
from PIL import Image
from typer.testing import CliRunner

from vqc import export_model
from vqc.cli import app
from vqc.errors import InputError, OutputError
from vqc.export_model import export


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """With names that Ultralytics, or a format, could take for something else."""
    folder = tmp_path_factory.mktemp("runs") / "yolov5n 'ü'; {x}"
    return make_run(folder, classes=("qd 'old', {1}", 'Größe "漢"')).folder


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
    folder = make_run(tmp_path / "m").folder
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
    done = export(make_run(tmp_path / "m").folder, "torchscript", data=photos(here / "photos"))
    assert not done.agrees and not done.file.exists()
    assert done.record()["score"] is None


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
    folder = make_run(tmp_path / "m").folder
    (folder / "export").write_text("a file is in the place")
    with pytest.raises(OutputError, match="export: cannot be written"):
        export(folder, "torchscript", data=photos(here / "photos"))
