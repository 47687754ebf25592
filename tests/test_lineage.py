"""Where a training set comes from: a mix of sets on disk, with recipes as vqc writes them."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import training
from pools import frame as made_up
from sets import CLASSES, finish, frame

from vqc import lineage, mix
from vqc.cad import MeshSettings
from vqc.dataset import Dataset, dataset_from, open_dataset
from vqc.errors import InputError
from vqc.intake.request import Request, resolve
from vqc.lineage import sentences, trace
from vqc.manifest import read_manifest, write_manifest
from vqc.mix import SplitRules
from vqc.recipe import Picture, RenderRecipe, Source, ViewBlock
from vqc.scene import LabelRules
from vqc.types import Annotation, Manifest, Parent

STEPS = (
    Source("qd", "qd.step", "a" * 64, "qd"),
    Source("qf", "qf.step", "b" * 64, "qf"),
)
WALK = "c" * 64


def render_recipe(sources: tuple[Source, ...] = STEPS) -> str:
    return RenderRecipe(
        name="magnets",
        seed=7,
        picture=Picture(),
        labels=LabelRules("assembly", {}, (), ()),
        mesh=MeshSettings(),
        sources=sources,
        views=(ViewBlock((0.0,), (0.0,), (0.0,), 4),),
    ).to_yaml()


def renders(root: Path, recipe: str | None = None) -> Manifest:
    made = [frame(root, number) for number in range(2, 8)]
    return finish(root, "render", made, recipe or render_recipe())


def photos(root: Path, **asked) -> Manifest:
    """Photos of two shoots, every one with a box."""
    made = []
    for number in range(100, 112):
        box = Annotation(CLASSES[number % 2], box_xyxy=(4.0, 5.0, 30.0, 20.0 + number % 9))
        session = "hall" if number >= 106 else "shop"
        item = frame(root, number, f"images/p_{number}.png", objects=(box,), session=session)
        phash = hashlib.sha256(str(number).encode()).hexdigest()[:16]
        made.append(replace(item, source="real", seed=None, view=None, phash=phash))
    recipe = replace(resolve(Request("photos", format="coco", session="folder")), **asked)
    return finish(root, "intake", made, recipe.to_yaml(), name="photos")


def mixed() -> Dataset:
    request = mix.Request(cad=4, real=2, background=0, splits=SplitRules(test=("hall",)))
    plan = mix.plan(mix.read_pool(mix.find_sets()[0]), request)
    return open_dataset(mix.build(plan, Path("datasets"), "both").folder)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with a set of renders and one of photos."""
    monkeypatch.chdir(tmp_path)
    renders(Path("renders/magnets"))
    photos(Path("datasets/photos"), videos={"walk.mp4": WALK})
    return tmp_path


def sha256(folder: str) -> str:
    return hashlib.sha256(Path(folder, "manifest.jsonl").read_bytes()).hexdigest()


def test_a_mix_is_traced_to_step_files_and_photos(project):
    dataset = mixed()
    made = trace(dataset)
    by_hand = {
        "vqc_lineage": 1,
        "name": "both",
        "sha256": sha256("datasets/both"),
        "kind": "mix",
        "created_by": dataset.manifest.created_by,
        "recipe_sha256": hashlib.sha256(Path("datasets/both/recipe.yaml").read_bytes()).hexdigest(),
        "frames": {"train": {"cad": 4, "real": 4}, "test": {"real": 6}},
        "parents": [
            {
                "name": "magnets",
                "sha256": sha256("renders/magnets"),
                "found": True,
                "folder": "renders/magnets",
                "kind": "render",
                "created_by": "vqc 0.1.0",
                "recipe_sha256": read_manifest("renders/magnets").recipe_sha256,
                "step_files": [
                    {"name": "qd.step", "sha256": "a" * 64, "class": "qd"},
                    {"name": "qf.step", "sha256": "b" * 64, "class": "qf"},
                ],
            },
            {
                "name": "photos",
                "sha256": sha256("datasets/photos"),
                "found": True,
                "folder": "datasets/photos",
                "kind": "intake",
                "created_by": "vqc 0.1.0",
                "recipe_sha256": read_manifest("datasets/photos").recipe_sha256,
                "source": {
                    "source": "real",
                    "simulated": False,
                    "format": "coco",
                    "session": "folder",
                    "videos": [{"name": "walk.mp4", "sha256": WALK}],
                },
            },
        ],
    }
    assert made == by_hand
    assert json.loads(json.dumps(made)) == made


def test_the_chain_reads_in_a_few_lines(project):
    dataset = mixed()
    own, magnets, shop = (
        sha256(folder)[:8] for folder in ("datasets/both", "renders/magnets", "datasets/photos")
    )
    assert sentences(trace(dataset)) == [
        f"both ({own}…): 8 train (4 renders, 4 photos), 6 test (photos)",
        f"  ← renders/magnets ({magnets}…): 2 STEP files: qd.step (aaaaaaaa…), qf.step (bbbbbbbb…)",
        f"  ← datasets/photos ({shop}…): photos, taken in as coco; 1 video: walk.mp4 (cccccccc…)",
    ]


def test_a_lineage_holds_no_path_of_the_machine_and_is_the_same_twice(project):
    dataset = mixed()
    roots = [project / "renders", project / "datasets"]
    made = trace(dataset, roots)
    assert made == trace(dataset)
    assert str(project) not in json.dumps([made, sentences(made)])


def test_a_set_may_be_moved_and_be_given_itself(project):
    dataset = mixed()
    shutil.move("renders/magnets", "elsewhere")
    made = trace(dataset, [Path("elsewhere"), Path("datasets")])
    assert [parent["found"] for parent in made["parents"]] == [True, True]
    assert made["parents"][0]["folder"] == "elsewhere"


def test_parents_that_are_gone_or_grew_are_said_to_be_so(project):
    dataset = mixed()
    shutil.rmtree("renders")
    grown = read_manifest("datasets/photos")
    write_manifest(Path("datasets/photos"), replace(grown, frames=grown.frames[1:]))
    made = trace(dataset)
    kept = [
        {"name": parent.name, "sha256": parent.sha256, "found": False}
        for parent in dataset.manifest.parents
    ]
    assert made["parents"] == kept
    lines = sentences(made)
    assert lines[1:] == [
        f"  ← {parent['name']} ({parent['sha256'][:8]}…): not found here" for parent in kept
    ]


@pytest.mark.parametrize(
    "header", [b"", b"not JSON\n", b"[1]\n", b"[" * 100_000, b'{"name": "magnets"}\n', b"\xff\n"]
)
def test_what_else_lies_there_does_no_harm(project, header):
    """Sets of the same name, broken ones, hidden ones, and files."""
    dataset = mixed()
    wanted = trace(dataset)
    for place in ("renders/broken", "renders/.magnets.0.tmp", "datasets/a"):
        Path(place).mkdir()
        Path(place, "manifest.jsonl").write_bytes(header)
    Path("renders/a-file").write_text("")
    renders(Path("renders/another"), render_recipe(STEPS[:1]))
    assert trace(dataset) == wanted
    assert trace(dataset, [Path("nowhere"), Path("renders/a-file")])["parents"][0] == {
        "name": "magnets", "sha256": wanted["parents"][0]["sha256"], "found": False,
    }  # fmt: skip


def test_of_equal_sets_the_first_by_name_counts_and_hidden_ones_never_do(project):
    dataset = mixed()
    for copy in (".magnets.0.tmp", "z", "a", "m"):
        shutil.copytree("renders/magnets", f"renders/{copy}")
    assert trace(dataset)["parents"][0]["folder"] == "renders/a"
    for copy in ("magnets", "z", "a", "m"):
        shutil.rmtree(f"renders/{copy}")
    assert not trace(dataset)["parents"][0]["found"]


@pytest.mark.parametrize("recipe", [None, "changed: true\n", ": : :", "{", "\x00"])
def test_a_recipe_that_is_not_the_manifests_tells_nothing(project, recipe):
    dataset = mixed()
    file = Path("renders/magnets/recipe.yaml")
    file.unlink()
    if recipe is not None:
        file.write_text(recipe)
    made = trace(dataset)
    assert made["parents"][0]["found"] and "step_files" not in made["parents"][0]
    assert sentences(made)[1].endswith(": its recipe is gone or does not belong to it")
    assert "source" in made["parents"][1]


@pytest.mark.parametrize(
    "recipe",
    [
        "sources: 3\n",
        "sources: []\n",
        "sources: [3, {file: [], sha256: x}, {file: a.step}]\n",
        "[1, 2]\n",
        "a: &a [*a]\n",
    ],
)
def test_odd_recipes_of_other_software_tell_nothing(project, recipe):
    shutil.rmtree("renders/magnets")
    renders(Path("renders/magnets"), recipe)
    made = trace(mixed())
    assert made["parents"][0]["found"] and "step_files" not in made["parents"][0]
    assert len(sentences(made)) == 3


def test_only_the_name_of_a_step_file_is_told(project):
    shutil.rmtree("renders/magnets")
    planted = (Source("qd", "/home/someone/qd.step", "a" * 64, "qd"),)
    renders(Path("renders/magnets"), render_recipe(planted))
    (file,) = trace(mixed())["parents"][0]["step_files"]
    assert file == {"name": "qd.step", "sha256": "a" * 64, "class": "qd"}


def test_many_step_files_are_all_kept_and_five_are_shown(project):
    shutil.rmtree("renders/magnets")
    many = tuple(Source(f"p{k}", f"p{k}.step", f"{k:064x}", "qd") for k in range(8))
    renders(Path("renders/magnets"), render_recipe(many))
    made = trace(mixed())
    assert len(made["parents"][0]["step_files"]) == 8
    line = sentences(made)[1]
    assert "8 STEP files: p0.step (00000000…)" in line and line.endswith(
        "p4.step (00000000…) and 3 more"
    )


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"source": "cad"}, "renders, taken in as coco"),
        ({"source": "cad", "simulated": True}, "simulated photos, taken in as coco"),
        ({"format": ""}, "photos"),
    ],
)
def test_pictures_of_other_people_are_named_for_what_they_are(project, asked, words):
    shutil.rmtree("datasets/photos")
    photos(Path("datasets/photos"), **asked)
    assert sentences(trace(mixed()))[2].endswith(f": {words}")


def test_a_set_that_is_no_mix_tells_what_it_is_made_of_itself(project):
    made = trace(open_dataset(Path("renders/magnets")))
    assert made["parents"] == [] and len(made["step_files"]) == 2
    assert made["frames"] == {"without split": {"cad": 6}}
    assert sentences(made) == [
        f"magnets ({made['sha256'][:8]}…): 6 without split (renders)",
        "  ← 2 STEP files: qd.step (aaaaaaaa…), qf.step (bbbbbbbb…)",
    ]


def test_every_kind_of_frame_is_counted_in_its_split():
    kinds = [("train", "cad", False)] * 3 + [("train", "cad", True)] * 2 + [("val", "real", False)]
    kinds += [(None, "real", False)] * 1234
    frames = tuple(
        replace(made_up(f"f{k:06d}"), split=split, source=source, simulated=simulated)
        for k, (split, source, simulated) in enumerate(kinds)
    )
    manifest = Manifest(
        "mix", "m", CLASSES, frames, "0" * 64, "vqc 0.1.0", (Parent("p", "1" * 64),)
    )
    made = trace(Dataset(Path("nowhere"), manifest, "2" * 64))
    assert made["frames"] == {
        "train": {"cad": 3, "simulated": 2}, "val": {"real": 1}, "without split": {"real": 1234},
    }  # fmt: skip
    assert list(made["frames"]) == ["train", "val", "without split"]
    assert sentences(made)[0] == (
        "m (22222222…): 5 train (3 renders, 2 simulated photos), 1 val (photos), "
        "1,234 without split (photos)"
    )


def test_a_runs_copy_of_the_manifest_is_traced_like_the_set(project):
    dataset = mixed()
    copy = dataset_from(Path("datasets/both/manifest.jsonl").read_bytes(), Path("runs/x"))
    shutil.rmtree("datasets/both")
    assert trace(copy) == trace(replace(dataset, folder=Path("gone")))
    assert trace(copy)["parents"][0]["step_files"]


def test_a_set_without_frames_or_parents():
    made = trace(Dataset(Path("x"), Manifest("mix", "m", (), (), "0" * 64, "v"), "3" * 64))
    assert made["frames"] == {} and made["parents"] == []
    assert sentences(made) == ["m (33333333…): no frames"]


# What a run has seen ----------------------------------------------------------------------


@pytest.fixture
def squares(tmp_path):
    return training.write_set(tmp_path / "squares")


def run_on(dataset, folder):
    """A run's folder as far as it says what it trains on."""
    folder.mkdir(parents=True)
    (folder / "dataset.jsonl").write_bytes((dataset.folder / "manifest.jsonl").read_bytes())
    return folder


def test_what_a_run_has_seen_comes_back_without_its_test_frames(squares, tmp_path):
    first, second = run_on(squares, tmp_path / "first"), tmp_path / "second"
    assert lineage.ancestors(first) == ()
    lineage.inherit(second, lineage.seen(first))
    (found,) = lineage.ancestors(second)
    assert (found.manifest.name, found.sha256) == ("squares", squares.sha256)
    for split in ("train", "val"):
        for mine, theirs in zip(found.frames(split), squares.frames(split), strict=True):
            for name in ("image", "sha256", "phash", "session", "width", "source", "split"):
                assert getattr(mine, name) == getattr(theirs, name)
            boxes = [(note.class_name, note.box_xyxy) for note in mine.objects]
            assert boxes == [(note.class_name, note.box_xyxy) for note in theirs.objects]
    assert found.frames("test") == ()


def test_ancestors_of_ancestors_are_known_each_once(squares, tmp_path):
    more = training.write_set(tmp_path / "more", {"train": 4})
    first, second = run_on(squares, tmp_path / "a"), run_on(more, tmp_path / "b")
    third, fourth = run_on(squares, tmp_path / "c"), run_on(more, tmp_path / "d")
    for folder, start in ((second, first), (third, second), (fourth, third)):
        lineage.inherit(folder, lineage.seen(start))
    names = [[each.manifest.name for each in lineage.ancestors(f)] for f in (second, third, fourth)]
    assert names == [["squares"], ["more", "squares"], ["squares", "more"]]
    assert lineage.seen(first) == lineage.seen(run_on(squares, tmp_path / "e"))


def spoilt(packed: bytes) -> list[bytes]:
    """What no run has packed."""
    text = gzip.decompress(packed)
    texts = [
        b"", b"[]\n", text[:-1], text[: text.rindex(b"\n", 0, -1) + 1],
        text.replace(b'"vqc_seen": 1', b'"vqc_seen": 2'),
        text.replace(b'"phash": "', b'"phash": "x'),
        text.replace(b'"frames": 8', b'"frames": -1'), b"[" * 100_000 + b"\n", b"\xff\n",
    ]  # fmt: skip
    return [b"", packed[:-9], text, *map(gzip.compress, texts[1:])]


def test_spoilt_bytes_are_told(squares, tmp_path):
    packed = lineage.seen(run_on(squares, tmp_path / "run"))
    for data in spoilt(packed):
        with pytest.raises(InputError, match="--weights: what it says of the pictures"):
            lineage.inherit(tmp_path / "new", data)
        assert not (tmp_path / "new").exists()
    (tmp_path / "run" / "seen.jsonl.gz").write_bytes(b"x")
    with pytest.raises(InputError, match=r"seen\.jsonl\.gz: what it says"):
        lineage.ancestors(tmp_path / "run")


def test_what_unfolds_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(lineage, "_LARGEST_BYTES", 1000)
    with pytest.raises(InputError, match="too large"):
        lineage.inherit(tmp_path, gzip.compress(b" " * 100_000))
