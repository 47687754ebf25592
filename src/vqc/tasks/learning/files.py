"""Files of weights that hold tensors and plain text, and run no code when they are opened."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vqc.errors import InputError, OutputError
from vqc.files import replace_file

if TYPE_CHECKING:
    from torch import Tensor

_ABOUT = "vqc"


def save(file: Path, about: Mapping[str, Any], tensors: Mapping[str, Any]) -> None:
    """Write tensors, in any nesting of dicts and lists, with plain JSON values about them.

    The file appears whole. Raises OutputError where it cannot be written.
    """
    import torch

    buffer = io.BytesIO()
    torch.save({_ABOUT: json.dumps(dict(about)), **tensors}, buffer)
    try:
        replace_file(file, buffer.getvalue())
    except OSError as error:
        raise OutputError(f"{file}: cannot be written: {error.strerror or error}") from None


def load(file: Path, task: str, remedy: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    """What `save` wrote: the plain values, then the tensors, on the CPU.

    task: what `about["task"]` must say. remedy: what makes the file anew. Raises InputError where
    there is no such file, or where something else lies there.
    """
    import torch

    advice = f"; {remedy}" if remedy else ""
    try:
        found = torch.load(file, map_location="cpu", weights_only=True)
        about = json.loads(found.pop(_ABOUT))
        known = about.get("task")
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror or error}{advice}") from None
    except Exception as error:  # a spoilt or hostile file may raise anything
        raise InputError(
            f"{file}: holds no weights that can be read safely ({type(error).__name__}); expected "
            f"what a training of {task} left{advice}"
        ) from None
    if known != task:
        raise InputError(f"{file}: expected weights of {task}, got weights of {known}{advice}")
    return about, found


def restore(network: Any, state: Mapping[str, Tensor], file: Path, remedy: str = "") -> None:
    """Put saved tensors into a network; InputError where they are those of another one."""
    try:
        network.load_state_dict(state)
    except (RuntimeError, TypeError, AttributeError) as error:
        said = str(error).splitlines()[0]
        advice = f"; {remedy}" if remedy else ""
        raise InputError(f"{file}: its weights do not fit its network: {said}{advice}") from None
