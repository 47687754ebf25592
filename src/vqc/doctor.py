"""What this machine offers and what it lacks: in comes nothing, out come findings.

Whatever can crash, hang or take long (OpenGL, EGL, compiled libraries, torch) is asked in a
child process, so that a broken driver costs one line of the answer.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vqc import __version__
from vqc.environment import cpu_cores, find_gpus, installed_version, memory_gb
from vqc.errors import InputError

if TYPE_CHECKING:
    from vqc.render.devices import EglDevice, Trial

SYSTEM_LIBRARIES = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libgthread-2.0.so.0": "libglib2.0-0",
}
"""Loaded by OCP, OpenCV and VTK: file → Debian and Ubuntu package; scripts/setup.sh has it too."""

PACKAGES = (
    *("vtk", "pyvista", "cadquery-ocp", "cadquery", "trimesh", "numpy", "opencv-python"),
    *("torch", "torchvision", "ultralytics"),
)
COMPILED = ("OCP.gp", "vtkmodules.vtkRenderingOpenGL2", "cv2")
INSTALL = "bash scripts/setup.sh, or: pip install -c constraints.txt ."
PROBE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the answer.

    ok: True where it serves, False where something must be done, None where it only informs.
    remedy: how to get what is missing, or better; None where there is nothing to do.
    """

    name: str
    value: str
    ok: bool | None = None
    remedy: str | None = None


def examine() -> list[Finding]:
    """Look at everything that vqc depends on; takes a few seconds, raises nothing."""
    probes = ("probe_imports", "probe_gl", "probe_egl", "probe_torch")
    with ThreadPoolExecutor() as pool:
        answers = pool.map(lambda name: ask_child(f"vqc.doctor:{name}"), probes)
        gpus = find_gpus()
        missing = missing_libraries(SYSTEM_LIBRARIES)
        imports, gl, egl, torch = answers
    return [
        on_platform(platform.system(), platform.machine()),
        Finding("Python", f"{platform.python_version()} ({sys.prefix})", True),
        Finding("vqc", __version__, True),
        Finding("CPU cores", str(cpu_cores()), True),
        on_room("memory", memory_gb(), 4.0, "try fewer --jobs, or a machine with 4 GB or more"),
        on_room("free disk", shutil.disk_usage(".").free / 1e9, 2.0, "free 2 GB, or use --out"),
        *(on_package(name) for name in PACKAGES),
        on_libraries(missing),
        on_imports(imports),
        on_gl(gl, gpus),
        on_egl(egl),
        Finding("GPUs", "; ".join(gpus) or "none found (nvidia-smi); the CPU does it all"),
        on_torch(torch, gpus),
        on_weights(Path(os.environ.get("VQC_WEIGHTS") or "weights")),
        on_cache(),
    ]


def healthy(findings: Iterable[Finding]) -> bool:
    """Whether everything that vqc needs is there."""
    return all(finding.ok is not False for finding in findings)


# What each device draws


def try_devices(devices: Iterable[EglDevice], seconds: float = PROBE_SECONDS) -> list[Trial]:
    """Let each device draw, one after the other, each in a child process with a time limit."""
    from vqc.render.devices import judge

    trials = []
    for device in devices:
        # Told only the default, VTK goes on to the next device where that one does not open:
        # a dead GPU would pass, drawn by another. VTK_EGL_DEVICE_INDEX leaves it no choice.
        only = {
            "VTK_DEFAULT_OPENGL_WINDOW": "vtkEGLRenderWindow",
            "VTK_DEFAULT_EGL_DEVICE_INDEX": str(device.index),
            "VTK_EGL_DEVICE_INDEX": str(device.index),
        }
        trials.append(judge(device, ask_child("vqc.render.devices:trial", seconds, only)))
    return trials


def unmatched(devices: Sequence[EglDevice], visible: str | None) -> str | None:
    """Which GPUs of CUDA_VISIBLE_DEVICES are not among EGL's devices; None where all are.

    devices, visible: see `gpus_to_use`.
    """
    from vqc.render.devices import DRIVER_GL, gpus_to_use, named_gpus

    try:
        found = gpus_to_use(devices, visible)
    except InputError as error:
        return str(error)
    if found or not named_gpus(visible):
        return None
    return (
        f"CUDA_VISIBLE_DEVICES={visible}: expected an EGL device for each GPU in it, got none: "
        f"either there is no such GPU here, or EGL does not find it ({DRIVER_GL})"
    )


# What was found, in words


def on_platform(system: str, machine: str) -> Finding:
    if system == "Linux":
        return Finding("platform", f"Linux {machine}, {_distribution()}", True)
    remedy = "vqc is made for Linux: use WSL 2 on Windows, a container or a Linux machine elsewhere"
    return Finding("platform", f"{system} {machine}", False, remedy)


def on_room(name: str, gigabytes: float, needed: float, remedy: str) -> Finding:
    enough = not gigabytes < needed  # true for NaN: unknown is no fault
    return Finding(name, f"{gigabytes:.1f} GB", enough, None if enough else remedy)


def on_package(name: str) -> Finding:
    version = installed_version(name)
    if version is None:
        return Finding(name, "not installed", False, INSTALL)
    return Finding(name, version, True)


def on_libraries(missing: Sequence[str]) -> Finding:
    if not missing:
        return Finding("system libraries", ", ".join(SYSTEM_LIBRARIES), True)
    packages = " ".join(SYSTEM_LIBRARIES[name] for name in missing)
    remedy = f"Debian, Ubuntu: apt-get install -y --no-install-recommends {packages} (as root)"
    return Finding("system libraries", "missing: " + ", ".join(missing), False, remedy)


def on_imports(answer: dict[str, Any]) -> Finding:
    if "error" in answer:
        return Finding("compiled libraries", answer["error"], False, INSTALL)
    faults = [f"{name}: {fault}" for name, fault in answer.items() if fault]
    if faults:
        remedy = "install the system libraries above; if none is missing: " + INSTALL
        return Finding("compiled libraries", "; ".join(faults), False, remedy)
    return Finding("compiled libraries", ", ".join(answer) + " load", True)


def on_gl(answer: dict[str, Any], gpus: Sequence[str]) -> Finding:
    if "error" in answer:
        remedy = "libegl1 and libgl1-mesa-dri render without a display (OSMesa: libosmesa6)"
        return Finding("OpenGL", answer["error"], False, remedy)
    value = f"{answer['system']}: {answer['renderer']}, OpenGL {answer['version']}"
    from vqc.render.devices import DRIVER_GL, is_software  # it loads: it has just drawn

    if not (gpus and is_software(answer["renderer"])):
        return Finding("OpenGL", value, True)
    remedy = (
        f"a GPU is here and OpenGL does not use it: {DRIVER_GL}; VTK_DEFAULT_EGL_DEVICE_INDEX "
        "picks a device, `vqc doctor --gpu` tries each"
    )
    return Finding("OpenGL", value + " (software)", None, remedy)


def on_egl(answer: dict[str, Any]) -> Finding:
    if "error" in answer:
        return Finding("EGL devices", answer["error"], None, "apt-get install libegl1 (as root)")
    named = [
        f"{d['index']}: " + (d["name"] if d["cuda"] is None else f"CUDA {d['cuda']}")
        for d in answer["devices"]
    ]
    return Finding("EGL devices", "; ".join(named) or "none")


def on_torch(answer: dict[str, Any], gpus: Sequence[str]) -> Finding:
    if "error" in answer:
        remedy = "torch and torchvision must be a pair: " + INSTALL
        return Finding("torch device", answer["error"], False, remedy)
    if answer["devices"]:
        return Finding("torch device", "cuda: " + "; ".join(answer["devices"]), True)
    if not gpus:
        fast = ", computes in bfloat16 (vqc train --set amp=bf16)" if answer["bf16"] else ""
        return Finding("torch device", f"cpu{fast}", True)
    remedy = f"a GPU is here and torch (CUDA {answer['cuda']}) does not see it: update its driver"
    return Finding("torch device", "cpu", None, remedy)


def on_weights(folder: Path) -> Finding:
    count = len(list(folder.glob("*.pt"))) if folder.is_dir() else 0
    remedy = None if count else "put YOLO weights (*.pt) there, or name their folder by VQC_WEIGHTS"
    return Finding("weights", f"{count} in {folder}{os.sep}", None, remedy)


def on_cache() -> Finding:
    try:
        from vqc.cad import cache
    except ImportError as error:
        return Finding("mesh cache", f"unknown: {error}")
    return Finding("mesh cache", f"{cache.folder()} (VQC_CACHE names another place)")


# What is there


def missing_libraries(names: Iterable[str]) -> list[str]:
    """Those shared libraries that the loader cannot open."""
    missing = []
    for name in names:
        try:
            ctypes.CDLL(name)
        except OSError:
            missing.append(name)
    return missing


def ask_child(
    target: str, seconds: float = PROBE_SECONDS, more: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Call "module:function" in a new Python and return its dictionary.

    more: what to add to the environment.
    A crash, a hang or an exception comes back as {"error": one line}.
    """
    module, function = target.split(":")
    code = f"import json, {module} as m; print(); print(json.dumps(m.{function}()))"
    path = {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    environment = {**os.environ, **path, **(more or {})}
    command = [sys.executable, "-c", code]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        return {"error": f"no answer within {seconds:g} s"}
    if done.returncode < 0:
        return {"error": f"crashed (signal {-done.returncode})"}
    if done.returncode > 0:
        return {"error": (done.stderr.strip().splitlines() or ["failed without a word"])[-1]}
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def probe_imports() -> dict[str, str | None]:
    """Each compiled library, and why it does not load (None: it does)."""
    faults: dict[str, str | None] = {}
    for name in COMPILED:
        try:
            importlib.import_module(name)
            faults[name] = None
        except ImportError as error:
            faults[name] = str(error).splitlines()[0]
    return faults


def probe_gl() -> dict[str, str]:
    """Open the window that the renderer would, and say what draws in it."""
    from vqc.render.canvas import Canvas

    canvas = Canvas(16, 16, (255, 255, 255))
    said = canvas.capabilities
    system = "EGL" if "EGL version string" in said else "OSMesa or X"
    return {
        "system": system,
        "renderer": canvas.renderer,
        "version": said["OpenGL version string"],
    }


def probe_egl() -> dict[str, Any]:
    """EGL's devices in its order."""
    from vqc.render.devices import egl_devices

    return {"devices": [asdict(device) for device in egl_devices()]}


def probe_torch() -> dict[str, Any]:
    """torch's CUDA version and devices; raises where torch and torchvision are no pair.

    bf16: whether the processor computes in bfloat16 itself, rather than torch imitating it.
    """
    import torch
    import torchvision  # noqa: F401  (registers its operators, or fails to)

    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    is_there = torch.cuda.is_available()
    bf16 = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return {"cuda": torch.version.cuda, "devices": names if is_there else [], "bf16": bf16}


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "unknown distribution")
    except OSError:
        return "unknown distribution"
