"""Where a frame's time goes: CPU milliseconds of one thread, with one and with 2×2 samples."""

from __future__ import annotations

import os

os.environ["LP_NUM_THREADS"] = "1"  # read when OpenGL starts

import cProfile
import pstats
import tempfile
import time
from pathlib import Path

from vqc.asked import Request, resolve
from vqc.frames import FrameMaker, Job
from vqc.generate import prepare

PART = Path(__file__).parent.parent / "cad_models" / "quadrupole_qf.step"
FRAMES = 40


def main() -> None:
    print(f"{PART.name}, 1024x768, {FRAMES} views")
    print(f"{'--aa':>5} {'drawing':>8} {'other layers':>13} {'label, files':>13} {'frame':>6}")
    for aa in (1, 2):
        recipe, paths = resolve(Request((PART,), views=FRAMES + 1, picture={"aa": aa}))
        with tempfile.TemporaryDirectory(prefix="vqc-bench-") as folder:
            plan, _ = prepare(recipe, paths, Path(folder), workers=1)
            make, angles = FrameMaker(plan), recipe.all_angles()
            make(Job(0, 0, angles[0]))  # opens the window
            profile = cProfile.Profile(time.process_time)
            profile.enable()
            for index in range(1, FRAMES + 1):
                make(Job(0, index, angles[index]))
            profile.disable()
        drawing, layers, frame = (spent(profile, n) for n in ("'Render'", "layers", "__call__"))
        print(f"{aa:5} {drawing:8.1f} {layers - drawing:13.1f} {frame - layers:13.1f} {frame:6.1f}")


def spent(profile: cProfile.Profile, name: str) -> float:
    """Milliseconds a frame in one of our functions or VTK's methods, all that it calls included."""
    rows = pstats.Stats(profile).stats.items()  # type: ignore[attr-defined]
    seconds = [row[3] for (file, _, function), row in rows if named(file, function, name)]
    return max(seconds) / FRAMES * 1e3


def named(file: str, function: str, name: str) -> bool:
    return name in function if name.startswith("'") else function == name and "vqc" in file


if __name__ == "__main__":
    main()
