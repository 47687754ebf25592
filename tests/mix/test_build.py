"""A mix on disk: links with labels that verify finds sound, and that plain Ultralytics reads."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from sets import CLASSES, HEIGHT, WIDTH, boxed, finish, frame, picture, render_set

from vqc import mix
from vqc.errors import InputError, ManifestError, OutputError, RecipeError
from vqc.formats import yolo
from vqc.manifest import read_manifest, write_manifest
from vqc.mix import Request, SplitRules
from vqc.types import Annotation
from vqc.verify import verify

REQUEST = Request(cad=4, real=1, splits=SplitRules(test=("hall",)))


def photo_set(root: Path, start: int = 100, count: int = 12, **fields) -> None:
    """Photos of two shoots, every fourth a background, the manifest's name `photos`."""
    made = []
    for number in range(start, start + count):
        box = Annotation(CLASSES[number % 2], box_xyxy=(4.0, 5.0, 30.0, 20.0 + number % 9))
        objects = () if number % 4 == 0 else (box,)
        session = "hall" if number >= start + count // 2 else "shop"
        name = f"images/000/p_{number:06d}.{'png' if number % 3 else 'jpg'}"
        item = frame(root, number, name, objects=objects, session=session, seed=None, **fields)
        phash = hashlib.sha256(str(number).encode()).hexdigest()[:16]
        made.append(replace(item, source="real", view=None, phash=phash))
    finish(root, "intake", made, name="photos")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project's folder with a set of renders and one of photos."""
    monkeypatch.chdir(tmp_path)
    render_set(Path("renders/magnets"))
    photo_set(Path("datasets/photos"))
    return tmp_path


def rename(folder: Path, name: str) -> None:
    write_manifest(folder, replace(read_manifest(folder), name=name))


def make(request: Request = REQUEST, name: str = "both", **options) -> mix.Summary:
    pool = mix.read_pool(mix.find_sets()[0], request.min_visibility)
    return mix.build(mix.plan(pool, request), Path("datasets"), name, **options)


def test_a_mix_is_sound_and_holds_links(project):
    done = make()
    assert verify(done.folder) == [] and done.placed == "hard links" and done.frames == 13
    manifest = read_manifest(done.folder)
    assert manifest.kind == "mix" and manifest.classes == CLASSES
    for item in manifest.frames:
        split, name = item.image.split("/")[1:]
        origin, _, file = name.partition("__")
        assert split == item.split and origin in ("magnets", "photos")
        (source,) = Path().glob(
            f"{'renders' if origin == 'magnets' else 'datasets'}/*/images/*/**/{file}"
        )
        assert source.samefile(done.folder / item.image)
    parents = {parent.name: parent.sha256 for parent in manifest.parents}
    for folder in ("renders/magnets", "datasets/photos"):
        digest = hashlib.sha256(Path(folder, "manifest.jsonl").read_bytes()).hexdigest()
        assert parents[Path(folder).name] == digest


def test_frames_come_over_as_they_were(project):
    manifest = read_manifest(make().folder)
    origins = {
        f"{origin.name}__{item.image.rpartition('/')[2]}": item
        for origin in map(read_manifest, (Path("renders/magnets"), Path("datasets/photos")))
        for item in origin.frames
    }
    for item in manifest.frames:
        before = origins[item.image.rpartition("/")[2]]
        extra = {k: v for k, v in item.extra.items() if k != "depth"}
        assert replace(item, image="", split=None, extra=extra) == replace(
            before, image="", extra={k: v for k, v in before.extra.items() if k != "depth"}
        )


def test_the_folder_is_a_dataset_of_plain_ultralytics(project):
    done = make()
    content = yaml.safe_load((done.folder / "data.yaml").read_text())
    assert content == {
        "train": "images/train", "val": "images/train", "test": "images/test",
        "names": {0: "qd", 1: "qf"},
    }  # fmt: skip
    for image in sorted(done.folder.glob("images/*/*")):
        text = Path(str(image).replace("/images/", "/labels/")).with_suffix(".txt").read_text()
        for class_id, _ in yolo_lines(text):
            assert class_id in (0, 1)


def yolo_lines(text: str) -> list[tuple[int, list[float]]]:
    return [(int(a), [float(v) for v in rest]) for a, *rest in map(str.split, text.splitlines())]


def test_layers_are_linked_too(project):
    manifest = read_manifest(make(Request(cad=6, background=0, allow_short=True)).folder)
    depth = [item.extra["depth"] for item in manifest.frames if "depth" in item.extra]
    assert depth == ["depth/train/magnets__qf_000007.png"]
    assert verify("datasets/both") == []


def test_the_same_command_again_changes_nothing(project):
    first = make()
    before = {
        p: (p.stat().st_mtime_ns, p.read_bytes()) for p in first.folder.rglob("*.*") if p.is_file()
    }
    again = make()
    assert again.was_there and again.folder == first.folder
    assert before == {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in before}


def test_the_order_and_number_of_session_options_do_not_matter(project):
    rules = SplitRules(test=("hall",), val=("shop",))
    first = make(Request(cad=4, splits=rules))
    rules = SplitRules(test=("hall", "hall"), val=("shop",))
    assert not first.was_there and make(Request(cad=4, splits=rules)).was_there


def test_a_recipe_names_the_seed_of_the_cuts_only_where_there_is_one(project):
    """Recipes of mixes without one are what they were before there was such a seed."""
    plain = (make().folder / "recipe.yaml").read_text()
    assert "cut_seed" not in plain and "test_fraction: 0.0\nparents:" in plain
    rules = replace(REQUEST.splits, cut_seed=5)
    seeded = (make(replace(REQUEST, splits=rules), "other").folder / "recipe.yaml").read_text()
    assert "test_fraction: 0.0\ncut_seed: 5\nparents:" in seeded


def test_another_mix_of_that_name_is_refused_with_the_difference(project):
    make()
    with pytest.raises(RecipeError) as caught:
        make(replace(REQUEST, cad=6))
    assert "cad: 4 there, 6 asked for" in str(caught.value) and "--fresh" in str(caught.value)
    render_set(Path("renders/more"))
    rename(Path("renders/more"), "more")
    with pytest.raises(RecipeError, match="the sets that it is made of"):
        make()
    assert make(fresh=True).frames == 13 and verify("datasets/both") == []


def test_a_mix_with_a_broken_recipe_is_made_anew(project):
    done = make()
    (done.folder / "recipe.yaml").write_text("vqc_recipe: 1\nkind: mix\n[: {")
    assert not make().was_there and verify(done.folder) == []


def test_what_is_no_mix_is_never_replaced(project):
    with pytest.raises(InputError, match="is no mix"):
        make(name="photos", fresh=True)
    (project / "datasets/mine").mkdir()
    (project / "datasets/mine/notes.txt").write_text("x")
    with pytest.raises(InputError, match="is no mix"):
        make(name="mine")


def test_nothing_is_left_where_a_picture_is_missing(project):
    next(Path("datasets/photos/images/000").glob("*11*")).unlink()
    with pytest.raises(InputError, match="is missing; vqc verify"):
        make(replace(REQUEST, per_class_test=None))
    assert sorted(os.listdir("datasets")) == ["photos"]


def test_a_set_is_never_written_into(project):
    """A link to a picture is the picture: nothing may ever be put over one."""
    for name, image in (("a", "images/000/b__p.png"), ("a__b", "images/000/p.png")):
        root = Path("datasets", name)
        objects = (Annotation(CLASSES[0], box_xyxy=(4.0, 5.0, 30.0, 20.0)),)
        item = frame(root, len(name), image, objects=objects, session=name, seed=None)
        finish(root, "intake", [replace(item, source="real", view=None)], name=name)
    before = {p: p.read_bytes() for p in sorted(Path().rglob("*.*")) if p.is_file()}
    with pytest.raises(ManifestError, match="would both be images/train/a__b__p: rename a set"):
        make(Request(real=9, allow_short=True))
    assert before == {p: p.read_bytes() for p in sorted(Path().rglob("*.*")) if p.is_file()}


def test_layers_of_one_name_do_not_meet(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root, made = Path("renders/magnets"), []
    for number in range(2, 6):
        depth = f"depth/{number}/last.png"
        extra = {"depth": depth, "depth_sha256": picture(root / depth, 1000 + number)}
        made.append(frame(root, number, extra=extra))
    finish(root, "render", made)
    assert verify(make(Request(cad=4)).folder) == [] and verify(root) == []


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "/x", ".x", "a\nb", " a", "x" * 300]
)
def test_names_that_are_none(project, name):
    with pytest.raises(InputError, match="--name: expected letters"):
        make(name=name)
    assert sorted(os.listdir("datasets")) == ["photos"]


def test_a_set_that_grows_meanwhile_is_told(project):
    made = mix.plan(mix.read_pool(mix.find_sets()[0]), REQUEST)
    photo_set(Path("datasets/photos"), start=98, count=16)
    with pytest.raises(ManifestError, match="datasets/photos: was changed while it was read"):
        mix.build(made, Path("datasets"), "both")
    assert sorted(os.listdir("datasets")) == ["photos"]


def test_a_link_is_never_replaced(project):
    done = make()
    Path("datasets/link").symlink_to(done.folder.name)
    Path("datasets/broken").symlink_to("nowhere")
    for name in ("link", "broken"):
        with pytest.raises(InputError, match="is no mix"):
            make(name=name, fresh=True)


def test_another_command_was_faster(project):
    """Two at once: the same mix is kept, another one is not replaced."""
    pool = mix.read_pool(mix.find_sets()[0])

    def build_while(other: Request) -> mix.Summary:
        plan, rival = mix.plan(pool, REQUEST), mix.plan(pool, other)
        name = f"cad{other.cad}"

        def on_progress(done: int, total: int) -> None:
            if done == total:
                mix.build(rival, Path("datasets"), name)

        return mix.build(plan, Path("datasets"), name, on_progress=on_progress)

    assert build_while(REQUEST).was_there
    with pytest.raises(RecipeError, match="cad: 6 there, 4 asked for"):
        build_while(replace(REQUEST, cad=6))
    assert sorted(os.listdir("datasets")) == ["cad4", "cad6", "photos"]


@pytest.mark.parametrize("spoiled", ["empty", "folder"])
def test_grey_of_what_is_no_picture(project, spoiled):
    for path in sorted(Path("datasets/photos/images/000").iterdir()):
        path.unlink()
        path.mkdir() if spoiled == "folder" else path.write_bytes(b"")
    with pytest.raises(InputError, match=r"does not open|cannot be read"):
        make(Request(real=1, grey=True))
    assert sorted(os.listdir("datasets")) == ["photos"]


def test_a_folder_that_cannot_be_written(project):
    Path("blocked").write_text("a file")
    pool = mix.read_pool(mix.find_sets()[0])
    with pytest.raises(OutputError, match="blocked/x: cannot be written"):
        mix.build(mix.plan(pool, REQUEST), Path("blocked"), "x")


def test_symbolic_links_where_hard_ones_are_impossible(project, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("vqc.files._WAYS", (("hard links", refuse), *files_ways()[1:]))
    done = make()
    assert done.placed == "symbolic links" and verify(done.folder) == []
    link = next(done.folder.glob("images/*/*"))
    assert not os.path.isabs(os.readlink(link))


def files_ways():
    from vqc import files

    return files._WAYS


def test_grey_pictures_are_new_files_without_colour(project):
    done = make(replace(REQUEST, grey=True))
    assert verify(done.folder) == [] and done.placed == "grey copies"
    for item in read_manifest(done.folder).frames:
        with Image.open(done.folder / item.image) as opened:
            assert opened.mode == "L" and opened.size == (WIDTH, HEIGHT)
    copies = sorted(done.folder.glob("images/*/magnets__*.png"))
    assert copies
    for copy in copies:
        (origin,) = Path("renders").rglob(copy.name.removeprefix("magnets__"))
        expected = np.asarray(Image.open(origin).convert("L"), int)
        assert np.abs(np.asarray(Image.open(copy), int) - expected).max() <= 1


def test_amodal_boxes_for_renders_and_drawn_ones_for_photos(project):
    done = make(replace(REQUEST, box="amodal"))
    assert verify(done.folder) == []
    for item in read_manifest(done.folder).frames:
        text = (done.folder / yolo.label_path(item.image)).read_text()
        for note, (_, (cx, _, w, _)) in zip(item.objects, yolo_lines(text), strict=True):
            box = note.amodal_box_xyxy or note.box_xyxy
            assert (cx - w / 2) * WIDTH == pytest.approx(max(box[0], 0), abs=1e-3)


def test_hardly_visible_objects_go_without_a_label(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = Path("renders/magnets")
    made = []
    for number in range(4):
        hidden = replace(boxed(number, 1), visibility=0.05)
        made.append(frame(root, number, objects=(hidden, boxed(number, 2))))
    finish(root, "render", made)
    done = make(Request(cad=4, min_visibility=0.1))
    assert verify(done.folder) == []
    for item in read_manifest(done.folder).frames:
        assert [note.instance for note in item.objects] == [2]


def test_marks_of_the_same_shoot_reach_the_manifest(project):
    done = make(Request(real=1, splits=SplitRules(test=("hall",), val_fraction=0.4)))
    marks = {item.split: item.same_shoot for item in read_manifest(done.folder).frames}
    assert marks == {"train": False, "val": True, "test": False}


def test_unlabelled_pictures_lie_where_data_yaml_does_not_look(project):
    """Plain Ultralytics would take them for empty ones, next to those that train."""
    root = Path("datasets/new")
    made = [
        replace(frame(root, n, f"images/n{n}.png", objects=None, session="yard", seed=None),
                source="real", view=None)
        for n in range(200, 204)
    ]  # fmt: skip
    finish(root, "intake", made, name="new")
    done = make(replace(REQUEST, unlabelled=3))
    assert verify(done.folder) == [] and done.frames == 16
    aside = [item for item in read_manifest(done.folder).frames if "/unlabelled/" in item.image]
    assert len(aside) == 3
    assert all(item.split == "train" and item.objects is None for item in aside)
    content = yaml.safe_load((done.folder / "data.yaml").read_text())
    assert content["train"] == "images/train"
    assert not list(done.folder.glob("images/train/new__*"))
    assert not (done.folder / "labels/unlabelled").exists()
    assert "\nunlabelled: 3\n" in (done.folder / "recipe.yaml").read_text()


def test_a_set_of_conditions_is_sound(project):
    root = Path("datasets/sorted")
    made = [
        replace(frame(root, n, f"images/n{n}.png", objects=None, session=f"item{n}", seed=None,
                      condition="good" if n % 2 else "scratch"), source="real", view=None)
        for n in range(300, 308)
    ]  # fmt: skip
    finish(root, "intake", made, name="sorted")
    pool = mix.read_pool([root])
    rules = SplitRules(test_fraction=0.25)
    done = mix.build(mix.plan(pool, Request(real="all", splits=rules)), Path("datasets"), "sort")
    assert verify(done.folder) == [] and not (done.folder / "labels").exists()
    found = [(item.split, item.condition) for item in read_manifest(done.folder).frames]
    assert sorted(found) == [
        *[("test", "good"), ("test", "scratch")],
        *[("train", "good")] * 3,
        *[("train", "scratch")] * 3,
    ]
    assert read_manifest(done.folder).classes == ()


def test_the_command(vqc, project):
    done = vqc("mix", "--cad", 4, "--real", 1, "--test", "hall", check=0, cwd=project)
    assert "drawn from" in done.stdout and "datasets/cad4-real1: 13 frames as hard" in done.stdout
    assert "no val split" in done.stderr
    record = json.loads(
        vqc("mix", "--ratio", "2:1", "--real", 1, "--json", check=0, cwd=project).stdout
    )
    assert record["folder"] == "datasets/ratio2-real1"
    assert record["table"][-1]["renders"] == 2 * record["table"][-1]["train photos"]
    assert verify(project / record["folder"]) == []
    every = vqc("mix", "--real", "all", "--val-sessions", 0.5, "--json", check=0, cwd=project)
    record = json.loads(every.stdout)
    assert record["folder"] == "datasets/cad0-realall" and record["table"][-1]["val"] == 6
    for arguments, message in (
        (("--cad", 99), "too few frames"),
        (("--real", 1, "--ratio", "x"), "--ratio: expected renders:photos"),
        (("--real", 1, "--ratio", "-2:-1"), "--ratio: expected renders:photos, both above 0"),
        (("--real", 1, "--ratio", "nan:1"), "--ratio: expected renders:photos"),
        (("--real", 1, "--name", ""), "--name: expected letters"),
        (("--real", 1, "--per-class-val", "some"), "--per-class-val: expected a whole number"),
        (("--real", 1, "--from", "nowhere"), "no such folder"),
    ):
        assert message in vqc("mix", *arguments, check=2, cwd=project).stderr
