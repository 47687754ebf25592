"""What environment.json says of versions and machine, and what it keeps to itself."""

from __future__ import annotations

import getpass
import json
import math
import shutil
import socket
import subprocess
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from vqc import __version__, environment


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return environment.describe()


def texts(value: Any) -> Iterator[str]:
    """Every text in plain JSON values."""
    if isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, str):
        yield value


def test_versions_and_machine_are_plain_values(described):
    assert json.loads(json.dumps(described, allow_nan=False)) == described
    assert described["vqc"] == __version__
    assert described["packages"]["torch"] == metadata.version("torch")
    assert None not in described["packages"].values()
    assert described["cpu"] and described["cpu_cores"] >= 1 and described["memory_gb"] > 0.1
    assert described["threads"]["torch"] >= 1


def test_it_says_neither_who_nor_where(described):
    for text in texts(described):
        assert text not in (socket.gethostname(), getpass.getuser())
        assert not text.startswith("/") and str(Path.cwd()) not in text


def test_what_is_unknown_is_none(monkeypatch):
    monkeypatch.setattr(environment, "memory_gb", lambda: math.nan)
    monkeypatch.setattr(environment, "PACKAGES", ("numpy", "no-such-package-of-vqc"))
    found = environment.describe()
    assert found["memory_gb"] is None
    assert found["packages"]["no-such-package-of-vqc"] is None


def test_gpus_are_told_without_starting_cuda(monkeypatch):
    import torch

    lines = ["NVIDIA H200, 143771 MiB, 570.86.15", "NVIDIA H200, 143771 MiB, 570.86.15"]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(environment, "find_gpus", lambda: lines)
    gpus = environment.torch_facts()["gpus"]
    assert gpus["visible"] == 1 and gpus["driver"] == "570.86.15"
    assert gpus["names"] == ["NVIDIA H200, 143771 MiB"] * 2
    assert gpus["cuda"] == torch.version.cuda
    monkeypatch.setattr(environment, "find_gpus", lambda: [])
    assert environment.torch_facts()["gpus"]["driver"] is None
    assert not torch.cuda.is_initialized()


def test_without_a_gpu_there_are_none(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert environment.torch_facts()["gpus"] is None


@pytest.fixture
def repository(tmp_path):
    """A git checkout with one commit; gives its folder and the commit."""
    if shutil.which("git") is None:
        pytest.skip("git is not here")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "module.py").write_text("x = 1\n")

    def git(*arguments: str) -> str:
        who = ("-c", "user.name=T", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "--quiet")
    git("add", "src")
    git("commit", "--quiet", "--message", "one")
    return tmp_path, git("rev-parse", "HEAD")


def test_a_checkout_is_told_by_its_commit(repository):
    folder, commit = repository
    assert environment.checkout(folder) == {"commit": commit, "dirty": False}
    (folder / "notes.txt").write_text("not code")
    assert environment.checkout(folder) == {"commit": commit, "dirty": False}


@pytest.mark.parametrize("name", ["module.py", "new.py"])
def test_code_that_differs_from_the_commit_is_dirty(repository, name):
    folder, commit = repository
    (folder / "src" / name).write_text("x = 2\n")
    assert environment.checkout(folder) == {"commit": commit, "dirty": True}


def test_what_is_no_checkout_has_no_commit(tmp_path):
    assert environment.checkout(tmp_path) is None
    (tmp_path / ".git").mkdir()
    assert environment.checkout(tmp_path) is None


def test_asking_writes_nothing_into_the_checkout(repository):
    folder, _ = repository
    (folder / "src" / "module.py").touch()
    index = (folder / ".git" / "index").read_bytes()
    environment.checkout(folder)
    assert (folder / ".git" / "index").read_bytes() == index


@pytest.mark.parametrize(("asked", "used"), [("1", 1), ("100000", None), ("", None), ("all", None)])
def test_cores_under_slurm_are_those_that_were_asked_for(monkeypatch, asked, used):
    cores = environment.cpu_cores()
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", asked)
    assert environment.cpu_cores() == (used or cores)
