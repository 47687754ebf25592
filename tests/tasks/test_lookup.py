"""Finding task plugins: unknown, twice, broken and lacking ones, and what `vqc tasks` says."""

from __future__ import annotations

import json

import pytest
import typer
from plugins import install, on_path
from typer.testing import CliRunner

from vqc import tasks
from vqc.cli import tasks as command
from vqc.errors import InputError

WHOLE = """
from dataclasses import dataclass, field
from vqc.tasks.contract import Headline

@dataclass(frozen=True)
class Config:
    seed: int = field(default=0, metadata={"help": "of everything"})
    gpus: tuple[int, ...] = field(default=(0, 1), metadata={"help": "which"})
    note: str | None = field(default=None, metadata={"help": "to keep"})
    fast: bool = field(default=True, metadata={"help": "or slow"})

class Whole:
    name = "whole"
    headline = Headline("loss", higher_is_better=False)
    config = Config
    def configure(self, settings): ...
    def check(self, dataset): ...
    def fit(self, dataset, config, run_dir, monitor): ...
    def evaluate(self, run, dataset, split, device=""): ...
    def predict(self, run, pictures, settings): ...
    def draw(self, picture, prediction): ...
"""


@pytest.fixture
def site(tmp_path):
    """A folder whose packages are installed."""
    with on_path(tmp_path):
        yield tmp_path


def rows() -> dict[str, list[tasks.Listed]]:
    found: dict[str, list[tasks.Listed]] = {}
    for row in tasks.listed():
        found.setdefault(row.name, []).append(row)
    return found


def test_a_plugin_of_another_package_is_found(site):
    install(site, "vqc-whole", WHOLE, whole="vqc_whole:Whole")
    assert tasks.find("whole").headline.metric == "loss"
    assert rows()["whole"] == [tasks.Listed("whole", "vqc_whole:Whole of vqc-whole", None)]


def test_an_unknown_name_gets_the_nearest_and_all_known(site):
    install(site, "vqc-whole", WHOLE, whole="vqc_whole:Whole")
    with pytest.raises(InputError, match="there is no such task; did you mean 'whole'") as caught:
        tasks.find("hole")
    assert "Known: " in str(caught.value) and "detect" in str(caught.value)


def test_two_plugins_of_one_name_are_an_error_that_names_both(site):
    install(site, "vqc-whole", WHOLE, whole="vqc_whole:Whole")
    install(site, "other", WHOLE, whole="other:Whole")
    with pytest.raises(InputError, match="whole is registered twice") as caught:
        tasks.find("whole")
    assert "of vqc-whole" in str(caught.value) and "of other" in str(caught.value)
    assert [row.failure for row in rows()["whole"]] == ["registered twice"] * 2


def test_a_package_that_is_seen_twice_is_one_plugin(site, tmp_path_factory):
    copy = tmp_path_factory.mktemp("copy")
    for folder in (site, copy):
        install(folder, "vqc-whole", WHOLE, whole="vqc_whole:Whole")
    with on_path(copy):
        assert [row.failure for row in rows()["whole"]] == [None]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import no_such_library_of_vqc", "ModuleNotFoundError: No module named 'no_such"),
        ("def broken(:", "SyntaxError"),
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("", "AttributeError"),
        ("class Bad:\n    def __init__(self, needed): ...", "TypeError"),
        ("class Bad:\n    name = 'bad'\n    def check(self, dataset): ...", "it lacks headline"),
        (WHOLE.replace("class Whole", "class Bad"), "registered as bad and calls itself whole"),
    ],
    ids=["import", "syntax", "raises", "no class", "arguments", "lacking", "other name"],
)
def test_a_plugin_that_cannot_be_used_says_why_and_the_others_work(site, code, reason):
    install(site, "vqc-bad", code, bad="vqc_bad:Bad")
    install(site, "vqc-whole", WHOLE, whole="vqc_whole:Whole")
    with pytest.raises(InputError) as caught:
        tasks.find("bad")
    assert reason in str(caught.value) and "vqc_bad:Bad of vqc-bad" in str(caught.value)
    (bad,) = rows()["bad"]
    assert reason in (bad.failure or "")
    assert rows()["whole"][0].failure is None
    assert tasks.find("whole").name == "whole"


# The command


@pytest.fixture
def listing(site):
    """`vqc tasks …` with a whole and a broken plugin installed; gives what it prints."""
    install(site, "vqc-whole", WHOLE, whole="vqc_whole:Whole")
    install(site, "vqc-bad", "import no_such_library_of_vqc", bad="vqc_bad:Bad")
    app = typer.Typer()
    app.command()(command.tasks)

    def run(*arguments):
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


def test_the_command_lists_every_task_and_why_one_does_not_work(listing):
    lines = {line.split()[0]: line for line in listing().splitlines() if line.strip()}
    assert "loss" in lines["whole"] and "works" in lines["whole"]
    assert "No module named" in lines["bad"] and "works" not in lines["bad"]
    assert "works" in lines["detect"]


def test_the_command_gives_json(listing):
    records = {record["name"]: record for record in json.loads(listing("--json"))}
    assert records["whole"]["headline"] == "loss" and records["whole"]["failure"] is None
    assert records["bad"]["headline"] is None and "No module" in records["bad"]["failure"]


def test_a_task_shows_its_settings(listing):
    text = listing("whole")
    assert "loss, lower is better" in text
    for words in ("seed", "a whole number", "of everything", "0,1", "none", "true"):
        assert words in text
    record = json.loads(listing("whole", "--json"))
    assert [s["name"] for s in record["settings"]] == ["seed", "gpus", "note", "fast"]


def test_an_unknown_or_broken_task_is_one_message(listing):
    with pytest.raises(InputError, match="did you mean 'whole'"):
        listing("wholee")
    with pytest.raises(InputError, match="No module named"):
        listing("bad")
