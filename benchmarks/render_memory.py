"""Memory of one process that makes 5,000 frames: it must not grow after the first 500."""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from vqc.asked import Request, resolve
from vqc.frames import FrameMaker, Job
from vqc.generate import prepare

PART = Path(__file__).parent.parent / "cad_models" / "quadrupole_qf.step"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=5000)
    count = parser.parse_args().frames
    request = Request((PART,), views=count, picture={"masks": True})
    recipe, paths = resolve(request)
    with tempfile.TemporaryDirectory(prefix="vqc-bench-") as name:
        plan, _ = prepare(recipe, paths, Path(name), workers=1)
        make = FrameMaker(replace(plan, threads=2))
        started, base = time.perf_counter(), 0.0
        for index, angles in enumerate(recipe.all_angles(), start=1):
            make(Job(0, index - 1, angles))
            if index == 500:
                base = resident_mb()
            if index % 500 == 0:
                rate = index / (time.perf_counter() - started)
                now = resident_mb()
                print(
                    f"{index:6} frames  {now:7.1f} MB  {now / base - 1:+6.2%}  {rate:5.1f} frames/s"
                )


def resident_mb() -> float:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))


if __name__ == "__main__":
    main()
