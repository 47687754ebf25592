"""The sample parts: made alike every time, as committed, and sound when read back."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "cad_models"
STEMS = ("bracket", "quadrupole_qd", "quadrupole_qf", "sextupole_sd")
MAGNETS = STEMS[1:]
OCCT = "7.9.3"


def start(out: Path, *stems: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(FOLDER / "make_parts.py"), *stems, "--out", str(out)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def finish(run: subprocess.Popen[str]) -> None:
    _, errors = run.communicate(timeout=300)
    assert run.returncode == 0, errors


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    stems = ("bracket", "sextupole_sd")
    runs = [start(tmp_path / "first", *stems), start(tmp_path / "second", *reversed(stems))]
    for run in runs:
        finish(run)
    for stem in stems:
        first, second = (tmp_path / run / f"{stem}.step" for run in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()


def test_committed_files_are_what_the_script_writes(tmp_path: Path) -> None:
    found = importlib.metadata.version("cadquery-ocp")
    if not f"{found}.".startswith(f"{OCCT}."):
        pytest.skip(f"the committed files were made by cadquery-ocp {OCCT}, here is {found}")
    finish(start(tmp_path))
    assert sorted(file.stem for file in tmp_path.iterdir()) == list(STEMS)
    for stem in STEMS:
        assert (tmp_path / f"{stem}.step").read_bytes() == (FOLDER / f"{stem}.step").read_bytes()


@pytest.mark.parametrize("stem", STEMS)
def test_file_is_small_and_names_no_folder(stem: str) -> None:
    text = (FOLDER / f"{stem}.step").read_text("ascii")
    assert len(text) < 600_000
    assert "/" not in text.split("ENDSEC;")[0]
    assert f"FILE_NAME('{stem}.step','2026-01-01T00:00:00'" in text


@pytest.mark.parametrize("stem", MAGNETS)
def test_magnet_has_named_parts_that_repeat(stem: str) -> None:
    text = (FOLDER / f"{stem}.step").read_text("ascii")
    products = re.findall(r" = PRODUCT\('([^']*)'", text)
    placed = re.findall(r"NEXT_ASSEMBLY_USAGE_OCCURRENCE\('\d+','([^']*)'", text)
    assert len(products) == len(set(products))
    assert {"coil", "pole", "end_plate", "base", "terminal_block", "bolt_m12"} <= set(products)
    assert placed.count("sextant" if stem == "sextupole_sd" else "quarter") in (4, 6)
    assert placed.count("bolt_m12") > 10


@pytest.mark.parametrize("stem", STEMS)
def test_every_leaf_is_one_valid_coloured_solid(stem: str) -> None:
    from OCP.BRepCheck import BRepCheck_Analyzer
    from OCP.Quantity import Quantity_Color
    from OCP.STEPCAFControl import STEPCAFControl_Reader
    from OCP.TCollection import TCollection_ExtendedString
    from OCP.TDF import TDF_LabelSequence
    from OCP.TDocStd import TDocStd_Document
    from OCP.TopAbs import TopAbs_SOLID
    from OCP.XCAFDoc import XCAFDoc_ColorSurf, XCAFDoc_DocumentTool

    document = TDocStd_Document(TCollection_ExtendedString("XmlOcaf"))
    reader = STEPCAFControl_Reader()
    reader.ReadFile(str(FOLDER / f"{stem}.step"))
    assert reader.Transfer(document)
    shapes = XCAFDoc_DocumentTool.ShapeTool_s(document.Main())
    colors = XCAFDoc_DocumentTool.ColorTool_s(document.Main())
    labels = TDF_LabelSequence()
    shapes.GetShapes(labels)
    leaves = [label for label in labels if not shapes.IsAssembly_s(label)]
    assert len(leaves) == (1 if stem == "bracket" else 23)
    for leaf in leaves:
        shape = shapes.GetShape_s(leaf)
        assert shape.ShapeType() == TopAbs_SOLID
        assert BRepCheck_Analyzer(shape).IsValid()
        assert colors.GetColor_s(leaf, XCAFDoc_ColorSurf, Quantity_Color())
