"""What goes to Slurm: settings, scripts, the record of a job, and its states."""

import json
import os
import re
from pathlib import Path

import pytest

from vqc import batch, generate, journal
from vqc.asked import Request, resolve
from vqc.batch import slurm
from vqc.batch.job import Submission, find_jobs
from vqc.errors import InputError
from vqc.making import Workers
from vqc.shards import Shard


def test_settings_come_from_words_and_files_later_ones_first(tmp_path):
    file = tmp_path / "cluster.yaml"
    file.write_text(
        "account: m1234_g\ntime: 1:30:00\ngpus: 1\nsetup:\n  - module load python\n  - source v\n"
        "extra: --licenses=cfs\nrequeue: false\n"
    )
    found = batch.read_settings([str(file), "account=m9", "throttle=20", "warn-s=120"])
    assert (found.account, found.time, found.gpus, found.throttle) == ("m9", "1:30:00", 1, 20)
    assert found.setup == ("module load python", "source v") and found.extra == ("--licenses=cfs",)
    assert found.requeue is False and found.warn_s == 120 and found.cpus == 4
    assert batch.read_settings(["time=2:00:00"]).time == "2:00:00"
    assert batch.read_settings(["time=45"]).time == "45"


def test_every_wrong_setting_is_told_at_once(tmp_path):
    wrong = ["acount=m1", "cpus=0", "time=soon", "partition=a b", "requeue=maybe", "gpus=1.5"]
    with pytest.raises(InputError) as told:
        batch.read_settings([*wrong, str(tmp_path / "nowhere.yaml")])
    said = str(told.value).splitlines()
    assert len(said) == len(wrong) + 1
    assert "did you mean account?" in said[1] and "cannot be read" in said[0]


def test_values_are_taken_as_they_are_written(tmp_path):
    file = tmp_path / "cluster.yaml"
    file.write_text("setup: |\n  module load python\n  source 'a: b'\nqos: on\nrequeue: no\n")
    found = batch.read_settings(
        [str(file), "account=0123", "time=010", "cpus=010", "partition=no", "throttle="]
    )
    assert found.setup == ("module load python", "source 'a: b'")
    assert (found.account, found.time, found.cpus) == ("0123", "010", 10)
    assert (found.qos, found.partition, found.throttle) == ("on", "no", None)
    assert found.requeue is False
    assert batch.read_settings(["setup=~", "extra="]).setup == ()
    assert batch.read_settings(['setup=echo "a: b"']).setup == ('echo "a: b"',)
    assert batch.read_settings(["constraint=[a100|h100]&ib"]).constraint == "[a100|h100]&ib"


def test_a_file_that_holds_no_settings_says_what_it_holds(tmp_path):
    file = tmp_path / "cluster.yaml"
    for text, got in (("", "nothing"), ("- a\n", "a list"), ("word\n", "'word'")):
        file.write_text(text)
        with pytest.raises(InputError, match=f"expected lines such as .* got {got}"):
            batch.read_settings([str(file)])
    file.write_text("cpus: [1, 2]\nsetup: {a: b}\n")
    with pytest.raises(InputError) as told:
        batch.read_settings([str(file)])
    assert len(str(told.value).splitlines()) == 2


def test_odd_paths_are_quoted_for_slurm(tmp_path):
    text = batch.script(batch.read_settings([]), job_in(tmp_path / '50% of "x" it\'s'))
    assert f'--output="{tmp_path}/50%% of \\"x\\" it\'s/renders/.jobs/set/logs/%A_%a.log"' in text
    with pytest.raises(InputError, match="no path with a backslash"):
        batch.script(batch.read_settings([]), job_in(tmp_path / "a\\b"))


def test_a_value_cannot_smuggle_a_command_into_the_script():
    for value in ("m1;rm -rf x", "m1 --uid=0", "$(id)", "`id`"):
        with pytest.raises(InputError, match="expected one word"):
            batch.read_settings([f"account={value}"])


def job_in(root, shards=4, **fields):
    given = {
        "results": root / "renders" / "set",
        "kind": "render",
        "command": ("render", "--step", "my part.step"),
        "where": root,
        "shards": shards,
    }
    return batch.Job(**{**given, **fields})


def test_the_script_says_what_was_asked(tmp_path):
    settings = batch.read_settings(
        ["qos=regular", "gpus=1", "command=srun shifter vqc", "extra=--exclusive", "memory=8G"]
    )
    text = batch.script(settings, job_in(tmp_path))
    assert text.startswith("#!/bin/bash\n")
    options = re.findall(r"^#SBATCH (--.*)$", text, re.M)
    assert {"--qos=regular", "--gpus=1", "--exclusive", "--mem=8G", "--requeue"} <= set(options)
    assert "--signal=B:USR1@60" in options and "--open-mode=append" in options
    last = text.splitlines()[-1]
    assert last == (
        "exec srun shifter vqc render --step 'my part.step' --shard \"$SLURM_ARRAY_TASK_ID/4\""
    )
    assert text.splitlines().index(f"cd {tmp_path}") < text.splitlines().index(last)


def test_a_job_is_read_back(tmp_path):
    job = batch.write_script(batch.read_settings(["throttle=3"]), job_in(tmp_path))
    assert job.throttle == 3 and batch.read_job(job.results) == job
    sent = job.submitted("17", [2, 3])
    assert sent.submissions == (Submission("17", (2, 3)),)
    assert find_jobs([tmp_path / "renders"]) == [job.results]
    with pytest.raises(InputError, match="expected a set or a grid that went to a scheduler"):
        batch.read_job(tmp_path / "renders" / "other")
    (job.folder / "job.json").write_text(json.dumps({"vqc_job": 2}))
    with pytest.raises(InputError, match="expected version 1, got 2"):
        batch.read_job(job.results)


@pytest.fixture(scope="module")
def begun(steps, tmp_path_factory):
    """A set of 8 frames in 4 shards: the first is done, the second half done."""
    root = tmp_path_factory.mktemp("begun")
    request = Request((steps / "ball.step",), views=8, name="set", picture={"size": "64x48"})
    plan = generate.prepare(*resolve(request), root / "renders", workers=1)[0]
    generate.render_set(plan, Workers(1), shard=Shard(1, 4))
    generate.render_set(plan, Workers(1), shard=Shard(3, 8))
    return root


def test_states_follow_from_results_and_queue(begun):
    job = job_in(begun)
    status = batch.status_of(job, {2: "RUNNING", 3: "PENDING", 4: "CANCELLED"})
    assert [s.state for s in status.shards] == ["done", "running", "waiting", "missing"]
    assert [(s.done, s.total) for s in status.shards] == [(2, 2), (1, 2), (0, 2), (0, 2)]
    assert (status.done, status.total, status.unit, status.sure) == (3, 8, "frames", True)
    assert status.shards[3].why == "cancelled"
    gone = batch.status_of(job, {})
    assert [s.state for s in gone.shards] == ["done", "failed", "missing", "missing"]
    assert not batch.status_of(job, None).sure


def test_a_spoilt_frame_is_not_done_where_files_are_read(begun):
    image = min((begun / "renders/set/images").rglob("*.jpg"))
    kept = image.read_bytes()
    image.write_bytes(b"")
    try:
        assert batch.status_of(job_in(begun), {}).shards[0].state == "done"
        assert batch.status_of(job_in(begun), {}, whole=True).shards[0].state == "failed"
    finally:
        image.write_bytes(kept)


def test_done_is_what_is_there_whatever_the_queue_says(begun):
    assert batch.status_of(job_in(begun), {1: "RUNNING"}).shards[0].state == "done"


def test_the_rate_is_that_of_running_shards_by_their_own_clocks(begun):
    folder = begun / "renders" / "set" / ".partial"
    note = {"shard": "2/4", "host": "n1", "renderer": "llvmpipe", "seconds": 10.0, "frames": 50}
    (folder / "n1-1-a.jsonl").write_text(json.dumps({"vqc_journal": 1, **note, "end": None}) + "\n")
    try:
        status = batch.status_of(job_in(begun), {2: "RUNNING"})
        assert status.rate == 5 and status.left_s == 1 and status.shards[1].why == "n1"
        left = batch.status_of(job_in(begun), {})
        assert left.rate is None and left.left_s is None
    finally:
        (folder / "n1-1-a.jsonl").unlink()
    assert len(journal.notes_in(folder)) == 2


def test_few_large_shards():
    assert [batch.shards_for(s, 1000) for s in (5, 599, 1800, 6e6)] == [1, 1, 3, 1000]


def test_without_slurm_the_queue_is_unknown_and_submitting_says_why(begun, monkeypatch):
    job = batch.write_script(batch.read_settings([]), job_in(begun))
    monkeypatch.setenv("PATH", "/nowhere")
    assert batch.queued(job) is None
    with pytest.raises(InputError, match=r"sbatch: there is no such command .*--write-only"):
        batch.hand_over(job, [1])


def test_slurm_is_asked_as_its_users_would(begun, tmp_path, monkeypatch):
    """Scripts in the place of sbatch and squeue, which say what they were given."""
    for name, answer in (("sbatch", "echo '42;cluster'"), ("squeue", "echo '2 RUNNING'")):
        tool = tmp_path / name
        tool.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/{name}.txt\n{answer}\n')
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    job = batch.write_script(batch.read_settings(["throttle=2"]), job_in(begun))
    sent = batch.hand_over(job, [4, 2, 3])
    assert sent.submissions[-1] == Submission("42", (2, 3, 4))
    assert "--array=2-4%2" in (tmp_path / "sbatch.txt").read_text()
    assert batch.read_job(job.results) == sent and batch.queued(sent) == {2: "RUNNING"}
    (tmp_path / "squeue").write_text("#!/bin/sh\necho 'Invalid job id specified' >&2\nexit 1\n")
    assert batch.queued(sent) == {}
    (tmp_path / "squeue").write_text("#!/bin/sh\necho 'no controller' >&2\nexit 1\n")
    assert batch.queued(sent) is None
    assert slurm.SECONDS > 0 and isinstance(job.folder, Path)


def test_a_refused_job_leaves_the_set_as_it_was(vqc, steps, tmp_path, monkeypatch):
    asked = ("render", "--step", steps / "ball.step", "--views", 6, "--size", "64x48")
    slurm = ("--engine", "slurm", "--shards", 3)
    vqc(*asked, check=0)
    whole = contents(tmp_path / "renders/ball")
    job = batch.read_job(batch_of_three(tmp_path / "renders" / "ball"))
    answers = (
        ("echo '2 RUNNING'", "exit 0", "shards 2 of it are in Slurm's queue, nothing was changed"),
        ("echo no controller >&2; exit 1", "exit 0", "queue could not be asked"),
        ("exit 0", "echo invalid partition >&2; exit 1", "Nothing was changed or submitted"),
    )
    for squeue, sbatch, said in answers:
        for name, answer in (("squeue", squeue), ("sbatch", sbatch)):
            (tmp_path / name).write_text(f"#!/bin/sh\n{answer}\n")
            (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        for more in (("--fresh",), ("--views", 8)):
            assert said in vqc(*asked, *more, *slurm, check=2).stderr
            assert contents(tmp_path / "renders/ball") == whole
            assert batch.read_job(job.results) == job


def batch_of_three(results):
    """A job that went to Slurm once."""
    job = batch.Job(results, "render", ("render",), results.parent.parent, 3)
    batch.write_script(batch.read_settings([]), job.submitted("7", [1, 2, 3]))
    return results


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_engines_refuse_each_others_options(vqc, steps, tmp_path):
    ball = ("render", "--step", steps / "ball.step")
    said = vqc(*ball, "--engine", "pbs", check=2).stderr
    assert "expected local, slurm, dask, got pbs" in said
    said = vqc(*ball, "--shards", 4, "--slurm", "cpus=1", "--scheduler", "x:1", check=2).stderr
    assert "--slurm is for --engine slurm" in said and "--scheduler is for --engine dask" in said
    assert "--shards is for" in said
    assert "needs --scheduler" in vqc(*ball, "--engine", "dask", check=2).stderr
    assert "no job here" in vqc("jobs", check=0).stdout
    assert "went to a scheduler" in vqc("resume", "renders/set", check=2).stderr


def test_a_script_alone_is_written_and_can_be_resumed_from(vqc, steps, tmp_path):
    ball = ("render", "--step", steps / "ball.step", "--views", 6, "--size", "64x48")
    done = vqc(*ball, "--engine", "slurm", "--shards", 3, "--write-only", check=0).stdout
    assert "renders/.jobs/ball/job.sh: 3 shards" in done and "vqc resume renders/ball" in done
    text = (tmp_path / "renders/.jobs/ball/job.sh").read_text()
    assert '--quiet --shard "$SLURM_ARRAY_TASK_ID/3"' in text
    assert "--engine" not in text and "--write-only" not in text and "--shards" not in text
    assert not (tmp_path / "renders/ball/manifest.jsonl").exists()
    command = text.splitlines()[-1].removeprefix("exec ")
    import subprocess

    for number in (3, 1, 2):
        script = f"cd {tmp_path}; SLURM_ARRAY_TASK_ID={number}; {command}"
        subprocess.run(["bash", "-c", script], check=True)
    assert "6 frames, all there" in vqc("merge", "renders/ball", check=0).stdout


def test_what_was_written_is_told_as_json(vqc, steps):
    asked = ("render", "--step", steps / "ball.step", "--views", 6, "--size", "64x48", "--json")
    slurm = ("--engine", "slurm", "--shards", 3, "--write-only")
    told = json.loads(vqc(*asked, *slurm, check=0).stdout)
    assert told["script"].endswith("renders/.jobs/ball/job.sh") and told["job"] is None
    assert (told["shards"], told["missing"]) == (3, [1, 2, 3])
    vqc(*asked, check=0)
    assert json.loads(vqc(*asked, *slurm[:-1], check=0).stdout)["missing"] == []
