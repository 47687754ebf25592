"""`vqc jobs`: one table of all jobs, whatever became of one of them."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vqc import batch, generate
from vqc.asked import Request, resolve
from vqc.batch.job import job_folder
from vqc.cli import app
from vqc.making import Workers
from vqc.shards import Shard

NAMES = ("one", "three", "two")


@pytest.fixture(scope="module")
def begun(steps, tmp_path_factory):
    """A folder of renders: one set of 4 frames, of which half are there."""
    root = tmp_path_factory.mktemp("begun")
    request = Request((steps / "ball.step",), views=4, name="set", picture={"size": "64x48"})
    plan = generate.prepare(*resolve(request), root, workers=1)[0]
    generate.render_set(plan, Workers(1), shard=Shard(1, 2))
    return plan.folder


@pytest.fixture
def renders(begun, tmp_path, monkeypatch):
    """Three such sets, which went to Slurm as jobs of two shards."""
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(NAMES):
        results = shutil.copytree(begun, tmp_path / "renders" / name)
        job = batch.Job(results, "render", ("render",), tmp_path, 2)
        batch.write_script(batch.read_settings([]), job.submitted(str(number), [1, 2]))
    return tmp_path / "renders"


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """`slurm(answer)` puts a script in the place of squeue; its calls are lines of a file."""
    tools = tmp_path / "tools"
    tools.mkdir()
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")

    def answer(text):
        (tools / "squeue").write_text(f'#!/bin/sh\necho "$@" >> {tools}/calls\n{text}\n')
        (tools / "squeue").chmod(0o755)
        return tools / "calls"

    answer("exit 0")
    return answer


def jobs(*arguments, code=0):
    done = CliRunner(env={"COLUMNS": "160"}).invoke(app, ["jobs", *map(str, arguments)])
    assert done.exit_code == code, (done.output, done.exception)
    return done


def never_submitted(results: Path, shards: int = 2) -> None:
    job = batch.Job(results, "render", ("render",), results.parent.parent, shards)
    batch.write_script(batch.read_settings([]), job)


def spoil_by_removing(results):
    shutil.rmtree(results)
    return "the set is gone", "renders/.jobs/three forgets the job"


def spoil_by_cutting_the_job(results):
    file = job_folder(results) / "job.json"
    file.write_bytes(file.read_bytes()[:60])
    return "cannot be read", "job.json: cannot be read"


def spoil_the_recipe(results):
    (results / "recipe.yaml").write_text("garbage\n")
    return "cannot be read", "recipe.yaml: not a render recipe"


SPOIL = [spoil_by_removing, spoil_by_cutting_the_job, spoil_the_recipe]


@pytest.mark.parametrize("spoil", SPOIL)
def test_a_job_that_cannot_be_told_of_hides_no_other(renders, slurm, spoil):
    short, long = spoil(renders / "three")
    said = jobs().stdout
    rows = {n: next(x for x in said.splitlines() if f" renders/{n} " in x) for n in NAMES}
    assert short in rows["three"] and "2 of 4 frames" in rows["one"] and "2 of 4" in rows["two"]
    assert long in said
    records = {Path(r["folder"]).name: r for r in json.loads(jobs("--json").stdout)}
    assert long in records["three"]["error"] and records["three"]["done"] is None
    assert records["one"]["error"] is None and records["two"]["done"] == 2
    assert set(records["three"]) == set(records["one"])


@pytest.mark.parametrize("spoil", SPOIL)
def test_a_job_that_was_asked_for_and_cannot_be_told_of_is_an_error(renders, slurm, spoil):
    long = spoil(renders / "three")[1]
    done = jobs("renders/three", "renders/one", code=1)
    assert long in str(done.exception) and "2 of 4 frames" in done.stdout


def test_a_job_that_was_never_submitted_says_so(renders, slurm):
    never_submitted(renders / "one")
    asked = slurm("exit 1")
    (found,) = json.loads(jobs("renders/one", "--json").stdout)
    assert [s["state"] for s in found["shards"]] == ["done", "missing"]
    assert found["shards"][1]["why"] == "not submitted" and found["queue_known"]
    assert "vqc resume renders/one  # not submitted" in jobs("renders/one").stdout
    assert not asked.exists()  # Slurm knows nothing of it


def test_slurm_is_asked_once_where_it_does_not_answer(renders, slurm):
    asked = slurm("echo no controller >&2; exit 1")
    said = jobs().stdout
    assert len(asked.read_text().splitlines()) == 1
    assert "Slurm's queue could not be asked: what runs or waits counts as" in said
    assert not any(record["queue_known"] for record in json.loads(jobs("--json").stdout))


def test_a_queue_that_answers_is_asked_of_every_job(renders, slurm):
    asked = slurm("echo '2 RUNNING'")
    assert "could not be asked" not in jobs().stdout
    assert len(asked.read_text().splitlines()) == len(NAMES)


def test_a_running_shard_that_said_nothing_yet_goes_as_fast_as_those_before(renders, slurm):
    slurm("echo '2 RUNNING'")
    note = {"shard": "1/2", "host": "n1", "renderer": "llvmpipe", "seconds": 0.5, "frames": 2}
    for path in (renders / "one" / ".partial").glob("*.jsonl"):
        whole = [line for line in path.read_text().splitlines() if "vqc_journal" not in line]
        last = json.dumps({"vqc_journal": 1, **note, "end": "done"})
        path.write_text("\n".join([*whole, last, ""]))
    (found,) = json.loads(jobs("renders/one", "--json").stdout)
    assert found["per_second"] == 4 and found["left_s"] == 0.5
    slurm("exit 0")
    (found,) = json.loads(jobs("renders/one", "--json").stdout)
    assert found["per_second"] is None


def test_records_that_were_lost_are_told(renders, slurm):
    shutil.rmtree(renders / "two" / ".partial")
    said = jobs().stdout
    assert "renders/two/manifest.jsonl is gone" in said
    assert "renders/one/manifest.jsonl is gone" not in said


def test_one_is_no_plural(steps, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def said(*words):
        done = CliRunner(env={"COLUMNS": "160"}).invoke(app, [*map(str, words)])
        assert done.exit_code == 0, done.output
        return done.stdout

    asked = ("--step", steps / "ball.step", "--views", 1, "--size", "64x48", "--jobs", 1)
    told = said("render", *asked, "--shard", "1/1")
    assert "1 frame made" in told and "0 were there" in told
    never_submitted(tmp_path / "renders" / "ball", 1)
    assert "1 of 1 frame " in said("jobs")
    assert "1 frame, all there" in said("merge", "renders/ball")
    told = said("render", *asked)
    assert "0 frames made" in told and "1 was there" in told
