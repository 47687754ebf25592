"""A small set that is rendered again and again, in whatever way, to the same bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

SMALL = ("--size", "160x120", "--quiet")


def digest(folder: Path) -> dict[str, str]:
    """Hash of every file of a set, by name."""
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def asked(steps, *more):
    return ("--step", steps / "ball.step", "--step", steps / "block.step", "--name", "set",
            "--views", 40, *SMALL, *more)  # fmt: skip
