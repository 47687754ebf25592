"""What is checked before anything is trained, and what is the same for all trials."""

from __future__ import annotations

from pathlib import Path

import pytest
import tune_project
from tune_project import SPLITS, asked

from vqc import mix
from vqc.errors import InputError
from vqc.tune import prepare


@pytest.fixture
def project(tmp_path, monkeypatch):
    with tune_project.project(tmp_path, monkeypatch) as root:
        yield root


def refused(**options) -> str:
    with pytest.raises(InputError) as caught:
        prepare(asked(**options))
    assert not Path("runs").exists()
    return str(caught.value)


def test_every_value_is_tried_on_the_task_first(project):
    message = refused(space=["cad=4", "freeze=0,ten", "lr0=0.1,fast", "speed=1..2", "real=1"])
    assert "freeze: expected a whole number, got ten" in message
    assert "lr0: expected a number, got fast" in message
    assert message.count("speed: there is no such setting") == 1
    assert "mix" not in message


def test_the_ends_of_ranges_are_tried(project):
    assert "--cad: expected a whole number from 0" in refused(space=["cad=-5..10", "real=1"])
    message = refused(space=["ratio=0..1000000000.0", "real=1"])
    assert message.count("--ratio: expected above 0 and up to") == 2
    assert "freeze: expected a whole number, got 0.0" in refused(space=["freeze=0..9.0", "cad=1"])


@pytest.mark.parametrize(
    ("space", "settings", "why"),
    [
        (["cad=4", "freeze=0,10"], {"freeze": "10"}, "freeze stands in --space and in --set"),
        (["cad=4", "seed=0..5"], {}, "--space seed: is the same for all trials"),
        (["cad=4", "freeze=0,10"], {"seed": "1"}, "--set seed: has an option of its own"),
        (["cad=4", "freeze=0,10"], {"real": "5"}, "--space real=5 fixes it"),
        (["cad=0..9", "ratio=1..2", "real=1"], {}, "--space cad and --space ratio both"),
        (["freeze=0,10"], {}, "--space names no frames"),
        (["cad=4", "freeze=10"], {}, "nothing is searched"),
        (["cad=4", "freeze=0,10"], {"lr0": "fast"}, "lr0: expected a number"),
    ],
)
def test_what_does_not_go_together_is_refused(project, space, settings, why):
    assert why in refused(space=space, settings=settings)


def test_too_few_frames_are_told_before_the_first_trial(project):
    message = refused(space=["cad=0..400", "real=2"])
    assert "wanted 200 renders, there are 12" in message and "datasets" not in message


def test_no_val_no_search(project):
    assert "there are no photos for val" in refused(
        space=["cad=2..8"], splits=mix.SplitRules(test=("shop", "attic", "hall"))
    )


def test_unknown_sessions_are_told(project):
    assert "did you mean 'hall'?" in refused(splits=mix.SplitRules(test=("hal",)))


def test_names(project):
    assert "--name: expected" in refused(name="../elsewhere")
    assert prepare(asked(name=None)).name == "tuned"


def test_the_largest_mix_sets_the_pictures_an_epoch(project):
    made = prepare(asked())
    assert made.images == 16 + 2 * 3 and made.epochs == 2  # photos: two classes and backgrounds
    assert made.settings["epoch_images"] == "22" and made.settings["seed"] == "0"
    assert made.val.sessions == ("attic",) and not made.val.same_shoot and made.has_test
    for values in ({"cad": 0}, {"cad": 16}):
        cell = made.cell({"real": 2, "lr0": 0.01, "freeze": 0, **values})
        assert cell.settings["epoch_images"] == "22"


def test_pictures_an_epoch_can_be_given(project):
    made = prepare(asked(settings={"epoch_images": "100", "epochs": "5"}))
    assert made.images == 100 and made.epochs == 5 and not made.notes


def test_what_is_not_equal_is_said(project):
    made = prepare(asked(space=["cad=4", "epochs=1..5"]))
    assert made.epochs is None and made.images == 4
    assert any("merely because it trains longer" in note for note in made.notes)
    made = prepare(asked(task="lossy"))
    assert made.images is None and "epoch_images" not in made.settings
    assert any("different numbers of pictures" in note for note in made.notes)


def test_without_a_shoot_for_val_a_fifth_chooses_and_it_is_said(project):
    made = prepare(asked(splits=mix.SplitRules(test=("hall",))))
    assert made.val.same_shoot and made.splits.val_fraction == 0.2
    assert any("a fifth of the training photos chooses" in note for note in made.notes)


def test_a_mix_of_nothing_is_no_cell(project):
    made = prepare(asked(space=["cad=0..16", "real=0,2"]))
    with pytest.raises(InputError, match="nothing asked for"):
        made.cell({"cad": 0, "real": 0})


def test_equal_trainings_have_one_name(project):
    made = prepare(asked(space=["cad=4..16", "real=0,2", "select=random,diverse"]))
    none = [made.cell({"cad": 4, "real": 0, "select": s}).run for s in ("random", "diverse")]
    some = [made.cell({"cad": 4, "real": 2, "select": s}).run for s in ("random", "diverse")]
    assert none[0] == none[1] and some[0] != some[1]
    assert none[0].startswith("cad4-real0-")


def test_the_default_space_is_what_the_sets_hold(project):
    made = prepare(asked(space=None, task="tuned"))
    # 24 renders of two classes; "shop" has 6 photos of the rarer class
    assert made.space.texts() == {"cad": "0..24", "real": "6"}
    made = prepare(asked(space=None, task="tuned", splits=mix.SplitRules(test=("hall",))))
    assert made.space.texts()["real"] == "7"  # of 9, a fifth is val


def test_the_default_space_of_the_detector(project):
    settings = {"weights": "yolov8n.yaml", "epochs": "1"}
    made = prepare(asked(space=None, task="detect", settings=settings))
    assert made.space.texts() == {
        "cad": "0..24", "real": "6", "imgsz": "320,640", "freeze": "0,10",
        "lr0": "0.0001..0.01:log", "optimizer": "AdamW",
    }  # fmt: skip


@pytest.mark.parametrize("settings", [{}, {"optimizer": "auto"}])
def test_a_learning_rate_that_would_do_nothing_is_refused(project, settings):
    """Ultralytics overrides lr0 while its optimizer is auto, which is the default."""
    space = ["cad=4", "lr0=1e-4..1e-2:log"]
    given = {"weights": "yolov8n.yaml", **settings}
    message = refused(space=space, task="detect", settings=given)
    assert "--set optimizer=AdamW" in message and len(message.splitlines()) == 1
    prepare(asked(space=space, task="detect", settings={**given, "optimizer": "SGD"}))
    prepare(asked(space=[*space, "optimizer=SGD,AdamW"], task="detect",
                  settings={"weights": "yolov8n.yaml"}))  # fmt: skip


def test_the_splits_of_all_mixes_are_those_asked_for(project):
    made = prepare(asked())
    request = made.request({"cad": 3, "real": 2})
    assert request.splits == SPLITS and request.seed == 0 and request.cad == 3
