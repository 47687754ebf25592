from dataclasses import replace
from pathlib import Path

import pytest

from vqc.cad import MeshSettings
from vqc.errors import InputError, RecipeError
from vqc.recipe import Picture, RenderRecipe, Source, ViewBlock, grow, read_recipe
from vqc.scene import LabelRules

BALL = Source("ball", "ball.step", "a" * 64, "ball")
BLOCK = Source("block", "block.step", "b" * 64, "Block")
COARSE = ViewBlock((0.0, 90.0), (0.0,), (0.0,))
FINE = ViewBlock((0.0, 45.0, 90.0), (0.0,), (0.0,))


def recipe(**changes):
    labels = LabelRules("part", {"b*": "bolt"}, ("x",), ("y",))
    plain = RenderRecipe("set", 3, Picture(), labels, MeshSettings(), (BALL,), (COARSE,))
    return replace(plain, **changes)


def test_yaml_and_back(tmp_path):
    path = tmp_path / "recipe.yaml"
    asked = recipe(sources=(BALL, BLOCK), views=(COARSE, ViewBlock((0, 360), (-40, 40), (0, 0), 7)))
    path.write_text(asked.to_yaml())
    assert read_recipe(path) == asked
    assert read_recipe(path).sha256() == asked.sha256()


def test_growing_appends_and_keeps_every_index():
    grown = grow(recipe(), recipe(sources=(BLOCK, BALL), views=(FINE,)), Path("set"))
    assert [s.key for s in grown.sources] == ["ball", "block"]
    assert [a for a, _, _ in grown.all_angles()] == [0, 90, 45]


def test_asking_for_less_changes_nothing():
    whole = recipe(sources=(BALL, BLOCK), views=(FINE,))
    assert grow(whole, recipe(), Path("set")) == whole


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 4}, "seed: the set has 3, asked for 4"),
        ({"picture": Picture(fov_deg=31)}, "picture.fov_deg"),
        ({"mesh": MeshSettings(0.001)}, "mesh.deflection"),
        ({"labels": LabelRules()}, "labels.by"),
        ({"sources": (replace(BALL, sha256="c" * 64),)}, "source ball: the set has sha256"),
        ({"sources": (replace(BALL, class_name="Ball"),)}, "class_name"),
    ],
)
def test_any_other_change_is_refused_and_named(changes, message):
    with pytest.raises(RecipeError, match="--fresh") as caught:
        grow(recipe(), recipe(**changes), Path("set"))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "[]", "vqc_recipe: 2", "vqc_recipe: 1\nkind: mix", "{", "a: &a [*a]"]
)
def test_a_recipe_that_is_none_is_refused(tmp_path, text):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match="not a render recipe"):
        read_recipe(path)


@pytest.mark.parametrize(
    "wrong", [{"width": 8}, {"height": 20000}, {"aa": 0}, {"aa": 5}, {"fov_deg": 0}, {"fill": 9}]
)
def test_pictures_that_make_no_sense_are_refused(wrong):
    with pytest.raises(InputError):
        Picture(**wrong)
