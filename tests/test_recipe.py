from dataclasses import replace
from pathlib import Path

import pytest

from vqc.cad import MeshSettings
from vqc.errors import InputError, RecipeError
from vqc.look.reading import SHIPPED, read_look
from vqc.recipe import (
    Asset,
    LookBlock,
    Picture,
    RenderRecipe,
    Source,
    ViewBlock,
    grow,
    read_recipe,
    subject,
)
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


def test_a_recipe_that_was_cut_anywhere_is_refused(tmp_path):
    """Also between two lines, where what is left may be YAML; nothing is to be destroyed for it."""
    path = tmp_path / "recipe.yaml"
    text = recipe(sources=(BALL, BLOCK)).to_yaml()
    for length in range(0, len(text), 7):
        path.write_text(text[:length])
        with pytest.raises(RecipeError, match="sound copy of it there"):
            read_recipe(path)
    lines = text.splitlines(keepends=True)
    for count in range(len(lines)):
        path.write_text("".join(lines[:count]))
        with pytest.raises(RecipeError, match=r"not a render recipe .*starts over"):
            read_recipe(path)


def test_a_recipe_of_another_kind_or_no_file_says_so(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe().to_yaml().replace("kind: render", "kind: mix"))
    with pytest.raises(RecipeError, match="kind: expected render, got 'mix'"):
        read_recipe(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(RecipeError, match="not UTF-8"):
        read_recipe(path)
    with pytest.raises(RecipeError, match=r"recipe\.yaml: cannot be read: No such file"):
        read_recipe(tmp_path / "gone" / "recipe.yaml")


@pytest.mark.parametrize(
    "wrong", [{"width": 8}, {"height": 20000}, {"aa": 0}, {"aa": 5}, {"fov_deg": 0}, {"fill": 9}]
)
def test_pictures_that_make_no_sense_are_refused(wrong):
    with pytest.raises(InputError):
        Picture(**wrong)


# Looks -------------------------------------------------------------------------------------

TABLE, STOOL = Asset("a.jpg", "1" * 64), Asset("b.jpg", "2" * 64)


def of_a_look(name="bench", count=10, backgrounds=(TABLE,), sources=(BALL, BLOCK), **changes):
    block = LookBlock(
        read_look(name), count, backgrounds, (Asset("nut.step", "3" * 64),), **changes
    )
    return recipe(views=(), sources=sources, look=block)


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("environment", [None, Asset("hall.hdr", "4" * 64)])
def test_a_look_to_yaml_and_back(tmp_path, name, environment):
    path = tmp_path / "recipe.yaml"
    asked = of_a_look(name, environment=environment)
    path.write_text(asked.to_yaml())
    assert read_recipe(path) == asked and read_recipe(path).sha256() == asked.sha256()
    assert "views:" not in asked.to_yaml()


def test_a_look_grows_by_its_count_alone():
    few, many = of_a_look(count=10), of_a_look(count=25)
    assert grow(few, many, Path("set")) == many == grow(many, few, Path("set"))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (of_a_look("studio"), "look: the set has 'bench', asked for 'studio'"),
        (of_a_look(backgrounds=(TABLE, STOOL)), "look.backgrounds"),
        (of_a_look(sources=(BALL,)), "sources of a look: the set has ball.step, block.step"),
        (of_a_look(sources=(BLOCK, BALL)), "sources of a look"),
        (of_a_look(environment=STOOL), "look.environment: the set has None"),
        (recipe(sources=(BALL, BLOCK)), "look: the set has 'bench', asked for 'plain'"),
    ],
)
def test_another_look_is_refused_and_named(other, message):
    with pytest.raises(RecipeError, match="--fresh") as caught:
        grow(of_a_look(), other, Path("set"))
    assert message in str(caught.value)


def test_a_look_is_no_continuation_of_views():
    with pytest.raises(RecipeError, match="look: the set has 'plain', asked for 'bench'"):
        grow(recipe(sources=(BALL, BLOCK)), of_a_look(), Path("set"))


def test_classes_come_in_turn_and_so_do_the_files_of_a_class():
    twins = (BALL, replace(BLOCK, class_name="ball"), Source("c", "c.step", "c" * 64, "c"))
    found = [subject(of_a_look(sources=twins), index) for index in range(8)]
    assert found == [0, 2, 1, 2, 0, 2, 1, 2]
