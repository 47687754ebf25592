"""Where networks compute."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def device_of(name: str) -> torch.device:
    """`cpu`, a GPU by its number, or "" for a GPU if there is one.

    Raises InputError where this machine has no such device.
    """
    from vqc import ultra

    ultra.require_device(name)
    import torch

    if name == "":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    return torch.device(f"cuda:{name}" if name.isdigit() else name)


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """On a GPU, algorithms that come to the same again, where torch has them; it warns of others.

    The flags are those that Ultralytics sets for a detector. Without them a CPU is repeatable.
    """
    if device.type != "cuda":
        yield
        return
    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when cuBLAS starts
    is_on = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    memory, cudnn = torch.utils.deterministic, torch.backends.cudnn
    before = memory.fill_uninitialized_memory, cudnn.deterministic
    try:
        torch.use_deterministic_algorithms(True, warn_only=True)
        memory.fill_uninitialized_memory, cudnn.deterministic = False, True
        yield
    finally:
        torch.use_deterministic_algorithms(is_on, warn_only=warns)
        memory.fill_uninitialized_memory, cudnn.deterministic = before


def device_faults(device: str) -> list[str]:
    """What is no device at all, whatever this machine has."""
    if "," in device:
        return [
            f"device: expected one, such as 0 or cpu, got {device}; vqc grid --devices spreads "
            "trainings over several"
        ]
    if device not in ("", "cpu", "mps") and not (device.isascii() and device.isdigit()):
        return [f"device: expected cpu or the number of a GPU, such as 0, got {device}"]
    return []
