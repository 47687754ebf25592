"""`vqc convert`: STEP to STL and GLB."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vqc.cli import show


def convert(
    step: Annotated[list[Path], typer.Argument(help="STEP files, or folders of them.")],
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("renders/meshes"),
) -> None:
    """Convert STEP files to STL, and to GLB with colours."""
