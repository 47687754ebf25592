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
