"""The render command as a whole: its files, its determinism, and what interrupts it."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import jobs
import numpy as np
import pytest
from rendered import SMALL, asked, digest

from vqc import generate, making
from vqc.asked import Request, resolve
from vqc.errors import IncompleteError, LabelError
from vqc.making import Workers
from vqc.manifest import read_manifest
from vqc.verify import verify


@pytest.fixture(scope="module")
def reference(steps, tmp_path_factory):
    """Bytes of the undisturbed set that the interrupted ones must equal."""
    from commands import run_vqc

    folder = tmp_path_factory.mktemp("reference")
    run_vqc("render", *asked(steps), "--jobs", 1, cwd=folder, check=0)
    return digest(folder / "renders" / "set")


def test_a_set_is_what_the_contract_says(vqc, steps, tmp_path):
    wanted = ("--step", steps / "pair.step", "--views", 12, "--masks", "--depth", "--normals")
    vqc("render", *wanted, *SMALL, check=0)
    folder = tmp_path / "renders" / "pair"
    manifest = read_manifest(folder)
    assert verify(folder) == []
    assert manifest.classes == ("pair",) and len(manifest.frames) == 12
    assert {p.name for p in folder.iterdir()} == {
        "images", "labels", "depth", "normals", "classes.txt", "recipe.yaml", "manifest.jsonl"
    }  # fmt: skip
    frame = manifest.frames[3]
    assert frame.image == "images/pair/000/pair_000003.jpg"
    assert frame.source == "cad" and frame.session.startswith("pair-")
    assert frame.objects[0].mask and frame.objects[0].visibility == 1


def test_the_default_sweep_has_360_views(vqc, steps, tmp_path):
    found = vqc("render", "--step", steps / "ball.step", "--dry-run", "--json", "--size", "64x48")
    assert json.loads(found.stdout)["frames"] == 360
    assert not (tmp_path / "renders").exists()


@pytest.mark.parametrize("jobs", [2, 3])
def test_bytes_do_not_depend_on_the_number_of_workers(vqc, steps, tmp_path, reference, jobs):
    vqc("render", *asked(steps), "--jobs", jobs, check=0)
    assert digest(tmp_path / "renders" / "set") == reference


def test_the_second_run_does_nothing(vqc, steps, tmp_path, reference):
    vqc("render", *asked(steps), check=0)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "renders").rglob("*.jpg")}
    again = vqc("render", *asked(steps), check=0)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "renders").rglob("*.jpg")} == before
    assert again.returncode == 0


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_a_random_moment_and_started_again(vqc, steps, tmp_path, reference, seed):
    rng = random.Random(seed)
    folder = tmp_path / "renders" / "set"
    command = [sys.executable, "-c", "from vqc.cli import main; main()", "render"]
    for _ in range(3):
        process = subprocess.Popen(
            [*command, *map(str, asked(steps))], cwd=tmp_path, start_new_session=True,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 300
        while not any(folder.rglob("*.jpg")) and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(rng.uniform(0.0, 0.5))
        if rng.random() < 0.5:
            os.killpg(process.pid, signal.SIGKILL)  # everything
        else:
            process.send_signal(rng.choice([signal.SIGKILL, signal.SIGINT]))
        process.wait()
    for image in folder.rglob("*.jpg"):
        assert image.read_bytes().endswith(b"\xff\xd9"), "half a frame"
    vqc("render", *asked(steps), check=0)
    assert digest(folder) == reference


def test_an_interrupt_is_told_in_a_line(steps, tmp_path):
    command = [sys.executable, "-m", "vqc", "render", "--step", steps / "ball.step", *SMALL]
    command += ["--views", "2000", "--name", "set", "--jobs", "1"]
    with subprocess.Popen(list(map(str, command)), cwd=tmp_path, stderr=subprocess.PIPE) as process:
        while not any((tmp_path / "renders").rglob("*.jpg")):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        said = process.communicate()[1].decode()
    assert process.returncode == 130 and "the same command goes on" in said
    assert "Traceback" not in said


def test_a_damaged_frame_is_made_again(vqc, steps, tmp_path, reference):
    vqc("render", *asked(steps), check=0)
    folder = tmp_path / "renders" / "set"
    victim = sorted(folder.rglob("*.jpg"))[7]
    victim.write_bytes(victim.read_bytes()[:-100])
    sorted(folder.rglob("*.txt"))[9].unlink()
    vqc("render", *asked(steps), check=0)
    assert digest(folder) == reference


def test_two_commands_at_once_finish_with_the_same_bytes(vqc, steps, tmp_path, reference):
    command = [sys.executable, "-c", "from vqc.cli import main; main()", "render"]
    both = [
        subprocess.Popen([*command, *map(str, asked(steps))], cwd=tmp_path, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    for process in both:
        assert process.communicate()[1] == b"" and process.returncode == 0
    assert digest(tmp_path / "renders" / "set") == reference


def test_more_views_and_one_more_part_extend_the_set(vqc, steps, tmp_path):
    one = ("--step", steps / "ball.step", "--name", "set", *SMALL)
    vqc("render", *one, "--views", 5, check=0)
    folder = tmp_path / "renders" / "set"
    before = digest(folder)
    vqc("render", *one, "--views", 9, check=0)
    vqc("render", "--step", steps / "block.step", *one, "--views", 9, check=0)
    after = digest(folder)
    kept = [name for name in before if name.startswith(("images", "labels"))]
    assert len(kept) == 10 and all(after[name] == before[name] for name in kept)
    manifest = read_manifest(folder)
    assert len(manifest.frames) == 18 and manifest.classes == ("ball", "block")
    assert verify(folder) == []
    vqc("render", *one, "--views", 5, check=0)
    assert digest(folder) == after


def test_another_recipe_is_refused_with_the_difference(vqc, steps, tmp_path):
    one = ("--step", steps / "ball.step", "--views", 3)
    vqc("render", *one, *SMALL, check=0)
    before = digest(tmp_path / "renders")
    refused = vqc("render", *one, "--size", "200x120", "--fov", 40, check=2)
    assert "picture.width: the set has 160, asked for 200" in refused.stderr
    assert "picture.fov_deg" in refused.stderr and "--fresh" in refused.stderr
    assert digest(tmp_path / "renders") == before
    vqc("render", *one, "--size", "200x120", "--fresh", "--quiet", check=0)
    assert read_manifest(tmp_path / "renders" / "ball").frames[0].width == 200


def test_fresh_never_deletes_what_is_no_set(vqc, steps, tmp_path):
    precious = tmp_path / "renders" / "ball" / "thesis.txt"
    precious.parent.mkdir(parents=True)
    precious.write_text("three years")
    refused = vqc("render", "--step", steps / "ball.step", "--fresh", *SMALL, check=2)
    assert "no rendered set" in refused.stderr and precious.exists()


def test_parts_are_labelled_grouped_and_ignored(vqc, steps, tmp_path):
    vqc("render", "--step", steps / "pair.step", "--views", 6, "--label-by", "part",
        "--class", "pin*=pin", "--ignore", "plate", *SMALL, check=0)  # fmt: skip
    manifest = read_manifest(tmp_path / "renders" / "pair")
    assert manifest.classes == ("pin",)
    assert all(len(f.objects) == 2 for f in manifest.frames)
    assert verify(tmp_path / "renders" / "pair") == []


def test_a_dropped_part_changes_the_picture_but_not_the_camera(vqc, steps, tmp_path):
    common = ("--step", steps / "pair.step", "--views", 4, *SMALL)
    vqc("render", *common, "--name", "good", "--condition", "good", check=0)
    vqc("render", *common, "--name", "bad", "--drop-part", "pin0", "--condition", "no pin", check=0)
    good, bad = (read_manifest(tmp_path / "renders" / n).frames for n in ("good", "bad"))
    assert [f.view for f in good] == [f.view for f in bad]
    assert all(a.sha256 != b.sha256 for a, b in zip(good, bad, strict=True))
    assert {f.condition for f in bad} == {"no pin"}


def test_a_full_disk_leaves_no_half_frame_and_the_command_goes_on(vqc, steps, tmp_path, reference):
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("a small file system needs root and mount")
    disk = tmp_path / "renders"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=120k", "none", str(disk)])
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a tmpfs")
    try:
        full = vqc("render", *asked(steps), check=2)
        assert "No space left" in full.stderr and "it goes on" in full.stderr
        for image in disk.rglob("*.jpg"):
            assert image.read_bytes().endswith(b"\xff\xd9")
        subprocess.run(["mount", "-o", "remount,size=50m", str(disk)], check=True)
        vqc("render", *asked(steps), check=0)
        assert digest(disk / "set") == reference
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def small_plan(steps, root):
    request = Request((steps / "ball.step",), views=8, name="set", picture={"size": "160x120"})
    recipe, paths = resolve(request)
    return generate.prepare(recipe, paths, root, workers=2)[0]


def test_a_view_that_kills_its_worker_is_set_aside_and_tried_again(steps, tmp_path, monkeypatch):
    plan = small_plan(steps, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(making, "FrameMaker", jobs.KillerView)
        with pytest.raises(IncompleteError, match=r"1 of 8 frames.*\n.*ball_000003.jpg .*SIGKILL"):
            generate.render_set(plan, Workers(2))
    assert len(list((tmp_path / "set").rglob("*.jpg"))) == 7
    assert not (tmp_path / "set" / "manifest.jsonl").exists()
    again = generate.render_set(plan, Workers(2))
    assert (again.made, again.found) == (1, 7) and verify(tmp_path / "set") == []


def test_a_wrong_label_stops_the_job_with_the_frame_and_its_numbers(steps, tmp_path, monkeypatch):
    monkeypatch.setattr(making, "FrameMaker", jobs.WrongBox)
    with pytest.raises(LabelError, match=r"ball_000002.jpg \(azimuth .*projected geometry \("):
        generate.render_set(small_plan(steps, tmp_path), Workers(1))
    assert not (tmp_path / "set" / "manifest.jsonl").exists()


def test_workers_killed_while_the_command_runs(vqc, steps, tmp_path, reference):
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from vqc.cli import main; main()",
            "render",
            *map(str, asked(steps)),
        ],
        cwd=tmp_path,
    )
    killed = 0
    while process.poll() is None and killed < 2:  # a third one might hit the same frame
        time.sleep(0.4)
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
            for child in children.split():
                if b"vqc.engines" in Path(f"/proc/{child}/cmdline").read_bytes():
                    os.kill(int(child), signal.SIGKILL)
                    killed += 1
                    break
    assert process.wait(600) == 0 and killed
    assert digest(tmp_path / "renders" / "set") == reference


FAULTS = {
    "no such file": (("--step", "gone.step"), "no such file"),
    "size": (("--step", "ball.step", "--size", "huge"), "--size"),
    "absurd size": (("--step", "ball.step", "--size", "99999x10"), "--size"),
    "no view": (("--step", "ball.step", "--azimuth", "9:3:1"), "--azimuth"),
    "step": (("--step", "ball.step", "--step-deg", "0"), "--step-deg"),
    "views": (("--step", "ball.step", "--views", "0"), "--views"),
    "colour": (("--step", "ball.step", "--background", "nocolour"), "--background"),
    "format": (("--step", "ball.step", "--format", "gif"), "--format"),
    "up": (("--step", "ball.step", "--up", "x"), "--up"),
    "label": (("--step", "ball.step", "--label-by", "colour"), "--label-by"),
    "drop nothing": (("--step", "pair.step", "--drop-part", "wheel*"), "fits no component"),
    "class without file": (("--step", "ball.step", "--class", "bal=x"), "fits no STEP file"),
    "class without name": (("--step", "ball.step", "--class", "ball"), "old=new"),
    "two of a class": (("--step", "ball.step", "--step", "block.step", "--name", "x", "--class",
                        "block=ball"), "both of class"),
    "no name": (("--step", "ball.step", "--step", "block.step"), "--name"),
    "name": (("--step", "ball.step", "--name", "../x"), "--name"),
    "seed": (("--step", "ball.step", "--seed=-1"), "--seed"),
    "condition": (("--step", "ball.step", "--condition", "a\nb"), "--condition"),
    "class with a tab": (("--step", "ball.step", "--class", "ball=a\tb"), "old=new"),
    "a device": (("--step", "/dev/zero"), "is not a file"),
    "views twice": (("--step", "ball.step", "--views", "9", "--step-deg", "9"), "give one"),
    "too few views": (("--step", "ball.step", "--views", "9", "--azimuth", "0", "--elevation", "0",
                       "--tilt", "0"), "hold only 1"),
    "samples": (("--step", "ball.step", "--aa", "0"), "--aa"),
    "fill": (("--step", "ball.step", "--fill", "0"), "--fill"),
    "empty folder": (("--step", "."), "no .step"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_input_has_its_own_error_and_writes_nothing(vqc, steps, tmp_path, fault):
    arguments, message = FAULTS[fault]
    places = [steps / a if a in ("ball.step", "block.step", "pair.step") else a for a in arguments]
    refused = vqc("render", *places, check=2)
    assert message in refused.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["t .step", "..step", ".step", "a\tb.step", os.fsdecode(b"x\xff.step")]
)
def test_file_names_that_cannot_name_a_set_are_refused(vqc, steps, tmp_path, name):
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(steps / "ball.step", folder / name)
    refused = vqc("render", "--step", f"in/{name}", *SMALL, check=2)
    assert "rename the file" in refused.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


def test_a_folder_named_like_a_step_file_is_no_step_file(vqc, steps, tmp_path):
    (tmp_path / "in" / "d.step").mkdir(parents=True)
    shutil.copy(steps / "ball.step", tmp_path / "in")
    vqc("render", "--step", "in", "--views", 1, *SMALL, check=0)
    assert len(read_manifest(tmp_path / "renders" / "ball").frames) == 1


def test_a_second_file_of_one_stem_joins_without_doubling_the_first(vqc, steps, tmp_path):
    for folder, source in (("a", "ball.step"), ("b", "block.step")):
        (tmp_path / folder).mkdir()
        shutil.copy(steps / source, tmp_path / folder / "p.step")
    common = ("--name", "set", "--views", 2, *SMALL)
    vqc("render", "--step", "a/p.step", *common, check=0)
    both = (
        "--step",
        "a/p.step",
        "--step",
        "b/p.step",
        "--class",
        "a/p.step=p",
        "--class",
        "b/p.step=q",
    )
    vqc("render", *both, *common, check=0)
    manifest = read_manifest(tmp_path / "renders" / "set")
    assert manifest.classes == ("p", "q") and len(manifest.frames) == 4
    assert verify(tmp_path / "renders" / "set") == []


def test_a_finished_set_needs_no_writing_and_may_be_a_link(vqc, steps, tmp_path):
    wanted = ("--step", steps / "ball.step", "--views", 2, *SMALL)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "renders").mkdir()
    (tmp_path / "renders" / "ball").symlink_to(elsewhere)
    vqc("render", *wanted, check=0)
    before = {p: p.stat().st_mtime_ns for p in elsewhere.rglob("*")}
    vqc("render", *wanted, check=0)
    assert {p: p.stat().st_mtime_ns for p in elsewhere.rglob("*")} == before
    vqc("render", *wanted, "--fresh", check=0)
    assert verify(elsewhere) == []


def test_files_in_the_working_directory_are_not_imported(vqc, steps, tmp_path):
    for name in ("random.py", "types.py", "cv2.py", "yaml.py"):
        (tmp_path / name).write_text("raise SystemExit('imported from the working directory')")
    command = [sys.executable, "-P", "-c", "from vqc.cli import main; main()", "render"]
    command += ["--step", str(steps / "ball.step"), "--views", "1", *SMALL]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_recipe_that_was_spoilt_is_told(vqc, steps, tmp_path):
    wanted = ("--step", steps / "ball.step", "--views", 1, *SMALL)
    vqc("render", *wanted, check=0)
    recipe = tmp_path / "renders" / "ball" / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("fov_deg: 30.0", "fov_deg: 500"))
    assert "not a render recipe" in vqc("render", *wanted, check=2).stderr
    recipe.write_bytes(b"\xff\xfe")
    assert "no rendered set" in vqc("render", *wanted, check=2).stderr


def test_all_faults_are_told_at_once(vqc, steps):
    refused = vqc(
        "render", "--step", "gone.step", "--size", "x", "--fov", "0", "--tilt", "a", check=2
    )
    for option in ("gone.step", "--size", "--fov", "--tilt"):
        assert option in refused.stderr


def test_an_unwritable_place_is_told(vqc, steps, tmp_path):
    (tmp_path / "file").write_text("")
    refused = vqc("render", "--step", steps / "ball.step", "--out", "file/x", *SMALL, check=2)
    assert "file/x" in refused.stderr


# Looks -------------------------------------------------------------------------------------

QUICK = """vqc_look: 1
scene: {parts: {uniform: [1, 2]}, distractors: 1, occluders: 1, rest: 0.5}
backdrop: {kind: photo}
sensor: {shot_noise: 0.02, jpeg: {uniform: [60, 95]}}
"""


@pytest.fixture(scope="module")
def drawn(steps, tmp_path_factory):
    """What sets of a look are made of, and the bytes of the undisturbed one."""
    from commands import run_vqc

    folder = tmp_path_factory.mktemp("drawn")
    (folder / "quick.yaml").write_text(QUICK)
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (60, 80, 3), np.uint8)
        (folder / "tables").mkdir(exist_ok=True)
        cv2.imwrite(str(folder / "tables" / f"{number}.png"), pixels)
    run_vqc("render", *asked_of_a_look(steps, folder, 14), "--jobs", 1, cwd=folder, check=0)
    return folder, digest(folder / "renders" / "set")


def asked_of_a_look(steps, folder, count, *more):
    return ("--step", steps / "ball.step", "--step", steps / "block.step", "--name", "set",
            "--look", folder / "quick.yaml", "--count", count, "--backgrounds", folder / "tables",
            "--size", "96x72", "--quiet", "--masks", *more)  # fmt: skip


def test_a_set_of_a_look_is_what_the_contract_says(drawn):
    folder = drawn[0] / "renders" / "set"
    frames = read_manifest(folder).frames
    assert verify(folder) == [] and len(frames) == 14
    assert read_manifest(folder).classes == ("ball", "block")
    subjects = [frame.image.split("/")[1] for frame in frames]
    assert abs(subjects.count("ball") - subjects.count("block")) <= 1
    indices = {int(Path(frame.image).stem.rpartition("_")[2]) for frame in frames}
    assert indices == set(range(14))
    assert {o.class_name for f in frames for o in f.objects} == {"ball", "block"}
    assert all(o.mask for f in frames for o in f.objects if o.box_xyxy)
    assert len({frame.sha256 for frame in frames}) == 14
    assert all((frame.width, frame.height, frame.seed) == (96, 72, 0) for frame in frames)


@pytest.mark.parametrize("jobs", [2, 3])
def test_bytes_of_a_look_do_not_depend_on_the_number_of_workers(vqc, steps, tmp_path, drawn, jobs):
    vqc("render", *asked_of_a_look(steps, drawn[0], 14), "--jobs", jobs, check=0)
    assert digest(tmp_path / "renders" / "set") == drawn[1]


def test_a_look_killed_and_started_again_gives_the_same_bytes(vqc, steps, tmp_path, drawn):
    command = [sys.executable, "-c", "from vqc.cli import main; main()", "render"]
    asked_for = list(map(str, asked_of_a_look(steps, drawn[0], 14)))
    folder = tmp_path / "renders" / "set"
    process = subprocess.Popen([*command, *asked_for], cwd=tmp_path, start_new_session=True)
    deadline = time.monotonic() + 60
    while not any(folder.rglob("*.jpg")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    vqc("render", *asked_for, check=0)
    assert digest(folder) == drawn[1]


def test_a_larger_count_keeps_the_frames_there_are(vqc, steps, tmp_path, drawn):
    folder = tmp_path / "renders" / "set"
    vqc("render", *asked_of_a_look(steps, drawn[0], 5), check=0)
    before = digest(folder)
    kept = [name for name in before if name.startswith(("images", "labels"))]
    assert len(kept) == 10 and all(drawn[1][name] == before[name] for name in kept)
    vqc("render", *asked_of_a_look(steps, drawn[0], 14), check=0)
    assert digest(folder) == drawn[1]
    vqc("render", *asked_of_a_look(steps, drawn[0], 3), check=0)  # less changes nothing
    assert digest(folder) == drawn[1]


def test_any_other_change_of_a_look_is_refused_with_the_difference(vqc, steps, tmp_path, drawn):
    given, folder = drawn[0], tmp_path / "renders" / "set"
    shutil.copytree(given / "renders" / "set", folder)
    (tmp_path / "tables").mkdir()
    shutil.copy(given / "tables" / "0.png", tmp_path / "tables")
    (tmp_path / "quick.yaml").write_text(QUICK.replace("0.02", "0.03"))
    plain = asked_of_a_look(steps, given, 14)

    def refused(old, new):
        return vqc("render", *(new if a == old else a for a in plain), check=2).stderr

    assert "look.sensor.shot_noise: the set has 0.02, asked for 0.03" in refused(
        given / "quick.yaml", tmp_path / "quick.yaml"
    )
    assert "look: the set has 'quick', asked for 'studio'" in refused(
        given / "quick.yaml", "studio"
    )
    assert "look.backgrounds" in refused(given / "tables", tmp_path / "tables")
    assert "sources of a look" in refused(steps / "block.step", steps / "pair.step")
    views = ("--step", steps / "ball.step", "--name", "set", "--views", 4, *SMALL)
    assert "look: the set has 'quick', asked for 'plain'" in vqc("render", *views, check=2).stderr
    assert digest(folder) == drawn[1]


def test_files_of_a_class_take_turns_and_png_has_the_same_pixels(vqc, steps, tmp_path, drawn):
    given = asked_of_a_look(steps, drawn[0], 9, "--step", steps / "pair.step", "--class",
                            "pair=x", "--class", "block=x", "--format", "png")  # fmt: skip
    vqc("render", *given, check=0)
    folder = tmp_path / "renders" / "set"
    images = sorted(frame.image for frame in read_manifest(folder).frames)
    order = sorted(images, key=lambda name: name.rpartition("_")[2])
    assert [name.split("/")[1] for name in order] == [
        "ball", "block", "ball", "pair", "ball", "block", "ball", "pair", "ball"
    ]  # fmt: skip
    assert verify(folder) == [] and all(name.endswith(".png") for name in images)
    assert all(cv2.imread(str(folder / name)).shape == (72, 96, 3) for name in images)


def test_a_set_of_photos_gives_its_empty_frames_as_backgrounds(vqc, steps, tmp_path):
    import sets
    import yaml

    sets.render_set(tmp_path / "photos")
    vqc("render", "--step", steps / "ball.step", "--look", "bench", "--count", 1, "--backgrounds",
        "photos", *SMALL, check=0)  # fmt: skip
    recipe = yaml.safe_load((tmp_path / "renders" / "ball" / "recipe.yaml").read_text())
    assert [asset["file"] for asset in recipe["look"]["backgrounds"]] == ["qf_000001.png"]
    assert recipe["look"]["look"]["name"] == "bench" and "views" not in recipe


LOOK_FAULTS = {
    "count of views": (("--count", 5), "--count: only with --look"),
    "backgrounds of views": (("--backgrounds", "."), "--backgrounds: only with --look"),
    "views of a look": (("--look", "bench", "--views", 5), "--views: not with --look"),
    "angle of a look": (("--look", "bench", "--tilt", "3"), "--tilt: not with --look"),
    "fov of a look": (("--look", "bench", "--fov", 40), "--fov: not with --look"),
    "depth of a look": (("--look", "bench", "--depth"), "--depth: not with --look"),
    "unknown look": (("--look", "banch"), "did you mean 'bench'?"),
    "no frame": (("--look", "bench", "--count", 0), "--count: expected 1 to"),
    "no such look": (("--look", "gone.yaml"), "gone.yaml"),
    "no picture": (("--look", "bench", "--backgrounds", "."), "holds no picture"),
    "no distractor": (("--look", "bench", "--distractors", "."), "no .step"),
    "no environment": (("--look", "bench", "--environment", "gone.hdr"), "gone.hdr"),
}


@pytest.mark.parametrize("fault", LOOK_FAULTS)
def test_a_wrong_use_of_looks_has_its_own_error_and_writes_nothing(vqc, steps, tmp_path, fault):
    arguments, message = LOOK_FAULTS[fault]
    refused = vqc("render", "--step", steps / "ball.step", *arguments, *SMALL, check=2)
    assert message in " ".join(refused.stderr.split())
    assert list(tmp_path.iterdir()) == []
