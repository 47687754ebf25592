"""What many tests share: a private cache, small STEP files made on the spot, real data."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from commands import REAL, run_vqc

# Triton, which torch loads on occasion, and Mesa's software OpenGL each bring an LLVM of their
# own; in one process, as here where every test may run in any worker, the two crash. Nothing
# tested here needs Triton.
sys.modules["triton"] = None  # type: ignore[assignment]


@pytest.fixture(scope="session", autouse=True)
def private_cache(tmp_path_factory):
    """No test reads or writes the user's own cache."""
    os.environ["VQC_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def real_steps():
    """The folder of STEP files by other people."""
    folder = REAL / "step"
    if not folder.is_dir():
        pytest.skip(f"real STEP files are not here: {folder}")
    return folder


@pytest.fixture(scope="session")
def steps(tmp_path_factory):
    """Folder with three small coloured STEP files: ball, block and a two-part pair."""
    folder = tmp_path_factory.mktemp("steps")
    code = f"""
import cadquery as cq
ball = cq.Assembly(name="ball").add(cq.Workplane().sphere(5), name="body", color=cq.Color("red"))
ball.export({str(folder / "ball.step")!r})
block = cq.Workplane().box(10, 20, 30).edges("|Z").fillet(2)
cq.Assembly(name="block").add(block, name="body", color=cq.Color("blue")).export(
    {str(folder / "block.step")!r})
pair = cq.Assembly(name="pair")
pair.add(cq.Workplane().box(20, 20, 4), name="plate", color=cq.Color("gray"))
for k, x in enumerate((-6, 6)):
    pair.add(cq.Workplane().circle(2).extrude(8), name=f"pin{{k}}", loc=cq.Location((x, 0, 2)),
             color=cq.Color("green"))
pair.export({str(folder / "pair.step")!r})
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    return folder


@pytest.fixture
def vqc(tmp_path):
    """`vqc(*arguments, check=0)` in a folder of its own."""

    def run(*arguments, check=None, cwd=tmp_path, **options):
        return run_vqc(*arguments, cwd=cwd, check=check, **options)

    return run
