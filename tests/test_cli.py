"""The command line itself: help, version, exit codes, and its page in the docs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from vqc.cli import app, show

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
            "files",
            "types",
            "geometry",
            "phash",
            "pictures",
            "contract",
            "formats",
            "manifest",
            "views",
        ),
        *("lens", "shot", "sensor", "look", "scene", "cad", "recipe", "render", "annotate"),
        *("studio", "asked", "verify", "engines", "frames"),
        *("store", "generate", "twin", "ultra", "features", "leaks", "intake", "mix", "inspection"),
        *("export", "environment", "doctor", "dataset", "runs", "honesty", "lineage", "trackers"),
        *("tasks", "soundness", "train", "evaluations", "figures", "preview", "scoring"),
        *("grid", "tune"),
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
