import numpy as np
import pytest
import shapes

from vqc.errors import InputError
from vqc.scene import LabelRules, build_scene, require_fits


def thing():
    bolts = shapes.box((1, 1, 1), "bolt_m4", placements=[shapes.at(-8), shapes.at(8)])
    return shapes.assembly(shapes.box(name="base"), bolts, shapes.sphere(1, None))


def classes(rules):
    built = build_scene(thing(), "thing", rules)
    return built, [i.class_name for i in built.scene.instances]


def test_a_file_is_one_object():
    built, found = classes(LabelRules())
    assert found == ["thing"] and len(built.scene.instances[0].members) == 4
    assert built.classes == ("thing",)


def test_every_named_component_is_a_class_and_every_placement_an_object():
    built, found = classes(LabelRules("part"))
    assert found == ["base", "bolt_m4", "bolt_m4", None]
    assert built.classes == ("base", "bolt_m4")
    assert "without a name stay unlabelled: 1 of 2 × 2 × 2 mm" in built.notes[0]


def test_grouping_and_ignoring_by_pattern():
    built, found = classes(LabelRules("part", {"bolt*": "bolt"}, ("base",)))
    assert found == ["bolt", "bolt", None, None]
    assert any("ignored: base" in note for note in built.notes)


def test_dropping_a_component_keeps_the_framing():
    whole = build_scene(thing(), "thing", LabelRules()).scene
    less = build_scene(thing(), "thing", LabelRules(drop=("bolt*",))).scene
    assert len(less.instances[0].members) == 2
    assert np.allclose(whole.center_mm, less.center_mm) and whole.radius_mm == less.radius_mm


def test_y_up_files_are_stood_upright():
    tall = shapes.assembly(shapes.box((2, 10, 2)))
    scene = build_scene(tall, "tall", LabelRules(), up="y").scene
    (part, at), = scene.instances[0].members  # fmt: skip
    corners = part.vertices_mm @ at[:3, :3].T
    assert np.ptp(corners, axis=0) == pytest.approx([2, 2, 10])


def test_what_cannot_be_labelled_or_drawn_is_an_error():
    with pytest.raises(InputError, match="leaves nothing"):
        build_scene(shapes.assembly(shapes.box()), "x", LabelRules(drop=("*",)))
    with pytest.raises(InputError, match="no component with a name"):
        build_scene(shapes.assembly(shapes.box(name=None)), "x", LabelRules("part"))


def test_patterns_must_fit_something():
    with pytest.raises(InputError, match=r"--ignore wheel.*base, bolt_m4"):
        require_fits([thing()], LabelRules("part", ignore=("wheel",)))
    require_fits(
        [thing(), shapes.assembly(shapes.box(name="wheel"))], LabelRules("part", ignore=("wheel",))
    )
