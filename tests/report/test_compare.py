"""Which runs share a row, and by which scores they are compared."""

import json
from dataclasses import replace

import madeup
import pytest

from vqc.dataset import open_dataset
from vqc.report import compare, comparison
from vqc.report.reading import composition_of, find_set, read_folder


@pytest.fixture
def here(tmp_path):
    madeup.training_set(tmp_path / "datasets" / "mix")
    madeup.training_set(tmp_path / "datasets" / "photos", cad=0, real=6)
    return tmp_path


def made(here, name, data="mix", seed=0, evaluate=(), **config):
    folder = madeup.run(here / "runs" / "detect" / name, here / "datasets" / data, seed, **config)
    for split, mark, score in evaluate:
        madeup.evaluated(folder, here / "datasets" / data, split, mark, mAP50=score)
    return read_folder(folder)


HONEST, MARKED = ("test", "", 0.8), ("val", madeup.MARK, 0.9)


def test_a_composition_counts_what_trains(here):
    found = composition_of(open_dataset(here / "datasets" / "mix"))
    assert (found.cad, found.real, found.simulated) == (4, 3, 0)
    assert found.a_class == (1, 1) and found.background == 0
    assert found.said() == "4 CAD + 3 photos"
    photos = composition_of(open_dataset(here / "datasets" / "photos"))
    assert (photos.cad, photos.real, photos.background) == (0, 6, 1)
    assert photos.a_class == (1, 2)


def test_the_scored_set_of_a_cell_is_found_and_a_spoilt_one_is_none(here):
    folder = made(here, "a", evaluate=[HONEST]).run.folder
    (here / "datasets" / "cells").mkdir()
    moved = (here / "datasets" / "mix").rename(here / "datasets" / "cells" / "other")
    (here / "runs" / "cells" / "detect").mkdir(parents=True)
    cell = folder.rename(here / "runs" / "cells" / "detect" / "a")
    (stored,) = read_folder(cell).evaluations
    assert find_set(stored, ()).folder.resolve() == moved
    assert find_set(stored, [moved]).folder == moved
    (moved / "recipe.yaml").write_text("kind: another\n")
    assert find_set(stored, ()) is None and read_folder(cell).problems == ()


def test_repeats_share_a_row_and_keep_their_scores(here):
    runs = [
        made(here, "a-seed0", seed=0, evaluate=[HONEST]),
        made(here, "photos", "photos", evaluate=[HONEST]),
        made(here, "a-seed1", seed=1, evaluate=[("test", "", 0.84)]),
    ]
    rows = compare.rows_of(runs)
    assert [row.label for row in rows] == ["a, 2 repeats", "photos"]
    assert rows[0].scores["mAP50"] == (0.8, 0.84)


@pytest.mark.parametrize(
    "names",
    [("mix-0", "mix-1"), ("mix_seed0", "mix_seed1"), ("m-seed0-0a1b2c3d", "m-seed1-ff00ff00")],
)
def test_repeats_are_known_by_their_sets_names_although_each_drew_other_photos(here, names):
    for k, name in enumerate(names):
        madeup.training_set(here / "datasets" / name, real=3 + k)
    runs = [made(here, n, n, seed=k, evaluate=[HONEST]) for k, n in enumerate(names)]
    (row,) = compare.rows_of(runs)
    assert row.label.endswith(", 2 repeats")
    assert [c.photos for c in row.compositions] == [3, 4]
    madeup.training_set(here / "datasets" / "mix-9", cad=5)
    other = made(here, "mix-9", "mix-9", evaluate=[HONEST])
    assert len(compare.rows_of([*runs, other])) == 2


def test_rows_are_named_as_the_study_names_them(here):
    sets = here / "datasets"
    for name, cad, real in (("cad", 4, 0), ("few", 0, 3), ("all", 0, 9)):
        madeup.training_set(sets / name, cad, real)
    names = ("cad", "few", "mix", "all")
    rows = compare.rows_of([made(here, name, name, evaluate=[HONEST]) for name in names])
    kinds = [compare.kind_of(row, rows) for row in rows]
    assert kinds == ["all CAD", "few photos", "mixed", "all photos"]
    assert compare.kind_of(rows[1], rows[:3]) == "photos only"
    elsewhere = replace(rows[3], key="other pictures")
    assert compare.kind_of(rows[1], [*rows[:3], elsewhere]) == "photos only"


def test_other_pictures_have_another_letter(here):
    marked = made(here, "b", "photos", evaluate=[MARKED])
    rows = compare.rows_of([made(here, "a", evaluate=[HONEST]), marked])
    assert list(compare.letters_of(rows).values()) == ["A", "B"]
    assert compare.letters_of(rows[:1]) == {}


@pytest.mark.parametrize("other", [{"imgsz": 320}, {"data": "photos"}])
def test_what_differs_in_more_than_the_seed_has_a_row_of_its_own(here, other):
    runs = [made(here, "a", evaluate=[HONEST]), made(here, "b", **other, evaluate=[HONEST])]
    assert [row.label for row in compare.rows_of(runs)] == ["a", "b"]


def test_a_repeat_without_the_score_is_not_mixed_with_those_that_have_it(here):
    runs = [made(here, "a", evaluate=[HONEST]), made(here, "b", seed=1)]
    rows = compare.rows_of(runs)
    assert [row.honest for row in rows] == [True, False]
    assert rows[1].scored_on == "val, in training"
    assert rows[1].mark.startswith("not an honest score: val split, same shoot")
    assert rows[1].mark.endswith("(what training saw)")


def test_the_same_test_photos_are_known_again_in_another_mix(here):
    runs = [
        made(here, "a", evaluate=[HONEST, MARKED]),
        made(here, "b", "photos", evaluate=[HONEST]),
    ]
    rows = compare.rows_of(runs)
    assert rows[0].key == rows[1].key
    assert {row.scored_on for row in rows} == {"test: january"}


def test_an_honest_score_stands_for_a_run_even_if_a_marked_one_is_higher(here):
    (row,) = compare.rows_of([made(here, "a", evaluate=[MARKED, HONEST])])
    assert row.honest and row.scores["mAP50"] == (0.8,)
    (row,) = compare.rows_of([made(here, "b", evaluate=[MARKED])])
    assert not row.honest and row.mark == madeup.MARK


def metrics_shown(here, task, *names):
    report = made(here, "a", evaluate=[HONEST])
    file = report.run.folder / "eval" / "mix-test" / "evaluation.json"
    record = json.loads(file.read_text())
    record["metrics"] = {name: 0.1 + k / 10 for k, name in enumerate(names)}
    file.write_text(json.dumps(record))
    run = report.run.folder / "run.json"
    run.write_text(json.dumps({**json.loads(run.read_text()), "task": task}))
    return compare.metrics_of(compare.rows_of([read_folder(report.run.folder)]))


def test_the_headline_comes_first_then_known_metrics_in_the_order_of_the_study(here):
    found = metrics_shown(here, "detect", "false a frame", "F1", "mAP50", "recall")
    assert found == ["mAP50", "recall", "F1", "false a frame"]


def test_of_too_many_metrics_those_go_that_another_one_sums_up(here):
    """Nine of them, as of segment, and room for eight."""
    tolerant = ("precision-tolerant", "recall-tolerant", "F1-tolerant")
    of_all = ("Dice", "Dice-present", "IoU", "precision", "recall", "F1")
    found = metrics_shown(here, "segment", *of_all, *tolerant)
    assert found == ["Dice", "precision", "recall", "F1", "Dice-present", "IoU", "F1-tolerant"]
    assert comparison._drawn(found) == ["Dice", "precision", "recall", "F1"]
