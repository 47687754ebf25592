"""Frames a second by processes, what a shard costs beside its frames, a model of many nodes.

    python benchmarks/scaling.py [--frames 400] [--folder FOLDER] [--processes 1,2]

Measured: whole commands with so many processes; the start of a shard (one that has nothing to
do); merging; writing the files of a frame in FOLDER (name the shared file system of a cluster).
The model then says how long --total frames take on 1 to 64 nodes of --cores processes each, if
the scheduler takes --delay seconds to start a shard, and what the limit is.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from vqc.files import replace_file

SIZE = "640x480"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--step", type=Path, default=Path(__file__).parent.parent / "cad_models")
    parser.add_argument("--look", default="bench")
    parser.add_argument("--frames", type=int, default=400)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--processes", default="1,2")
    parser.add_argument("--total", type=int, default=200_000)
    parser.add_argument("--cores", type=int, default=32)
    parser.add_argument("--delay", type=float, default=30.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vqc-scaling-", dir=options.folder) as folder:
        measure(options, Path(folder))


def measure(options: argparse.Namespace, folder: Path) -> None:
    base = ["render", "--step", str(options.step), "--look", options.look, "--size", SIZE]
    base += ["--count", str(options.frames), "--quiet"]
    start = 0.0
    rates: dict[int, float] = {}
    for count in map(int, options.processes.split(",")):
        name = f"with-{count}"
        command = [*base, "--name", name, "--jobs", str(count), "--out", str(folder)]
        first = seconds_of([*command, "--shard", f"1/{options.frames}"])
        whole = seconds_of([*command, "--shard", "1/1"])
        start = seconds_of([*command, "--shard", f"1/{options.frames}"])
        rates[count] = (options.frames - 1) / max(whole - first, 1e-9)
        print(f"{count} processes: {rates[count]:.1f} frames/s, the first after {first:.1f} s")
    one = min(rates)
    merge = seconds_of(["merge", str(folder / name), "--quiet"])
    each = merge / options.frames
    written = files_of_a_frame(folder)
    print(f"start of a shard that has nothing to do: {start:.1f} s")
    print(f"merging: {merge:.1f} s, {each * 1e3:.1f} ms a frame (with {start:.1f} s of start)")
    print(
        f"writing the files of a frame: {written * 1e3:.2f} ms, {1 / written:,.0f} frames a second"
    )
    model(options, rates[one] / one, first, max(merge - start, 0) / options.frames, written)


def seconds_of(command: list[str]) -> float:
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "vqc", *command], check=True)
    return time.monotonic() - began


def files_of_a_frame(folder: Path) -> float:
    """Seconds for an image of 60 kB and a label, as workers write them; median of five rounds."""
    image, label, rounds = b"x" * 60_000, b"0 0.5 0.5 0.1 0.1\n", []
    for number in range(5):
        began = time.monotonic()
        for index in range(200):
            replace_file(folder / f"files/{number}/{index}.jpg", image, folder / "scratch")
            replace_file(folder / f"labels/{number}/{index}.txt", label, folder / "scratch")
        rounds.append((time.monotonic() - began) / 200)
    return sorted(rounds)[2]


def model(
    options: argparse.Namespace, rate: float, first: float, merge: float, written: float
) -> None:
    """Time = delay + start + frames of a node at its rate + merging, which one process does."""
    print(f"\nmodel: {options.total:,} frames, nodes of {options.cores} processes")
    print("nodes\thours\tframes/s\tefficiency\tlimit")
    alone = None
    for nodes in (1, 2, 4, 8, 16, 32, 64):
        wanted = nodes * options.cores * rate
        possible = min(wanted, 1 / written)
        draw, fixed, serial = options.total / possible, options.delay + first, merge * options.total
        seconds = fixed + draw + serial
        alone = alone or seconds
        parts = {"drawing": draw, "start and queue": fixed, "merging": serial}
        limit = max(parts, key=lambda part: parts[part])
        if limit == "drawing" and possible < wanted:
            limit = "the file system"
        print(
            f"{nodes}\t{seconds / 3600:.2f}\t{options.total / seconds:.0f}\t"
            f"{alone / seconds / nodes:.2f}\t{limit}"
        )


if __name__ == "__main__":
    main()
