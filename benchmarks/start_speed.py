"""`vqc --help` against a bare Typer app with one command: the price of our imports."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

BARE = "import typer\napp = typer.Typer()\n@app.command()\ndef hello(): pass\napp()"
OURS = "from vqc.cli import main; main()"


def main(rounds: int = 15) -> None:
    seconds: dict[str, list[float]] = {"bare": [], "vqc": []}
    for _ in range(rounds):
        for key, code in (("bare", BARE), ("vqc", OURS)):
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", code, "--help"], check=True, capture_output=True)
            seconds[key].append(time.perf_counter() - started)
    bare, ours = (statistics.median(seconds[key]) for key in ("bare", "vqc"))
    print(f"bare Typer {bare:.3f} s, vqc {ours:.3f} s, difference {ours - bare:+.3f} s")


if __name__ == "__main__":
    main()
