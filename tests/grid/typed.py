"""A command as its user types it, in this process."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

from vqc.cli import main


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


def typed(capsys, *words) -> Said:
    """What `vqc WORDS` prints, and its exit code; a traceback would be an error of the test."""
    capsys.readouterr()
    code = 0
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", ["vqc", *map(str, words)])
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    found = capsys.readouterr()
    return Said(code, found.out, found.err)
