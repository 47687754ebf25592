"""The command as its user runs it, and where other people's data lies."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REAL = Path(__file__).parent.parent.parent / "shared" / "data"


def run_vqc(*arguments, cwd, check=None, **options):
    """The command as its user runs it."""
    done = subprocess.run(
        [sys.executable, "-c", "from vqc.cli import main; main()", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "160"},
        timeout=300,
        **options,
    )
    if check is not None:
        assert done.returncode == check, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done
