"""Which GPU a render process draws on: EGL's devices and CUDA_VISIBLE_DEVICES → EGL indices.

EGL and CUDA number the same GPUs in orders of their own, and no GL library reads
CUDA_VISIBLE_DEVICES: who draws with EGL must translate. Nothing here opens an EGL context but
`trial`, which is meant for a child process.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vqc.errors import InputError
from vqc.geometry import distance_for_fill, intrinsics_from_fov
from vqc.render import Renderer
from vqc.types import CameraPose, Instance, Part, Scene, View

EGL_EXTENSIONS, EGL_DRM_DEVICE_FILE, EGL_CUDA_DEVICE = 0x3055, 0x3233, 0x323A
PROBE_SECONDS = 60.0

TRIAL_SIZE = (640, 480)
TRIAL_FILL = 0.8
TRIAL_WARM_UP, TRIAL_FRAMES = 3, 20
DRAWN_ENOUGH = 0.02
"""By how much of it the sphere's area in the picture may differ from geometry."""
DRIVER_GL = (
    "install the driver's GL part (libnvidia-gl), in containers set NVIDIA_DRIVER_CAPABILITIES=all"
)


@dataclass(frozen=True, slots=True)
class EglDevice:
    """One device as EGL lists it.

    index: its place in EGL's order, which VTK_DEFAULT_EGL_DEVICE_INDEX takes.
    cuda: its CUDA number (EGL_CUDA_DEVICE_NV); None where it is no GPU that CUDA may use.
    name: its device file, "software", or "?" where it says neither.
    """

    index: int
    cuda: int | None
    name: str


def egl_devices() -> tuple[EglDevice, ...]:
    """EGL's devices in its order. Loads the drivers: better asked by `find_devices`.

    Raises OSError where there is no EGL, or one that cannot list its devices.
    """
    egl = ctypes.CDLL("libEGL.so.1")
    egl.eglGetProcAddress.restype = ctypes.c_void_p
    handle, integer, word = ctypes.c_void_p, ctypes.c_int, ctypes.c_ssize_t

    def function(name: bytes, *kinds: Any) -> Any:  # result first
        address = egl.eglGetProcAddress(name)
        if not address:
            raise OSError(f"libEGL.so.1 has no {name.decode()}")
        return ctypes.CFUNCTYPE(*kinds)(address)

    query = function(b"eglQueryDevicesEXT", integer, integer, handle, handle)
    number = function(b"eglQueryDeviceAttribEXT", integer, handle, integer, handle)
    text = function(b"eglQueryDeviceStringEXT", ctypes.c_char_p, handle, integer)
    devices, count, value = (handle * 64)(), integer(), word()
    if not query(64, devices, ctypes.byref(count)):
        raise OSError("libEGL.so.1 lists no devices")
    found = []
    for index, device in enumerate(devices[: count.value]):
        # The extensions first: a driver was seen to crash when asked for the CUDA number of a
        # GPU that the process may not use, and such a GPU lists none.
        can = (text(device, EGL_EXTENSIONS) or b"").split()
        is_cuda = b"EGL_NV_device_cuda" in can
        has_number = (
            is_cuda and number(device, EGL_CUDA_DEVICE, ctypes.byref(value)) and value.value >= 0
        )
        file = text(device, EGL_DRM_DEVICE_FILE) if b"EGL_EXT_device_drm" in can else None
        other = "software" if b"EGL_MESA_device_software" in can else "?"
        name = file.decode() if file else other
        found.append(EglDevice(index, value.value if has_number else None, name))
    return tuple(found)


def find_devices(seconds: float = PROBE_SECONDS) -> tuple[EglDevice, ...]:
    """EGL's devices, asked in a child process with this one's environment; () where that fails.

    A driver that crashes or hangs costs nothing, and none is loaded here: workers may be forked.
    """
    code = (
        "import dataclasses, json; from vqc.render.devices import egl_devices; "
        "rows = [dataclasses.astuple(d) for d in egl_devices()]; print(); print(json.dumps(rows))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    said = _said([sys.executable, "-c", code], seconds, environment)
    try:
        return tuple(EglDevice(*row) for row in json.loads(said.splitlines()[-1]))
    except (IndexError, TypeError, ValueError):
        return ()


def gpus_to_use(
    devices: Sequence[EglDevice],
    visible: str | None,
    numbers_by_uuid: Callable[[], Mapping[str, int]] | None = None,
) -> tuple[int, ...]:
    """EGL indices of the GPUs that CUDA may use, in the order in which CUDA counts them.

    devices: as listed in a process with this CUDA_VISIBLE_DEVICES.
    visible: the value of CUDA_VISIBLE_DEVICES; None where it is not set.
    numbers_by_uuid: numbers of GPUs and MIG instances by their UUIDs; default `nvidia_smi_numbers`.
    () where nothing is allowed, or where EGL knows no CUDA device at all and so draws in software.
    Raises InputError where an entry cannot be matched with a device.
    """
    # EGL lists the GPUs of the whole machine (or of the cgroup), whatever the variable says. But
    # NVIDIA's driver gives a CUDA number only to those that CUDA may use in this process, and
    # counts them as CUDA does there: from 0, after cgroups and after the variable, so that number
    # k is the variable's k-th entry. RLinf and others report so, of containers that hold 4 of 8
    # GPUs and of CUDA_VISIBLE_DEVICES=3, where the only number is 0; habitat-sim and nvdiffrast
    # rely on it. Then there are as many numbers as entries, and they have one order, be the
    # entries numbers, UUIDs, or numbers from before a cgroup.
    # A driver that ignores the variable gives more numbers than there are entries; they are the
    # machine's own then, as the entries are. Where it gives just as many, both readings name the
    # same GPUs.
    by_number = {d.cuda: d.index for d in reversed(devices) if d.cuda is not None}
    in_order = tuple(by_number[number] for number in sorted(by_number))
    if visible is None or not in_order:
        return in_order
    entries = named_gpus(visible)
    if not entries or len(entries) == len(in_order):
        return in_order if entries else ()
    uuids: Mapping[str, int] = {}
    if not all(entry.isdecimal() for entry in entries):
        uuids = (numbers_by_uuid or nvidia_smi_numbers)()
    numbers = [_number(entry, uuids) for entry in entries]
    lost = [e for e, number in zip(entries, numbers, strict=True) if number not in by_number]
    if lost:
        listed = ", ".join(map(str, sorted(by_number)))
        raise InputError(
            f"CUDA_VISIBLE_DEVICES={visible}: expected an EGL device for each GPU in it, got none "
            f"for {', '.join(lost)}; EGL's devices have the CUDA numbers {listed}. Name GPUs by "
            "these numbers in CUDA_VISIBLE_DEVICES; `vqc doctor --gpu` shows what each one draws"
        )
    return tuple(dict.fromkeys(by_number[n] for n in numbers if n is not None))


def named_gpus(visible: str | None) -> list[str]:
    """What CUDA reads in CUDA_VISIBLE_DEVICES: up to the first entry that hides the rest."""
    entries = []
    for entry in map(str.strip, (visible or "").split(",")):
        if entry in ("", "NoDevFiles") or entry.startswith("-"):
            break
        entries.append(entry)
    return list(dict.fromkeys(entries))


def _number(entry: str, uuids: Mapping[str, int]) -> int | None:
    """The machine's number of an entry; CUDA takes the beginning of a UUID for the whole."""
    if entry.isdecimal():
        return int(entry)
    if entry.startswith("MIG-GPU-"):  # the older form: MIG-GPU-<uuid of the GPU>/<part>/<part>
        entry = entry.removeprefix("MIG-").partition("/")[0]
    fitting = {number for uuid, number in uuids.items() if uuid.startswith(entry)}
    return fitting.pop() if len(fitting) == 1 else None


def nvidia_smi_numbers() -> dict[str, int]:
    """UUID → number of its GPU, for GPUs and MIG instances; empty where nvidia-smi fails.

    nvidia-smi counts along the PCI bus. So does CUDA, where the GPUs are of one kind.
    """
    numbers: dict[str, int] = {}
    gpu = None
    for line in _said(["nvidia-smi", "-L"], PROBE_SECONDS).splitlines():
        if head := re.match(r"GPU (\d+):", line):
            gpu = int(head[1])
        if gpu is not None and (uuid := re.search(r"\(UUID: ([^)\s]+)\)", line)):
            numbers[uuid[1]] = gpu
    return numbers


def _said(
    command: Sequence[str], seconds: float, environment: Mapping[str, str] | None = None
) -> str:
    """What a command prints; "" where it fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds, env=environment, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


def worker_environments(workers: int, gpus: Sequence[int]) -> list[dict[str, str]]:
    """What to add to the environment of each worker, so that they share the GPUs evenly.

    gpus: EGL indices; with none, each worker is left with VTK's own choice. With
    VTK_DEFAULT_EGL_DEVICE_INDEX alone VTK silently takes another device where that one does not
    open; VTK_EGL_DEVICE_INDEX lets it fail.
    """
    if not gpus:
        return [{} for _ in range(workers)]
    names = ("VTK_DEFAULT_EGL_DEVICE_INDEX", "VTK_EGL_DEVICE_INDEX")
    return [dict.fromkeys(names, str(gpus[k % len(gpus)])) for k in range(workers)]


def is_software(renderer: str) -> bool:
    """Whether OpenGL's name of what draws is that of a processor rather than a GPU."""
    return bool(re.search(r"llvmpipe|softpipe|swrast|\bSWR\b|software", renderer, re.I))


@dataclass(frozen=True, slots=True)
class Trial:
    """What an EGL device did when asked to draw.

    index, cuda, name: see EglDevice. renderer: what OpenGL calls it; None where it did not open.
    ms_per_frame: of 19,600 triangles at 640×480; None where nothing was drawn.
    fault: why it cannot be used; None where it can.
    """

    index: int
    cuda: int | None
    name: str
    renderer: str | None
    ms_per_frame: float | None
    fault: str | None


def trial() -> dict[str, Any]:
    """Draw a sphere some times, in this process: who drew, how fast, and how much it covers.

    coverage, expected: shares of the picture, as drawn and as geometry says.
    """
    width, height = TRIAL_SIZE
    scene, k = _sphere(10.0), intrinsics_from_fov(30.0, width, height)
    distance = distance_for_fill(scene.radius_mm, TRIAL_FILL, k)
    renderer = Renderer(scene, width, height)
    seconds = []
    for turn in range(TRIAL_WARM_UP + TRIAL_FRAMES):
        pose = CameraPose(17.0 * turn, 20.0, 0.0, distance, (0.0, 0.0, 0.0))
        begun = time.perf_counter()
        layers = renderer.layers(View(turn, pose, k, 0))
        seconds.append(time.perf_counter() - begun)
    shown = (layers.instance_id > 0) & (layers.rgb != scene.background).any(axis=2)
    name = renderer.name
    renderer.close()
    return {
        "renderer": name,
        "ms_per_frame": 1000.0 * sum(seconds[TRIAL_WARM_UP:]) / TRIAL_FRAMES,
        "coverage": np.count_nonzero(shown) / shown.size,
        "expected": math.pi * (TRIAL_FILL * height / 2.0) ** 2 / (width * height),
    }


def judge(device: EglDevice, answer: Mapping[str, Any]) -> Trial:
    """answer: what `trial` gave, or {"error": why it gave nothing}."""
    place = (device.index, device.cuda, device.name)
    if "error" in answer:
        return Trial(*place, None, None, answer["error"].removeprefix("vqc.errors.VqcError: "))
    fault, drawn, expected = None, answer["coverage"], answer["expected"]
    if not abs(drawn - expected) <= DRAWN_ENOUGH * expected:
        fault = f"drew {drawn:.1%} of the picture where {expected:.1%} belong to the sphere"
    elif device.cuda is not None and is_software(answer["renderer"]):
        fault = f"a GPU, but the CPU drew: {DRIVER_GL}"
    return Trial(*place, answer["renderer"], round(answer["ms_per_frame"], 2), fault)


def can_draw(trials: Sequence[Trial]) -> bool:
    """Whether some device draws, and each that is a GPU does.

    A device file without a CUDA number may be a server's console or a GPU of someone else's job.
    """
    dead = [trial for trial in trials if trial.fault is not None]
    return len(dead) < len(trials) and all(trial.cuda is None for trial in dead)


def _sphere(radius_mm: float) -> Scene:
    """A scene of one sphere of 19,600 triangles."""
    import pyvista

    mesh = pyvista.Sphere(radius=radius_mm, theta_resolution=100, phi_resolution=100)
    points = np.asarray(mesh.points, np.float64)
    faces = np.asarray(mesh.regular_faces, np.int64)
    rgba = np.tile(np.array((60, 110, 180, 255), np.uint8), (len(faces), 1))
    normals = (points / radius_mm).astype(np.float32)
    here = np.eye(4)
    part = Part("sphere", points, normals, faces, rgba, here[None])
    return Scene((Instance("sphere", None, ((part, here),), here),), np.zeros(3), radius_mm)
