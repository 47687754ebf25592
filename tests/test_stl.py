from __future__ import annotations

import numpy as np
import pytest
import trimesh

from vqc.cad import read_stl
from vqc.errors import CadError
from vqc.render.mesh import hides_its_back


def test_a_solid_comes_back_in_millimetres_with_its_sharp_edges(tmp_path):
    file = tmp_path / "bolt.stl"
    trimesh.creation.cylinder(radius=5, height=20, sections=64).export(file)
    assembly = read_stl(file)
    (part,) = assembly.parts
    assert (assembly.name, assembly.unit, assembly.colored) == ("bolt", "mm", False)
    assert np.ptp(part.vertices_mm, axis=0) == pytest.approx([10, 10, 20], abs=0.02)
    assert hides_its_back(part)
    up = np.abs(part.normals[:, 2])
    assert set(np.round(up, 3)) == {0.0, 1.0}  # the ends and the mantle share no normal


@pytest.mark.parametrize(
    "content", [b"", b"solid x\nendsolid x\n", b"\x00" * 200, b"no mesh at all"]
)
def test_what_is_no_mesh_is_told(tmp_path, content):
    file = tmp_path / "x.stl"
    file.write_bytes(content)
    with pytest.raises(CadError, match=r"x\.stl"):
        read_stl(file)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(CadError, match="cannot be read"):
        read_stl(tmp_path / "none.stl")
