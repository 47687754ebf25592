"""A grid trains what is missing, survives what goes wrong, and scores one cell on test."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from fake_tasks import ON_TEST, score_of
from projects import photos
from typed import typed

from vqc import grid as grids
from vqc import mix
from vqc.batch import Job, status_of
from vqc.errors import BusyError, IncompleteError, InputError
from vqc.grid import worker
from vqc.grid.telling import require_all, result_lines
from vqc.manifest import read_manifest
from vqc.shards import Shard


def asked(cad=(0, 4, 8), real=(1, 2), repeats=1, test=(), workers=None, **options):
    """A grid over the project; options: of the request, or name, minutes and fresh."""
    splits = mix.SplitRules(test=test, val=options.pop("val", ()))
    leaks = options.pop("leaks", False)
    others = {key: options.pop(key) for key in ("name", "minutes", "fresh") if key in options}
    request = grids.GridRequest(
        mix=mix.Request(cad=cad[-1], real=real[-1], splits=splits, allow_leaks=leaks),
        cad=cad, real=real, repeats=repeats, task=options.pop("task", "fake"), **options,
    )  # fmt: skip
    pool = mix.read_pool(mix.find_sets()[0])
    return grids.Asked(request, pool, workers=workers or grids.Workers(), **others)


def run(**options):
    made = grids.prepare(asked(**options))
    return made, grids.run(made)


def done() -> list[str]:
    """What was really trained or scored, a line each."""
    log = Path("runs/done.log")
    return log.read_text().splitlines() if log.is_file() else []


def trained() -> Counter[str]:
    return Counter(line.split()[0] for line in done() if " epoch " in line)


def test_a_grid_from_end_to_end(project):
    made, book = run(repeats=2, test=("hall",))
    record = json.loads((made.folder / "grid.json").read_text())
    assert [c["name"] for c in record["cells"]] == [
        "cad0-real1", "cad4-real1", "cad8-real1", "cad0-real2", "cad4-real2", "cad8-real2",
    ]  # fmt: skip
    for cell in record["cells"]:
        assert [each["seed"] for each in cell["repeats"]] == [0, 1]
        for each in cell["repeats"]:
            photos = cell["real"] * 3  # two classes and backgrounds
            assert each["metrics"]["mAP50"] == pytest.approx(score_of(cell["cad"], photos))
            assert each["state"] == "done" and Path(each["run"], "run.json").is_file()
    assert record["chosen"]["cell"] == "cad8-real2"
    assert [t["mark"] for t in record["chosen"]["test"]] == ["", ""]
    expected = pytest.approx(score_of(8, 6) - ON_TEST)
    assert [t["metrics"]["mAP50"] for t in record["chosen"]["test"]] == [expected] * 2
    mark = "not an honest score: val split, same shoot"
    assert record["val"] == {"name": "shop", "same_shoot": True, "mark": mark}
    assert any("a fifth of the training photos" in note for note in record["notes"])
    assert record["budget"]["sentences"][0].startswith("from 8 CAD frames and 2 photos a class: ")
    assert len([line for line in done() if "scored on test" in line]) == 2
    rows = list(csv.DictReader((made.folder / "grid.csv").open()))
    assert len(rows) == 12 and rows[0]["state"] == "done" and float(rows[0]["mAP50"]) > 0
    pictures = sorted(path.name for path in made.folder.glob("*.png"))
    assert pictures == [
        "composition.png", "heatmap-F1.png", "heatmap-mAP50.png", "heatmap-precision.png",
        "heatmap-recall.png", "learning-photos.png", "learning-renders.png",
    ]  # fmt: skip
    lines = result_lines(book)
    assert lines[0] == "chosen on val: cad8-real2" and "(2 trainings)" in lines[1]
    require_all(made, book)


def test_shards_train_side_by_side_and_the_last_command_chooses(project):
    made = grids.prepare(asked(repeats=2, test=("hall",)))
    grids.write_asked(made)
    names = grids.names_of(made)
    for shard in (Shard(2, 3), Shard(1, 3), Shard(2, 3)):
        book = grids.run_shard(made, shard)
        assert {trial.name for trial in book.trials} == set(shard.of(names))
        assert not book.in_state("waiting") and not book.in_state("failed")
    assert not (made.folder / "grid.json").exists()
    assert set(trained()) == set(names[:8])
    job = Job(made.folder.resolve(), "grid", ("grid",), Path.cwd(), 3)
    status = status_of(job, {3: "RUNNING"})
    assert [(s.state, s.done, s.total) for s in status.shards] == [
        ("done", 4, 4), ("done", 4, 4), ("running", 0, 4),
    ]  # fmt: skip
    assert status.unit == "trainings"
    whole = grids.run(made)
    assert len(trained()) == 12 and len(set(trained().values())) == 1, "some trained twice"
    assert whole.chosen["cell"] == "cad8-real2" and len(whole.chosen["test"]) == 2


def test_a_shard_says_what_failed(project, monkeypatch):
    made = grids.prepare(asked(cad=(0,), settings={"fails": "cad0-real1"}))
    book = grids.run_shard(made, Shard(1, 2))
    (failed,) = book.in_state("failed")
    assert "cad0-real1 is not liked" in book.results[failed.name].failure


def test_a_grid_of_twelve_cells_with_one_changed_trains_one(project, undrawn):
    run(cad=(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 16), real=(1,))
    first = trained()
    assert len(first) == 12
    run(cad=(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16), real=(1,))
    new = trained() - first
    assert [name.split("-seed")[0] for name in new] == ["cad12-real1"]


def test_a_larger_cell_can_join_what_is_trained(project, undrawn):
    run(cad=(2, 4), real=(1,))
    made = grids.prepare(asked(cad=(2, 4, 8), real=(1,)))
    (note,) = [note for note in made.notes if "epoch_images" in note]
    assert note.startswith("2 more of these trainings are there, with 7 pictures an epoch instead")
    assert "--set epoch_images=7 keeps them, and 1 are left to train" in note
    before = trained()
    _, book = run(cad=(2, 4, 8), real=(1,), settings={"epoch_images": 7})
    assert [name.split("-seed")[0] for name in trained() - before] == ["cad8-real1"]
    assert not any("epoch_images" in note for note in book.notes)


def test_the_same_command_again_trains_nothing(project, undrawn):
    run()
    before = trained()
    _, book = run()
    assert trained() == before and not book.in_state("waiting")
    assert len({line.split("pid")[1] for line in done()}) == 1  # one worker for all


def test_all_cells_see_equally_many_pictures_and_one_val(project, undrawn):
    run(repeats=2)
    assert {line.split(" seen ")[1].split()[0] for line in done() if " seen " in line} == {"14"}
    sets = sorted(Path("datasets/cells").iterdir())
    assert len(sets) == 12
    val, train = [], []
    for folder in sets:
        frames = read_manifest(folder).frames
        val.append({f.sha256 for f in frames if f.split == "val"})
        train.append({f.sha256 for f in frames if f.split == "train"})
    assert val[0] and all(each == val[0] for each in val)
    assert not any(each & val[0] for each in train)
    assert mix.find_sets()[0] == [Path("renders/magnets"), Path("datasets/photos")]


def test_with_equal_epochs_a_larger_set_is_seen_more(project, undrawn):
    run(cad=(0, 8), real=(1,), equal="epochs")
    assert {line.split(" seen ")[1].split()[0] for line in done() if " seen " in line} == {
        "3", "11"
    }  # fmt: skip


def test_a_failed_cell_is_told_and_tried_again(project, undrawn):
    made, book = run(settings={"fails": "cad4-real2"})
    record = json.loads((made.folder / "grid.json").read_text())
    states = {c["name"]: c["repeats"][0]["state"] for c in record["cells"]}
    assert states.pop("cad4-real2") == "failed" and set(states.values()) == {"done"}
    assert record["cells"][4]["repeats"][0]["failure"] == "cad4-real2 is not liked"
    assert record["chosen"]["cell"] == "cad8-real2"
    with pytest.raises(IncompleteError, match="1 of 6 trainings failed"):
        require_all(made, book)
    before = trained()
    made, book = run()
    require_all(made, book)
    assert [name.split("-seed")[0] for name in trained() - before] == ["cad4-real2"]


def test_a_cell_that_kills_its_worker_costs_only_itself(project, undrawn):
    _, book = run(settings={"kills": "cad4-real1", "dies": "cad8-real2"})
    failed = book.in_state("failed")
    assert [t.drawn.cell.name for t in failed] == ["cad4-real1"]
    assert "3 attempts failed" in book.results[failed[0].name].failure
    assert "SIGKILL" in book.results[failed[0].name].failure
    epochs = [
        line.split()[2] for line in done() if line.startswith("cad8-real2") and "seen" in line
    ]
    assert epochs == ["1", "2"]  # gone on with, not begun anew


def test_every_worker_has_a_device_of_its_own(project, undrawn):
    """Four workers, four devices: each process has claimed one, and no other one has it."""
    workers = grids.Workers(("0", "1", "2", "3"))
    _, book = run(repeats=2, workers=workers, settings={"slow": 0.02})
    assert len(book.in_state("done")) == 12
    used = {tuple(line.split()[6:9:2]) for line in done() if " device " in line}
    assert {device for device, _ in used} == {"0", "1", "2", "3"} and len(used) == 4


def test_without_test_there_is_no_score_and_it_is_said(project, undrawn):
    _, book = run(val=("hall",))
    assert book.chosen == {"cell": "cad8-real2", "test": []}
    mark = "not an honest score: val split"
    assert book.record()["val"] == {"name": "hall", "same_shoot": False, "mark": mark}
    assert any("no test split" in line for line in result_lines(book))
    assert not any("scored" in line for line in done())


def test_a_score_that_is_not_honest_is_refused_in_words(project, undrawn, capsys):
    """The test shoot looks like the other ones, picture by picture."""
    photos(Path("datasets/copies"), session="copies", name="copies", noise=1000)
    _, book = run(cad=(4,), real=(3,), test=("copies",), leaks=True)
    (test,) = book.chosen["test"]
    assert test["metrics"] == {} and test["mark"].startswith("not an honest score: ")
    assert not any("on test, an honest score" in line for line in result_lines(book))
    assert any("on test: not an honest score" in line for line in result_lines(book))
    hint = test["mark"].partition("; vqc ")[2].partition(" gives it")[0]
    assert hint.startswith("eval runs/cells/fake/") and hint.endswith("--anyway")
    said = typed(capsys, *hint.split())
    assert said.code == 0, said.err


def test_further_axes_make_cells_of_their_own(project, undrawn):
    _, book = run(cad=(4,), real=(1,), axes={"grey": (False, True), "imgsz": (32, 64)})
    assert [cell.name for cell in book.cells] == [
        "cad4-real1-greyno-imgsz32", "cad4-real1-greyno-imgsz64",
        "cad4-real1-greyyes-imgsz32", "cad4-real1-greyyes-imgsz64",
    ]  # fmt: skip
    assert len(trained()) == 4
    assert len(list(Path("datasets/cells").iterdir())) == 2  # imgsz changes no set
    _, book = run(cad=(4,), real=(1,), axes={"imgsz": (64,)})
    assert len(trained()) == 4 and book.cells[0].name == "cad4-real1"


def test_where_less_is_better_the_least_is_chosen(project, undrawn):
    _, book = run(task="plain", cad=(4,), real=(1, 2))
    assert book.chosen["cell"] == "cad4-real1" and book.headline.metric == "loss"
    assert book.budget is None  # it speaks of mAP50
    assert {line.split(" seen ")[1].split()[0] for line in done() if " seen " in line} == {
        "7", "10"
    }  # fmt: skip


def test_a_folder_that_is_still_held_is_waited_for(monkeypatch, tmp_path):
    """The loaders of a killed training hold its folder for a moment; other faults are told."""
    tried, waited = [], []

    def trains(asked, told):
        tried.append(asked)
        if len(tried) < 3:
            raise BusyError("whatever it says")
        if len(tried) > 3:
            raise InputError("x is being trained by another command")

    monkeypatch.setattr(worker, "train", trains)
    monkeypatch.setattr(worker.time, "sleep", waited.append)
    job = worker.TrainJob("x", tmp_path, "fake", {}, tmp_path)
    place = worker.Place(None, tmp_path / "x.json")
    assert job.do(place) == {} and len(tried) == 3 and len(waited) == 2
    with pytest.raises(InputError, match="being trained"):
        job.do(place)
    assert len(tried) == 4


KILLED = """
import sys
sys.path.insert(0, {tests!r})
from test_trainings import run
run(settings={{"slow": 0.1}}, repeats=2)
"""


def test_a_killed_grid_goes_on(project, undrawn):
    """kill -9 at any moment; no worker trains on unseen, and no epoch is done twice."""
    code = KILLED.format(tests=str(Path(__file__).parent))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    for _ in range(2):
        process = subprocess.Popen([sys.executable, "-c", code], env=env)
        before, deadline = len(done()), time.monotonic() + 300
        while len(done()) < before + 3 and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    (folder,) = Path("runs/grids").iterdir()
    record = json.loads((folder / "grid.json").read_text())
    states = Counter(r["state"] for c in record["cells"] for r in c["repeats"])
    assert states["waiting"] and states["done"]
    _, book = run(repeats=2)
    assert len(book.in_state("done")) == 12
    epochs = Counter(tuple(line.split()[:3]) for line in done() if " epoch " in line)
    # Killed between its checkpoint and its note, an epoch is not noted.
    assert 22 <= len(epochs) <= 24 and max(epochs.values()) == 1
    assert [file.name for file in folder.glob(".*")] == [".lock"]
