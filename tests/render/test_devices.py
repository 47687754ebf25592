"""EGL's devices, and which of them CUDA_VISIBLE_DEVICES allows."""

from __future__ import annotations

import ctypes
import os

import pytest

from vqc.errors import InputError
from vqc.render import devices
from vqc.render.devices import EglDevice, Trial, gpus_to_use

CARD = "/dev/dri/card0"
SOFTWARE = EglDevice(9, None, "software")
EMPTY = ["", "-1", "NoDevFiles", " ", "-1,0", ",0"]


def made_up(*cuda: int | None) -> list[EglDevice]:
    """EGL's devices by their CUDA numbers, and the software one that Mesa adds."""
    return [EglDevice(k, number, CARD) for k, number in enumerate(cuda)] + [SOFTWARE]


def not_asked():
    raise AssertionError("the driver is asked although the numbers tell")


# What EGL lists ---------------------------------------------------------------------------------


class FakeEgl:
    """libEGL.so.1 of a node: its devices as (extensions, CUDA number, device file)."""

    def __init__(self, rows, lists=True, lacks=()):
        self.asked_for_cuda = []
        kinds = {
            b"eglQueryDevicesEXT": (ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p),
            b"eglQueryDeviceAttribEXT": (
                *(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p),
            ),
            b"eglQueryDeviceStringEXT": (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int),
        }
        texts = [(ctypes.c_char_p(x), f and ctypes.c_char_p(f)) for x, _, f in rows]

        def query(room, handles, count):
            ctypes.cast(count, ctypes.POINTER(ctypes.c_int))[0] = len(rows)
            for k in range(len(rows)):
                ctypes.cast(handles, ctypes.POINTER(ctypes.c_void_p))[k] = k + 1
            return lists

        def number(handle, attribute, value):
            self.asked_for_cuda.append(handle - 1)
            cuda = rows[handle - 1][1]
            if cuda is None:
                return 0
            ctypes.cast(value, ctypes.POINTER(ctypes.c_ssize_t))[0] = cuda
            return 1

        def text(handle, name):
            said = texts[handle - 1][name == devices.EGL_DRM_DEVICE_FILE]
            return ctypes.cast(said, ctypes.c_void_p).value if said else None

        calls = zip(kinds, (query, number, text), strict=True)
        self._kept = {name: ctypes.CFUNCTYPE(*kinds[name])(call) for name, call in calls}

        def address(name):
            return None if name in lacks else ctypes.cast(self._kept[name], ctypes.c_void_p).value

        self.eglGetProcAddress = address


CUDA, DRM = b"EGL_NV_device_cuda", b"EGL_EXT_device_drm"


def test_what_a_node_with_gpus_lists(monkeypatch):
    egl = FakeEgl(
        [
            (CUDA + b" " + DRM, 1, b"/dev/dri/card2"),
            (CUDA, 0, None),  # a container without device files
            (CUDA + b" " + DRM, None, b"/dev/dri/card3"),  # hidden by CUDA_VISIBLE_DEVICES
            (None, 5, None),  # behind a cgroup: some drivers crash where asked for its number
            (DRM, None, b"/dev/dri/card0"),  # the server's console
            (b"EGL_MESA_device_software", None, None),
        ]
    )
    monkeypatch.setattr(ctypes, "CDLL", lambda name: egl)
    assert devices.egl_devices() == (
        EglDevice(0, 1, "/dev/dri/card2"),
        EglDevice(1, 0, "?"),
        EglDevice(2, None, "/dev/dri/card3"),
        EglDevice(3, None, "?"),
        EglDevice(4, None, "/dev/dri/card0"),
        EglDevice(5, None, "software"),
    )
    assert egl.asked_for_cuda == [0, 1, 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"lists": False}, "lists no devices"), ({"lacks": [b"eglQueryDevicesEXT"]}, "has no egl")],
)
def test_an_egl_that_cannot_list_says_so(monkeypatch, options, message):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: FakeEgl([], **options))
    with pytest.raises(OSError, match=message):
        devices.egl_devices()


def test_devices_of_this_machine():
    found = devices.find_devices()
    if not found:
        pytest.skip("EGL lists no device here")
    assert [device.index for device in found] == list(range(len(found)))
    assert all(device.name for device in found)


def test_no_devices_where_there_is_no_driver_or_no_answer(monkeypatch):
    assert devices.find_devices(seconds=0.01) == ()
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_FILENAMES", os.devnull)
    assert devices.find_devices() == ()


# CUDA_VISIBLE_DEVICES ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cuda", "expected"),
    [((0, 1), (0, 1)), ((2, 3, 0, 1), (2, 3, 0, 1)), ((1, None, 0), (2, 0)), ((), ())],
)
def test_all_in_cuda_order_where_nothing_is_said(cuda, expected):
    assert gpus_to_use(made_up(*cuda), None, not_asked) == expected


@pytest.mark.parametrize("visible", EMPTY)
@pytest.mark.parametrize("cuda", [(0, 1), (None, None), ()])
def test_none_where_all_are_hidden(visible, cuda):
    assert gpus_to_use(made_up(*cuda), visible, not_asked) == ()


@pytest.mark.parametrize("visible", ["0", "0,1", "GPU-5c2e"])
def test_none_where_egl_knows_no_gpu(visible):
    assert gpus_to_use([SOFTWARE], visible, not_asked) == ()
    assert gpus_to_use([], visible, not_asked) == ()


@pytest.mark.parametrize(
    ("cuda", "visible", "expected"),
    [
        ((None, None, None, 0), "3", (3,)),
        ((1, None, 0, None), "2,0", (2, 0)),  # number k is the k-th entry
        ((None, 0, None), "GPU-5c2e", (1,)),
        ((None, 1, 0, None), "GPU-77,GPU-5c", (2, 1)),
        ((0, None), "MIG-5c2e", (0,)),
        ((0, 0, None), "MIG-5c2e", (0,)),  # its parts are listed as devices of one number
        ((1, 0, None), "1,0,-1,2", (1, 0)),  # CUDA reads no further than -1
    ],
)
def test_a_driver_that_counts_what_the_variable_leaves(cuda, visible, expected):
    """EGL lists all GPUs of the machine, and only those of the variable have numbers, from 0."""
    assert gpus_to_use(made_up(*cuda), visible, not_asked) == expected


@pytest.mark.parametrize("visible", ["0,1", "2,3", "GPU-5c2e,GPU-77aa"])
def test_a_job_that_sees_only_its_own_gpus(visible):
    """Slurm with constrained devices: CUDA counts from 0, whatever the variable holds."""
    assert gpus_to_use(made_up(1, 0), visible, not_asked) == (1, 0)


@pytest.mark.parametrize(
    ("visible", "expected"),
    [("0", (3,)), ("3", (0,)), ("1,3", (2, 0)), ("3, 1", (0, 2)), ("2,2", (1,)), ("2,-1,0", (1,))],
)
def test_a_driver_that_ignores_the_variable(visible, expected):
    """The numbers are the machine's own, in another order than EGL's."""
    assert gpus_to_use(made_up(3, 2, 1, 0), visible, not_asked) == expected


UUIDS = {"GPU-5c2e-01": 0, "GPU-5c2e-02": 1, "GPU-77aa": 2, "MIG-9f": 2, "MIG-a0": 1}


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("GPU-77aa", (1,)),
        ("GPU-77", (1,)),
        ("GPU-77aa,GPU-5c2e-01", (1, 3)),
        ("MIG-9f", (1,)),
        ("MIG-GPU-5c2e-02/3/0", (2,)),
        ("MIG-9f,GPU-77aa", (1,)),  # one GPU, named twice
        ("3,GPU-77aa", (0, 1)),
    ],
)
def test_uuids_are_looked_up_where_counting_does_not_tell(visible, expected):
    assert gpus_to_use(made_up(3, 2, 1, 0), visible, lambda: UUIDS) == expected


@pytest.mark.parametrize(
    ("visible", "lost"),
    [
        ("0,1,2,3", "2, 3"),
        ("7", "7"),
        ("GPU-5c2e", "GPU-5c2e"),  # the beginning of two
        ("GPU-00,MIG-00,0", "GPU-00, MIG-00"),
        ("first", "first"),
    ],
)
def test_what_cannot_be_matched_is_an_error(visible, lost):
    with pytest.raises(InputError) as caught:
        gpus_to_use(made_up(1, 0), visible, lambda: UUIDS)
    said = str(caught.value)
    assert f"CUDA_VISIBLE_DEVICES={visible}: expected an EGL device for each GPU" in said
    assert f"got none for {lost}; EGL's devices have the CUDA numbers 0, 1." in said
    assert "vqc doctor --gpu" in said


LISTING = """GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-5c2e-01)
GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-77aa)
  MIG 3g.40gb     Device  0: (UUID: MIG-9f)
  MIG 3g.40gb     Device  1: (UUID: MIG-a0)
"""


def test_nvidia_smi_is_read(tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f'#!/bin/sh\n[ "$1" = -L ] || exit 2\ncat <<END\n{LISTING}END\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert devices.nvidia_smi_numbers() == {
        "GPU-5c2e-01": 0,
        "GPU-77aa": 1,
        "MIG-9f": 1,
        "MIG-a0": 1,
    }
    assert gpus_to_use(made_up(1, 0), "GPU-77") == (0,)


def test_no_numbers_where_nvidia_smi_is_missing_or_fails(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert devices.nvidia_smi_numbers() == {}
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho no devices were found\nexit 6\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    assert devices.nvidia_smi_numbers() == {}


# Workers, renderers, trials ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("workers", "gpus", "indices"),
    [(4, (2, 0), ["2", "0", "2", "0"]), (2, (1, 3, 0), ["1", "3"]), (3, (1,), ["1"] * 3)],
)
def test_workers_share_the_gpus(workers, gpus, indices):
    made = devices.worker_environments(workers, gpus)
    for name in ("VTK_DEFAULT_EGL_DEVICE_INDEX", "VTK_EGL_DEVICE_INDEX"):
        assert [environment[name] for environment in made] == indices


def test_workers_without_a_gpu_keep_their_environment():
    made = devices.worker_environments(3, ())
    assert made == [{}, {}, {}]
    made[0]["A"] = "1"
    assert made[1] == {}


@pytest.mark.parametrize(
    ("renderer", "software"),
    [
        ("llvmpipe (LLVM 15.0.6, 256 bits)", True),
        ("softpipe", True),
        ("Software Rasterizer", True),
        ("SWR (LLVM 12.0.0, 256 bits)", True),
        ("NVIDIA H100 80GB HBM3/PCIe/SSE2", False),
        ("Mesa Intel(R) UHD Graphics 620 (KBL GT2)", False),
        ("AMD Radeon Graphics (radeonsi, renoir)", False),
    ],
)
def test_renderers_of_the_processor_are_known(renderer, software):
    assert devices.is_software(renderer) is software


DRAWN = {"renderer": "NVIDIA H100", "ms_per_frame": 2.504, "coverage": 0.376, "expected": 0.377}


def test_a_device_that_draws_is_fine():
    assert devices.judge(EglDevice(1, 0, CARD), DRAWN) == Trial(
        1, 0, CARD, "NVIDIA H100", 2.5, None
    )
    mesa = DRAWN | {"renderer": "llvmpipe"}
    assert devices.judge(SOFTWARE, mesa).fault is None


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ({"error": "crashed (signal 11)"}, "crashed (signal 11)"),
        ({"error": "vqc.errors.VqcError: no off-screen OpenGL"}, "no off-screen OpenGL"),
        (DRAWN | {"coverage": 0.0}, "drew 0.0% of the picture where 37.7% belong"),
        (DRAWN | {"coverage": float("nan")}, "drew nan%"),
        (DRAWN | {"renderer": "llvmpipe"}, "a GPU, but the CPU drew: install"),
    ],
)
def test_a_gpu_that_does_not_draw_says_why(answer, fault):
    trial = devices.judge(EglDevice(0, 0, CARD), answer)
    assert trial.fault is not None and trial.fault.startswith(fault)


def test_only_a_dead_gpu_or_no_device_at_all_is_a_failure():
    gpu, cpu = Trial(0, 0, CARD, "NVIDIA", 2.5, None), Trial(2, None, "software", "l", 60.0, None)
    dead_gpu = Trial(1, 1, "?", None, None, "crashed")
    console = Trial(3, None, CARD, None, None, "no off-screen OpenGL")
    assert devices.can_draw([gpu, cpu]) and devices.can_draw([cpu])
    assert devices.can_draw([gpu, cpu, console])
    assert not devices.can_draw([gpu, dead_gpu, cpu])
    assert not devices.can_draw([console])
    assert not devices.can_draw([])
