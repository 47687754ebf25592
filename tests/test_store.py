"""A set on disk whose own files were damaged: what still counts, and what is said."""

import shutil

import pytest
from rendered import digest

from vqc import generate, store
from vqc.asked import Request, resolve
from vqc.errors import IncompleteError, InputError, RecipeError
from vqc.making import Workers
from vqc.shards import Shard

VIEWS = 6


def plan_in(steps, root, names=("ball", "block")):
    """3 views of each part."""
    files = tuple(steps / f"{name}.step" for name in names)
    request = Request(files, views=VIEWS // 2, name="set", picture={"size": "64x48"})
    return generate.prepare(*resolve(request), root, workers=1)[0]


@pytest.fixture(scope="module")
def rendered(steps, tmp_path_factory):
    """A finished set, and the same when its first half is done."""
    root = tmp_path_factory.mktemp("rendered")
    generate.render_set(plan_in(steps, root / "whole"), Workers(1))
    generate.render_set(plan_in(steps, root / "half"), Workers(1), shard=Shard(1, 2))
    return root


@pytest.fixture
def whole(rendered, tmp_path):
    return shutil.copytree(rendered / "whole" / "set", tmp_path / "set")


@pytest.fixture
def half(rendered, tmp_path):
    return shutil.copytree(rendered / "half" / "set", tmp_path / "set")


def cut(path, lines, more=0):
    """Keep the first lines, and some bytes of the next."""
    kept = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(kept[:lines]) + kept[lines][:more])


@pytest.mark.parametrize("more", [0, 50])
def test_a_cut_manifest_costs_the_frames_whose_lines_it_lost(
    steps, rendered, whole, tmp_path, more
):
    cut(whole / "manifest.jsonl", 5, more)  # the header and 4 frames
    with pytest.raises(IncompleteError, match=f"2 of {VIEWS} frames are missing"):
        generate.merge(whole)
    assert "manifest.jsonl is damaged" in store.lost_records(whole)
    done = generate.render_set(plan_in(steps, tmp_path), Workers(1))
    assert (done.made, done.found) == (2, 4)
    assert digest(whole) == digest(rendered / "whole" / "set")


def test_shards_mend_a_set_whose_manifest_was_cut(steps, rendered, whole, tmp_path):
    cut(whole / "manifest.jsonl", 3, 9)
    made = [
        generate.render_set(plan_in(steps, tmp_path), Workers(1), shard=shard).made
        for shard in (Shard(1, 2), Shard(2, 2))
    ]
    assert made == [1, 3]
    generate.merge(whole)
    assert digest(whole) == digest(rendered / "whole" / "set")


def test_a_manifest_with_any_other_fault_is_not_believed(steps, whole, tmp_path):
    path = whole / "manifest.jsonl"
    path.write_text(path.read_text().replace('"phash"', '"hash"', 1))
    with pytest.raises(IncompleteError, match=f"{VIEWS} of {VIEWS} frames are missing"):
        generate.merge(whole)
    assert "is damaged (line 2: " in store.lost_records(whole)
    assert generate.render_set(plan_in(steps, tmp_path), Workers(1)).made == VIEWS


def test_a_manifest_that_cannot_be_read_is_left_alone(steps, whole, tmp_path):
    (whole / "manifest.jsonl").unlink()
    (whole / "manifest.jsonl").mkdir()
    plan = plan_in(steps, tmp_path)
    for work in (lambda: generate.merge(whole), lambda: generate.render_set(plan, Workers(1))):
        with pytest.raises(InputError, match=r"manifest.jsonl: cannot be read"):
            work()
    assert (whole / "manifest.jsonl").is_dir()


def test_a_manifest_that_is_gone_is_told(vqc, whole):
    assert store.lost_records(whole) is None
    (whole / "manifest.jsonl").unlink()
    said = vqc("merge", whole, check=1).stderr
    assert f"{VIEWS} of {VIEWS} frames are missing" in said
    assert "manifest.jsonl is gone, and the records of the frames with it" in said


def test_of_an_unfinished_set_no_record_is_lost(half):
    assert store.lost_records(half) is None
    with pytest.raises(IncompleteError) as told:
        generate.merge(half)
    assert "manifest" not in str(told.value)


def test_shards_mend_a_finished_set_and_keep_what_they_made(steps, rendered, whole, tmp_path):
    min(whole.rglob("*.jpg")).write_bytes(b"")
    plan = plan_in(steps, tmp_path)
    assert generate.render_set(plan, Workers(1), shard=Shard(1, 2)).made == 1
    assert generate.render_set(plan, Workers(1), shard=Shard(2, 2)).made == 0
    assert len(store.whole_records(plan, set(store.records_of(whole)))) == VIEWS
    generate.merge(whole)
    assert digest(whole) == digest(rendered / "whole" / "set")


def test_a_manifest_that_was_changed_is_not_believed(steps, rendered, whole, tmp_path):
    path = whole / "manifest.jsonl"
    path.write_text(path.read_text().replace('"visibility": 1', '"visibility": 0.5', 1))
    min(whole.rglob("*.jpg")).write_bytes(b"")
    assert generate.render_set(plan_in(steps, tmp_path), Workers(1)).made == VIEWS
    assert digest(whole) == digest(rendered / "whole" / "set")


def test_what_drew_the_frames_outlives_a_cut_manifest(whole):
    names = store.renderers(whole)
    cut(whole / "manifest.jsonl", 2)
    assert names and store.renderers(whole) == names


def test_a_finished_set_gets_its_classes_back(rendered, whole):
    (whole / "classes.txt").unlink()
    generate.merge(whole)
    assert digest(whole) == digest(rendered / "whole" / "set")


@pytest.mark.parametrize(
    ("text", "said"), [(None, "is missing"), ("", "none for ball"), ("bal", "none for ball")]
)
def test_an_unfinished_set_without_its_classes_says_what_to_do(
    steps, rendered, half, tmp_path, text, said
):
    file = half / "classes.txt"
    file.unlink()
    if text is not None:
        file.write_text(text)
    with pytest.raises(InputError, match=rf"classes\.txt.* {said}.* give the command that renders"):
        generate.merge(half)
    assert generate.render_set(plan_in(steps, tmp_path), Workers(1)).found == VIEWS // 2
    assert digest(half) == digest(rendered / "whole" / "set")


def test_lost_classes_are_not_made_up_from_some_of_the_parts(steps, half, tmp_path):
    generate.render_set(plan_in(steps, tmp_path), Workers(1), shard=Shard(2, 2))
    (half / "classes.txt").unlink()
    with pytest.raises(InputError, match=r"none for block; .*every --step"):
        generate.render_set(plan_in(steps, tmp_path, names=("ball",)), Workers(1))
    assert not (half / "classes.txt").exists()


def test_a_recipe_that_is_damaged_is_told_as_that(whole):
    file = whole / "recipe.yaml"
    text = file.read_text()
    for wrong, said in (("garbage\n", "expected lines such as"), (text[:200], "cut off")):
        file.write_text(wrong)
        with pytest.raises(RecipeError, match=said) as told:
            generate.merge(whole)
        assert "sound copy" in str(told.value)
    file.unlink()
    file.mkdir()
    with pytest.raises(RecipeError, match=r"recipe\.yaml: cannot be read: "):
        generate.merge(whole)


def test_a_recipe_that_cannot_be_read_is_not_taken_for_none(steps, whole, tmp_path):
    (whole / "recipe.yaml").unlink()
    assert not store.is_rendered_set(whole)
    (whole / "recipe.yaml").mkdir()
    with pytest.raises(InputError, match=r"recipe\.yaml: cannot be read: "):
        plan_in(steps, tmp_path)


def test_a_set_of_another_kind_is_no_rendered_one(whole):
    (whole / "recipe.yaml").write_text("vqc_recipe: 1\nkind: mix\n")
    with pytest.raises(InputError, match=r"expected the folder of a rendered set.* kind mix"):
        generate.merge(whole)
