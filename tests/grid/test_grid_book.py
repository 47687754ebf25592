"""What a grid writes down, chooses, tells while it goes on, and draws."""

from __future__ import annotations

import csv
import io
import json
import math
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_trainings import asked

from vqc import grid as grids
from vqc.errors import IncompleteError, OutputError
from vqc.grid import follow, pictures, telling
from vqc.grid.book import Result
from vqc.grid.follow import Follower, Running, every_second, told
from vqc.grid.model import Cut, earlier, write_asked
from vqc.report.grids import read_grid
from vqc.tasks.contract import Headline


def done(score: float, **options) -> Result:
    metrics = dict.fromkeys(("mAP50", "precision", "recall", "F1"), score)
    return Result("done", metrics, 2, 1, 3.5, **options)


@pytest.fixture
def grid(project):
    """Six cells, two repeats each, none trained."""
    return grids.prepare(asked(repeats=2))


def filled(grid, **scores):
    """A book with these scores a cell, such as cad4_real1=(0.5, None); None: failed."""
    book = grid.book()
    for cell in book.cells:
        trials = book.trials_of(cell)
        for trial, score in zip(trials, scores.get(cell.name.replace("-", "_"), ()), strict=False):
            book.results[trial.name] = (
                Result("failed", failure="no memory") if score is None else done(score)
            )
    return book


# The book ---------------------------------------------------------------------------------


def test_the_best_mean_among_the_cells_with_most_repeats(grid):
    book = filled(grid, cad0_real1=(0.5, 0.5), cad4_real1=(0.9,), cad8_real1=(0.4, 0.62))
    assert book.best()[0].name == "cad8-real1" and book.best()[1] == pytest.approx(0.51)
    assert [cell.name for cell in book.ranked()][:3] == ["cad4-real1", "cad8-real1", "cad0-real1"]
    assert filled(grid).best() is None


def test_of_equals_the_one_that_costs_least(grid):
    book = filled(grid, cad8_real1=(0.5,), cad4_real1=(0.5,), cad0_real2=(0.5,))
    assert book.best()[0].name == "cad4-real1"


def test_what_is_not_finite_is_no_score_and_null_in_the_files(grid):
    book = filled(grid, cad0_real1=(math.nan, 0.5))
    cell = book.cells[0]
    assert book.scores(cell) == [0.5]
    first, second = book.record()["cells"][0]["repeats"]
    assert first["metrics"]["mAP50"] is None and second["metrics"]["mAP50"] == 0.5
    json.dumps(book.record(), allow_nan=False)


def test_the_table_has_a_row_for_each_training(grid):
    book = filled(grid, cad0_real1=(0.5, None))
    rows = list(csv.DictReader(io.StringIO(book.table())))
    assert len(rows) == 12 and [row["state"] for row in rows[:3]] == ["done", "failed", "waiting"]
    assert rows[0]["cell"] == "cad0-real1" and rows[0]["recall"] == "0.5" and rows[1]["mAP50"] == ""
    assert rows[1]["failure"] == "no memory" and rows[0]["images"] == "14"
    assert Path(rows[0]["run"]).parent == Path("runs/cells/fake")


def test_a_run_that_does_not_read_is_trained_again(grid):
    book = grid.book()
    name = book.trials[0].name
    folder = grid.runs / name
    folder.mkdir(parents=True)
    for content in ("{", "[]", '{"vqc_run": 1}', '{"vqc_run": 99}'):
        (folder / "run.json").write_text(content)
        assert book.look(name).state == "waiting", content


def test_a_place_that_cannot_be_written(grid, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match=r"taken.*cannot be written"):
        grid.book().write(tmp_path / "taken")


def test_what_was_asked_and_cut_is_read_back(grid):
    from dataclasses import replace

    cut = Cut(1, {2: 1}, "--budget 1: 1 repeat instead of 2")
    write_asked(replace(grid, cut=cut))
    assert earlier(grid.folder, grid.asked) == cut
    assert earlier(grid.folder, {**grid.asked, "seed": 9}) is None
    for content in ("", "[]", "asked: {", "a: \x00"):
        (grid.folder / "grid.yaml").write_text(content)
        assert earlier(grid.folder, grid.asked) is None


# What is told ------------------------------------------------------------------------------


def test_how_far_it_is_follows_from_what_the_workers_say(grid, tmp_path, monkeypatch):
    """Every training sees 28 pictures; 28 + 7 were seen in 10 s, so 9 trainings and 21 pictures
    take 78 s."""
    now = [100.0]
    monkeypatch.setattr(follow.time, "monotonic", lambda: now[0])
    book = filled(grid, cad0_real1=(0.5,))
    waiting = [t.name for t in book.in_state("waiting")]
    first, second, third = (t for t in book.trials if t.name in waiting[:3])
    follower = Follower(book, [first, second, *map(by_name(book), waiting[2:])], tmp_path)
    start = follower.status()
    assert (start.done, start.failed, start.total, start.left_s) == (1, 0, 12, None)
    now[0] += 10
    book.results[first.name] = done(0.6)
    (tmp_path / f"{second.name}.json").write_text('{"done": 21, "epoch": 1, "resumed": 1}')
    found = follower.status()
    assert found.running == (Running(second.name, 1, 2),)
    assert (found.done, found.total) == (2, 12)
    left = 9 * 28 + 7
    assert found.left_s == pytest.approx(left * 10 / (28 + 7))
    assert found.best == (first.drawn.cell.name, 0.6)
    book.fail(third.name, "why")
    assert follower.status().failed == 1
    assert follower.status().left_s == pytest.approx((left - 28) * 10 / 35)


def by_name(book):
    return {trial.name: trial for trial in book.trials}.__getitem__


def test_what_a_worker_is_writing_is_nothing_yet(tmp_path):
    assert told(tmp_path, "run") is None
    (tmp_path / "run.json").write_text('{"done": ')
    assert told(tmp_path, "run") is None
    (tmp_path / "run.json").write_text('{"done": 3}')
    assert told(tmp_path, "run") == {"done": 3}


def test_something_is_done_every_second_and_no_longer(monkeypatch):
    monkeypatch.setattr(follow, "EVERY_S", 0.001)
    told, thrice = [], threading.Event()

    def tell():
        told.append(threading.current_thread())
        if len(told) > 2:
            thrice.set()

    with every_second(tell):
        assert thrice.wait(300)
    assert threading.current_thread() not in told and not told[0].is_alive()


def test_rows_and_lines_in_words(grid):
    book = filled(grid, cad0_real1=(0.5, 0.6), cad4_real1=(0.7, None))
    columns, rows = telling.score_rows(book)
    assert columns == ("cell", "trained", "mAP50", "precision", "recall", "F1")
    assert rows[0][:3] == ("cad4-real1", "1 of 2", "0.700")
    assert rows[1][:3] == ("cad0-real1", "2 of 2", "0.550 ± 0.071")
    assert rows[5][1:3] == ("0 of 2", "–")
    assert telling.result_lines(book)[0].startswith("no cell is chosen yet; the same command")
    nothing = telling.result_lines(filled(grid))
    assert nothing == ["no training is finished, so no cell is chosen"]
    book.chosen = {"cell": "cad4-real1", "test": [
        {"seed": 0, "metrics": {"mAP50": 0.5}, "mark": ""},
        {"seed": 1, "metrics": {"mAP50": 0.7}, "mark": ""},
        {"seed": 2, "metrics": {}, "mark": "no score: broken"},
    ]}  # fmt: skip
    assert telling.result_lines(book)[:3] == [
        "chosen on val: cad4-real1",
        "on test, an honest score: mAP50 0.600 ± 0.141 (2 trainings)",
        "on test: no score: broken",
    ]
    with pytest.raises(IncompleteError, match=r"1 of 12 trainings failed.*\n  cad4.*no memory"):
        telling.require_all(grid, book)


def test_the_metric_that_chooses_is_the_first_column(grid):
    book = grid.book()
    book.headline = Headline("Dice")
    names = ("IoU", "precision", "recall", "F1", "Dice")
    book.results[book.trials[0].name] = Result("done", dict.fromkeys(names, 0.5), chosen_on="val")
    columns, _ = telling.score_rows(book)
    assert columns[2:] == ("Dice", "precision", "recall", "F1")
    book.results[book.trials[0].name] = Result("done", {"PRO": 0.5, "Dice": 0.4}, chosen_on="val")
    assert telling.score_rows(book)[0][2:] == ("Dice", "PRO")


def test_trainings_without_a_score_on_val_are_finished_and_not_compared(grid):
    book = grid.book()
    for trial in book.trials:
        book.results[trial.name] = Result("done", epochs=2, best_epoch=2)
    (line,) = telling.result_lines(book)
    assert line.startswith("12 trainings finished, but task fake gives no score on val")
    assert "chosen_on is None" in line and "no training" not in line
    record = book.record()["cells"][0]["repeats"][0]
    assert (record["state"], record["chosen_on"]) == ("done", None)
    for trial in book.trials:
        book.results[trial.name] = Result("done", {"mAP50": math.nan}, chosen_on="val")
    assert "mAP50 is undefined on val" in telling.result_lines(book)[0]


# Pictures ----------------------------------------------------------------------------------


def test_pictures_of_whatever_there_is(grid, tmp_path):
    assert pictures.draw_pictures(filled(grid), tmp_path / "none") == []
    assert not (tmp_path / "none").exists()
    book = filled(grid, cad0_real1=(0.5, 0.6), cad4_real1=(None, None), cad8_real2=(0.7,))
    book.budget = pictures.photo_budget(book)
    assert pictures.draw_pictures(book, tmp_path / "new") == []
    assert len(list((tmp_path / "new").iterdir())) == 7
    assert all(np.asarray(Image.open(f)).std() > 5 for f in (tmp_path / "new").iterdir())
    (tmp_path / "taken").write_text("")
    (note,) = pictures.draw_pictures(book, tmp_path / "taken")
    assert note.startswith("pictures: ") and "cannot be written" in note


def test_no_picture_of_an_earlier_grid_of_that_name_stays(grid, tmp_path):
    folder = tmp_path / "drawn"
    folder.mkdir()
    others = ("heatmap-loss.png", "heatmap-mAP50-imgsz64.png", "learning-photos-imgsz64.png")
    for name in (*others, "composition.png", "mine.png"):
        (folder / name).write_bytes(b"old")
    assert pictures.draw_pictures(filled(grid, cad0_real1=(0.5, 0.6)), folder) == []
    names = {file.name for file in folder.iterdir()}
    assert not names & set(others) and {"mine.png", "heatmap-mAP50.png"} <= names
    assert (folder / "composition.png").read_bytes()[:4] == b"\x89PNG"
    assert pictures.draw_pictures(filled(grid), folder) == []
    assert [file.name for file in folder.iterdir()] == ["mine.png"]


def test_no_curve_where_nothing_can_be_told(grid):
    book = filled(grid, cad4_real1=(0.2,), cad8_real1=(0.6,))
    found = pictures.photo_budget(book)
    assert all("not enough runs to tell" in sentence for sentence in found["sentences"])
    assert found["curves"] == {"photos": [], "renders": []}


def test_one_picture_for_each_combination_of_further_settings(project, tmp_path):
    grid = grids.prepare(asked(cad=(4, 8), real=(1,), axes={"imgsz": (32, 64)}))
    book = grid.book()
    for number, trial in enumerate(book.trials):
        book.results[trial.name] = done(0.5 + number / 10)
    folder = tmp_path / "drawn"
    pictures.draw_pictures(book, folder)
    names = {file.name for file in folder.iterdir()}
    assert {"heatmap-mAP50-imgsz32.png", "heatmap-mAP50-imgsz64.png", "composition.png",
            "learning-photos-imgsz32.png", "learning-renders-imgsz64.png"} <= names  # fmt: skip
    assert len(names) == 2 * (4 + 2) + 1


def test_the_photo_budget_speaks_of_the_chosen_cell_s_settings(project):
    grid = grids.prepare(asked(repeats=2, axes={"imgsz": (32, 64)}))
    book = grid.book()
    for trial in book.trials:
        large = trial.settings["imgsz"] == 64
        book.results[trial.name] = done(0.3 + 0.2 * large * trial.drawn.cell.real)
    found = pictures.photo_budget(book)
    assert found["sentences"][0].startswith("from 0 CAD frames and 2 photos a class: ")
    assert [curve["cad"] for curve in found["curves"]["photos"]] == [0, 4, 8]
    assert [curve["real"] for curve in found["curves"]["renders"]] == [1, 2]
    rising = found["curves"]["photos"][0]["mean"]
    assert rising[0] < rising[-1]
    json.dumps(found, allow_nan=False)


def test_where_all_photos_are_best_the_budget_starts_from_a_number_of_them(project, tmp_path):
    """Scores are that of 1 photo, of 2, and of all."""
    grid = grids.prepare(asked(repeats=2, real=(1, 2, "all")))
    book = grid.book()
    for trial in book.trials:
        score = {1: 0.3, 2: 0.5, "all": 0.8}[trial.drawn.cell.real]
        book.results[trial.name] = done(score)
    assert book.best()[0].name == "cad0-realall"
    book.budget = found = pictures.photo_budget(book)
    assert found["sentences"][0].startswith(
        "all photos were best; from 0 CAD frames and 2 photos a class, the best of those with"
    )
    assert [curve["real"] for curve in found["curves"]["renders"]] in ([], [1, 2])
    assert pictures.draw_pictures(book, tmp_path / "drawn") == []
    (tmp_path / "drawn" / "learning-photos.png").stat()
    rows = list(csv.DictReader(io.StringIO(book.table())))
    assert [row["real"] for row in rows[::6]] == ["1", "2", "all"]
    book.write(tmp_path / "grid")
    told = read_grid(tmp_path / "grid")
    assert told.places[-1].said() == "8 CAD frames + all photos"
    assert told.places[-1].cell.label == "8 CAD + all"


def test_of_equals_a_number_of_photos_costs_less_than_all(project):
    book = grids.prepare(asked(real=(2, "all"))).book()
    book.results |= {trial.name: done(0.5) for trial in book.trials}
    assert book.best()[0].name == "cad0-real2"


def test_a_grid_of_all_photos_alone_has_no_budget(project):
    book = grids.prepare(asked(real=("all",))).book()
    book.results |= {trial.name: done(0.5) for trial in book.trials}
    assert pictures.photo_budget(book) is None


def test_scores_outside_of_shares_have_no_budget_but_a_reason(grid):
    book = filled(grid, cad0_real1=(50.0,))
    found = pictures.photo_budget(book)
    assert found["curves"] is None and "score from 0 to 1" in found["sentences"][0]
