"""Frames a second of the shipped looks, and where the time of a frame goes.

    python benchmarks/look_speed.py [--step cad_models] [--backgrounds FOLDER] [--frames 200]

Frames of 640×480 with masks. First whole commands, `vqc render` with all its processes, each look
in turn with a plain sweep; then one thread on its own, in milliseconds of CPU by step.
"""

from __future__ import annotations

import os

os.environ["LP_NUM_THREADS"] = "0"  # all of OpenGL in the calling thread; read when it starts

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vqc import asked, frames, generate
from vqc.look.reading import SHIPPED
from vqc.render.canvas import Canvas

ROUNDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--step", type=Path, default=Path(__file__).parent.parent / "cad_models")
    parser.add_argument("--backgrounds", type=Path)
    parser.add_argument("--frames", type=int, default=200)
    options = parser.parse_args()
    command = [sys.executable, "-m", "vqc", "render", "--step", str(options.step)]
    command += ["--size", "640x480", "--masks", "--quiet", "--name", "set"]
    looks = {"plain": ["--views", str(options.frames // 4)]}
    for name in SHIPPED:
        looks[name] = ["--look", name, "--count", str(options.frames)]
        if options.backgrounds:
            looks[name] += ["--backgrounds", str(options.backgrounds)]
    rates: dict[str, list[float]] = {name: [] for name in looks}
    for _ in range(ROUNDS):
        for name, more in looks.items():
            rates[name].append(whole_command([*command, *more]))
    for name, found in rates.items():
        print(f"{name:10} {statistics.median(found):6.1f} frames a second, start included")
    for name in SHIPPED:
        print_steps(name, options)


def whole_command(command: list[str]) -> float:
    """Frames a second of one command."""
    environment = {k: v for k, v in os.environ.items() if k != "LP_NUM_THREADS"}
    with tempfile.TemporaryDirectory(prefix="vqc-bench-") as folder:
        started = time.monotonic()
        subprocess.run([*command, "--out", folder], check=True, env=environment)
        seconds = time.monotonic() - started
        return (len((Path(folder) / "set/manifest.jsonl").read_text().splitlines()) - 1) / seconds


def print_steps(look: str, options: argparse.Namespace) -> None:
    """CPU milliseconds of one thread by step of a frame."""
    request = asked.Request(
        (options.step,),
        look=look,
        count=options.frames,
        name="set",
        backgrounds=(options.backgrounds,) if options.backgrounds else (),
        picture={"size": "640x480", "masks": True},
    )
    recipe, paths = asked.resolve(request)
    with tempfile.TemporaryDirectory(prefix="vqc-bench-") as folder:
        plan, _ = generate.prepare(recipe, paths, Path(folder), workers=1)
        studio = frames.open_studio(plan)
        spent: Counter[str] = Counter()
        Canvas.draw = timed(Canvas.draw, spent, layer_of)  # type: ignore[method-assign]
        assert recipe.look is not None
        count = min(options.frames, 60)
        for index in range(-8, count):
            if index == 0:
                spent.clear()
                started = time.thread_time()
            before = time.thread_time()
            shot = studio.draw(recipe.look.look, index % len(recipe.sources), max(index, 0))
            spent["drawing lots"] += time.thread_time() - before
            before = time.thread_time()
            light, _ = studio.light(shot)
            spent["light and labels"] += time.thread_time() - before
            frames.sensor.compress(frames.sensor.expose(light, shot.sensor), 90)
        total = time.thread_time() - started
        spent["sensor and JPEG"] = total - spent["drawing lots"] - spent["light and labels"]
        print(f"{look}: {total / count * 1e3:.0f} ms a frame")
        for name, seconds in sorted(spent.items(), key=lambda item: -item[1]):
            print(f"  {name:28} {seconds / count * 1e3:6.1f}")


def layer_of(tiles: Any) -> str:
    first = tiles[0].layer.split()[0]
    return {
        "lit": "  of it: shaded surfaces",
        "ids": "  of it: ids, and the shadow map",
        "flat": "  of it: shadows on the ground",
        "alone": "  of it: silhouettes",
    }.get(first, f"  of it: {first}")


def timed(
    method: Callable[..., Any], spent: Counter[str], name: Callable[[Any], str]
) -> Callable[..., Any]:
    """The method, whose time is added under the name that its first argument has."""

    def call(self: Any, tiles: Any, *arguments: Any) -> Any:
        before = time.thread_time()
        result = method(self, tiles, *arguments)
        if tiles:
            spent[name(tiles)] += time.thread_time() - before
        return result

    return call


if __name__ == "__main__":
    main()
