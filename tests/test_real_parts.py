"""Label proof on STEP files that others made, as whole files and component by component."""

import pytest

from vqc.annotate import annotate
from vqc.cad import MeshSettings, find_step_files, read_step
from vqc.errors import CadError, InputError
from vqc.geometry import distance_for_fill, intrinsics_from_fov
from vqc.render import Renderer
from vqc.scene import LabelRules, build_scene
from vqc.types import CameraPose, View
from vqc.views import FULL_RANGES, spread

SIZE = (320, 240)
BROKEN = "advanced-face-inline-sphere-malformed.step"


def proven(assembly, by, count):
    """Frames whose every label was proven; raises where one is wrong."""
    scene = build_scene(assembly, "part", LabelRules(by)).scene
    intrinsics = intrinsics_from_fov(30, *SIZE)
    distance = distance_for_fill(scene.radius_mm, 0.8, intrinsics)
    renderer = Renderer(scene, *SIZE)
    try:
        for index, angles in enumerate(spread(count, *FULL_RANGES)):
            pose = CameraPose(*angles, distance, tuple(scene.center_mm.tolist()))
            view = View(index, pose, intrinsics, 0)
            notes = annotate(scene, view, renderer.layers(view), renderer)
            assert len(notes) == len(scene.labelled)
            assert by == "part" or notes[0].visibility == 1
    finally:
        renderer.close()


def test_every_label_on_every_real_file_is_proven(real_steps):
    files = [p for p in find_step_files([real_steps]) if p.name != BROKEN]
    assert len(files) >= 12
    for path in files:
        assembly = read_step(path, MeshSettings(0.002))
        proven(assembly, "file", 12)
        try:
            proven(assembly, "part", 3)
        except InputError as error:
            assert "no component with a name" in str(error)


def test_the_broken_one_is_refused(real_steps):
    with pytest.raises(CadError, match="damaged"):
        read_step(real_steps / BROKEN)
