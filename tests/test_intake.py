"""`vqc intake` from end to end: small sources on disk → sets that verify finds sound, or faults."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from vqc.errors import InputError, OutputError, RecipeError
from vqc.formats import rle
from vqc.intake import place
from vqc.intake.build import Manner, take_in
from vqc.intake.pictures import image_path, index_of
from vqc.intake.request import Request
from vqc.verify import verify

WIDTH, HEIGHT = 40, 30


def photo(path: Path, seed: int, size=(WIDTH, HEIGHT), orientation: int | None = None) -> Path:
    """Noise of its own for every seed; lossless where the suffix allows it."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return save(path, pixels, orientation)


def save(path: Path, pixels: np.ndarray, orientation: int | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, exif=exif, quality=95)
    return path


def photos(root: Path, *files: str) -> Path:
    for file in files:
        photo(root / file, int(hashlib.sha256(file.encode()).hexdigest()[:8], 16))
    return root


def yolo(root: Path, labels: dict[str, str | None], names=("qd", "qf")) -> Path:
    """A source in YOLO's layout: stem below images/ → label text, None for no label file."""
    for stem, text in labels.items():
        photos(root, f"images/{stem}.jpg")
        if text is not None:
            (root / f"labels/{stem}.txt").parent.mkdir(parents=True, exist_ok=True)
            (root / f"labels/{stem}.txt").write_text(text)
    (root / "data.yaml").write_text(yaml.safe_dump({"names": list(names)}))
    return root


BOX = "0 0.5 0.5 0.5 0.4\n"  # 10 to 30 and 9 to 21 pixels
OTHER = "1 0.25 0.5 0.25 0.4\n"


@pytest.fixture
def source(tmp_path):
    return yolo(tmp_path / "source", {"b": BOX, "c": BOX + OTHER, "d": ""})


@pytest.fixture
def out(tmp_path):
    return tmp_path / "datasets"


def taken(
    source: Path, out: Path, /, skip_bad=False, fresh=False, dry_run=False, jobs=None, **asked
):
    asked = {"name": "hall", **asked}
    return take_in(source, Request(**asked), out, Manner(skip_bad, fresh, dry_run, jobs))


def content(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file below a folder: its bytes and when they were written."""
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def by_file(result):
    return {frame.extra["file"]: frame for frame in result.manifest.frames}


def messages(result) -> str:
    return "\n".join(map(str, result.faults))


def test_a_set_is_sound_and_holds_the_photos_bytes(source, out):
    result = taken(source, out)
    assert (result.state, result.format, result.faults) == ("new", "yolo", ())
    assert verify(out / "hall") == [] and result.manifest.classes == ("qd", "qf")
    assert [frame.image for frame in result.manifest.frames] == [
        "images/000/b_000000.jpg",
        "images/000/c_000001.jpg",
        "images/000/d_000002.jpg",
    ]
    for file, frame in by_file(result).items():
        assert (out / "hall" / frame.image).read_bytes() == (source / file).read_bytes()
        assert (frame.source, frame.session, frame.split) == ("real", "hall", None)
    objects = {file[7:8]: frame.objects for file, frame in by_file(result).items()}
    assert [note.box_xyxy for note in objects["c"]] == [(10, 9, 30, 21), (5, 9, 15, 21)]
    assert objects["d"] == ()
    assert [path.name for path in out.iterdir()] == ["hall"]


def test_the_same_source_gives_the_same_bytes_whatever_the_threads(source, out, tmp_path):
    taken(source, out, jobs=1)
    taken(shutil.copytree(source, tmp_path / "elsewhere"), tmp_path / "other", jobs=8)
    first, second = content(out / "hall"), content(tmp_path / "other" / "hall")
    assert {k: v[0] for k, v in first.items()} == {k: v[0] for k, v in second.items()}


def test_names_with_odd_characters_become_plain_ones(tmp_path, out):
    root = photos(tmp_path / "s", "images/Foto (3) ä.JPG", "a/b.c.png")
    frames = by_file(taken(root, out, session="folder"))
    assert {frame.image for frame in frames.values()} == {
        "images/000/b.c_000000.png",
        "images/000/Foto__3____000001.jpg",
    }
    assert verify(out / "hall") == []


def test_unlabelled_is_not_empty(tmp_path, out):
    root = photos(tmp_path / "s", "a.jpg", "b.jpg")
    assert {f.objects for f in taken(root, out).manifest.frames} == {None}
    empty = taken(root, out, name="empty", background=True)
    assert {f.objects for f in empty.manifest.frames} == {()} and verify(out / "empty") == []


def test_a_picture_without_label_file_is_a_fault_or_a_background(tmp_path, out):
    root = yolo(tmp_path / "s", {"a": BOX, "b": None})
    result = taken(root, out)
    assert [fault.file for fault in result.faults] == ["images/b.jpg"]
    assert result.state == "faulty" and not (out / "hall").exists()
    frames = by_file(taken(root, out, background=True))
    assert frames["images/b.jpg"].objects == ()


def test_splits_are_kept_and_marked_where_they_cut_through_a_session(tmp_path, out):
    root = photos(tmp_path / "s", "train/may/a.jpg", "valid/may/b.jpg", "test/june/c.jpg")
    frames = by_file(result := taken(root, out, session="folder"))
    assert {f: (x.session, x.split, x.same_shoot) for f, x in frames.items()} == {
        "train/may/a.jpg": ("may", "train", False),
        "valid/may/b.jpg": ("may", "val", True),
        "test/june/c.jpg": ("june", "test", False),
    }
    (note,) = [note for note in result.notes if "same_shoot" in note]
    assert "session may" in note
    assert verify(out / "hall") == []
    asked = taken(root, out, name="other", session="folder", split="test")
    assert {(f.split, f.same_shoot) for f in asked.manifest.frames} == {("test", False)}


def test_renders_of_other_people(tmp_path, out):
    root = photos(tmp_path / "s", "qd/a.png", "qd/b.png", "qf/c.png")
    frames = by_file(result := taken(root, out, simulated=True))
    assert result.format == "classes" and result.manifest.classes == ("qd", "qf")
    assert {(f.source, f.simulated, f.objects) for f in frames.values()} == {("cad", True, None)}
    assert frames["qf/c.png"].label == "qf" and verify(out / "hall") == []
    frame = taken(root, out, name="cad", source="cad").manifest.frames[0]
    assert (frame.source, frame.simulated) == ("cad", False)


def white_square(raw_box, raw_size):
    pixels = np.zeros((raw_size[1], raw_size[0], 3), np.uint8)
    x0, y0, x1, y1 = raw_box
    pixels[y0:y1, x0:x1] = 255
    return pixels


@pytest.mark.parametrize("max_side", [None, 20])
@pytest.mark.parametrize("orientation", [1, 6, 8])
def test_pictures_are_turned_and_shrunk_and_labels_follow(tmp_path, out, orientation, max_side):
    """VOC states the raw size, so its boxes are raw; the white square says where they belong."""
    root, (x0, y0, x1, y1) = tmp_path / "s", (4, 8, 16, 24)
    save(root / "a.png", white_square((x0, y0, x1, y1), (WIDTH, HEIGHT)), orientation)
    (root / "a.xml").write_text(
        f"<annotation><filename>a.png</filename><size><width>{WIDTH}</width>"
        f"<height>{HEIGHT}</height><depth>3</depth></size><object><name>qd</name><bndbox>"
        f"<xmin>{x0 + 1}</xmin><ymin>{y0 + 1}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax>"
        "</bndbox></object></annotation>"
    )
    result = taken(root, out, max_side=max_side)
    (frame,) = result.manifest.frames
    size = (WIDTH, HEIGHT) if orientation == 1 else (HEIGHT, WIDTH)
    scale = 1 if max_side is None else 0.5
    assert (frame.width, frame.height) == (size[0] * scale, size[1] * scale)
    with Image.open(out / "hall" / frame.image) as picture:
        assert picture.getexif().get(0x0112, 1) == 1
        rows, columns = np.nonzero(np.asarray(picture.convert("L")) > 127)
    box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert frame.objects[0].box_xyxy == box
    assert (result.turned, result.shrunk) == (orientation != 1, max_side is not None)
    assert verify(out / "hall") == []
    assert taken(root, out, max_side=max_side).state == "unchanged"


def coco(root: Path, sizes: dict[str, tuple[int, int]], box) -> Path:
    """One object, the same box, in each picture; the sizes are those that the file states."""
    content = {"categories": [{"id": 1, "name": "qd"}], "images": [], "annotations": []}
    for i, (file, (width, height)) in enumerate(sizes.items()):
        content["images"].append({"id": i, "file_name": file, "width": width, "height": height})
        content["annotations"].append({"id": i, "image_id": i, "category_id": 1, "bbox": box})
    (root / "a.json").write_text(json.dumps(content))
    return root


@pytest.mark.parametrize("side", [WIDTH, HEIGHT])
@pytest.mark.parametrize("other", [None, "raw", "shown"])
def test_where_a_turn_keeps_the_size_the_other_labels_decide(tmp_path, out, other, side):
    root = tmp_path / "s"
    photo(root / "half.jpg", 1, (side, HEIGHT), orientation=3)
    photo(root / "quarter.jpg", 2, orientation=6)
    photo(root / "upright.jpg", 3)
    sizes = {"half.jpg": (side, HEIGHT), "upright.jpg": (WIDTH, HEIGHT)}
    if other:
        sizes["quarter.jpg"] = (WIDTH, HEIGHT) if other == "raw" else (HEIGHT, WIDTH)
    else:
        (root / "quarter.jpg").unlink()
    coco(root, sizes, [2, 3, 10, 6])
    for state in ("new", "unchanged"):
        result = taken(root, out)
        boxes = {file: frame.objects[0].box_xyxy for file, frame in by_file(result).items()}
        assert boxes["upright.jpg"] == (2, 3, 12, 9) and result.state == state
        turned = (side - 12, HEIGHT - 9, side - 2, HEIGHT - 3)
        assert boxes["half.jpg"] == (turned if other == "raw" else (2, 3, 12, 9))
        (note,) = result.notes
        assert "half.jpg" in note and ("other labels" in note) == (other == "raw")
    assert verify(out / "hall") == []


def test_masks_give_objects_and_conditions(tmp_path, out):
    root = photos(tmp_path / "s", "images/a.png", "images/b.png", "images/c.png")
    for stem, values in (("a", (1, 2)), ("b", (2, 2)), ("c", (0, 0))):
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        mask[3:9, 5:20], mask[12:20, 10:15] = values
        save(root / f"masks/{stem}.png", mask)
    result = taken(root, out, classes=("1=crack", "2=dent"))
    frames = {file[7]: frame for file, frame in by_file(result).items()}
    assert result.manifest.classes == ("crack", "dent") and verify(out / "hall") == []
    assert [(n.class_name, n.box_xyxy) for n in frames["a"].objects] == [
        ("crack", (5, 3, 20, 9)),
        ("dent", (10, 12, 15, 20)),
    ]
    assert rle.area(frames["b"].objects[0].mask) == 6 * 15 + 8 * 5
    assert frames["c"].objects == ()
    assert [frames[k].condition for k in "abc"] == ["crack", "dent", "good"]


def test_a_mask_that_was_saved_with_loss_is_no_mask(tmp_path, out):
    root = photos(tmp_path / "s", "images/a.png", "images/b.png")
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    save(root / "masks/b.jpg", mask)  # without an edge nothing is lost
    mask[3:9, 5:20] = 255
    Image.fromarray(mask).save(root / "masks/a.jpg", quality=60)
    assert [(f.file, "JPEG" in f.message) for f in taken(root, out).faults] == [
        ("masks/a.jpg", True)
    ]


def test_a_mask_of_another_size_is_told_once(tmp_path, out):
    root = photos(tmp_path / "s", "images/a.png")
    save(root / "masks/a.png", np.ones((HEIGHT // 2, WIDTH), np.uint8))
    assert [fault.file for fault in taken(root, out).faults] == ["masks/a.png"]


def test_what_is_there_and_is_not_read_is_told(tmp_path, out):
    root = photos(tmp_path / "s", "a.jpg")
    photos(tmp_path / "elsewhere", "b.jpg")
    (root / "more").symlink_to(tmp_path / "elsewhere")
    (root / "c.jpg").symlink_to(tmp_path / "elsewhere/b.jpg")
    (root / "gone.jpg").symlink_to(tmp_path / "nowhere")
    (root / "d.GIF").write_bytes(b"GIF89a")
    (root / "train.csv").write_text("ImageId,EncodedPixels\na.jpg,1 2\n")
    result = taken(root, out, skip_bad=True)
    assert sorted(by_file(result)) == ["a.jpg", "c.jpg"]
    assert [fault.file for fault in result.faults] == ["gone.jpg", "more"]
    assert any("d.GIF" in note for note in result.notes)
    assert any("train.csv was not understood" in note for note in result.notes)


def test_classes_are_mapped_ignored_and_keep_their_order(tmp_path, out):
    names = ("person", "bolt_old", "nut", "bolt_new ")
    labels = "".join(f"{i} 0.5 0.5 0.{i + 1} 0.4\n" for i in range(4))
    root = yolo(tmp_path / "s", {"a": labels}, names)
    rules = ("bolt_old=bolt", "bolt_new=bolt")
    result = taken(root, out, classes=rules, ignore=("person",))
    assert result.manifest.classes == ("bolt", "nut") and verify(out / "hall") == []
    (frame,) = result.manifest.frames
    assert [note.class_name for note in frame.objects] == ["bolt", "nut", "bolt"]
    with pytest.raises(InputError) as told:
        taken(root, out, name="x", classes=("blot_old=bolt",), ignore=("nuts",))
    text = str(told.value)
    assert "did you mean 'bolt_old'?" in text and "did you mean 'nut'?" in text
    assert "person, bolt_old, nut, bolt_new" in text


def broken(root: Path) -> Path:
    """Good pictures, and one for each thing that can be wrong with a picture or its labels."""
    good = {name: BOX for name in ("a", "b", "c")}
    yolo(root, {**good, "class": "9 0.5 0.5 0.1 0.1\n", "columns": "0 0.5\n", "none": None,
                "nan": "\n0 nan 0.5 0.1 0.1\n", "out": BOX + "0 0.9 0.5 0.4 0.4\n", "zero": BOX,
                "cut": BOX, "large": BOX, "twin": BOX})  # fmt: skip
    (root / "images/zero.jpg").write_bytes(b"")
    data = (root / "images/cut.jpg").read_bytes()
    (root / "images/cut.jpg").write_bytes(data[: len(data) // 2])
    photo(root / "images/large.jpg", 1, (WIDTH, 60))
    shutil.copy(root / "images/b.jpg", root / "images/twin.jpg")
    (root / "labels/alone.txt").write_text(BOX)
    return root


BROKEN = {
    "images/cut.jpg": None, "images/large.jpg": None, "images/none.jpg": None,
    "images/twin.jpg": None, "images/zero.jpg": None, "labels/alone.txt": None,
    "labels/class.txt": 1, "labels/columns.txt": 1, "labels/nan.txt": 2, "labels/out.txt": 2,
}  # fmt: skip


def test_every_fault_is_told_at_once_and_nothing_is_written(tmp_path, out):
    result = taken(broken(tmp_path / "s"), out, max_mpx=0.002)
    assert {f.file: f.line for f in result.faults} == BROKEN, messages(result)
    assert list(result.faults) == sorted(result.faults, key=lambda f: (f.file, f.line or 0))
    assert "the same picture as images/b.jpg" in messages(result)
    assert result.state == "faulty" and list(out.iterdir()) == []


def test_faulty_pictures_are_skipped_on_request_listed_and_recorded(tmp_path, out):
    root = broken(tmp_path / "s")
    result = taken(root, out, max_mpx=0.002, skip_bad=True)
    assert set(by_file(result)) == {"images/a.jpg", "images/b.jpg", "images/c.jpg"}
    assert {f.file: f.line for f in result.faults} == BROKEN and verify(out / "hall") == []
    recipe = yaml.safe_load((out / "hall/recipe.yaml").read_text())
    assert "images/twin.jpg" in recipe["skipped"] and "images/nan.jpg" in recipe["skipped"]
    before = content(out / "hall")
    assert taken(root, out, max_mpx=0.002, skip_bad=True).state == "unchanged"
    assert content(out / "hall") == before


def test_a_sound_picture_is_not_given_up_for_an_equal_one_with_faults(tmp_path, out):
    root = yolo(tmp_path / "s", {"a": "0 0.5\n", "b": BOX})
    shutil.copy(root / "images/a.jpg", root / "images/b.jpg")
    assert set(by_file(taken(root, out, skip_bad=True))) == {"images/b.jpg"}


def test_where_everything_is_faulty_nothing_is_written(tmp_path, out):
    root = yolo(tmp_path / "s", {"a": "0 0.5\n"})
    assert taken(root, out, skip_bad=True).state == "faulty" and list(out.iterdir()) == []


def test_sessions_that_cannot_be_told_are_faults(tmp_path, out):
    root = photos(tmp_path / "s", "may_1.jpg", "x.jpg")
    result = taken(root, out, session="regex:^(\\w+)_")
    assert [fault.file for fault in result.faults] == ["x.jpg"]
    result = taken(root, out, session="regex:^([a-z]+)_", skip_bad=True)
    assert [frame.session for frame in result.manifest.frames] == ["may"]


def test_a_column_that_no_picture_has_is_told_once(tmp_path, out):
    root = photos(tmp_path / "s", "a.jpg", "b.jpg")
    (root / "index.csv").write_text("file,shoot\na.jpg,may\nb.jpg,june\n")
    frames = by_file(taken(root, out, session="column:shoot"))
    assert {file: frame.session for file, frame in frames.items()} == {
        "a.jpg": "may",
        "b.jpg": "june",
    }
    with pytest.raises(InputError, match=r"no column 'shot'.*file, shoot"):
        taken(root, out, name="x", session="column:shot")


def test_the_same_command_again_changes_nothing(source, out):
    taken(source, out)
    before = content(out / "hall")
    again = taken(source, out)
    assert (again.state, again.new) == ("unchanged", 0) and content(out / "hall") == before


def test_more_pictures_are_appended_and_the_others_keep_all(source, out):
    taken(source, out)
    before = content(out / "hall")
    yolo(source, {"a": OTHER, "z": ""}, ("qd", "qf", "sextupole"))
    grown = taken(source, out)
    assert (grown.state, grown.new, verify(out / "hall")) == ("extended", 2, [])
    assert by_file(grown)["images/a.jpg"].image == "images/000/a_000003.jpg"
    assert by_file(grown)["images/z.jpg"].image == "images/000/z_000004.jpg"
    after = content(out / "hall")
    kept = [file for file in before if file.startswith(("images/", "labels/"))]
    assert {f: after[f][0] for f in kept} == {f: before[f][0] for f in kept}
    assert grown.manifest.classes == ("qd", "qf", "sextupole")
    assert [path.name for path in out.iterdir()] == ["hall"]


def test_new_classes_come_behind_those_that_are_there(tmp_path, out):
    root = photos(tmp_path / "s", "b/1.png", "c/2.png")
    taken(root, out)
    photos(root, "a/3.png")
    assert taken(root, out).manifest.classes == ("b", "c", "a") and verify(out / "hall") == []


def test_a_session_that_begins_to_train_marks_what_is_there(tmp_path, out):
    root = photos(tmp_path / "s", "val/a.jpg", "val/b.jpg")
    assert not any(f.same_shoot for f in taken(root, out).manifest.frames)
    photos(root, "train/c.jpg")
    grown = taken(root, out)
    assert grown.state == "extended" and verify(out / "hall") == []
    assert [f.same_shoot for f in grown.manifest.frames] == [True, True, False]


def spoil_options(source):
    return {"max_side": 32}


def spoil_gone(source):
    (source / "images/b.jpg").unlink()
    (source / "labels/b.txt").unlink()
    return {}


def spoil_label(source):
    (source / "labels/b.txt").write_text(OTHER)
    return {}


def spoil_picture(source):
    photo(source / "images/b.jpg", 99)
    return {}


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoil_options, "max_side: the set has None, asked for 32"),
        (spoil_gone, "images/b.jpg: no longer in the source"),
        (spoil_label, "images/b.jpg: changed"),
        (spoil_picture, "images/b.jpg: changed"),
    ],
)
def test_another_set_under_the_same_name_is_refused_and_may_replace_it(source, out, spoil, said):
    taken(source, out)
    before = content(out / "hall")
    options = spoil(source)
    with pytest.raises(RecipeError) as told:
        taken(source, out, **options)
    assert said in str(told.value) and "--fresh" in str(told.value)
    assert "another --name" in str(told.value) and content(out / "hall") == before
    assert taken(source, out, fresh=True, **options).state == "new"
    assert verify(out / "hall") == [] and content(out / "hall") != before
    assert [path.name for path in out.iterdir()] == ["hall"]


def test_a_picture_of_the_set_that_has_faults_now(source, out):
    taken(source, out)
    before = content(out / "hall")
    (source / "labels/b.txt").write_text("0 0.5\n")
    assert [str(f)[:16] for f in taken(source, out).faults] == ["labels/b.txt:1: "]
    with pytest.raises(RecipeError, match=r"images/b\.jpg: has faults now"):
        taken(source, out, skip_bad=True)
    assert content(out / "hall") == before


def test_a_folder_that_is_no_set_of_photos_is_never_replaced(source, out):
    (out / "hall").mkdir(parents=True)
    (out / "hall/thesis.txt").write_text("all I have")
    for fresh in (False, True):
        with pytest.raises(InputError, match="no set of photos"):
            taken(source, out, fresh=fresh)
    assert (out / "hall/thesis.txt").read_text() == "all I have"


@pytest.mark.parametrize("place_of_set", [".", "images/sets"])
def test_source_and_set_may_not_lie_in_each_other(source, place_of_set):
    with pytest.raises(InputError, match="lie in each other"):
        taken(source, source / place_of_set)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_is_interrupted_leaves_nothing_and_the_old_set_alone(source, out, monkeypatch, error):
    taken(source, out)
    before = content(out / "hall")
    yolo(source, {"z": BOX})

    def fail(target, content, may_link=False):
        if "z_" in target.name:
            raise error
        return put(target, content, may_link)

    put = place.put
    monkeypatch.setattr("vqc.intake.pictures.put", fail)
    for asked in ({}, {"name": "second"}, {"fresh": True}):
        with pytest.raises(OutputError if isinstance(error, OSError) else KeyboardInterrupt):
            taken(source, out, **asked)
        assert content(out / "hall") == before
        assert [path.name for path in out.iterdir()] == ["hall"]


def test_one_command_at_a_time_makes_a_set(source, out):
    with place.workplace(out / "hall", dry_run=False):
        with pytest.raises(OutputError, match="another vqc intake"):
            taken(source, out)
        assert taken(source, out, name="other").state == "new"
    assert taken(source, out).state == "new"
    assert sorted(path.name for path in out.iterdir()) == ["hall", "other"]


KILLED = """
import os, sys
from pathlib import Path
from vqc.intake import place
folder = Path(sys.argv[1])
with place.workplace(folder, dry_run=False) as work:
    (work / "set").mkdir()
    (work / "set/half.jpg").write_bytes(b"x")
    if folder.exists():
        os.rename(folder, work / "former")
    os.kill(os.getpid(), 9)
"""


def test_what_a_killed_command_left_is_removed_and_the_old_set_put_back(source, out):
    for state in ("new", "unchanged"):
        done = subprocess.run([sys.executable, "-c", KILLED, str(out / "hall")], check=False)
        assert done.returncode == -9 and len(list(out.iterdir())) == 1
        assert taken(source, out).state == state
        assert [path.name for path in out.iterdir()] == ["hall"]
    assert verify(out / "hall") == []


def test_the_old_set_comes_back_where_the_new_one_cannot_take_its_place(source, out, monkeypatch):
    taken(source, out)
    before = content(out / "hall")
    rename = place.os.rename
    monkeypatch.setattr(
        place.os,
        "rename",
        lambda a, b: rename(a, b) if Path(a).name != "set" else (out / "no").stat(),
    )
    with pytest.raises(OutputError, match="cannot be written"):
        taken(source, out, fresh=True, max_side=32)
    assert content(out / "hall") == before and [path.name for path in out.iterdir()] == ["hall"]


@pytest.mark.parametrize(
    ("index", "file", "image"),
    [
        (7, "a/b.jpeg", "images/000/b_000007.jpg"),
        (1999, "a/.hidden.png", "images/001/hidden_001999.jpg"),
        (123456, "…/..", "images/123/picture_123456.jpg"),
        (1000000, "images/images.jpg", "images/1000/images_1000000.jpg"),
        (0, "x" * 300, f"images/000/{'x' * 80}_000000.jpg"),
    ],
)
def test_a_pictures_place_follows_from_its_index_and_name(index, file, image):
    assert image_path(index, file, ".jpg") == image and index_of(image) == index


def test_what_trainers_cannot_read_is_converted_and_counted(tmp_path, out):
    import pillow_heif

    (root := tmp_path / "s").mkdir()
    pixels = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    pillow_heif.from_bytes("RGB", (WIDTH, HEIGHT), pixels.tobytes()).save(root / "a.heic")
    result = taken(root, out)
    assert [frame.image for frame in result.manifest.frames] == ["images/000/a_000000.jpg"]
    assert (result.converted, result.turned, verify(out / "hall")) == (1, 0, [])


def zipped(source: Path, path: Path, top: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(source.rglob("*")):
            archive.write(file, top + file.relative_to(source).as_posix())
    return path


def test_an_archive_is_its_folder(source, out, tmp_path):
    expected = [f.extra["file"] for f in taken(source, out).manifest.frames]
    for name, top in (("flat", ""), ("wrapped", "export/")):
        result = taken(zipped(source, tmp_path / f"{name}.zip", top), out, name=name)
        assert [f.extra["file"] for f in result.manifest.frames] == expected
        assert verify(out / name) == []
    assert sorted(path.name for path in out.iterdir()) == ["flat", "hall", "wrapped"]


def test_faults_name_paths_in_the_archive(source, out, tmp_path):
    (source / "labels/b.txt").write_text("0 0.5\n")
    result = taken(zipped(source, tmp_path / "a.zip", "export/"), out)
    assert [(f.file, f.line) for f in result.faults] == [("export/labels/b.txt", 1)]


def test_an_archive_that_holds_one_split_keeps_it(out, tmp_path):
    root = photos(tmp_path / "s", "valid/a.jpg")
    (frame,) = taken(zipped(root, tmp_path / "a.zip"), out).manifest.frames
    assert frame.split == "val"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: p / "missing", "no such folder or file"),
        (lambda p: p, "no picture and no video"),
        (lambda p: p / "notes.txt", "expected a folder, an archive"),
        (lambda p: photos(p, "a.gif"), r"s: no picture .*; 1 files .* a\.gif: convert"),
        (lambda p: photos(p, "a.jpg", "b/c.jpg"), "s: 3 files, .* --format images"),
        (lambda p: zipped(yolo(p, {"a": BOX}, ()), p.parent / "a.zip"), r"a\.zip: no class names"),
    ],
)
def test_what_is_no_source_is_told(tmp_path, out, make, said):
    root = tmp_path / "s"
    root.mkdir()
    (root / "notes.txt").write_text("milk, eggs")
    with pytest.raises(InputError, match=said):
        taken(make(root), out)


def test_every_faulty_option_is_told_at_once(source, out):
    with pytest.raises(InputError) as told:
        taken(source, out, name="x" * 300, format="gif", split="valid", source="photo", fps=0,
              max_side=3, max_mpx=-1, min_change=2, classes=("a",), session="regex:(")  # fmt: skip
    words = (
        "--name --format --split --source --fps --max-side --max-mpx --min-change --class --session"
    )
    assert all(word in str(told.value) for word in words.split())
    with pytest.raises(InputError, match="both name qd"):
        taken(source, out, classes=("qd=a",), ignore=("qd",))


def test_one_picture(tmp_path, out):
    root = photos(tmp_path / "s", "a.jpg", "b.jpg")
    assert set(by_file(taken(root / "a.jpg", out))) == {"a.jpg"}


def film(path: Path, shots: int = 20, rate: int = 10, size=(64, 48)) -> Path:
    """A video whose shots get brighter, `rate` of them a second."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(rate))
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(shots):
            pixels = np.full((size[1], size[0], 3), 10 * number + 20, np.uint8)
            pixels[:, : 3 * number + 1] = 0
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                container.mux(packet)
        container.mux(stream.encode(None))
    return path


def test_videos_are_sessions_and_nobody_labelled_their_frames(tmp_path, out):
    root = tmp_path / "s"
    film(root / "walk.mp4")
    film(root / "hall.mkv", shots=10)
    photos(root, "z.jpg")
    result = taken(root, out)
    assert verify(out / "hall") == []
    seen = [(f.extra["file"], f.extra.get("time_s"), f.session) for f in result.manifest.frames]
    assert sorted(seen, key=str) == [
        ("hall.mkv", 0.0, "hall"), ("hall.mkv", 0.5, "hall"),
        ("walk.mp4", 0.0, "walk"), ("walk.mp4", 0.5, "walk"), ("walk.mp4", 1.0, "walk"),
        ("walk.mp4", 1.5, "walk"), ("z.jpg", None, "hall"),
    ]  # fmt: skip
    assert {f.objects for f in result.manifest.frames} == {None}
    assert by_file(result)["z.jpg"].image == "images/000/z_000000.jpg"
    before = content(out / "hall")
    assert taken(root, out).state == "unchanged" and content(out / "hall") == before
    film(root / "again.avi", shots=5)
    grown = taken(root, out)
    assert (grown.state, grown.new, verify(out / "hall")) == ("extended", 1, [])
    film(root / "walk.mp4", shots=12)
    with pytest.raises(RecipeError, match=r"walk\.mp4: another video"):
        taken(root, out)


def test_a_video_alone_shrunk_and_looked_at(tmp_path, out):
    video = film(tmp_path / "walk.mp4")
    result = taken(video, out, background=True, max_side=32, fps=1, split="train")
    assert [(f.width, f.height, f.objects, f.split) for f in result.manifest.frames] == [
        (32, 24, (), "train"), (32, 24, (), "train")
    ]  # fmt: skip
    assert result.shrunk == 2 and verify(out / "hall") == []
    same = taken(video, out, name="one", session="may")
    assert {f.session for f in same.manifest.frames} == {"may"}


def test_a_video_that_is_there_twice_is_a_fault(tmp_path, out):
    root = tmp_path / "s"
    film(root / "walk.mp4")
    assert len(taken(root, out).manifest.frames) > 0
    shutil.copy(root / "walk.mp4", root / "again.mp4")
    result = taken(root, out, skip_bad=True)
    assert result.state == "extended" and {f.session for f in result.manifest.frames} == {"walk"}
    assert [(f.file, "same video as walk.mp4" in f.message) for f in result.faults] == [
        ("again.mp4", True)
    ]


def test_photos_may_come_to_videos(tmp_path, out):
    film(tmp_path / "s/walk.mp4")
    taken(tmp_path / "s", out)
    assert taken(photos(tmp_path / "s", "a.jpg"), out).new == 1
    assert verify(out / "hall") == []


def test_a_broken_video_is_a_fault_and_leaves_no_frame(tmp_path, out):
    root = tmp_path / "s"
    film(root / "good.mp4")
    (root / "bad.mp4").write_bytes(b"no video at all")
    result = taken(root, out)
    assert [f.file for f in result.faults] == ["bad.mp4"] and result.state == "faulty"
    skipped = taken(root, out, skip_bad=True)
    assert {f.session for f in skipped.manifest.frames} == {"good"} and verify(out / "hall") == []
    assert taken(root, out, skip_bad=True).state == "unchanged"


def test_labelled_pictures_and_videos_do_not_go_together(source, out):
    film(source / "walk.mp4")
    with pytest.raises(InputError, match="two sets"):
        taken(source, out)


def test_a_dry_run_writes_nothing(source, out, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    result = taken(zipped(source, tmp_path / "a.zip"), out, dry_run=True)
    (tmp_path / "a.zip").unlink()
    assert (result.state, result.new) == ("dry run", 3) and sorted(tmp_path.rglob("*")) == before


def test_the_command_says_what_it_took(vqc, source):
    done = vqc("intake", source, "--name", "hall", check=0)
    for word in ("format: yolo", "qd", "labelled", "3 frames", "next: vqc inspect datasets/hall"):
        assert word in done.stdout
    assert "nothing new" in vqc("intake", source, "--name", "hall", check=0).stdout


def test_the_command_lists_faults_up_to_a_limit_and_all_as_json(vqc, tmp_path):
    root = yolo(tmp_path / "s", {f"{i:02}": "0 0.5\n" * 2 for i in range(26)})
    done = vqc("intake", root, "--name", "hall", check=2)
    assert "labels/00.txt:1: " in done.stderr and "and 2 more" in done.stderr
    assert "--skip-bad" in done.stderr and not (tmp_path / "datasets/hall").exists()
    record = json.loads(vqc("intake", root, "--name", "hall", "--json", check=2).stdout)
    assert len(record["faults"]) == 52 and record["state"] == "faulty"
    (root / "labels/00.txt").write_text(BOX)
    done = vqc("intake", root, "--name", "hall", "--skip-bad", "--quiet", check=0)
    assert done.stderr.count("skipped: ") == 50 and done.stdout == ""


def test_the_command_counts_whole_pictures_as_labelled(vqc, tmp_path):
    root = photos(tmp_path / "s", "good/a.jpg", "good/b.jpg", "crack/c.jpg")
    done = vqc("intake", root, "--name", "hall", "--json", check=0)
    record = json.loads(done.stdout)
    assert (record["labelled"], record["unlabelled"]) == (3, 0)
    assert "condition" in vqc("intake", root, "--name", "hall", check=0).stdout


def test_the_command_dry(vqc, source, tmp_path):
    done = vqc("intake", source, "--name", "hall", "--dry-run", check=0)
    assert "nothing was written" in done.stdout and not (tmp_path / "datasets").exists()


def test_real_boards(out):
    root = Path(__file__).parents[2] / "shared/data/boards/photos"
    if not root.is_dir():
        pytest.skip(f"real photos are not here: {root}")
    result = taken(root, out, session="folder")
    assert result.format == "voc" and verify(out / "hall") == []
    frames = result.manifest.frames
    sessions = {s: sum(f.session == s for f in frames) for s in ("december", "january")}
    assert sessions == {"december": 85, "january": 64}
    assert sum(len(f.objects) for f in frames) == 177


def test_a_reader_that_needs_sizes_knows_the_pictures_of_phones(tmp_path):
    """In a process of its own, where nothing else has loaded the decoder yet."""
    code = """
import sys
from pathlib import Path
from PIL import Image
from vqc.intake.build import take_in
from vqc.intake.request import Request
result = take_in(Path(sys.argv[1]), Request("phone"), Path(sys.argv[2]))
print([str(fault) for fault in result.faults], len(result.manifest.frames))
"""
    import pillow_heif

    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    (tmp_path / "s").mkdir()
    pillow_heif.from_pillow(Image.fromarray(pixels)).save(tmp_path / "s" / "a.heic")
    (tmp_path / "s" / "train.csv").write_text("ImageId,ClassId,EncodedPixels\na.heic,1,1 9\n")
    command = [sys.executable, "-c", code, str(tmp_path / "s"), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.strip() == "[] 1", done.stdout + done.stderr
