"""Files of weights: what goes in comes out, and nothing in them runs."""

from __future__ import annotations

import os
import pickle

import pytest

from vqc.errors import InputError
from vqc.tasks.learning import files


@pytest.fixture(scope="module")
def torch():
    import torch

    return torch


def test_what_goes_in_comes_out(tmp_path, torch):
    tensors = {"network": {"a": torch.arange(4.0)}, "steps": [torch.ones(2, dtype=torch.int64)]}
    files.save(tmp_path / "best.pt", {"task": "toy", "classes": ["ü", "b"]}, tensors)
    about, found = files.load(tmp_path / "best.pt", "toy")
    assert about == {"task": "toy", "classes": ["ü", "b"]}
    assert (found["network"]["a"] == tensors["network"]["a"]).all()
    assert found["steps"][0].dtype == torch.int64


class Planted:
    def __reduce__(self):
        return (os.system, ("touch PLANTED",))


def test_a_planted_pickle_does_not_run(tmp_path, torch, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"vqc": Planted()}, "zip.pt")
    (tmp_path / "raw.pt").write_bytes(pickle.dumps(Planted()))
    for name in ("zip.pt", "raw.pt"):
        with pytest.raises(InputError, match="safely"):
            files.load(tmp_path / name, "toy", "train again")
    assert not (tmp_path / "PLANTED").exists()


@pytest.mark.parametrize("content", [b"", b"\x80\x04.", b"PK\x03\x04 broken"])
def test_a_spoilt_file_is_told(tmp_path, content):
    (tmp_path / "best.pt").write_bytes(content)
    with pytest.raises(InputError, match=r"best\.pt"):
        files.load(tmp_path / "best.pt", "toy")


def test_a_missing_or_foreign_file_is_told(tmp_path, torch):
    with pytest.raises(InputError, match="No such file"):
        files.load(tmp_path / "best.pt", "toy")
    files.save(tmp_path / "best.pt", {"task": "other"}, {})
    with pytest.raises(InputError, match="other"):
        files.load(tmp_path / "best.pt", "toy")


def test_weights_of_another_network_are_told(tmp_path, torch):
    network = torch.nn.Linear(3, 2)
    files.restore(network, network.state_dict(), tmp_path / "best.pt")
    with pytest.raises(InputError, match="do not fit"):
        files.restore(network, torch.nn.Linear(4, 2).state_dict(), tmp_path / "best.pt")
