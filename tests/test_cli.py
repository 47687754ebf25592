"""The command line itself: help, version, exit codes, and its page in the docs."""

import contextlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import typer.main
from typer.testing import CliRunner

from vqc.cli import app, extras, show
from vqc.cli import train as train_command
from vqc.errors import InputError

ROOT = Path(__file__).parent.parent
COMMANDS = sorted(typer.main.get_command(app).commands)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(vqc, command):
    text = vqc(command, "--help", check=0).stdout
    assert "Usage: " in text and len(text.splitlines()) > 5


def test_version_and_no_arguments(vqc):
    assert vqc("--version", check=0).stdout.startswith("vqc ")
    assert "render" in vqc(check=2).stderr


def test_help_loads_nothing_heavy():
    code = (
        "import sys, contextlib\nfrom vqc.cli import main\nsys.argv = ['vqc', '--help']\n"
        "with contextlib.suppress(SystemExit): main()\n"
        "print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    ).stdout.split()
    heavy = {
        "numpy",
        "pyvista",
        "vtkmodules",
        "OCP",
        "cadquery",
        "trimesh",
        "torch",
        "cv2",
        "PIL",
        "scipy",
    }
    assert "vqc.cli" in loaded and not heavy & set(loaded)


def test_the_page_on_the_commands_is_what_the_commands_say():
    done = subprocess.run(
        [sys.executable, "-m", "typer", "vqc.cli", "utils", "docs", "--name", "vqc"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    page = (ROOT / "docs" / "cli.md").read_text()
    remake = "python -m typer vqc.cli utils docs --name vqc --output docs/cli.md"
    assert page.strip() == done.stdout.strip(), f"stale; make it again: {remake}"


def test_every_link_in_the_documents_leads_somewhere():
    for page in [*ROOT.glob("*.md"), *ROOT.glob("*/*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_modules_import_one_way():
    """Leaves first: a room never imports one that stands further down this list."""
    order = [
        *(
            "errors",
            "counts",
            "files",
            "types",
            "geometry",
            "phash",
            "pictures",
            "contract",
            "formats",
            "manifest",
            "views",
            "shards",
            "stopping",
            "journal",
        ),
        *("lens", "shot", "sensor", "look", "scene", "cad", "recipe", "render", "annotate"),
        *("studio", "asked", "verify", "engines", "environment", "frames"),
        *(
            "store",
            "making",
            "gpus",
            "generate",
            "twin",
            "ultra",
            "features",
            "leaks",
            "intake",
            "mix",
            "inspection",
        ),
        *("export", "doctor", "dataset", "runs", "honesty", "lineage", "trackers"),
        *("tasks", "soundness", "train", "evaluations", "figures", "preview", "scoring"),
        *("grid", "tune", "batch"),
        *("report", "predict", "export_model", "cli"),
    ]
    for path in sorted((ROOT / "src" / "vqc").rglob("*.py")):
        room = path.relative_to(ROOT / "src" / "vqc").parts[0].removesuffix(".py")
        if room in ("__init__", "__main__"):
            continue
        text = path.read_text()
        named = re.findall(r"^\s*from vqc\.(\w+)", text, re.M)
        for names in re.findall(r"^\s*from vqc import ([\w, ]+)$", text, re.M):
            rooms = (name.partition(" as ")[0] for name in names.split(", "))
            named += [name for name in rooms if name != "__version__"]
        for name in named:
            assert order.index(name) <= order.index(room), f"{room} imports {name}"


def test_a_command_to_go_on_with_can_be_typed(capsys):
    show.then("vqc", "inspect", Path("datasets/my größter mix"), why="or another")
    assert capsys.readouterr().out == "next: vqc inspect 'datasets/my größter mix'  # or another\n"


# Settings of a task as options ------------------------------------------------------------------


@pytest.fixture
def ask():
    """A command with a few options: what it is given, as (its own arguments, the settings)."""
    seen = []

    def train(
        ctx: typer.Context,
        dataset: Path,
        epochs: int | None = None,
        fresh: bool = typer.Option(False, "--fresh"),
        set_: list[str] = typer.Option([], "--set"),
    ) -> None:
        seen.append((dataset, fresh, extras.given(ctx, {"epochs": epochs}, set_)))
        with extras.explained(ctx, "the task look"):
            if ctx.obj is not None:
                raise InputError(ctx.obj)

    made = typer.Typer(pretty_exceptions_enable=False)
    made.command(cls=extras.TaskCommand)(train)

    def invoke(line, fault=None):
        done = CliRunner().invoke(made, line.split(), obj=fault)
        return seen.pop() if done.exit_code == 0 else done

    return invoke


@pytest.mark.parametrize(
    ("line", "settings"),
    [
        ("d", {}),
        ("d --contamination 0.05", {"contamination": "0.05"}),
        ("--groups auto d --set a=b=c", {"groups": "auto", "a": "b=c"}),
        ("d --epoch-images 5 --crop", {"epoch_images": "5", "crop": "true"}),
        (
            "d --epoch_images=5 --crop --epochs 3",
            {"epochs": 3, "epoch_images": "5", "crop": "true"},
        ),
        ("--crop=false d", {"crop": "false"}),
        ("d --shift -3 --low=-.5 --text=", {"shift": "-3", "low": "-.5", "text": ""}),
        ("--crop -- d", {"crop": "true"}),
        ("d --groups auto --set groups=auto", {"groups": "auto"}),
    ],
)
def test_unknown_options_are_settings_wherever_they_stand(ask, line, settings):
    assert ask(line) == (Path("d"), False, settings)


def test_a_flag_of_the_command_takes_no_word(ask):
    assert ask("--crop --fresh d") == (Path("d"), True, {"crop": "true"})


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("d --groups a --groups b", "--groups: is given twice, before as a"),
        ("d --epoch-images 5 --epoch_images 5", "--epoch_images: is given twice, before as 5"),
        ("d --groups a --set groups=b", "--set groups=b: groups was given before, as a"),
        ("d --epochs 5 --set epochs=4", "--set epochs=4: epochs was given before, as 5"),
        ("d --set groups", "--set groups: expected key=value"),
    ],
)
def test_a_setting_is_given_once(ask, line, says):
    found = ask(line)
    assert isinstance(found.exception, InputError) and says in str(found.exception)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("d other", "unexpected extra argument"),
        ("d --groups auto other", "unexpected extra argument"),
        ("--crop d", "Taken for a setting and its value: --crop d;"),
        ("", "Missing argument"),
        ("d --epochs many", "--epochs"),
        ("d -x", "No such option"),
    ],
)
def test_what_typer_refuses_is_refused_as_before(ask, line, says):
    found = ask(line)
    assert found.exit_code == 2 and says in " ".join(found.stderr.split())


@pytest.mark.parametrize(
    ("line", "fault", "says"),
    [
        (
            "d --eopchs 5",
            "eopchs: there is no such setting; did you mean 'epochs'? Known: epochs, rate",
            "--eopchs: there is no such option; did you mean --epochs?",
        ),
        ("d --fersh", "fersh: there is no such setting. Known: rate",
         "--fersh: there is no such option; did you mean --fresh?"),
        ("d --rtae 5", "rtae: there is no such setting; did you mean 'rate'? Known: rate", None),
        ("d --lr00 5", "lr00: Ultralytics has no such setting; did you mean lr0?", None),
        ("d --set eopchs=5", "eopchs: there is no such setting; did you mean 'epochs'?", None),
        ("d --epochs 5", "epochs: there is no such setting. Known: rate",
         "--epochs: the task look has no such setting. Known: rate"),
        ("d --rate", "rate: expected a number from 0, got true",
         "rate: expected a number from 0, got true (--rate was given without a value)"),
        ("d --rate 5", "rate: expected a number up to 1, got 5\nd: another", None),
    ],
)  # fmt: skip
def test_a_task_s_faults_are_told_in_the_words_of_who_typed_options(ask, line, fault, says):
    assert str(ask(line, fault).exception) == (says or fault)


def test_vqc_train_hands_settings_to_its_task(monkeypatch):
    asked = []

    def train(training, screen, on_verify):
        asked.append(training)
        raise InputError("groops: there is no such setting; did you mean 'groups'?")

    monkeypatch.setattr("vqc.train.train", train)
    made = typer.Typer(pretty_exceptions_enable=False)
    made.command(cls=extras.TaskCommand)(train_command.train)
    words = [
        "datasets/x",
        "--groops",
        "auto",
        "--contamination",
        "0.05",
        "--seed",
        "3",
        "--crop",
        "--quiet",
    ]
    done = CliRunner().invoke(made, words)
    assert str(done.exception) == "groops: there is no such setting; did you mean 'groups'?"
    expected = {"groops": "auto", "contamination": "0.05", "seed": 3, "crop": "true"}
    assert asked[0].settings == expected and asked[0].dataset == Path("datasets/x")


def test_an_epoch_tells_the_losses_and_the_headline_on_val(capsys):
    screen = train_command._Screen(contextlib.ExitStack(), False, "AUROC")
    screen.epoch(3, {"train/box_loss": 1.5, "train/AUROC": 0.9, "val/AUROC": 0.875, "val/F1": 0.2})
    screen.epoch(4, {"learning_rate": 0.1})
    told = "epoch 3: train/box_loss 1.500, val/AUROC 0.875\nepoch 4: done\n"
    assert capsys.readouterr().err == told


def test_the_time_left_does_not_count_what_was_done_before():
    rate = show.Rate()
    assert rate.words(100.0, 900, 1_000) == ""
    assert rate.words(110.0, 920, 1_000) == ", 2.0/s, 0:40 left"
    assert rate.words(150.0, 1_000, 1_000) == ", 2.0/s, 0:00 left"
    assert show.Rate().words(5.0, 0, 0) == ""
