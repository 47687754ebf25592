"""The first lines of a comparison: val chooses, and test only tells."""

import dataclasses

import madeup
import pytest

from vqc.manifest import read_manifest, write_manifest
from vqc.report import answer
from vqc.report.compare import rows_of
from vqc.report.reading import read_folder
from vqc.runs import json_bytes, read_json

VAL = "not an honest score: val split, same shoot"
TEST = "not an honest score: chosen on test"


@pytest.fixture
def here(tmp_path):
    for name, real in (("few", 3), ("many", 9)):
        madeup.training_set(tmp_path / "datasets" / name, real=real)
    return tmp_path


def trained(here, data, val, test, seed=0):
    """A run with these mAP50; val: None where training saw none."""
    folder = here / "runs" / "detect" / f"{data}-seed{seed}"
    madeup.run(folder, here / "datasets" / data, seed)
    metrics = {} if val is None else {"mAP50": val}
    (folder / "run.json").write_bytes(
        json_bytes(read_json(folder / "run.json") | {"metrics": metrics})
    )
    madeup.evaluated(folder, here / "datasets" / data, mAP50=test)
    return read_folder(folder)


def lines(*runs):
    return {line.about: line for line in answer.of_runs(rows_of(runs))}


def test_val_chooses_although_another_is_better_on_test(here):
    found = lines(trained(here, "few", 0.9, 0.7), trained(here, "many", 0.8, 0.75))
    best = found["Best on new photos"]
    assert best.text.startswith(
        "few-seed0 (4 CAD + 3 photos), chosen of 2 by mAP50 on val: mAP50 0.700"
    )
    assert best.honest and best.mark == ""
    assert found["How sure"].mark == VAL and "0.75" not in " ".join(
        line.text for line in found.values()
    )


def test_how_many_photos_and_how_sure_follow_from_val_and_say_so(here):
    values = {"few": ((0.80, 0.70), (0.82, 0.71)), "many": ((0.805, 0.90), (0.825, 0.91))}
    runs = [trained(here, d, *v, seed=k) for d, each in values.items() for k, v in enumerate(each)]
    found = lines(*runs)
    assert found["Best on new photos"].text.startswith("many, 2 repeats")
    assert "mean mAP50 0.905 ± 0.007" in found["Best on new photos"].text
    # On val the spread is 0.014, so few is within one standard error; on test it is far below.
    photos, sure = found["How many photos"], found["How sure"]
    assert "with fewer photos: few, 2 repeats, 1 photo a class" in photos.text
    assert "differ by 0.014" in sure.text and (photos.mark, sure.mark) == (VAL, VAL)


@pytest.mark.parametrize("why", ["no score on val", "another val"])
def test_without_a_common_val_the_best_on_test_is_marked_as_chosen_there(here, why):
    if why == "another val":
        folder = here / "datasets" / "many"
        made = read_manifest(folder)
        kept = [f for k, f in enumerate(made.frames) if f.split != "val" or k % 2]
        write_manifest(folder, dataclasses.replace(made, frames=tuple(kept)))
    val = 0.8 if why == "another val" else None
    found = lines(trained(here, "few", 0.9, 0.7), trained(here, "many", val, 0.75))
    best = found["Best on new photos"]
    assert best.text.startswith("many-seed0 (4 CAD + 9 photos), the best of 2 on test (no one val")
    assert "this very score chose it" in best.text and "mAP50 0.750" in best.text
    assert not best.honest and best.mark == TEST and found["How sure"].mark == TEST


def test_a_single_training_chooses_nothing(here):
    found = lines(trained(here, "few", 0.9, 0.7))
    best = found["Best on new photos"]
    assert best.honest and best.text.startswith("few-seed0 (4 CAD + 3 photos): mAP50 0.700 on 6")
    assert found["How sure"].mark == ""


def test_where_less_is_better_the_lowest_on_val_is_chosen(here, monkeypatch):
    monkeypatch.setattr(answer, "headline_of", lambda task, names: ("mAP50", -1))
    found = lines(trained(here, "few", 0.2, 0.7), trained(here, "many", 0.3, 0.1))
    assert found["Best on new photos"].text.startswith("few-seed0")
