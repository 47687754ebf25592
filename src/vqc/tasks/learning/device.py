"""Where networks compute."""

from __future__ import annotations

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
