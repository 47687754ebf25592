"""STEP → meshes → STL and GLB, on shapes whose answers are known."""

from __future__ import annotations

import json
import math
import os
import random
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures import step_files as make

from vqc.cad import (
    MeshSettings,
    ReadLimits,
    cache,
    convert,
    find_step_files,
    read_step,
    reader,
)
from vqc.cad.mesh import GREY_RGBA, from_kernel, is_closed, size_mm
from vqc.cad.units import length_unit
from vqc.errors import CadError, InputError, OutputError
from vqc.types import Assembly, Part

SHARED = Path(__file__).parents[2] / "shared" / "data"
STEP, BOARDS = SHARED / "step", SHARED / "boards" / "cad"


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every generated STEP file, by stem."""
    return make.write_all(tmp_path_factory.mktemp("step"))


def volume_mm3(assembly: Assembly) -> float:
    """By the divergence theorem over every triangle as placed."""
    total = 0.0
    for part in assembly.parts:
        for at in part.placements:
            corners = (part.vertices_mm @ at[:3, :3].T + at[:3, 3])[part.faces]
            total += float(np.linalg.det(corners).sum()) / 6
    return total


def facing(part: Part) -> Any:
    """(F,) cosine between each triangle's own normal and the mean of its vertices'."""
    a, b, c = (part.vertices_mm[part.faces[:, i]] for i in range(3))
    own = np.cross(b - a, c - a)
    mean = part.normals[part.faces].mean(axis=1)
    return (own * mean).sum(1) / np.linalg.norm(own, axis=1) / np.linalg.norm(mean, axis=1)


def by_name(assembly: Assembly) -> dict[tuple[str | None, tuple[int, ...]], Part]:
    return {(p.name, tuple(p.face_rgba[0].tolist())): p for p in assembly.parts}


# --- geometry --------------------------------------------------------------------------


def test_a_sphere_has_its_volume_and_exact_outward_normals(files: dict[str, Path]) -> None:
    (part,) = read_step(files["sphere"], MeshSettings(0.0002)).parts
    radius = np.linalg.norm(part.vertices_mm, axis=1)
    np.testing.assert_allclose(radius, 10, rtol=1e-9)
    np.testing.assert_allclose(part.normals, part.vertices_mm / 10, atol=1e-5)
    assert is_closed(part)
    assert facing(part).min() > 0.9
    assert np.linalg.det(part.vertices_mm[part.faces]).sum() / 6 == pytest.approx(
        4 / 3 * math.pi * 1000, rel=0.005
    )


def test_a_plate_with_a_hole(files: dict[str, Path]) -> None:
    assembly = read_step(files["plate"])
    (part,) = assembly.parts
    assert volume_mm3(assembly) == pytest.approx(40 * 30 * 5 - math.pi * 25 * 5, rel=1e-3)
    assert size_mm(assembly).tolist() == pytest.approx([40, 30, 5])
    assert is_closed(part) and facing(part).min() > 0.9
    wall = np.hypot(*(part.vertices_mm - (20, 15, 0))[:, :2].T) < 5.001
    inwards = part.normals[wall] * (part.vertices_mm[wall] - (20, 15, 0))
    assert (inwards[:, :2].sum(axis=1)[np.abs(part.normals[wall, 2]) < 0.5] < 0).all()


def test_deflection_is_relative_to_the_size_and_bounds_the_error(files: dict[str, Path]) -> None:
    for deflection in (0.01, 0.001):
        (part,) = read_step(files["sphere"], MeshSettings(deflection, 60)).parts
        sag = 10 - np.linalg.norm(part.vertices_mm[part.faces].mean(axis=1), axis=1)
        assert sag.max() < 3 * deflection * 20 * math.sqrt(3)
    coarse, fine = (read_step(files["sphere"], MeshSettings(0.01, a)).parts[0] for a in (30, 5))
    assert len(fine.faces) > 4 * len(coarse.faces)


@pytest.mark.parametrize("shape", ["face", "open_shell", "loose_faces"])
def test_surfaces_without_a_solid_are_read(files: dict[str, Path], shape: str) -> None:
    assembly = read_step(files[shape])
    assert size_mm(assembly).max() == pytest.approx(10)
    assert not any(is_closed(part) for part in assembly.parts)


def test_triangles_without_any_surface_are_read(files: dict[str, Path]) -> None:
    (part,) = read_step(files["triangles_only"]).parts
    assert is_closed(part) and facing(part).min() > 0.8
    np.testing.assert_allclose(np.linalg.norm(part.vertices_mm, axis=1), 10, rtol=1e-6)
    np.testing.assert_allclose(part.normals, part.vertices_mm / 10, atol=0.2)


# --- structure, names, units -----------------------------------------------------------


def test_an_assembly_keeps_structure_places_and_colours(files: dict[str, Path]) -> None:
    assembly = read_step(files["rig"])
    parts = by_name(assembly)
    assert set(parts) == {("cube", make.RED), ("cube", make.BLUE), ("ball", make.GREEN)}
    red, blue = parts["cube", make.RED], parts["cube", make.BLUE]
    assert red.placements[:, :3, 3].tolist() == [[0, 50, 0], [0, 100, 0]]
    assert blue.placements[:, :3, 3].tolist() == [[20, 50, 0], [20, 100, 0]]
    quarter_turn = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    np.testing.assert_allclose(blue.placements[0, :3, :3], quarter_turn, atol=1e-15)
    assert red.vertices_mm is blue.vertices_mm and red.faces is blue.faces
    assert assembly.colored and assembly.unit == "mm" and assembly.name == "rig"


def test_one_occurrence_can_have_a_colour_of_its_own_deep_down(files: dict[str, Path]) -> None:
    parts = by_name(read_step(files["one_occurrence"]))
    assert parts["cube", make.GREEN].placements[:, :3, 3].tolist() == [[20, 100, 0]]
    assert len(parts["cube", make.RED].placements) == 3


def test_colours_of_faces_win_over_the_part(files: dict[str, Path]) -> None:
    (part,) = read_step(files["dice"]).parts
    colours, count = np.unique(part.face_rgba, axis=0, return_counts=True)
    assert dict(zip(map(tuple, colours.tolist()), count.tolist(), strict=True)) == {
        make.BLUE: 2,
        (10, 20, 30, 128): 2,
        make.RED: 8,
    }


def test_what_has_no_colour_is_grey(files: dict[str, Path]) -> None:
    assembly = read_step(files["plate"])
    assert not assembly.colored
    assert (assembly.parts[0].face_rgba == GREY_RGBA).all()


def test_named_solids_of_one_product_are_parts(files: dict[str, Path]) -> None:
    assembly = read_step(files["magnet"])
    assert [part.name for part in assembly.parts] == ["yoke", "coil", "magnet"]
    assert size_mm(assembly).tolist() == pytest.approx([63, 10, 10])


def test_several_roots_and_a_part_without_a_name(files: dict[str, Path]) -> None:
    assembly = read_step(files["roots"])
    assert [part.name for part in assembly.parts] == ["one", "two", None]


@pytest.mark.parametrize("unit", ["mm", "inch", "m", "cm", "foot"])
def test_every_unit_comes_out_in_millimetres(files: dict[str, Path], unit: str) -> None:
    assembly = read_step(files[f"unit_{unit}"])
    assert assembly.unit == unit
    assert size_mm(assembly).tolist() == pytest.approx([25.4, 50.8, 76.2])


@pytest.mark.parametrize(
    ("entity", "unit"),
    [
        ("(LENGTH_UNIT()NAMED_UNIT(*)SI_UNIT(.MILLI.,.METRE.))", "mm"),
        ("( LENGTH_UNIT ( ) NAMED_UNIT ( * )\n SI_UNIT ( $ , .METRE. ) )", "m"),
        ("(CONVERSION_BASED_UNIT('INCH',#9)LENGTH_UNIT()NAMED_UNIT(#8))", "inch"),
        ("(CONVERSION_BASED_UNIT('Millimetre',#9)LENGTH_UNIT()NAMED_UNIT(#8))", "mm"),
        ("(CONVERSION_BASED_UNIT('YARD',#9)LENGTH_UNIT()NAMED_UNIT(#8))", "yard"),
        ("(NAMED_UNIT(*)PLANE_ANGLE_UNIT()SI_UNIT($,.RADIAN.))", None),
    ],
)
def test_the_unit_is_found_in_the_text(entity: str, unit: str | None) -> None:
    other = "#7=(LENGTH_UNIT()NAMED_UNIT(*)SI_UNIT(.KILO.,.METRE.));"
    context = "#1=(GEOMETRIC_REPRESENTATION_CONTEXT(3)GLOBAL_UNIT_ASSIGNED_CONTEXT((#2,#3)));"
    assert length_unit(f"{other}{context}#2={entity};".encode()) == unit


def test_mirror_and_scale_go_into_the_mesh(files: dict[str, Path]) -> None:
    cube = read_step(files["plate"]).parts[0]
    header, body = _as_kernel_writes(cube, [[-2, 0, 0, 5, 0, 2, 0, 0, 0, 0, 2, 0]])
    assembly = from_kernel(header, memoryview(body), "plate.step", "")
    (part,) = assembly.parts
    assert np.linalg.det(part.placements[0, :3, :3]) == pytest.approx(1)
    assert volume_mm3(assembly) == pytest.approx(8 * volume_mm3(read_step(files["plate"])))
    points = part.vertices_mm @ part.placements[0, :3, :3].T + part.placements[0, :3, 3]
    np.testing.assert_allclose(points.min(axis=0), [5 - 80, 0, 0], atol=1e-9)
    np.testing.assert_allclose(points.max(axis=0), [5, 60, 10], atol=1e-9)
    assert facing(part).min() > 0.9 and is_closed(part)


def test_a_missing_normal_is_made_from_the_triangles_and_nan_is_refused() -> None:
    triangle = Part(
        "t",
        np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], float),
        np.array([[0, 0, 0], [math.nan] * 3, [0, 0, 1]], np.float32),
        np.array([[0, 1, 2]]),
        np.zeros((1, 4), np.uint8),
        np.eye(4)[None],
    )
    identity = [[1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]]
    header, body = _as_kernel_writes(triangle, identity)
    (part,) = from_kernel(header, memoryview(body), "t.step", "").parts
    assert part.normals.tolist() == [[0, 0, 1]] * 3
    triangle.vertices_mm[1, 1] = math.nan
    header, body = _as_kernel_writes(triangle, identity)
    with pytest.raises(CadError, match="not finite"):
        from_kernel(header, memoryview(body), "t.step", "")


def _as_kernel_writes(part: Part, placements: list[list[float]]) -> tuple[dict[str, Any], bytes]:
    """A part as the kernel process hands it over: one face of the B-rep."""
    arrays = {
        "nodes": part.vertices_mm,
        "normals": part.normals,
        "triangles": part.faces.astype(np.int32) + 1,
        "faces": np.array([len(part.vertices_mm), len(part.faces), 0, -1], np.int32),
    }
    entry = {"body": 0, "name": part.name, "rgba": None, "placements": placements}
    header = {
        "sizes": {name: values.size for name, values in arrays.items()},
        "faces_of_body": [1],
        "palette": [],
        "parts": [entry],
        "unit": "mm",
        "notes": [],
    }
    return header, b"".join(values.tobytes() for values in arrays.values())


# --- bad input -------------------------------------------------------------------------


def test_bad_settings_name_every_fault() -> None:
    with pytest.raises(InputError, match=r"(?s)deflection.*got 0.*angle_deg.*got 200"):
        MeshSettings(0, 200)
    with pytest.raises(InputError, match=r"timeout_s.*got -1.*memory_gb.*got nan"):
        ReadLimits(-1, math.nan)
    assert ReadLimits(memory_gb=1e6).memory_bytes < 1e15


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"solid cube\nfacet normal 0 0 1\n", "not a STEP file.*'solid cube"),
        (b"\x00\xff" * 99, "not a STEP file"),
        (b"ISO-10303-21;\nHEADER;\n", "cut off.*END-ISO-10303-21"),
        (b"ISO-10303-21;\nnonsense\nEND-ISO-10303-21;\n", "cannot be parsed|damaged"),
        (b"ISO-10303-21;HEADER;ENDSEC;DATA;ENDSEC;END-ISO-10303-21;", "no geometry inside"),
    ],
)
def test_what_is_no_step_file_is_told_apart(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "x.step"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CadError, match=f"x.step.*({message})"):
        read_step(path)


def test_a_folder_or_a_pipe_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(CadError, match="is a folder"):
        read_step(tmp_path)
    os.mkfifo(tmp_path / "pipe.step")
    with pytest.raises(CadError, match="is not a file"):
        read_step(tmp_path / "pipe.step")


def test_curves_alone_are_no_geometry(files: dict[str, Path]) -> None:
    with pytest.raises(CadError, match=r"curve.step: there is no geometry inside"):
        read_step(files["curve"])


def test_damaged_geometry_is_refused_not_guessed(files: dict[str, Path], tmp_path: Path) -> None:
    text = files["plate"].read_text()
    for old, new in (
        ("CARTESIAN_POINT('',(", "CARTESIAN_POINT('',(,"),
        ("ADVANCED_FACE('',", "ADVANCED_FACE("),
        ("PRODUCT_DEFINITION_SHAPE(", "PRODUCT_DEFINITION_SHOPE("),
    ):
        path = tmp_path / "broken.step"
        path.write_text(text.replace(old, new, 1))
        with pytest.raises(CadError, match="is damaged"):
            read_step(path)


def test_a_dollar_for_a_name_is_forgiven(files: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "dollar.step"
    text = files["plate"].read_text()
    path.write_text(text.replace("DIRECTION('',", "DIRECTION($,"))
    assert volume_mm3(read_step(path)) == pytest.approx(volume_mm3(read_step(files["plate"])))


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("kill -SEGV $$", "crashed the CAD kernel .SIGSEGV"),
        ("kill -ABRT $$", "crashed the CAD kernel .SIGABRT"),
        ("kill -KILL $$", "was killed"),
        ("exit 3", "crashed the CAD kernel .exit code 3"),
        ("exec sleep 60", "took longer than 0.5 s.*--timeout"),
        ("""echo '{"refused": "memory"}'""", "needs more than the .* GB of memory.*--memory-gb"),
        ("""echo '{"missing": "libGL.so.1"}'""", "cannot be loaded .libGL.so.1.*vqc doctor"),
    ],
)
def test_a_kernel_that_fails_costs_one_error(
    files: dict[str, Path], tmp_path: Path, monkeypatch: Any, script: str, message: str
) -> None:
    stand_in = tmp_path / "python"
    stand_in.write_text(f"#!/bin/sh\n{script}\n")
    stand_in.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(stand_in))
    start = time.monotonic()
    with pytest.raises(CadError, match=message):
        read_step(files["plate"], limits=ReadLimits(timeout_s=0.5), cache=False)
    assert time.monotonic() - start < 10


def test_memory_is_bounded(files: dict[str, Path]) -> None:
    with pytest.raises(CadError, match=r"needs more than the 0\.5 GB of memory"):
        read_step(files["sphere"], MeshSettings(1e-6, 1), ReadLimits(memory_gb=0.5), cache=False)


def test_nothing_from_the_working_directory_is_imported(
    files: dict[str, Path], tmp_path: Path, monkeypatch: Any
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    assert read_step(files["plate"], cache=False).parts


# --- the cache -------------------------------------------------------------------------


@pytest.fixture
def no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the kernel was asked")

    monkeypatch.setattr(reader, "_start", refuse)


def test_a_second_reading_comes_from_the_cache(
    files: dict[str, Path], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    first = read_step(files["rig"])
    request.getfixturevalue("no_kernel")
    renamed = tmp_path / "other.stp"
    renamed.write_bytes(files["rig"].read_bytes())
    second = read_step(renamed)
    assert (second.name, second.source, second.sha256) == ("other", "other.stp", first.sha256)
    assert (second.unit, second.colored, second.notes) == (first.unit, True, first.notes)
    for a, b in zip(first.parts, second.parts, strict=True):
        assert a.name == b.name
        for name in ("vertices_mm", "normals", "faces", "face_rgba", "placements"):
            old, new = getattr(a, name), getattr(b, name)
            assert old.dtype == new.dtype and np.array_equal(old, new)
    parts = by_name(second)
    assert parts["cube", make.RED].faces is parts["cube", make.BLUE].faces
    with pytest.raises(AssertionError, match="the kernel was asked"):
        read_step(renamed, MeshSettings(0.002))


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "pickle"])
def test_a_damaged_entry_is_made_again(
    files: dict[str, Path], tmp_path: Path, monkeypatch: Any, damage: str
) -> None:
    monkeypatch.setenv("VQC_CACHE", str(tmp_path))
    read_step(files["plate"])
    (entry,) = (tmp_path / "meshes").iterdir()
    data = bytearray(entry.read_bytes())
    data[len(data) // 2] ^= 255
    whole = entry.read_bytes()
    entry.write_bytes({"flip": bytes(data), "cut": whole[:-50], "empty": b""}.get(damage, whole))
    if damage == "pickle":
        np.savez(entry, header=np.array([{"a": 1}], object))
    assert cache.load(entry, "plate.step") is None
    assert read_step(files["plate"]).parts
    assert cache.load(entry, "plate.step") is not None


def test_a_cache_that_cannot_be_written_is_no_error(
    files: dict[str, Path], tmp_path: Path, monkeypatch: Any
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("VQC_CACHE", str(tmp_path / "file"))
    assert read_step(files["plate"]).parts


def test_where_the_cache_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache.folder() == Path(os.environ["VQC_CACHE"]) / "meshes"
    monkeypatch.delenv("VQC_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache.folder() == Path("/x/vqc/meshes")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/h")
    assert cache.folder() == Path("/h/.cache/vqc/meshes")


def test_the_same_file_gives_the_same_mesh(files: dict[str, Path]) -> None:
    first, second = (read_step(files["rig"], cache=False).parts for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a.vertices_mm, b.vertices_mm) and np.array_equal(a.faces, b.faces)


# --- vqc convert -----------------------------------------------------------------------


def test_convert_writes_stl_glb_and_a_record(files: dict[str, Path], tmp_path: Path) -> None:
    import trimesh

    seen: list[Path] = []
    (result,) = convert([files["rig"]], tmp_path / "out", on_done=seen.append)
    assert seen == [files["rig"]]
    assert (result.name, result.parts, result.occurrences) == ("rig", 3, 5)
    assert result.watertight and result.unit == "mm" and not result.reused
    assert result.size_mm == pytest.approx((30, 120, 60), abs=0.1)
    assembly = read_step(files["rig"])

    stl = trimesh.load(tmp_path / "out" / "rig.stl")
    assert len(stl.faces) == result.triangles
    np.testing.assert_allclose(stl.extents, result.size_mm, atol=1e-3)
    assert stl.volume == pytest.approx(volume_mm3(assembly), rel=1e-5)

    scene = trimesh.load(tmp_path / "out" / "rig.glb")
    x, y, z = result.size_mm
    np.testing.assert_allclose(scene.extents, [x / 1000, z / 1000, y / 1000], atol=1e-6)
    assert len(scene.geometry) == 3 and len(scene.graph.nodes_geometry) == 5
    assert {name.split("_")[0] for name in scene.graph.nodes_geometry} == {"cube", "ball"}
    red = (1, 0, 0, 1)
    factors = [g.visual.material.baseColorFactor for g in scene.geometry.values()]
    assert any(np.allclose(np.asarray(f) / (255 if max(f) > 1 else 1), red) for f in factors)

    text = (tmp_path / "out" / "rig.json").read_text()
    assert str(tmp_path) not in text and str(files["rig"].parent) not in text
    assert [part["name"] for part in json.loads(text)["parts"]] == ["cube", "cube", "ball"]


def test_colours_in_the_glb_are_linear_and_by_face(files: dict[str, Path], tmp_path: Path) -> None:
    convert([files["dice"]], tmp_path)
    data = (tmp_path / "dice.glb").read_bytes()
    assert int.from_bytes(data[8:12], "little") == len(data)
    size = int.from_bytes(data[12:16], "little")
    document = json.loads(data[20 : 20 + size])
    (mesh,) = document["meshes"]
    colours = {
        tuple(document["materials"][p["material"]]["pbrMetallicRoughness"]["baseColorFactor"])
        for p in mesh["primitives"]
    }
    dark = tuple(round(((c / 255 + 0.055) / 1.055) ** 2.4, 6) for c in (20, 30))
    assert colours == {
        (0, 0, 1, 1),
        (1, 0, 0, 1),
        (round(10 / 255 / 12.92, 6), *dark, round(128 / 255, 6)),
    }
    assert len({p["attributes"]["POSITION"] for p in mesh["primitives"]}) == 1


def test_a_second_convert_loads_nothing_heavy(files: dict[str, Path], tmp_path: Path) -> None:
    (first,) = convert([files["rig"]], tmp_path)
    program = (
        "import sys; from pathlib import Path; from vqc.cad import convert\n"
        f"(r,) = convert([Path({str(files['rig'])!r})], Path({str(tmp_path)!r}))\n"
        "heavy = {'OCP', 'trimesh', 'scipy', 'numpy', 'cadquery'} & set(sys.modules)\n"
        "print(r.reused, r.triangles, sorted(heavy))"
    )
    before = {p.name: p.stat().st_mtime_ns for p in tmp_path.iterdir()}
    source = str(Path(reader.__file__).parents[2])
    answer = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": source},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == f"True {first.triangles} []"
    assert before == {p.name: p.stat().st_mtime_ns for p in tmp_path.iterdir()}


@pytest.mark.parametrize("end", [".stl", ".glb", ".json"])
def test_results_that_were_changed_are_written_again(
    files: dict[str, Path], tmp_path: Path, end: str
) -> None:
    convert([files["plate"]], tmp_path)
    good = (tmp_path / f"plate{end}").read_bytes()
    (tmp_path / f"plate{end}").write_bytes(b"spoilt")
    (result,) = convert([files["plate"]], tmp_path)
    assert not result.reused
    assert (tmp_path / f"plate{end}").read_bytes() == good
    assert convert([files["plate"]], tmp_path)[0].reused
    assert not convert([files["plate"]], tmp_path, MeshSettings(0.002))[0].reused


def test_all_faults_are_told_at_once_and_nothing_is_written(
    files: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "empty.step").touch()
    (tmp_path / "mesh.stp").write_text("solid x")
    bad = [tmp_path / "empty.step", files["plate"], tmp_path / "mesh.stp", files["curve"]]
    with pytest.raises(InputError, match=r"(?s)empty.step.*mesh.stp.*curve.step"):
        convert(bad, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_files_of_one_stem_are_refused(files: dict[str, Path], tmp_path: Path) -> None:
    twin = tmp_path / "plate.stp"
    twin.write_bytes(files["plate"].read_bytes())
    with pytest.raises(InputError, match=r"plate.step and .*plate.stp would both become"):
        convert([files["plate"], twin], tmp_path / "out")


def test_a_file_name_that_is_not_text(files: dict[str, Path], tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"te\xffil '1\".step")
    odd.write_bytes(files["plate"].read_bytes())
    assert read_step(odd, cache=False).parts
    with pytest.raises(InputError, match=r"udcffil.*rename the file"):
        convert([odd], tmp_path / "out")


def test_a_part_name_that_is_not_text_is_recorded(
    files: dict[str, Path], tmp_path: Path, monkeypatch: Any
) -> None:
    part = replace(read_step(files["plate"]).parts[0], name="caf\u00e9 \udcff")
    whole = replace(read_step(files["plate"]), parts=(part,))
    monkeypatch.setattr(sys.modules["vqc.cad.convert"], "read_step", lambda *_: whole)
    convert([files["plate"]], tmp_path)
    assert json.loads((tmp_path / "plate.json").read_bytes())["parts"][0]["name"] == part.name
    assert convert([files["plate"]], tmp_path)[0].reused


def test_an_unwritable_place(files: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        convert([files["plate"]], tmp_path / "file")


def test_find_step_files(tmp_path: Path) -> None:
    folder, bare = tmp_path / "parts", tmp_path / "bare"
    folder.mkdir()
    bare.mkdir()
    for name in ("b.STEP", "a.stp", "c.stl", "d.step"):
        (folder / name).touch()
    single = tmp_path / "single.txt"
    single.touch()
    found = find_step_files([single, folder, folder / "d.step"])
    assert [path.name for path in found] == ["single.txt", "a.stp", "b.STEP", "d.step"]
    with pytest.raises(InputError, match=r"(?s)bare: no .step.*gone: there is no such"):
        find_step_files([bare, tmp_path / "gone", folder])


# --- files that others made ------------------------------------------------------------

# distinct parts, occurrences, unit, size in mm, volume in mm³ (kernel's own integral
# over the B-rep; size by its optimal box)
REAL = {
    "Servomotor_9g.step": (5, 5, "mm", (12, 31.5, 32.6), 7443.55),
    "Ventilator.stp": (1, 1, "mm", (80, 80, 18.084), 30939.0),
    "XT30-M.STEP": (5, 5, "mm", (6.1, 11, 16.5), 500.065),
    "as1-oc-214.stp": (5, 18, "mm", (200, 150, 84), 764520),
    "as1_pe_203.stp": (5, 18, "inch", (5080, 2209.8, 3810), 1.25514e10),
    "esp32_lora_oled_facecolours_yup.step": (1, 1, "mm", (51.6, 7.95, 25.4), 2903.0),
    "foot_structure.STEP": (1, 1, "mm", (16.5, 27, 27), 3172.33),
    "nist_ctc_01_asme1_ap242-e1.stp": (1, 1, "mm", (800, 450, 150), 1.46448e7),
    "nist_ctc_05_asme1_ap242-e1.stp": (1, 1, "inch", (527.05, 558.8, 482.6), 1.26949e7),
    "pololu_wheel_40x7mm.step": (1, 1, "mm", (40, 40, 8.6), 4211.91),
    "red_cube_blue_cylinder.step": (2, 2, "m", (25, 10, 10), 1785.40),
    "stp_multiple_shp_at_root.stp": (3, 3, "m", (64.719, 6.528, 118.22), 17152.1),
    "arduino_nano.step": (36, 123, "mm", (45.1, 18, 18.7), 2389.26),
    "heltec_lora32.step": (39, 143, "mm", (51.75, 25.4, 17.05), 5109.81),
    "nodemcu_v2_amica.step": (48, 147, "mm", (49.55, 25.8, 13.22), 3491.27),
    "nodemcu_v3.step": (61, 165, "mm", (59.45, 31, 13.22), 4441.04),
    "raspberry_pi_3b_plus.step": (68, 171, "mm", (89.9, 58.6, 18.3), 20078.9),
}


def real_file(name: str) -> Path:
    for folder in (STEP, BOARDS):
        if (folder / name).is_file():
            return folder / name
    pytest.skip(f"{name} is not here: no ../shared/data beside the project")


@pytest.mark.parametrize("name", REAL)
def test_real_files(name: str) -> None:
    parts, occurrences, unit, size, volume = REAL[name]
    assembly = read_step(real_file(name))
    assert len(assembly.parts) == parts
    assert sum(len(part.placements) for part in assembly.parts) == occurrences
    assert assembly.unit == unit
    assert size_mm(assembly).tolist() == pytest.approx(size, rel=2e-3)
    assert volume_mm3(assembly) == pytest.approx(volume, rel=4e-3)
    for part in assembly.parts:
        assert is_closed(part)
        assert np.isfinite(part.normals).all()
        assert (facing(part) > 0).mean() > 0.99


def test_a_malformed_real_file_fails_cleanly(tmp_path: Path) -> None:
    path = real_file("advanced-face-inline-sphere-malformed.step")
    with pytest.raises(CadError, match="is damaged"):
        convert([path], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_real_names_places_and_colours() -> None:
    parts = {part.name: part for part in read_step(real_file("as1-oc-214.stp")).parts}
    assert {name: len(part.placements) for name, part in parts.items()} == {
        "nut": 8,
        "rod": 1,
        "bolt": 6,
        "l-bracket": 2,
        "plate": 1,
    }
    assert parts["nut"].face_rgba[0].tolist() == [255, 0, 0, 255]
    assert parts["rod"].face_rgba[0].tolist() == [255, 128, 0, 255]
    parts = {part.name: part for part in read_step(real_file("red_cube_blue_cylinder.step")).parts}
    assert parts["red_cube"].face_rgba[0].tolist() == [221, 82, 40, 255]
    assert parts["blue_cylinder"].face_rgba[0].tolist() == [59, 97, 180, 255]


def test_a_real_part_that_is_coloured_face_by_face() -> None:
    (part,) = read_step(real_file("esp32_lora_oled_facecolours_yup.step")).parts
    assert len(np.unique(part.face_rgba, axis=0)) >= 5


# --- damage ----------------------------------------------------------------------------


def _spoilt(data: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.3:
        return data[: rng.randrange(len(data))]
    spoilt = bytearray(data)
    for _ in range(rng.choice([1, 2, 4, 8])):
        spoilt[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(spoilt)


@pytest.mark.parametrize("seed", range(int(os.environ.get("VQC_FUZZ", "16"))))
def test_a_spoilt_file_gives_a_result_or_an_error(
    files: dict[str, Path], tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    names = ["Servomotor_9g.step", "as1-oc-214.stp", "XT30-M.STEP", "as1_pe_203.stp"]
    sources = [files["rig"], files["plate"], *(STEP / n for n in names if (STEP / n).is_file())]
    path = tmp_path / "spoilt.step"
    path.write_bytes(_spoilt(rng.choice(sources).read_bytes(), rng))
    try:
        (result,) = convert([path], tmp_path / "out", limits=ReadLimits(timeout_s=60))
    except CadError as error:
        assert "spoilt.step" in str(error)
        assert not (tmp_path / "out").exists()
    else:
        assert result.triangles > 0 and all(map(math.isfinite, result.size_mm))
        assert stat.S_ISREG((tmp_path / "out" / "spoilt.stl").stat().st_mode)
