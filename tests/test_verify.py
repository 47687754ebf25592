"""A sound set has no fault; 200 spoiled copies of it each have at least one."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sets import HEIGHT, WIDTH, finish, frame, mixed_set, render_set

from vqc.errors import InputError
from vqc.formats.yolo import label_path
from vqc.manifest import FILE_NAME, digest_of, read_manifest
from vqc.verify import verify

ZEROS = "0" * 64
SEEDS = range(5)
Record = dict[str, Any]
Spoil = Callable[[Path, random.Random], None]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sets") / "magnets"
    render_set(root)
    return root


def test_a_sound_set_has_no_fault(sound: Path) -> None:
    seen: list[tuple[int, int]] = []
    assert verify(sound, on_progress=lambda done, total: seen.append((done, total))) == []
    assert seen == [(n, 8) for n in range(1, 9)]
    assert verify(sound, jobs=1) == []


@pytest.mark.parametrize("box", ["modal", "amodal"])
def test_a_mixed_set_of_links_has_no_fault(sound: Path, tmp_path: Path, box: str) -> None:
    mixed_set(tmp_path / "mix", sound, box)
    assert verify(tmp_path / "mix") == []


def test_a_set_without_frames_is_sound_but_one_without_digest_is_not(tmp_path: Path) -> None:
    finish(tmp_path, "intake", [])
    assert verify(tmp_path) == []
    edit(tmp_path, lambda records: records[0].pop("digest"))
    assert [fault.message.split(":")[0] for fault in verify(tmp_path)] == ["digest"]


def test_label_caches_of_ultralytics_are_no_fault(tmp_path: Path) -> None:
    render_set(tmp_path)
    (tmp_path / "labels/qf/000.cache").write_bytes(b"x")
    assert verify(tmp_path) == []


# --- 200 ways to spoil a set -------------------------------------------------------------


def pick(root: Path, rng: random.Random, pattern: str) -> Path:
    return rng.choice(sorted(root.glob(pattern)))


def edit(root: Path, change: Callable[[list[Record]], object]) -> None:
    """Change the manifest's records and give it a digest that fits: no help from there."""
    path = root / FILE_NAME
    records = [json.loads(line) for line in path.read_text().splitlines()]
    change(records)
    if "digest" in records[0]:
        records[0]["digest"] = ZEROS
    data = "".join(json.dumps(record) + "\n" for record in records).encode()
    fitting = digest_of(data, ZEROS).encode()
    path.write_bytes(data.replace(b'"digest": "' + ZEROS.encode(), b'"digest": "' + fitting))


def labelled(records: list[Record], rng: random.Random) -> Record:
    return rng.choice([record for record in records[1:] if record["objects"]])


def spoil_record(change: Callable[[Record, random.Random], object]) -> Spoil:
    """Change one labelled frame of the manifest."""
    return lambda root, rng: edit(root, lambda records: change(labelled(records, rng), rng))


def spoil_object(change: Callable[[Record, random.Random], object]) -> Spoil:
    """Change one object of one frame of the manifest."""
    return spoil_record(lambda record, rng: change(rng.choice(record["objects"]), rng))


def spoil_header(change: Callable[[Record, random.Random], object]) -> Spoil:
    return lambda root, rng: edit(root, lambda records: change(records[0], rng))


def spoil_bytes(pattern: str, change: Callable[[bytes, random.Random], bytes]) -> Spoil:
    def spoil(root: Path, rng: random.Random) -> None:
        path = pick(root, rng, pattern)
        before = path.read_bytes()
        after = change(before, rng)
        assert after != before
        path.write_bytes(after)

    return spoil


def flip_bit(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def change_digit(data: bytes, rng: random.Random) -> bytes:
    places = [i for i, byte in enumerate(data) if chr(byte).isdigit()]
    at = rng.choice(places)
    return data[:at] + str((int(data[at : at + 1]) + 1) % 10).encode() + data[at + 1 :]


def swap(pattern: str) -> Spoil:
    def spoil(root: Path, rng: random.Random) -> None:
        files = [p for p in sorted(root.glob(pattern)) if p.stat().st_size]
        first, second = rng.sample(files, 2)
        one, two = first.read_bytes(), second.read_bytes()
        first.write_bytes(two)
        second.write_bytes(one)

    return spoil


def delete(pattern: str) -> Spoil:
    return lambda root, rng: pick(root, rng, pattern).unlink()


def rename(pattern: str) -> Spoil:
    def spoil(root: Path, rng: random.Random) -> None:
        path = pick(root, rng, pattern)
        path.rename(path.with_stem(path.stem + "_"))

    return spoil


def add(name: str) -> Spoil:
    def spoil(root: Path, rng: random.Random) -> None:
        path = root / name.format(rng.randrange(1000))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"0 0.5 0.5 0.1 0.1\n")

    return spoil


def link_out(pattern: str) -> Spoil:
    """The same bytes, but reached over a link that leaves the set."""

    def spoil(root: Path, rng: random.Random) -> None:
        path = pick(root, rng, pattern)
        elsewhere = root.parent / f"elsewhere-{path.name}"
        path.rename(elsewhere)
        path.symlink_to(elsewhere)

    return spoil


def save_again(root: Path, rng: random.Random) -> None:
    """The same picture in other bytes."""
    path = pick(root, rng, "images/**/*.png")
    with Image.open(path) as picture:
        picture.load()
    picture.save(path, compress_level=1)


def leave_folder(root: Path, rng: random.Random) -> None:
    def change(record: Record, rng: random.Random) -> None:
        record["image"] = "images/../" + record["image"]

    spoil_record(change)(root, rng)


def move_line(records: list[Record], rng: random.Random) -> None:
    records.append(records.pop(rng.randrange(1, len(records) - 1)))


def rename_class_everywhere(records: list[Record], rng: random.Random) -> None:
    """The manifest agrees with itself; classes.txt knows better."""
    old = rng.choice(records[0]["classes"])
    records[0]["classes"] = ["new" if c == old else c for c in records[0]["classes"]]
    for record in records[1:]:
        for thing in record["objects"] or ():
            thing["class"] = "new" if thing["class"] == old else thing["class"]


def unlabelled_label(root: Path, rng: random.Random) -> None:
    """A label file for the frame that nobody labelled."""
    nobody = next(f.image for f in read_manifest(root).frames if f.objects is None)
    (root / label_path(nobody)).write_text("" if rng.random() < 0.5 else "0 0.5 0.5 0.1 0.1\n")


KINDS: dict[str, Spoil] = {
    "bit in an image": spoil_bytes("images/**/*.*g", flip_bit),
    "image cut off": spoil_bytes("images/**/*.*g", cut),
    "image longer": spoil_bytes("images/**/*.*g", lambda data, rng: data + b"\0"),
    "image deleted": delete("images/**/*.*g"),
    "image renamed": rename("images/**/*.*g"),
    "images swapped": swap("images/**/*.png"),
    "image saved again": save_again,
    "image behind a link": link_out("images/**/*.*g"),
    "bit in a depth layer": spoil_bytes("depth/**/*.png", flip_bit),
    "depth layer deleted": delete("depth/**/*.png"),
    "label deleted": delete("labels/**/*.txt"),
    "label renamed": rename("labels/**/*.txt"),
    "labels swapped": swap("labels/**/*.txt"),
    "label behind a link": link_out("labels/**/*.txt"),
    "label with another number": spoil_bytes("labels/**/*[2-7].txt", change_digit),
    "label with a bit flipped": spoil_bytes("labels/**/*[2-7].txt", flip_bit),
    "label with one more line": spoil_bytes(
        "labels/**/*.txt", lambda data, rng: data + b"0 0.5 0.5 0.1 0.1\n"
    ),
    "label with CRLF": spoil_bytes(
        "labels/**/*[2-7].txt", lambda data, rng: data.replace(b"\n", b"\r\n")
    ),
    "label without its last line end": spoil_bytes(
        "labels/**/*[2-7].txt", lambda data, rng: data[:-1]
    ),
    "label in UTF-16": spoil_bytes(
        "labels/**/*[2-7].txt", lambda data, rng: data.decode().encode("utf-16")
    ),
    "label emptied": spoil_bytes("labels/**/*[2-7].txt", lambda data, rng: b""),
    "label where nobody labelled": unlabelled_label,
    "classes deleted": delete("classes.txt"),
    "bit in the classes": spoil_bytes("classes.txt", flip_bit),
    "recipe deleted": delete("recipe.yaml"),
    "bit in the recipe": spoil_bytes("recipe.yaml", flip_bit),
    "recipe emptied": spoil_bytes("recipe.yaml", lambda data, rng: b""),
    "surplus file": add("surplus_{}.txt"),
    "surplus image": add("images/qf/000/other_{}.jpg"),
    "surplus label": add("labels/qf/000/other_{}.txt"),
    "planted array": add("images/qf/000/qf_000{}.npy"),
    "hidden file": add("images/.hidden_{}"),
    "manifest deleted": delete(FILE_NAME),
    "manifest emptied": spoil_bytes(FILE_NAME, lambda data, rng: b""),
    "manifest cut off": spoil_bytes(FILE_NAME, cut),
    "bit in the manifest": spoil_bytes(FILE_NAME, flip_bit),
    "digit in the manifest": spoil_bytes(FILE_NAME, change_digit),
    "manifest with CRLF": spoil_bytes(FILE_NAME, lambda data, rng: data.replace(b"\n", b"\r\n")),
    "manifest in UTF-16": spoil_bytes(FILE_NAME, lambda data, rng: data.decode().encode("utf-16")),
    "manifest with a broken line": spoil_bytes(
        FILE_NAME, lambda data, rng: data.replace(b'"phash"', b'"phash', 1)
    ),
    "other width": spoil_record(lambda record, rng: record.update(width=WIDTH + 1)),
    "other height": spoil_record(lambda record, rng: record.update(height=HEIGHT * 2)),
    "other hash": spoil_record(lambda record, rng: record.update(sha256="ab" * 32)),
    "image outside its folder": leave_folder,
    "objects forgotten": spoil_record(lambda record, rng: record.update(objects=None)),
    "objects emptied": spoil_record(lambda record, rng: record.update(objects=[])),
    "other box": spoil_object(lambda thing, rng: thing.update(box=[v + 1 for v in thing["box"]])),
    "unknown class": spoil_object(lambda thing, rng: thing.update({"class": "sx"})),
    "other class": spoil_object(
        lambda thing, rng: thing.update({"class": "qd" if thing["class"] == "qf" else "qf"})
    ),
    "broken mask": spoil_object(
        lambda thing, rng: thing["mask"].update(counts=thing["mask"]["counts"][:-1])
    ),
    "line twice": lambda root, rng: edit(root, lambda records: records.append(records[-1])),
    "line removed": lambda root, rng: edit(
        root, lambda records: records.pop(rng.randrange(1, len(records)))
    ),
    "lines out of order": lambda root, rng: edit(root, lambda records: move_line(records, rng)),
    "class renamed": lambda root, rng: edit(
        root, lambda records: rename_class_everywhere(records, rng)
    ),
    "classes turned round": spoil_header(lambda header, rng: header["classes"].reverse()),
    "another recipe": spoil_header(lambda header, rng: header.update(recipe_sha256=ZEROS)),
    "another version": spoil_header(lambda header, rng: header.update(vqc_manifest=2)),
    "another name, unnoticed": spoil_bytes(
        FILE_NAME, lambda data, rng: data.replace(b'"magnets"', b'"magnetz"')
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_corruption_is_found(kind: str, sound: Path, tmp_path: Path) -> None:
    missed = []
    for seed in SEEDS:
        root = tmp_path / str(seed) / "magnets"
        shutil.copytree(sound, root)
        KINDS[kind](root, random.Random(f"{kind} {seed}"))
        if not verify(root):
            missed.append(seed)
    assert missed == []


def test_there_are_200_corruptions() -> None:
    assert len(KINDS) * len(SEEDS) >= 200


# --- what the faults say -----------------------------------------------------------------


def copied(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "copy"))


def test_a_fault_names_file_and_line(sound: Path, tmp_path: Path) -> None:
    root = copied(sound, tmp_path)
    label = root / "labels/qf/000/qf_000003.txt"
    first, second = label.read_text().splitlines(keepends=True)
    label.write_text(first + "1" + second)
    [fault] = verify(root)
    assert (fault.file, fault.line) == ("labels/qf/000/qf_000003.txt", 2)
    assert str(fault).startswith("labels/qf/000/qf_000003.txt:2: got '1")


def test_one_faulty_line_brings_no_others(sound: Path, tmp_path: Path) -> None:
    root = copied(sound, tmp_path)
    edit(root, lambda records: records[3].update(width="64"))
    [fault] = verify(root)
    assert (fault.file, fault.line) == (FILE_NAME, 4)


def test_one_deleted_image_is_one_fault(sound: Path, tmp_path: Path) -> None:
    root = copied(sound, tmp_path)
    (root / "images/qf/000/qf_000003.png").unlink()
    assert [str(f) for f in verify(root)] == ["images/qf/000/qf_000003.png: missing"]


def test_several_faults_are_all_told_in_order(sound: Path, tmp_path: Path) -> None:
    root = copied(sound, tmp_path)
    (root / "images/qf/000/qf_000003.png").unlink()
    (root / "recipe.yaml").unlink()
    (root / "extra.txt").touch()
    edit(root, lambda records: records[4]["objects"][1]["mask"].update(counts="2"))
    assert [(f.file, f.line) for f in verify(root)] == [
        ("extra.txt", None),
        ("images/qf/000/qf_000003.png", None),
        (FILE_NAME, 5),
        ("recipe.yaml", None),
    ]


def test_a_wrong_size_is_told_even_where_the_hash_fits(tmp_path: Path) -> None:
    item = frame(tmp_path, 2, objects=None)
    with Image.open(tmp_path / item.image) as picture:
        assert picture.size == (WIDTH, HEIGHT)
    finish(tmp_path, "intake", [item])
    edit(tmp_path, lambda records: records[1].update(width=HEIGHT, height=WIDTH))
    [fault] = verify(tmp_path)
    assert fault.message == "is 64 x 48 pixels, the manifest says 48 x 64"


def test_something_that_is_no_picture(tmp_path: Path) -> None:
    item = frame(tmp_path, 2, objects=None)
    finish(tmp_path, "intake", [item])
    (tmp_path / item.image).write_text("not a picture")
    messages = [fault.message for fault in verify(tmp_path)]
    assert messages[0] == "changed: its sha256 is not the manifest's"
    assert messages[1].startswith("does not open as a picture (UnidentifiedImageError")


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"depth": "../depth.png", "depth_sha256": ZEROS}, "depth: expected a path depth/"),
        ({"depth": 3, "depth_sha256": ZEROS}, "depth: expected a path depth/"),
        ({"normals": "normals/a.png"}, "normals_sha256: expected 64 lower-case hex digits"),
    ],
)
def test_layers_stay_in_their_folder(extra: Record, message: str, tmp_path: Path) -> None:
    item = frame(tmp_path, 2, objects=None, extra=extra)
    finish(tmp_path, "intake", [item])
    [fault] = verify(tmp_path)
    assert (fault.file, fault.line) == (FILE_NAME, 2)
    assert fault.message.startswith(message)


@pytest.mark.parametrize("change", ["names", "download", "gone"])
def test_the_data_yaml_of_a_mixed_set(sound: Path, tmp_path: Path, change: str) -> None:
    root = tmp_path / "mix"
    mixed_set(root, sound)
    path = root / "data.yaml"
    if change == "gone":
        path.unlink()
    elif change == "download":
        path.write_text(path.read_text() + "download: print('hello')\n")
    else:
        path.write_text(path.read_text().replace("qd", "qq"))
    assert [fault.file for fault in verify(root)] == ["data.yaml"]


def test_labels_of_the_other_kind_of_box(sound: Path, tmp_path: Path) -> None:
    manifest = mixed_set(tmp_path / "mix", sound, "amodal")
    finish(tmp_path / "mix", "mix", list(manifest.frames), "box: modal\n")
    assert len(verify(tmp_path / "mix")) == len(manifest.frames)
    finish(tmp_path / "mix", "mix", list(manifest.frames), "box: whole\n")
    faults = verify(tmp_path / "mix")
    assert "box: expected modal or amodal, got 'whole'" in [f.message for f in faults]


def test_a_linked_folder_is_a_fault(sound: Path, tmp_path: Path) -> None:
    root = copied(sound, tmp_path)
    (root / "images/qf").rename(tmp_path / "elsewhere")
    (root / "images/qf").symlink_to(tmp_path / "elsewhere")
    assert {f.message.split(":")[0] for f in verify(root)} == {
        "is a link or lies behind one, which could lead anywhere",
        "surplus",
    }


def test_a_pipe_does_not_hang(sound: Path, tmp_path: Path) -> None:
    root = copied(sound, tmp_path)
    (root / "images/qf/000/qf_000003.png").unlink()
    os.mkfifo(root / "images/qf/000/qf_000003.png")
    assert [f.message for f in verify(root)] == ["not a file"]


def test_a_missing_folder_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        verify(tmp_path / "nowhere")
