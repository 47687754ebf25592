"""Sets rendered shard by shard: whoever renders, and however often, the bytes stay the same."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from commands import run_vqc
from rendered import asked, digest

from vqc import generate, journal, making
from vqc.asked import Request, resolve
from vqc.errors import IncompleteError, InputError
from vqc.making import Workers
from vqc.manifest import read_manifest
from vqc.shards import Shard, all_of
from vqc.store import RENDERERS

COMMAND = [sys.executable, "-c", "from vqc.cli import main; main()", "render"]


@pytest.fixture(scope="module")
def reference(steps, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    run_vqc("render", *asked(steps), "--jobs", 2, cwd=folder, check=0)
    return digest(folder / "renders" / "set")


def start(steps, root, shard):
    return subprocess.Popen(
        [*COMMAND, *map(str, asked(steps, "--shard", shard, "--jobs", 1))],
        cwd=root, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_shards_side_by_side_and_twice_merge_to_the_bytes_of_one_machine(
    vqc, steps, tmp_path, reference
):
    folder = tmp_path / "renders" / "set"
    running = [start(steps, tmp_path, f"{n}/3") for n in (1, 2, 2, 3)]
    for process in running:
        assert process.communicate()[1] == "" and process.returncode == 0
    assert not (folder / "manifest.jsonl").exists()
    found = json.loads(vqc("merge", folder, "--json", check=0).stdout)
    assert found["frames"] == 80 and digest(folder) == reference
    vqc("merge", folder, check=0)
    vqc("render", *asked(steps, "--shard", "2/3"), check=0)  # a straggler does no harm
    assert digest(folder) == reference


def test_merge_lists_what_is_missing_or_spoilt_and_writes_nothing(vqc, steps, tmp_path, reference):
    folder = tmp_path / "renders" / "set"
    vqc("render", *asked(steps, "--shard", "1/4"), check=0)
    vqc("render", *asked(steps, "--shard", "4/4"), check=0)
    (folder / "images/ball/000/ball_000003.jpg").write_bytes(b"")
    said = vqc("merge", folder, check=1).stderr
    assert "41 of 80 frames are missing" in said
    assert "ball: 3,20-39\n" in said and "block: 0-19\n" in said
    assert not (folder / "manifest.jsonl").exists()
    vqc("render", *asked(steps), check=0)  # the whole command makes the rest, and merges
    assert digest(folder) == reference


def test_a_shard_killed_again_and_again_loses_nothing(vqc, steps, tmp_path, reference):
    rng = random.Random(5)
    folder = tmp_path / "renders" / "set"
    vqc("render", *asked(steps, "--shard", "2/2"), check=0)
    for _ in range(4):
        process = start(steps, tmp_path, "1/2")
        there = len(list(folder.rglob("*.jpg")))
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            if len(list(folder.rglob("*.jpg"))) > there:
                break
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 0.2))
        process.send_signal(rng.choice([signal.SIGKILL, signal.SIGTERM]))
        process.communicate()
    vqc("render", *asked(steps, "--shard", "1/2"), check=0)
    vqc("merge", folder, check=0)
    assert digest(folder) == reference


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_told_to_stop_a_shard_finishes_its_frame_and_says_so(vqc, steps, tmp_path, number):
    folder = tmp_path / "renders" / "set"
    process = subprocess.Popen(
        [*COMMAND, *map(str, asked(steps, "--views", 4000, "--jobs", 1, "--shard", "1/2"))],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    wait_for_frames(folder, 3)
    os.killpg(process.pid, number)  # as Slurm does: every process of the step
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 75 and "told to stop with" in said and "goes on" in said
    images = [p for p in folder.rglob("*.jpg") if "images" in p.parts]
    assert len(journal.frames_in(folder / ".partial")) == len(images) < 4000
    ((_, notes),) = journal.notes_in(folder / ".partial")
    assert notes[-1].shard == "1/2" and notes[-1].frames == len(images)
    assert "told to stop" in notes[-1].end


@pytest.mark.parametrize("trouble", ["full", "read-only"])
def test_a_disk_that_is_full_or_read_only_in_mid_shard(vqc, steps, tmp_path, reference, trouble):
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("a small file system needs root and mount")
    disk = tmp_path / "renders"
    disk.mkdir()
    place, options = disk, "size=60k"
    if trouble == "read-only":
        vqc("render", *asked(steps, "--shard", "1/8"), check=0)
        place, options = disk / "set/images/ball/000", "ro"
    mounted = ["mount", "-t", "tmpfs", "-o", options, "none", str(place)]
    if subprocess.run(mounted, check=False).returncode:
        pytest.skip("this machine lets nobody mount a tmpfs")
    try:
        said = vqc("render", *asked(steps, "--shard", "1/2"), check=2).stderr
        assert "cannot be written" in said and "goes on" in said
    finally:
        subprocess.run(["umount", str(place)], check=True)
    for shard in ("1/2", "2/2"):
        vqc("render", *asked(steps, "--shard", shard), check=0)
    vqc("merge", disk / "set", check=0)
    assert digest(disk / "set") == reference


def test_clocks_do_not_matter(vqc, steps, tmp_path, reference):
    folder = tmp_path / "renders" / "set"
    for shard, year in (("1/2", 2100), ("2/2", 2001)):
        vqc("render", *asked(steps, "--shard", shard), check=0)
        for path in folder.rglob("*"):
            os.utime(path, ((year - 1970) * 31557600,) * 2)
    vqc("merge", folder, check=0)
    assert digest(folder) == reference


def wait_for_frames(folder, count):
    deadline = time.monotonic() + 120
    while len(list(folder.rglob("*.jpg"))) < count and time.monotonic() < deadline:
        time.sleep(0.02)


def plan_in(steps, root, views=6):
    request = Request((steps / "ball.step",), views=views, name="set", picture={"size": "64x48"})
    return generate.prepare(*resolve(request), root, workers=1)[0]


def test_what_drew_the_frames_stands_in_the_manifest(steps, tmp_path):
    plan = plan_in(steps, tmp_path)
    generate.render_set(plan, Workers(1))
    (name,) = read_manifest(plan.folder).extra[RENDERERS]
    grown = plan_in(steps, tmp_path, views=8)
    generate.render_set(grown, Workers(1))
    assert read_manifest(plan.folder).extra[RENDERERS] == [name]


def test_software_and_a_gpu_are_not_mixed_unless_that_is_allowed(steps, tmp_path):
    plan = plan_in(steps, tmp_path)
    one, other = all_of(2)
    generate.render_set(plan, Workers(1), shard=one)
    (path,) = (plan.folder / ".partial").glob("*.jsonl")
    text = path.read_text()
    for name in journal.renderers_in(path.parent):
        text = text.replace(name, "NVIDIA A100/PCIe/SSE2")
    path.write_text(text)
    with pytest.raises(InputError, match=r"one kind of renderer, got NVIDIA .*llvmpipe"):
        generate.render_set(plan, Workers(1), shard=other)
    generate.render_set(plan, Workers(1), shard=other, mixed=True)
    with pytest.raises(InputError, match=r"--allow-mixed-renderers"):
        generate.merge(plan.folder)
    with pytest.raises(InputError, match=r"--allow-mixed-renderers"):
        generate.render_set(plan, Workers(1))  # nothing is missing, and it would finish the set
    assert len(generate.merge(plan.folder, mixed=True).extra[RENDERERS]) == 2


def test_every_worker_gets_its_own_environment(steps, tmp_path, monkeypatch):
    monkeypatch.setattr(making, "FrameMaker", Renamed)
    workers = Workers(2, ({"VQC_TEST_GPU": "0"}, {"VQC_TEST_GPU": "1"}))
    generate.render_set(plan_in(steps, tmp_path, views=30), workers, mixed=True)
    found = read_manifest(tmp_path / "set").extra[RENDERERS]
    assert found == ["llvmpipe 0", "llvmpipe 1"]


class Renamed(making.FrameMaker):
    def __call__(self, job):
        return replace(super().__call__(job), renderer=f"llvmpipe {os.environ['VQC_TEST_GPU']}")


def test_no_shard_deletes_the_set_and_merge_wants_one(vqc, steps, tmp_path):
    said = vqc("render", *asked(steps, "--shard", "1/2", "--fresh"), check=2).stderr
    assert "--fresh deletes the whole set" in said
    assert "expected K/N" in vqc("render", *asked(steps, "--shard", "9/2"), check=2).stderr
    (tmp_path / "photos").mkdir()
    for folder in ("photos", "nowhere"):
        assert "expected the folder of a rendered set" in vqc("merge", folder, check=2).stderr


def test_more_shards_than_frames(steps, tmp_path):
    plan = plan_in(steps, tmp_path, views=2)
    made = [generate.render_set(plan, Workers(1), shard=Shard(n, 5)).made for n in range(1, 6)]
    assert sum(made) == 2
    assert len(generate.merge(plan.folder).frames) == 2


def test_an_unfinished_set_cannot_be_merged_by_the_library_either(steps, tmp_path):
    plan = plan_in(steps, tmp_path)
    generate.render_set(plan, Workers(1), shard=Shard(1, 3))
    with pytest.raises(IncompleteError, match="4 of 6 frames are missing"):
        generate.merge(plan.folder)
