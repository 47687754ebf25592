"""Frames per second of `vqc render` against a naive PyVista loop and a moderngl loop.

Same mesh, same 1024×768 views, image and label on disk, whole processes, run in turn.
The slope between two numbers of views gives the cost of a frame without the start.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from vqc.cad import MeshSettings, convert, read_step
from vqc.render.mesh import join, of_instances
from vqc.scene import LabelRules, build_scene

HERE = Path(__file__).parent
PART = HERE.parent / "cad_models" / "quadrupole_qf.step"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--views", type=int, default=240)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--triangles", type=int, default=50_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vqc-bench-") as name:
        scratch = Path(name)
        settings, triangles = mesh_with(options.triangles)
        convert([PART], scratch / "mesh", settings)
        save_arrays(settings, scratch / "mesh.npz")
        print(f"{PART.name}: {triangles:,} triangles, {options.views} views of 1024x768")
        candidates = commands(scratch, settings, options.views)
        seconds: dict[str, list[float]] = {key: [] for key in candidates}
        for _ in range(options.rounds):
            for key, command in candidates.items():
                seconds[key].append(timed(command, scratch / "out"))
        report({k: statistics.median(v) for k, v in seconds.items()}, options.views)


def mesh_with(target: int) -> tuple[MeshSettings, int]:
    """The settings that give the number of triangles nearest to the target."""
    found = []
    for deflection in (2e-3, 1e-3, 5e-4, 2e-4, 1e-4, 5e-5, 2e-5, 1e-5):
        for angle in (60.0, 45.0, 30.0, 20.0, 10.0, 5.0):
            settings = MeshSettings(deflection, angle)
            parts = read_step(PART, settings).parts
            found.append((settings, sum(len(p.faces) * len(p.placements) for p in parts)))
    return min(found, key=lambda pair: abs(pair[1] - target))


def save_arrays(settings: MeshSettings, path: Path) -> None:
    scene = build_scene(read_step(PART, settings), "part", LabelRules()).scene
    mesh = join(of_instances(scene))
    np.savez(path, vertices=mesh.vertices, normals=mesh.normals, rgb=mesh.rgb, faces=mesh.faces)


def commands(
    scratch: Path, settings: MeshSettings, views: int
) -> dict[str, Callable[[Path], list[str]]]:
    python, stl = sys.executable, str(scratch / "mesh" / f"{PART.stem}.stl")

    def vqc(aa: int, jobs: int) -> Callable[[Path], list[str]]:
        fixed = ["--deflection", str(settings.deflection), "--angle-deg", str(settings.angle_deg)]
        fixed += ["--step", str(PART), "--views", str(views), "--quiet"]
        return lambda out: [
            python, "-c", "from vqc.cli import main; main()", "render", *fixed,
            "--aa", str(aa), "--jobs", str(jobs), "--out", str(out),
        ]  # fmt: skip

    def moderngl(aa: int) -> Callable[[Path], list[str]]:
        script, arrays = str(HERE / "moderngl_loop.py"), str(scratch / "mesh.npz")
        return lambda out: [python, script, arrays, str(out), str(views), str(aa)]

    cores = len(os.sched_getaffinity(0))
    return {
        "naive": lambda out: [python, str(HERE / "naive_loop.py"), stl, str(out), str(views)],
        "vqc --aa 1": vqc(1, cores),
        "vqc --aa 2 (default)": vqc(2, cores),
        "vqc --aa 1, one process": vqc(1, 1),
        "vqc --aa 2, one process": vqc(2, 1),
        "moderngl, 1 sample": moderngl(1),
        "moderngl, 2x2 samples": moderngl(2),
    }


def timed(command: Callable[[Path], list[str]], out: Path) -> float:
    shutil.rmtree(out, ignore_errors=True)
    started = time.perf_counter()
    subprocess.run(command(out), check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def report(seconds: dict[str, float], views: int) -> None:
    print(f"{'':26} {'s':>7} {'frames/s':>9} {'x naive':>8}")
    for key, value in seconds.items():
        print(f"{key:26} {value:7.2f} {views / value:9.1f} {seconds['naive'] / value:8.1f}")
    for aa, name in ((1, "moderngl, 1 sample"), (2, "moderngl, 2x2 samples")):
        ratio = seconds[f"vqc --aa {aa}, one process"] / seconds[name]
        print(f"vqc --aa {aa}, one process, takes {ratio:.2f} times the time of {name}")


if __name__ == "__main__":
    main()
