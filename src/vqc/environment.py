"""What a training ran on: out comes the content of its environment.json, versions and machine.

Nothing in it says who or where: no host name, no user name, no path.
"""

from __future__ import annotations

import math
import os
import platform
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from vqc import __version__

PACKAGES = ("torch", "torchvision", "ultralytics", "numpy", "opencv-python", "pillow")
"""Those whose version can change what a training gives."""
GIT_SECONDS = 20.0


def describe() -> dict[str, Any]:
    """Versions and machine as plain JSON values; None for what cannot be told. Imports torch."""
    memory = memory_gb()
    return {
        "vqc": __version__,
        "git": checkout(Path(__file__).parents[2]),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: installed_version(name) for name in PACKAGES},
        "cpu": cpu_model(),
        "cpu_cores": cpu_cores(),
        "memory_gb": None if math.isnan(memory) else round(memory, 1),
        **torch_facts(),
    }


def torch_facts() -> dict[str, Any]:
    """Threads and GPUs of this process.

    gpus: how many torch sees, what nvidia-smi calls all there are, and the CUDA that torch was
    built for; None where torch sees no GPU. CUDA is not started: a training still chooses its
    device, and its workers still fork.
    """
    import torch

    threads = {"torch": torch.get_num_threads(), "OMP_NUM_THREADS": os.getenv("OMP_NUM_THREADS")}
    visible = torch.cuda.device_count()
    if not visible:
        return {"threads": threads, "gpus": None}
    found = [line.rpartition(", ") for line in find_gpus()]
    gpus = {
        "visible": visible,
        "names": [name for name, _, _ in found],
        "driver": found[0][2] if found else None,
        "cuda": torch.version.cuda,
    }
    return {"threads": threads, "gpus": gpus}


def checkout(root: Path) -> dict[str, Any] | None:
    """Commit of the checkout at `root`, and whether its code differs; None without one."""
    if not (root / ".git").exists():
        return None
    commit = _git(root, "rev-parse", "HEAD")
    changes = _git(root, "status", "--porcelain", "--", "src")
    if commit is None or changes is None:
        return None
    return {"commit": commit, "dirty": bool(changes)}


def _git(root: Path, *arguments: str) -> str | None:
    # Without locks: git status would otherwise write its index into the checkout.
    command: Sequence[str] = ("git", "--no-optional-locks", "-C", str(root), *arguments)
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=GIT_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def installed_version(name: str) -> str | None:
    """The version of a package; None where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def cpu_model() -> str:
    """The processor's name, or the architecture where it has none."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.machine()


def cpu_cores() -> int:
    """Cores that this process may use; under Slurm those that were asked for, bound or not."""
    has_affinity = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    granted = os.environ.get("SLURM_CPUS_PER_TASK", "")
    return max(1, min(cores, int(granted))) if granted.isdigit() else cores


def memory_gb() -> float:
    """The machine's memory in GB; NaN where it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, OSError, ValueError):
        return math.nan


def find_gpus() -> list[str]:
    """Name, memory and driver of each NVIDIA GPU, as nvidia-smi gives them."""
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]
