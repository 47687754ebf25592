"""Memory and rate over time of one long `vqc render`, with all its processes.

    python benchmarks/long_run.py FOLDER [--count 20000] [--every 120] --step FOLDER --look bench

What it does not know goes to `vqc render`. Frames are counted by their records, memory is the
proportional set size (what processes share counts once). Stopped, the same command goes on.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import psutil

from vqc import store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--every", type=float, default=120.0, help="seconds")
    options, more = parser.parse_known_args()
    command = ["render", *more, "--count", str(options.count)]
    command += ["--name", options.folder.name, "--out", str(options.folder.parent), "--quiet"]
    started, before, then = time.monotonic(), frames_in(options.folder), time.monotonic()
    print("minutes", "frames", "frames/s", "MB command", "MB workers", sep="\t", flush=True)
    with subprocess.Popen([sys.executable, "-m", "vqc", *command]) as process:
        while process.poll() is None:
            parent, workers = memory_mb(process.pid)
            try:
                process.wait(options.every)
            except subprocess.TimeoutExpired:
                parent, workers = memory_mb(process.pid)
            now, frames = time.monotonic(), frames_in(options.folder)
            rate = (frames - before) / (now - then)
            row = f"{(now - started) / 60:.1f}", frames, f"{rate:.1f}", f"{parent:.0f}"
            print(*row, f"{workers:.0f}", sep="\t", flush=True)
            before, then = frames, now
    sys.exit(process.returncode)


def frames_in(folder: Path) -> int:
    """Frames that are recorded."""
    return len(store.records_of(folder)) if folder.is_dir() else 0


def memory_mb(pid: int) -> tuple[float, float]:
    """Of the command, and of all processes below it."""
    try:
        command = psutil.Process(pid)
        return pss_mb(command), sum(map(pss_mb, command.children(recursive=True)))
    except psutil.NoSuchProcess:
        return 0.0, 0.0


def pss_mb(process: psutil.Process) -> float:
    """0 of one that has ended."""
    try:
        size: int = process.memory_full_info().pss
    except psutil.NoSuchProcess:
        return 0.0
    return size / 2**20


if __name__ == "__main__":
    main()
