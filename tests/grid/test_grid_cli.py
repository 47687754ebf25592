"""`vqc grid` as it is typed: what it says, asks, prints and refuses."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from projects import photos, renders
from test_trainings import done, trained
from typed import typed

from vqc.cli import grid as command
from vqc.grid.follow import Running, Status
from vqc.grid.pace import Pace
from vqc.grid.trainings import Estimate

SMALL = ("grid", "--task", "fake", "--cad", "0,4,8", "--real", "1,2", "--repeats", "1")


@pytest.fixture
def vqc(project, capsys):
    return lambda *words: typed(capsys, *words)


def message(said) -> str:
    """The one message of a command that was refused, and trained nothing."""
    assert said.code != 0 and said.out == "" and said.err.count("vqc: ") == 1, said
    assert not done()
    return said.err


def test_without_arguments_it_is_the_study_s_grid_and_nothing_is_written(vqc):
    before = sorted(Path().rglob("*"))
    said = vqc("grid", "--task", "fake", "--allow-short", "--dry-run", "--json")
    plan = json.loads(said.out)
    assert [(cell["cad"], cell["real"]) for cell in plan["cells"]] == [
        (cad, real) for real in (5, 10, 20) for cad in (150, 250, 500, 1000)
    ]
    assert {cell["repeats"] for cell in plan["cells"]} == {3} and plan["missing"] == 36
    assert len({cell["seen"] for cell in plan["cells"]}) == 1
    assert plan["seconds"] > 0 and sorted(Path().rglob("*")) == before


def test_a_dry_run_says_what_it_would_train_and_for_how_long(vqc):
    said = vqc(*SMALL, "--real", "0,1", "--dry-run")
    assert said.code == 0 and "cad8-real1" in said.out and "0 of 1" in said.out
    assert "cad0-real0" not in said.out
    assert "0 renders and 0 photos is left out" in said.err
    assert "5 trainings to do, about " in said.out
    vqc(*SMALL, "--real", "0,1")
    said = vqc(*SMALL, "--real", "0,1", "--dry-run")
    assert said.out.count("1 of 1") == 5 and "0 trainings to do, about 0:00" in said.out


def test_every_axis_can_be_typed(vqc):
    axes = ("--imgsz", "32,64", "--epochs", "2,1", "--freeze", "0", "--grey", "both",
            "--select", "random,diverse")  # fmt: skip
    said = vqc(*SMALL, "--cad", "8", "--real", "0", *axes, "--dry-run", "--json")
    names = [cell["name"] for cell in json.loads(said.out)["cells"]]
    assert len(names) == 16 and names[0] == "cad8-real0-greyno-selectrandom-imgsz32-epochs1"


def test_all_photos_can_be_a_column(vqc):
    said = vqc(*SMALL, "--cad", "0,8", "--real", "2,all", "--dry-run", "--json")
    cells = json.loads(said.out)["cells"]
    assert [(cell["name"], cell["real"]) for cell in cells] == [
        ("cad0-real2", 2), ("cad8-real2", 2), ("cad0-realall", "all"), ("cad8-realall", "all"),
    ]  # fmt: skip
    assert cells[2]["train"] > cells[0]["train"]


def test_it_prints_the_cells_the_choice_and_what_comes_next(vqc):
    said = vqc(*SMALL, "--test", "hall")
    assert said.code == 0
    rows = [line.split() for line in said.out.splitlines() if line.strip().startswith("cad")]
    assert [row[0] for row in rows][:2] == ["cad8-real2", "cad4-real2"] and len(rows) == 6
    assert rows[0][1:4] == ["1", "of", "1"] and float(rows[0][4]) > float(rows[5][4])
    assert "not an honest score" in said.out and "chosen on val: cad8-real2" in said.out
    assert "on test, an honest score: mAP50" in said.out and "(1 training)" in said.out
    folder = next(Path("runs/grids").iterdir())
    assert f"next: vqc report {folder}" in said.out
    budget = [line for line in said.out.splitlines() if " photos a class: " in line]
    assert budget and budget[0].startswith("from 8 CAD frames and 2 photos a class: ")
    mark = "[not an honest score: val split, same shoot]"
    assert all(line.endswith(mark) for line in budget)
    assert "a fifth of the training photos chooses, of the same shoot" in said.err
    assert (
        "0/6 trainings" in said.err and "6/6 trainings, 0:00 left, best cad8-real2 0." in said.err
    )


def test_json_is_grid_json_and_quiet_says_nothing(vqc, undrawn):
    said = vqc(*SMALL, "--json")
    record = json.loads(said.out)
    folder = Path(record.pop("folder"))
    assert record == json.loads((folder / "grid.json").read_text()) and said.err == ""
    said = vqc(*SMALL, "--quiet")
    assert (said.code, said.out, said.err) == (0, "", "")


def test_a_failed_cell_is_the_exit_code_and_is_named(vqc, undrawn):
    said = vqc(*SMALL, "--set", "fails=cad4-real2")
    assert said.code == 1 and "chosen on val: cad8-real2" in said.out
    assert "1 of 6 trainings failed; the rest is finished" in said.err
    assert "cad4-real2 is not liked" in said.err and "The same command tries them" in said.err


def test_above_an_hour_somebody_must_agree(vqc, undrawn, monkeypatch):
    monkeypatch.setattr(command, "ASK_ABOVE_S", 0.0)
    text = message(vqc(*SMALL))
    assert "6 trainings take about " in text and "--yes" in text and "--budget" in text
    terminal = SimpleNamespace(
        isatty=lambda fd: True, get_terminal_size=lambda fd: SimpleNamespace(columns=60)
    )
    monkeypatch.setattr(command, "os", terminal)
    asked = []

    def answer(given):
        return lambda text, err: asked.append(text) or given

    monkeypatch.setattr(command.typer, "confirm", answer(False))
    said = vqc(*SMALL)
    assert said.code == 1 and not done() and asked[0].endswith("Go on?")
    monkeypatch.setattr(command.typer, "confirm", answer(True))
    assert vqc(*SMALL).code == 0 and len(trained()) == 6
    assert vqc(*SMALL, "--yes", "--seed", "1").code == 0 and len(asked) == 2


def test_what_cannot_be_timed_is_asked_about_too(vqc, monkeypatch):
    nothing = Estimate(6, None, {}, ("no such GPU",))
    monkeypatch.setattr("vqc.grid.estimate", lambda made, update: nothing)
    assert "6 trainings take an unknown time" in message(vqc(*SMALL))


def test_a_budget_lowers_repeats_and_says_so(vqc, undrawn):
    """A training takes 1.6 s or more, all 120 of them 192 s; each cell once fits in any case."""
    words = (*SMALL, "--repeats", "20", "--set", "slow=0.2", "--budget", "2")
    said = vqc(*words, "--dry-run")
    assert "--budget 2: " in said.err and " instead of 20" in said.err
    assert not Path("runs").exists()


def test_after_a_budget_the_time_is_that_of_what_is_left(vqc, undrawn, monkeypatch):
    """2 epochs of 14 pictures a training, 0.1 s each: 2.8 s, so 6 of 18 trainings fit in 18 s."""
    known = Estimate(18, 50.4, {"any": Pace(0.0, 0.1, 0.0)})
    monkeypatch.setattr("vqc.grid.estimate", lambda made, update: known)
    words = (*SMALL, "--repeats", "3", "--budget", "0.3")
    plan = json.loads(vqc(*words, "--dry-run", "--json").out)
    assert (plan["missing"], plan["seconds"]) == (6, pytest.approx(16.8))
    assert "6 trainings to do, about 0:17 (h:mm:ss)\n" in vqc(*words, "--dry-run").out
    monkeypatch.setattr(command, "ASK_ABOVE_S", 10.0)
    assert "6 trainings take about 0:17" in message(vqc(*words))
    monkeypatch.setattr(command, "ASK_ABOVE_S", 20.0)
    assert vqc(*words).code == 0 and len(trained()) == 6


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--cad", "a"), "--cad: expected whole numbers from 0"),
        (("--cad", "1e99"), "--cad: expected whole numbers from 0"),
        (("--real", "-1"), "--real: expected whole numbers from 0"),
        (("--real", "5,,6"), "--real: expected whole numbers"),
        (("--cad", "0", "--real", "0"), "nothing asked for: --cad N"),
        (("--imgsz", "big"), "--imgsz: expected whole numbers"),
        (("--freeze", ""), "--freeze: expected whole numbers"),
        (("--grey", "maybe"), "--grey: expected no or yes or both"),
        (("--select", "best"), "--select: expected random or diverse"),
        (("--repeats", "0"), "--repeats: expected 1 to 100, got 0"),
        (("--equal", "steps"), "--equal: expected images or epochs"),
        (("--seed", "-1"), "--seed: expected a whole number from 0"),
        (("--budget", "0"), "--budget: expected minutes above 0"),
        (("--budget", "nan"), "--budget: expected minutes above 0"),
        (("--devices", "0,x"), "--devices: expected numbers of GPUs"),
        (("--devices", "0", "--jobs", "2"), "--devices runs one training on each"),
        (("--jobs", "0"), "--jobs: expected 1 to 1000"),
        (("--name", "../x"), "--name: expected"),
        (("--set", "epochs"), "--set epochs: expected key=value"),
        (("--set", "seed=3"), "--set seed: has an option of its own"),
        (("--set", "speed=3"), "speed: there is no such setting"),
        (("--task", "dance"), "dance"),
        (("--val", "shp"), "did you mean 'shop'?"),
        (("--test", "attic"), "--test attic: no photo has this session"),
        (("--cad", "4,400"), "too few frames"),
        (("--real", "1,99"), "too few frames"),
        (("--from", "nowhere"), "nowhere"),
        (("--per-class-val", "some"), "--per-class-val: expected a whole number or all"),
        (("--box", "round"), "--box: expected modal or amodal"),
        (("--val-fraction", "2"), "--val-fraction: expected a number from 0 to below 1"),
    ],
)
def test_what_does_not_fit_is_one_message(vqc, words, expected):
    said = vqc(*SMALL, *words)
    assert expected in message(said) and not Path("runs").exists(), said.err


def test_without_photos_without_renders_and_without_both(tmp_path, monkeypatch, tasks, capsys):
    monkeypatch.chdir(tmp_path)
    assert "renders" in message(typed(capsys, *SMALL))
    renders(Path("renders/magnets"))
    words = [*SMALL, "--real", "0", "--cad", "4"]
    assert "there are no photos for val" in message(typed(capsys, *words))
    assert "too few frames" in message(typed(capsys, *SMALL))
    photos(Path("datasets/photos"))
    Path("renders").rename("elsewhere")
    text = message(typed(capsys, *SMALL))
    assert "too few frames" in text and "wanted 8 renders, there are none" in text
    assert typed(capsys, *SMALL, "--cad", "0", "--dry-run").code == 0


def test_a_place_that_cannot_be_written(vqc):
    Path("taken").write_text("")
    text = message(vqc(*SMALL, "--out", "taken"))
    assert "taken/grids/" in text and "cannot be written" in text


def test_two_commands_at_once(vqc, undrawn):
    """The second one would fail cells that the first one trains at the moment."""
    from vqc.grid.crew import held

    with held(Path("runs/grids/mine")):
        said = vqc(*SMALL, "--name", "mine")
    assert "runs/grids/mine is worked on by another command" in message(said)
    assert vqc(*SMALL, "--name", "mine").code == 0


def test_a_name_that_another_grid_has(vqc, undrawn, monkeypatch):
    first = ("--cad", "4", "--real", "1", "--name", "mine", "--yes")
    assert vqc(*SMALL, *first).code == 0
    other = (*SMALL, *first, "--seed", "5")
    with monkeypatch.context() as patch:
        patch.setattr("vqc.grid.estimate", lambda *_: pytest.fail("asked too late"))
        said = vqc(*other)
    assert said.code == 2 and "  seed: 0 there, 5 asked for" in said.err
    said = vqc(*other, "--dry-run")
    assert said.code == 0 and "runs/grids/mine holds another grid" in said.err
    assert vqc(*SMALL, *first, "--real", "1,2").code == 0
    said = vqc(*other, "--fresh")
    assert said.code == 0 and "another grid" not in said.err
    assert all(Path("runs/cells/fake", name).is_dir() for name in trained())


def test_the_line_that_tells_how_far_it_is():
    running = (Running("cad0-real5-seed0-1a2b3c4d", 3, 50), Running("cad9-real5-seed0-0", 0, None))
    status = Status(7, 1, 36, 4200.0, ("cad500-real10", 0.8123), running)
    assert command.status_line(status) == (
        "7/36 trainings, 1 failed, 1:10:00 left, best cad500-real10 0.812; "
        "cad0-real5-seed0-1a2b3c4d 3/50 epochs; cad9-real5-seed0-0 0/? epochs"
    )
    assert command.status_line(Status(0, 0, 2, None, None, ())) == "0/2 trainings"


def test_on_a_terminal_the_line_is_written_over(capsys, monkeypatch):
    terminal = SimpleNamespace(
        isatty=lambda fd: True, get_terminal_size=lambda fd: SimpleNamespace(columns=12)
    )
    monkeypatch.setattr(command, "os", terminal)
    with contextlib.ExitStack() as lines:
        line = command.StatusLine(lines, silent=False)
        line.say("one of twenty")
        line.say("two")
        line.keep("it is over")
    clear = "\r\x1b[2K"
    assert capsys.readouterr().err == f"{clear}one of twen{clear}two{clear}it is over\n{clear}"
    with contextlib.ExitStack() as lines:
        line = command.StatusLine(lines, silent=True)
        line.say("one", now=True)
        line.keep("two")
    assert capsys.readouterr().err == ""
