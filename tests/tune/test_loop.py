"""A search from end to end: equal terms, failures, interruptions, and the lines that repeat it."""

from __future__ import annotations

import csv
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tune_plugin
import tune_project
from tune_project import asked, done, here, light_processes, tune
from typer.testing import CliRunner

from vqc import mix
from vqc.cli import app
from vqc.errors import IncompleteError, InputError, RecipeError, VqcError
from vqc.manifest import read_manifest
from vqc.runs import read_run
from vqc.tune import prepare, search
from vqc.tune.journal import FILE_NAME, Journal

pytest.importorskip("optuna", reason="optuna is not installed: pip install 'optuna>=4,<5'")


@pytest.fixture
def project(tmp_path, monkeypatch):
    with tune_project.project(tmp_path, monkeypatch) as root:
        yield root


def record(name="bowl"):
    return json.loads(Path("runs/tunes", name, "tune.json").read_text())


def values_and_scores(book):
    return [(r.number, dict(r.values), r.score) for r in book.results]


def noted_requests(patched) -> list[mix.Request]:
    """What mixes are asked for from now on."""
    plan, found = mix.plan, []

    def noted(pool, request, *rest):
        found.append(request)
        return plan(pool, request, *rest)

    patched.setattr(mix, "plan", noted)
    return found


class Stops:
    """A watcher that ends the command, as Ctrl-C would."""

    def __init__(self, after):
        self.after = after

    def status(self, status): ...

    def ended(self, result, status):
        if result.number == self.after:
            raise KeyboardInterrupt


def test_a_search_from_end_to_end(project):
    made, book = tune(runs=12)
    found = record()
    assert [trial["trial"] for trial in found["trials"]] == list(range(1, 13))
    for trial in found["trials"]:
        values = trial["values"]
        assert list(values) == ["cad", "real", "lr0", "freeze"] and trial["state"] == "done"
        expected = tune_plugin.score_of(values["cad"], values["lr0"], values["freeze"])
        assert trial["score"] == pytest.approx(expected)
        run = read_run(Path(trial["run"]))
        assert run.metrics["mAP50"] == trial["score"] and run.chosen_on == "val"
        assert run.config["freeze"] == values["freeze"] and run.config["lr0"] == values["lr0"]
    best = max(found["trials"], key=lambda trial: trial["score"])
    assert found["best"] == best and book.best.number == best["trial"]
    assert found["metric"] == "mAP50" and found["space"]["lr0"] == "0.00001..0.1:log"
    assert set(found["importance"]) == {"cad", "lr0", "freeze"}
    rows = list(csv.DictReader((made.folder / "tune.csv").read_text().splitlines()))
    scores = [float(row["mAP50"]) for row in rows]
    assert len(rows) == 12 and scores == sorted(scores, reverse=True)
    assert (made.folder / "tune.png").read_bytes()[:4] == b"\x89PNG"
    assert any("no honest score" in note for note in found["notes"])
    assert not (made.folder / "running.json").exists()


def test_every_trial_sees_equally_much_and_has_one_val(project):
    _, book = tune(runs=8)
    assert {line.split(" seen ")[1] for line in done()} == {"22"}
    sets = [read_manifest(Path("datasets/cells", r.dataset)) for r in book.results]
    splits = [
        {split: {f.sha256 for f in s.frames if f.split == split} for split in ("train", "val")}
        for s in sets
    ]
    assert splits[0]["val"] and all(each["val"] == splits[0]["val"] for each in splits)
    for manifest in sets:
        assert {f.session for f in manifest.frames if f.split == "val"} == {"attic"}
        assert "hall" not in {f.session for f in manifest.frames if f.split != "test"}
    assert "22 pictures an epoch, 2 epochs, so every trial sees 44" in book.constant[0]
    assert book.constant[1] == "val: 12 pictures of attic (not an honest score: val split)"
    # sets of trials are no sources of other mixes
    assert mix.find_sets()[0] == [Path("renders/magnets"), Path("datasets/photos")]


def test_a_val_of_the_same_shoots_is_one_for_all(project):
    _, book = tune(runs=5, splits=mix.SplitRules(test=("hall",), val_fraction=0.25))
    val = [
        frozenset(
            f.sha256
            for f in read_manifest(Path("datasets/cells", r.dataset)).frames
            if f.split == "val"
        )
        for r in book.results
    ]
    assert len(set(val)) == 1 and val[0]


def test_the_same_command_again_trains_nothing_and_more_runs_extend(project):
    _, first = tune(runs=3)
    before = done()
    _, again = tune(runs=3)
    assert done() == before and values_and_scores(again) == values_and_scores(first)
    _, more = tune(runs=6)
    assert len(more.results) == 6
    assert values_and_scores(more)[:3] == values_and_scores(first)
    assert done()[: len(before)] == before and len(done()) == 2 * len(before)


def test_another_search_finds_trainings_that_are_there(project):
    tune(runs=3)
    before = done()
    _, book = tune(runs=3, name="other")
    assert done() == before and len(book.results) == 3


def test_stopped_anywhere_the_search_goes_on_as_if_nothing_had_happened(project):
    _, whole = tune(runs=14, name="whole")
    for after in (3, 12):
        with pytest.raises(KeyboardInterrupt):
            tune(runs=14, watcher=Stops(after))
    _, parts = tune(runs=14)
    assert values_and_scores(parts) == values_and_scores(whole)


def test_a_trial_that_was_cut_off_keeps_its_values_and_what_it_learnt(project):
    def cut_off(job, crew):
        """The first epoch, then the end."""
        if len(done()) == 2 * 2:
            monkey = tune_plugin.Tuned.fit

            def one_epoch(self, dataset, config, run_dir, monitor):
                class Half:
                    def progress(self, done, total): ...
                    def resumed(self, epochs_done): ...
                    def epoch(self, number, metrics):
                        (run_dir / "state.json").write_text(str(number))
                        raise KeyboardInterrupt

                monkey(self, dataset, config, run_dir, Half())

            with pytest.MonkeyPatch.context() as patched:
                from vqc.tasks import find

                patched.setattr(type(find("tuned")), "fit", one_epoch)
                return here(job, crew)
        return here(job, crew)

    with pytest.raises(KeyboardInterrupt):
        tune(runs=5, work=cut_off)
    running = json.loads(Path("runs/tunes/bowl/running.json").read_text())
    assert running["number"] == 3 and len(done()) == 5
    _, book = tune(runs=5)
    assert book.results[2].values == running["values"]
    assert len(done()) == 5 * 2  # no epoch twice


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        ('{"number": 2}', "values of cad, real, lr0, freeze, got None"),
        ('{"number": 2, "values": {"cad": 3}}', "values of cad, real, lr0, freeze"),
        ('{"number": 2, "values": {"cad": 99, "real": 2, "lr0": "a", "freeze": 0}}',
         "expected cad=0..16, lr0=0.00001..0.1:log"),
        ('{"number": 2, ', "not JSON"),
    ],
)  # fmt: skip
def test_a_damaged_note_of_the_trial_under_way_is_one_message(project, note, expected):
    made, _ = tune(runs=1)
    file = made.folder / "running.json"
    file.write_text(note)
    with pytest.raises(InputError, match=r"running\.json") as error:
        tune(runs=2)
    assert expected in str(error.value)
    file.unlink()
    _, book = tune(runs=2)
    assert len(book.done) == 2


def test_killed_with_its_training_the_same_command_goes_on(project):
    """For real: kill -9 in the middle of the second trial, trainings in processes of their own."""
    with light_processes(project):
        code = (
            f"import sys; sys.path[:0] = {[p for p in sys.path if p]!r}\n"
            "from tune_project import asked\n"
            "from vqc.tune import prepare, search\n"
            "search(prepare(asked(runs=3, settings={'slow': '0.4', 'epochs': '3'})))\n"
        )
        command = [sys.executable, "-c", code]
        process = subprocess.Popen(command)
        deadline = time.monotonic() + 300
        while len(done()) < 3 + 2 and time.monotonic() < deadline:  # its second epoch has begun
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        running = json.loads(Path("runs/tunes/bowl/running.json").read_text())
        assert running["number"] == 2 and 3 + 2 <= len(done()) <= 3 + 3
        subprocess.run(command, check=True, timeout=600)
    trials = record()["trials"]
    assert trials[1]["values"] == running["values"]
    assert [trial["state"] for trial in trials] == ["done"] * 3
    assert len(done()) <= 3 * 3 + 1  # one epoch at most was lost
    # what is tried follows from the settings, not from what happened meanwhile
    _, book = tune(runs=3, settings={"slow": "0", "epochs": "3"}, name="whole")
    assert [r.score for r in book.results] == [trial["score"] for trial in trials]


def test_a_trial_that_fails_is_noted_and_the_search_goes_on(project):
    _, book = tune(runs=12, settings={"fails": "10"})
    failed = [r for r in book.results if r.failure]
    assert failed and len(book.done) + len(failed) == 12
    assert all(r.values["freeze"] == 10 and r.score is None for r in failed)
    assert {r.failure for r in failed} == {"CUDA out of memory"}
    states = [(trial["state"], trial["failure"]) for trial in record()["trials"]]
    assert states.count(("failed", "CUDA out of memory")) == len(failed)
    assert book.best.values["freeze"] != 10
    last = list(csv.DictReader(Path("runs/tunes/bowl/tune.csv").read_text().splitlines()))[-1]
    assert last["state"] == "failed" and last["failure"] == "CUDA out of memory"
    before = done()
    tune(runs=12, settings={"fails": "10"})  # is not tried again
    assert done() == before


def test_a_training_that_kills_its_process_is_a_failed_trial(project):
    """As the system does where memory runs out; processes for real."""
    with light_processes(project):
        made = prepare(asked(space=["cad=4,8", "real=1"], runs=1, settings={"kills": "0"}))
        book = search(made)
    assert book.results[0].score is None and "SIGKILL" in book.results[0].failure
    assert "runs/tunes/bowl/worker.log" in book.results[0].failure


def test_a_search_of_failures_alone_stops(project):
    with pytest.raises(VqcError, match=r"5 trials in a row failed.*CUDA out of memory"):
        tune(runs=50, settings={"fails": "0,10,20"})
    assert len(record()["trials"]) == 5 and record()["best"] is None
    _, book = tune(runs=5, settings={"fails": "0,10,20"})
    with pytest.raises(IncompleteError, match="no trial has a score"):
        book.require_best()


def test_a_task_without_a_score_on_val_is_a_failure(project, monkeypatch):
    from vqc.tasks import find

    fit = type(find("tuned")).fit

    def unscored(*arguments):
        fitted = fit(*arguments)
        return type(fitted)(fitted.epochs, fitted.best_epoch, {"mAP50": float("nan")}, "val")

    monkeypatch.setattr(type(find("tuned")), "fit", unscored)
    _, book = tune(runs=1)
    assert "gave no mAP50 on val" in book.results[0].failure


def test_a_small_space_is_searched_through_and_ends(project):
    _, book = tune(space=["cad=4,8", "freeze=0,10", "real=0,1"], runs=100)
    assert len(book.results) == 8 and book.exhausted
    assert any("nothing new was left" in note for note in record()["notes"])


def test_a_mix_of_nothing_is_never_a_trial(project):
    _, book = tune(space=["cad=0,2", "real=0,1"], runs=100)
    assert len(book.results) == 3 and not any(r.failure for r in book.results)


def test_less_can_be_better_and_unequal_pictures_are_told(project):
    _, book = tune(task="lossy", runs=6)
    scores = [r.score for r in book.results]
    assert book.best.score == min(scores) and record()["higher_is_better"] is False
    assert len({line.split(" seen ")[1] for line in done()}) > 1
    assert any("different numbers of pictures" in note for note in record()["notes"])


def test_minutes_end_a_search(project):
    _, book = tune(runs=None, minutes=0.0001)
    assert len(book.results) == 1  # the first one is always tried


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"space": ["cad=0..12", "real=2"]}, "--space cad: 0..16 there, 0..12 asked for"),
        ({"space": ["cad=0..16", "real=2"]}, "--space freeze: 0,10,20 there, nothing asked for"),
        ({"seed": 3}, "--seed: 0 there, 3 asked for"),
        ({"settings": {"epochs": "7"}}, "--set epochs: nothing there, 7 asked for"),
        ({"splits": mix.SplitRules(val=("shop",))}, "--val: ['attic'] there, ['shop'] asked for"),
        ({"task": "lossy"}, "task: tuned there, lossy asked for"),
    ],
)
def test_another_search_of_that_name_is_refused(project, options, why):
    tune(runs=1)
    before = record()
    with pytest.raises(RecipeError) as caught:
        tune(runs=5, **options)
    assert why in str(caught.value) and "Give another --name" in str(caught.value)
    assert record() == before


def test_other_sets_are_refused(project):
    tune(runs=1)
    tune_project.renders(Path("renders/more"))
    manifest = Path("renders/more/manifest.jsonl")
    assert manifest.is_file()
    from dataclasses import replace

    from vqc.manifest import write_manifest

    write_manifest(Path("renders/more"), replace(read_manifest(Path("renders/more")), name="more"))
    with pytest.raises(RecipeError, match="the sets that trials are mixed from"):
        tune(runs=2)


def test_a_folder_of_something_else_is_left_alone(project):
    folder = Path("runs/tunes/bowl")
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="is there and is no search"):
        tune(runs=1)
    assert [path.name for path in folder.iterdir() if path.name[0] != "."] == ["notes.txt"]


def test_two_commands_at_once_are_refused(project):
    def second(job, crew):
        with pytest.raises(InputError, match="worked on by another command"):
            tune(runs=3)
        return here(job, crew)

    tune(runs=1, work=second)


def test_optunas_storage_survives_what_a_kill_leaves(project):
    """Half a line at the end, and Optuna's own lock, for which it would wait for ever."""
    tune(runs=3)
    file = Path("runs/tunes/bowl", FILE_NAME)
    whole = file.read_bytes()
    file.write_bytes(whole + whole.splitlines()[-1][:40])
    file.with_name(f"{FILE_NAME}.lock").symlink_to("nowhere")
    _, book = tune(runs=5)
    assert [r.number for r in book.results] == [1, 2, 3, 4, 5]
    import optuna

    made = prepare(asked(runs=5))
    journal = Journal(made.folder, made.name, made.space, made.task.headline)
    assert journal.results == list(book.results)
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(file.resolve()))
    )
    study = optuna.load_study(study_name="bowl", storage=storage)
    assert study.best_value == book.best.score and len(study.trials) == 5


def test_a_storage_that_is_none_is_told(project):
    tune(runs=1)
    Path("runs/tunes/bowl", FILE_NAME).write_text("{}\n[]\n")
    with pytest.raises(InputError, match="not what vqc tune wrote"):
        tune(runs=2)


def test_the_lines_given_repeat_the_best_trial(project):
    """Typed as they stand, elsewhere: the same mix, the same settings, so the same run."""
    space = ["cad=4..16", "real=1,2", "lr0=1e-5..1e-1:log", "freeze=0,10", "background=none,1"]
    _, book = tune(space=space, runs=6, seed=3, name="my bowl", settings={"epochs": "3"})
    lines = record("my bowl")["commands"]
    assert lines == book.commands()
    with pytest.MonkeyPatch.context() as patched:
        asked_for = noted_requests(patched)
        for line in lines:
            program, *words = shlex.split(line)
            outcome = CliRunner().invoke(app, [*words, "--quiet"], catch_exceptions=False)
            assert program == "vqc" and outcome.exit_code == 0, outcome.output
    best = read_run(book.run_of(book.best))
    again = read_run(Path("runs/tuned/my bowl-best"))
    assert asked_for == [book.tune.request(book.best.values)]
    assert again.run_id == best.run_id and again.config == best.config
    assert again.manifest_sha256 == best.manifest_sha256 and again.metrics == best.metrics


def test_every_kind_of_mix_is_repeated_by_its_line(project):
    made = prepare(asked(space=["ratio=0.5..4:log", "real=1,2", "select=random,diverse"], seed=7))
    from vqc.tune.commands import commands

    for values in (
        {"ratio": 1.234, "real": 2, "select": "diverse"},
        {"ratio": 2.0, "real": 1, "select": "random"},
    ):
        cell = made.cell(values)
        words = shlex.split(commands(made, cell)[0])[1:]
        with pytest.MonkeyPatch.context() as patched:
            found = noted_requests(patched)
            CliRunner().invoke(app, [*words, "--quiet"], catch_exceptions=False)
        assert found == [cell.request]
