"""The page: whole, self-contained, true to the files it was made from, and honest."""

import dataclasses
import itertools
import json
import re
from html.parser import HTMLParser

import madeup
import pytest

from vqc import evaluations
from vqc.errors import InputError, OutputError
from vqc.manifest import write_manifest
from vqc.report import grids
from vqc.report import study as study_of
from vqc.report.build import Request, build
from vqc.report.compare import rows_of
from vqc.report.evaluation import draw_photos
from vqc.report.grid_section import grid_section
from vqc.report.reading import read_folder

HOSTILE = "<script>alert('x')</script>&\"hall\""
VOID = {"img", "br", "meta"}


class Page(HTMLParser):
    """What a browser would find: elements, text, and whether every element is closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.marks, self.rows, self._open = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self._open.append((tag, dict(attrs).get("class")))

    def handle_endtag(self, tag):
        assert self._open.pop()[0] == tag

    def handle_data(self, data):
        if ("span", "mark") in self._open:
            self.marks.append(data)
        if any(tag in ("td", "th") for tag, _ in self._open):
            self.rows[-1][-1] += data
        if not any(tag == "style" for tag, _ in self._open):
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))

    def all(self, tag, **attributes):
        return [a for t, a in self.tags if t == tag and attributes.items() <= a.items()]

    def row(self, start):
        """The first row of a table whose first cell begins so."""
        return next(row for row in self.rows if row and row[0].startswith(start))

    @property
    def answer(self):
        return self.text.split("A score is honest")[0]


def report(*folders, out, **more):
    build(Request(tuple(folders), out, **more))
    return Page(out.read_text())


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Three trainings: two repeats with an honest score, one marked, one never evaluated."""
    root = tmp_path_factory.mktemp("study")
    sets, runs = root / "datasets", root / "runs" / "detect"
    for name, cad, real in (("mix", 4, 3), ("photos", 0, 5)):
        madeup.training_set(sets / name, cad, real)
    for seed, score in ((0, 0.823), (1, 0.843)):
        folder = madeup.run(runs / f"mix-seed{seed}", sets / "mix", seed)
        madeup.evaluated(folder, sets / "mix", mAP50=score)
    marked = madeup.run(runs / "photos", sets / "photos")
    madeup.evaluated(marked, sets / "photos", "val", madeup.MARK, madeup.REASONS, mAP50=0.977)
    madeup.run(runs / "later", sets / "photos", epochs=99)
    return root


@pytest.fixture(scope="module")
def study(place):
    runs = place / "runs" / "detect"
    names = ("photos", "mix-seed0", "mix-seed1", "later")
    return report(*(runs / name for name in names), out=place / "study.html")


@pytest.fixture(scope="module")
def magnets(place):
    cells = madeup.study_cells("../../detect/mix-seed0")
    folder = madeup.grid(place / "runs" / "grids" / "magnets", cells)
    return report(folder, out=place / "grid.html")


def test_the_page_needs_nothing_else(place, study, magnets):
    for page, name in ((study, "study"), (magnets, "grid")):
        text = (place / f"{name}.html").read_text()
        assert text.startswith("<!DOCTYPE html>")
        assert not re.search(r"https?://|@import|url\(", text)
        pictures = page.all("img")
        assert len(pictures) > 10
        assert all(a["src"].startswith("data:image/") and a["alt"] for a in pictures)
        (policy,) = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
        assert policy["content"].startswith("default-src 'none'")
        outside = {"script", "link", "iframe", "object", "embed", "base"}
        assert not outside & {tag for tag, _ in page.tags}
        ids = {a["id"] for _, a in page.tags if "id" in a}
        assert all(a["href"][0] == "#" and a["href"][1:] in ids for a in page.all("a"))


def test_the_figures_lie_beside_the_page(place, study, magnets):
    there = {file.name for file in (place / "study-figures").iterdir()}
    assert "comparison.png" in there
    for kind in ("confusion", "precision-recall", "f1-confidence", "groups", "mistakes",
                 "examples", "training"):  # fmt: skip
        assert f"1-photos-{kind}.png" in there
    grid = {file.name for file in (place / "grid-figures").iterdir()}
    assert {f"grid-{name}.png" for name in ("map50", "recall", "precision", "f1", "composition",
                                            "against-real", "against-cad")} <= grid  # fmt: skip


def test_the_answer_is_the_honest_score_and_nothing_better(study):
    found = (
        "mix, 2 repeats (4 CAD + 3 photos): mean mAP50 0.833 ± 0.014 on 6 frames (test: january)."
    )
    assert f"{found} honest score" in study.answer
    assert "Equal trainings differ by 0.014 (standard deviation, 2 trainings)" in study.answer
    assert "0.977" not in study.answer
    assert "2 of 3 rows: their scores are marked, or of other pictures" in study.answer


def test_what_is_wanted_first_comes_first_and_details_are_folded(study, magnets, place):
    for page, order in ((study, ("comparison", "run-1", "run-4")), (magnets, ("grid", "run-1"))):
        ids = [a["id"] for _, a in page.tags if "id" in a]
        assert [name for name in ids if name in order] == list(order)
        assert not any("open" in a for a in page.all("details", **{"class": "run"}))
        levels = [int(tag[1]) for tag, _ in page.tags if tag in ("h1", "h2", "h3", "h4")]
        assert levels[0] == 1 and levels.count(1) == 1
        assert all(b <= a + 1 for a, b in itertools.pairwise(levels))
    alone = report(place / "runs/detect/later", out=place / "alone.html")
    assert "open" in alone.all("details", **{"class": "run"})[0]


def test_the_comparison_holds_each_row_with_its_verdict(study):
    numbers = ["0.833± 0.014", "0.813± 0.000", "0.725± 0.000", "0.612± 0.000", "0.767± 0.000"]
    mix = [cell.replace(" ", "") for cell in study.row("mix, 2 repeats")]
    assert mix[1:6] == [number.replace(" ", "") for number in numbers]
    assert mix[6:] == ["3", "1", "4", "B:test:january,6frames"]
    assert " ".join(study.row("mix, 2")[0].split()) == "mix, 2 repeats mixed honest score"
    photos = study.row("photos ")
    assert photos[0] == f"photos photos only {madeup.MARK}" and photos[1] == "0.977"
    assert photos[-1] == "A: val: hall, 6 frames"
    assert "compare only rows with one letter" in study.text
    assert "(what training saw)" in study.row("later")[0]


def test_a_figure_tells_its_mark_to_those_who_cannot_see_it(study, magnets):
    (bars,) = [a["alt"] for a in study.all("img") if a["alt"].startswith("bars of")]
    assert madeup.MARK in bars
    marked = [a["alt"] for a in study.all("img") if a["alt"].startswith("confusion matrix")]
    assert [madeup.MARK in alt for alt in marked] == [True, False, False]
    maps = [a["alt"] for a in magnets.all("img") if "over CAD frames and photos" in a["alt"]]
    assert len(maps) == 4 and all("val split, same shoot" in alt for alt in maps)


def test_values_are_those_of_the_files(place, study):
    for file in sorted(place.glob("runs/detect/*/eval/*/evaluation.json")):
        stored = json.loads(file.read_text())
        for name, value in stored["metrics"].items():
            assert name in study.text and f"{value:.3f}" in study.text
        for value in stored["per_class"]["qf"].values():
            assert (f"{value:.3f}" if value <= 1 else str(value)) in study.text
    assert "0.833 ± 0.014" in study.text  # of 0.823 and 0.843
    assert "object size" in study.text and "0.875" in study.text


def test_every_score_that_is_not_honest_is_marked(place, study):
    assert study.marks.count(madeup.MARK) >= 6  # comparison, scores, classes, groups, photos twice
    for reason in madeup.REASONS:
        assert reason in study.text


def test_what_is_missing_is_told_with_the_command(place, study):
    assert f"vqc eval {place / 'runs/detect/later'}" in study.text
    assert "This run has not been evaluated" in study.text


def test_a_run_tells_where_it_is_from(study):
    for text in ("mix (", "7 train (4 renders, 3 photos)", "yolov8n.pt", "packages.torch",
                 "2.13.0", "12, weights of epoch 9", "13 min"):  # fmt: skip
        assert text in study.text


def test_mistakes_and_examples_tell_what_they_show(study):
    for text in ("missed: qd", "false: qf, 0.71", "confused: qf taken for sd, 0.55",
                 "photo, session january", "real_000.png"):  # fmt: skip
        assert text in study.text
    photos = [a for a in study.all("img") if a["src"].startswith("data:image/webp")]
    assert len(photos) == 3 * (6 * 2 + 3)  # three evaluations: six pairs, three mistakes


def test_a_page_on_many_runs_shows_fewer_pictures_of_each_and_says_where_all_are(
    place, study, monkeypatch
):
    monkeypatch.setattr("vqc.report.sections.MANY", 1)
    less = report(
        *(place / "runs/detect" / name for name in ("photos", "mix-seed0")), out=place / "less.html"
    )
    photos = [a for a in less.all("img") if a["src"].startswith("data:image/webp")]
    assert len(photos) == 2 * (4 * 2 + 3)
    assert "less-figures/" in less.text and "study-figures/" not in study.text
    sheets = {path.name for path in (place / "less-figures").glob("*examples.png")}
    assert sheets and any(f"less-figures/{name} and mistakes.png" in less.text for name in sheets)


def test_a_grid_tells_its_choice_its_test_and_every_cell(magnets):
    answer = magnets.answer
    assert "500 CAD frames + 20 photos a class, chosen of 11 training sets by mAP50" in answer
    assert "28 of 33 trainings done. not an honest score: val split, same shoot" in answer
    assert "On test it reaches mAP50 0.820 ± 0.014 (mean of 2 repeats). honest score" in answer
    # Repeats lie at -0.02, 0, 0.02, so one standard error of three is 0.0115; 250 CAD is off 0.02.
    assert "No training set with fewer photos comes within one standard error of it." in answer
    assert "10 more photos a class: about +3 mAP50 (1 to 5); more CAD: no gain." in answer
    assert "holds the true mean gain about 8 times in 10" in answer
    for cell in madeup.study_cells():
        scores = [r["metrics"]["mAP50"] for r in cell["repeats"] if r["state"] == "done"]
        assert f"{cell['cad']} CAD + {cell['real']}" in magnets.text
        assert not scores or f"{sum(scores) / len(scores):.3f}" in magnets.text
    for text in ("CUDA ran out of memory", "1000 CAD + 10: killed", "1 photo a class is the least",
                 "28 done, 4 failed, 1 waiting", "december"):  # fmt: skip
        assert text in magnets.text
    assert "not an honest score: val split, same shoot" in magnets.marks
    assert "mix-seed0" in magnets.text  # the chosen set's first repeat, in full
    assert all(m.startswith("not an honest score: val split, same shoot") for m in magnets.marks)


def test_a_grid_has_the_rows_of_the_study(tmp_path):
    scores = {(0, 5): 0.4, (0, 20): 0.8, (150, 0): 0.1, (500, 0): 0.05, (150, 5): 0.6,
              (500, 5): 0.7, (500, 20): 0.9, (150, 20): 0.85}  # fmt: skip
    cells = [madeup.cell(*at, [madeup.repeat(score, 0)]) for at, score in scores.items()]
    found = grids.read_grid(madeup.grid(tmp_path / "g", cells))
    assert [(role, p.name) for role, p in study_of.roles(found)] == [
        ("all CAD", "cad500-real0"),
        ("few photos", "cad0-real5"),
        ("mixed", "cad500-real5"),
        ("optimised", "cad500-real20"),
        ("all photos", "cad0-real20"),
    ]
    every = [madeup.cell(cad, "all", [madeup.repeat(0.95, 0)]) for cad in (0, 500)]
    found = grids.read_grid(madeup.grid(tmp_path / "a", cells + every))
    assert dict(study_of.roles(found))["all photos"].name == "cad0-realall"
    section = str(grid_section(found, tmp_path / "a"))
    assert "500 CAD + all" in section and (tmp_path / "a" / "grid-study.png").is_file()
    failed = [madeup.cell(0, 100, [madeup.repeat(None, 0, failure="killed")])]
    found = grids.read_grid(madeup.grid(tmp_path / "f", cells + failed))
    assert "all photos" not in dict(study_of.roles(found))
    few = [madeup.cell(150, 5, [madeup.repeat(0.5, 0)])]
    found = grids.read_grid(madeup.grid(tmp_path / "h", few, chosen={"cell": "cad150-real5"}))
    assert [role for role, _ in study_of.roles(found)] == ["mixed, optimised"]


def test_a_val_of_simulated_photos_marks_the_grid_even_where_its_runs_have_other_paths(tmp_path):
    data = tmp_path / "datasets" / "sim"
    manifest = madeup.training_set(data)
    frames = [
        dataclasses.replace(f, source="cad", simulated=True) if f.split == "val" else f
        for f in manifest.frames
    ]
    write_manifest(data, dataclasses.replace(manifest, frames=tuple(frames)))
    run = madeup.run(tmp_path / "runs" / "cells" / "detect" / "a", data)
    cells = [madeup.cell(150, 5, [madeup.repeat(0.5, 0, "elsewhere/a")])]
    val = {"name": "sim", "mark": "not an honest score: val split, simulated photos, same shoot"}
    found = grids.read_grid(madeup.grid(tmp_path / "runs" / "grids" / "g", cells, val=val))
    assert found.mark == "not an honest score: val split, simulated photos, same shoot"
    assert [folder.resolve() for folder in found.places[0].runs] == [run.resolve()]
    (row,) = rows_of([read_folder(run)])
    assert "simulated photos" in row.mark and row.mark.endswith("(what training saw)")


def test_hostile_names_stay_text(tmp_path):
    sets = tmp_path / "datasets" / "mix"
    madeup.training_set(sets)
    run = madeup.run(tmp_path / "runs" / "detect" / "a", sets, name=HOSTILE, note=HOSTILE)
    madeup.evaluated(run, sets, "test", f"not honest: {HOSTILE}", (HOSTILE,))
    file = run / "eval" / "mix-test" / "evaluation.json"
    record = json.loads(file.read_text())
    record["per_class"][HOSTILE] = record["groups"]["object size"][HOSTILE] = {"recall": 0.5}
    record["metrics"][HOSTILE] = 0.25
    record["confusion"]["names"][0] = record["curves"][0]["name"] = HOSTILE
    file.write_text(json.dumps(record))
    trained = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(trained | {"classes": [HOSTILE]}))
    cells = [madeup.cell(1, 2, [madeup.repeat(None, 0, failure=HOSTILE)])]
    budget = {"sentences": [HOSTILE]}
    grid = madeup.grid(tmp_path / "g", cells, name=HOSTILE, notes=[HOSTILE], budget=budget)
    page = report(grid, run, out=tmp_path / "r.html", title=HOSTILE)
    text = (tmp_path / "r.html").read_text()
    assert "<script" not in text and "alert('x')" not in text
    assert page.text.count(HOSTILE) > 10


def test_a_grid_that_has_hardly_begun(tmp_path):
    cells = [madeup.cell(150, 5, [madeup.repeat(None, 0)])]
    empty = {"chosen": None, "budget": None, "notes": None, "val": None, "axes": None}
    page = report(madeup.grid(tmp_path / "g", cells, **empty), out=tmp_path / "r.html")
    assert "None is chosen yet: 0 of 1 training done." in page.text
    assert "no curve yet" in page.text


def test_a_score_on_test_with_a_mark_is_no_headline(tmp_path):
    test = [{"metrics": {"mAP50": 0.91}, "mark": "not an honest score: simulated photos"}]
    chosen = {"cell": "cad150-real5", "test": test}
    cells = [madeup.cell(150, 5, [madeup.repeat(0.8, 0)])]
    page = report(madeup.grid(tmp_path / "g", cells, chosen=chosen), out=tmp_path / "r.html")
    answer = page.answer
    assert "so there is no headline. not an honest score: simulated photos" in answer
    assert "0.91" not in answer and "0.910" in page.text


def test_pictures_that_are_gone_are_told(place, tmp_path):
    run = madeup.run(tmp_path / "a" / "b" / "c", place / "datasets" / "mix")
    madeup.evaluated(run, place / "datasets" / "mix")
    stored = evaluations.read(run / "eval" / "mix-test")
    found = draw_photos(stored, (), tmp_path)
    assert "The pictures of mix" in found.problem and "--data FOLDER" in found.problem
    assert found.mistakes == found.examples == () and not list(tmp_path.glob("*.png"))
    for root in (place / "datasets", place / "datasets" / "mix"):
        found = draw_photos(stored, (root,), tmp_path)
        assert found.problem == "" and (len(found.mistakes), len(found.examples)) == (3, 6)


@pytest.fixture
def drawn(place, tmp_path):
    """A run whose task has drawn two pictures, one of them of a mistake; where no set is near."""
    run = madeup.run(tmp_path / "a" / "b" / "c", place / "datasets" / "mix")
    return madeup.evaluated(run, place / "datasets" / "mix", draws=True)


def is_green(tile):
    red, green, blue = tile.pictures[0].convert("RGB").getpixel((20, 20))
    return len(tile.pictures) == 1 and green > 120 > max(red, blue)


def test_what_the_task_has_drawn_comes_first_and_in_the_photos_place(place, drawn, tmp_path):
    stored = evaluations.read(drawn / "eval" / "mix-test")
    found = draw_photos(stored, (place / "datasets",), tmp_path)
    assert [is_green(tile) for tile in found.examples] == [True, True] + [False] * 4
    assert [is_green(tile) for tile in found.mistakes] == [True, False, False]
    assert [tile.boxed for tile in found.mistakes] == [False, True, True]
    wrong = {mistake.image.rpartition("/")[2] for mistake in stored.mistakes}
    names = [tile.lines[0] for tile in found.examples]
    assert names[0] not in wrong and names[1] in wrong  # the mistakes have a sheet of their own


def test_what_the_task_has_drawn_is_shown_without_the_set(drawn, tmp_path):
    page = report(drawn, out=tmp_path / "r.html")
    photos = [a for a in page.all("img") if a["src"].startswith("data:image/webp")]
    assert len(photos) == 2 + 1
    assert "The pictures of mix" in page.text and "missed: qd" in page.text
    assert "truth: full line" not in page.text  # no boxes, so no lines to explain
    (drawn / "eval" / "mix-test" / "pictures").rename(tmp_path / "elsewhere")
    assert "vqc eval draws it again" in report(drawn, out=tmp_path / "r.html").text


def test_a_damaged_sheet_of_mistakes_is_left_out_with_a_word(place, tmp_path):
    run = madeup.run(tmp_path / "a" / "b" / "c", place / "datasets" / "mix")
    madeup.evaluated(run, place / "datasets" / "mix")
    folder = run / "eval" / "mix-test"
    (folder / "mistakes.png").write_bytes(b"\x89PNG cut off")
    page = report(run, out=tmp_path / "r.html")
    assert "mistakes.png: cannot be read as a PNG; vqc eval draws it again." in page.text
    assert "The pictures of mix" in page.text and "0.823" in page.text


def test_broken_pieces_are_told_and_the_rest_is_shown(place, tmp_path):
    run = madeup.run(tmp_path / "broken", place / "datasets" / "mix")
    bad = run / "eval" / "mix-test"
    bad.mkdir(parents=True)
    (bad / "evaluation.json").write_text("{")
    (run / "lineage.json").write_text("{}")
    (run / "dataset.jsonl").write_text("")
    (run / "metrics.csv").write_text("epoch,loss\n1,much\n")
    (run / "environment.json").unlink()
    page = report(run, out=tmp_path / "r.html")
    for text in ("evaluation.json: not JSON", "not a lineage", "what it trained on is not known",
                 "Not recorded", "vqc eval"):  # fmt: skip
        assert text in page.text


def test_a_second_report_leaves_no_figure_of_the_first(place, tmp_path, vqc):
    (tmp_path / "r-figures").mkdir()
    for name in ("2-gone-training.png", "comparison.png", "grid-map50.png", "mine.png"):
        (tmp_path / "r-figures" / name).write_bytes(b"")
    out = vqc("report", place / "runs/detect/later", "--out", tmp_path / "r.html").stdout
    assert (
        re.search(r"r\.html \(\d\.\d MB\)", re.sub(r"\s*\n", "", out))
        and "To evaluate: vqc eval" in out
    )
    names = {file.name for file in (tmp_path / "r-figures").iterdir()}
    assert names == {"1-later-training.png", "mine.png"}


def test_all_mistakes_of_the_request_are_told_at_once(place, tmp_path, vqc):
    unfinished = tmp_path / "cut-off"
    unfinished.mkdir()
    (unfinished / "run.yaml").write_text("")
    grids = [madeup.grid(tmp_path / name) for name in ("g1", "g2")]
    folders = (tmp_path / "nowhere", unfinished, *grids)
    with pytest.raises(InputError) as error:
        build(Request(folders, tmp_path / "r.txt", (tmp_path / "no-data",)))
    for text in ("ends in .html", "no such run", "is not finished", "on one grid", "--data"):
        assert text in str(error.value)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "grid.json").write_text('{"cells": [{"cad": "many"}]}')
    with pytest.raises(InputError, match="not a grid"):
        build(Request((tmp_path / "bad",), tmp_path / "r.html"))
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        build(Request((place / "runs/detect/later",), tmp_path / "file" / "r.html"))
    assert "there is no such run" in vqc("report", tmp_path / "nowhere", check=2).stderr
