"""What doctor says of this machine, and of worse ones."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vqc import doctor
from vqc.cli import app
from vqc.doctor import Finding
from vqc.render import devices
from vqc.render.devices import EglDevice, Trial


@pytest.fixture(scope="module")
def findings() -> dict[str, Finding]:
    return {finding.name: finding for finding in doctor.examine()}


def test_this_machine_serves(findings):
    faults = [f for f in findings.values() if f.ok is False]
    assert doctor.healthy(findings.values()), faults


def test_every_topic_has_an_answer(findings):
    topics = {"platform", "Python", "CPU cores", "memory", "free disk", "system libraries"}
    topics |= {"OpenGL", "EGL devices", "GPUs", "torch device", "weights", "mesh cache"}
    assert topics | set(doctor.PACKAGES) <= findings.keys()
    assert all(f.value for f in findings.values())


def test_opengl_names_the_system_and_the_renderer(findings):
    assert re.match(r"(EGL|OSMesa or X): .+, OpenGL \d\.\d", findings["OpenGL"].value)


def test_what_only_informs_is_no_fault():
    assert doctor.healthy([Finding("a", "1", True), Finding("b", "none", None)])
    assert not doctor.healthy([Finding("a", "1", True), Finding("b", "none", False)])


@pytest.mark.parametrize(
    ("finding", "remedy"),
    [
        (doctor.on_platform("Darwin", "arm64"), "Linux"),
        (doctor.on_room("memory", 1.0, 4.0, "more"), "more"),
        (doctor.on_package("no-such-package-of-vqc"), "setup.sh"),
        (doctor.on_libraries(["libGL.so.1", "libEGL.so.1"]), "apt-get install .* libgl1 libegl1 "),
        (
            doctor.on_imports({"OCP.gp": None, "cv2": "libxcb.so.1: cannot open"}),
            "system libraries",
        ),
        (doctor.on_gl({"error": "crashed (signal 11)"}, []), "libegl1"),
        (doctor.on_torch({"error": "operator torchvision::nms does not exist"}, []), "a pair"),
    ],
    ids=lambda value: value.name if isinstance(value, Finding) else "",
)
def test_what_is_missing_says_how_to_get_it(finding, remedy):
    assert finding.ok is False
    assert re.search(remedy, finding.remedy or "")


def test_a_gpu_that_opengl_or_torch_does_not_use_is_pointed_out():
    software = {"system": "EGL", "renderer": "llvmpipe (LLVM 15)", "version": "4.5"}
    assert doctor.on_gl(software, []).remedy is None
    assert "libnvidia-gl" in (doctor.on_gl(software, ["H200"]).remedy or "")
    no_device = {"cuda": "13.0", "devices": [], "bf16": False}
    assert doctor.on_torch(no_device, []).remedy is None
    assert "driver" in (doctor.on_torch(no_device, ["H200"]).remedy or "")


def test_a_processor_that_trains_faster_in_bfloat16_is_told():
    answer = {"cuda": "13.0", "devices": [], "bf16": True}
    assert "--set amp=bf16" in doctor.on_torch(answer, []).value
    assert doctor.on_torch(answer | {"bf16": False}, []).value == "cpu"


def test_egl_devices_keep_their_order():
    listed = (
        EglDevice(0, 1, "/dev/dri/card2"),
        EglDevice(1, 0, "?"),
        EglDevice(2, None, "software"),
    )
    answer = {"devices": [dataclasses.asdict(device) for device in listed]}
    assert doctor.on_egl(answer).value == "0: CUDA 1; 1: CUDA 0; 2: software"
    assert doctor.on_egl({"error": "no libEGL.so.1"}).remedy


def test_a_library_that_is_not_there_is_missing():
    assert doctor.missing_libraries(["libc.so.6", "libnothing-of-vqc.so.9"]) == [
        "libnothing-of-vqc.so.9"
    ]


def test_a_child_answers():
    assert doctor.ask_child("vqc.doctor:probe_imports") == dict.fromkeys(doctor.COMPILED)


@pytest.mark.parametrize(
    ("body", "seconds", "error"),
    [
        ("import os; os.abort()", 60, "signal 6"),
        ("raise OSError('no such driver')", 60, "no such driver"),
        ("import time; time.sleep(60)", 1, "no answer within 1 s"),
    ],
    ids=["crash", "exception", "hang"],
)
def test_a_child_that_fails_costs_one_line(tmp_path, monkeypatch, body, seconds, error):
    (tmp_path / "bad_probe.py").write_text(f"def probe():\n    {body}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    answer = doctor.ask_child("bad_probe:probe", seconds)
    assert error in answer["error"]
    assert "\n" not in answer["error"]


def test_a_child_gets_what_is_added_to_its_environment(tmp_path, monkeypatch):
    (tmp_path / "env_probe.py").write_text(
        "import os\ndef probe():\n    return {'index': os.environ['VTK_EGL_DEVICE_INDEX']}\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    more = {"VTK_EGL_DEVICE_INDEX": "7"}
    assert doctor.ask_child("env_probe:probe", more=more) == {"index": "7"}


def test_no_egl_vendor_is_reported_and_nothing_crashes_here(monkeypatch):
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_FILENAMES", os.devnull)
    monkeypatch.setenv("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
    finding = doctor.on_gl(doctor.ask_child("vqc.doctor:probe_gl"), [])
    assert finding.ok is False
    assert finding.remedy


def test_setup_installs_the_libraries_that_doctor_knows():
    script = Path(__file__).parents[1] / "scripts" / "setup.sh"
    listed = re.search(r"^LIBRARIES=\((.*)\)$", script.read_text(), re.MULTILINE)
    assert listed is not None
    pairs = dict(pair.split(":") for pair in listed.group(1).split())
    assert pairs == doctor.SYSTEM_LIBRARIES


# What each device draws -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def found():
    """EGL's devices here, real ones."""
    listed = devices.find_devices()
    if not listed:
        pytest.skip("EGL lists no device here, so none can be tried")
    return listed


def test_every_device_of_this_machine_is_tried_and_drawn_with(vqc, found):
    trials = json.loads(vqc("doctor", "--gpu", "--json", check=0).stdout)
    assert [(t["index"], t["cuda"], t["name"]) for t in trials] == [
        (d.index, d.cuda, d.name) for d in found
    ]
    drawn = [t for t in trials if t["fault"] is None]
    assert drawn and all(t["renderer"] and t["ms_per_frame"] > 0 for t in drawn)


def test_a_device_that_does_not_open_is_not_drawn_by_another(found):
    """VTK would go on to one that opens, if it were only told a default."""
    (trial,) = doctor.try_devices([EglDevice(len(found), None, "gone")])
    assert trial.fault and trial.renderer is None


def test_a_device_that_hangs_costs_one_line():
    (trial,) = doctor.try_devices([EglDevice(0, 0, "?")], seconds=0.01)
    assert trial == Trial(0, 0, "?", None, None, "no answer within 0.01 s")


GPU = Trial(0, 0, "/dev/dri/card1", "NVIDIA H100/PCIe", 2.5, None)
DEAD = Trial(1, 1, "?", None, None, "crashed (signal 11)")
CPU = Trial(2, None, "software", "llvmpipe (LLVM 15)", 61.25, None)


@pytest.mark.parametrize(
    ("trials", "code"), [([GPU, CPU], 0), ([GPU, DEAD, CPU], 1), ([CPU], 0), ([], 1)]
)
def test_the_table_has_a_line_for_each_device(monkeypatch, trials, code):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(devices, "find_devices", lambda: ())
    monkeypatch.setattr(doctor, "try_devices", lambda _: trials)
    done = CliRunner().invoke(app, ["doctor", "--gpu"])
    assert done.exit_code == code, done.output
    for trial in trials:
        (line,) = (x for x in done.output.splitlines() if re.match(rf"\s*{trial.index} ", x))
        assert trial.name in line and (trial.fault or "ok") in line
        assert trial.renderer is None or trial.renderer in line
    assert trials or "no device" in done.output


CUDA = [EglDevice(0, 0, "/dev/dri/card1"), EglDevice(1, None, "software")]


@pytest.mark.parametrize("visible", ["nonsense,9", "7", "GPU-12"])
def test_gpus_that_are_named_and_not_there_are_told(visible):
    assert f"CUDA_VISIBLE_DEVICES={visible}: expected" in doctor.unmatched(CUDA[1:], visible)


def test_one_gpu_of_two_that_are_named_is_told():
    assert "got none for 9" in doctor.unmatched(CUDA, "0,9")


@pytest.mark.parametrize(
    ("found", "visible"), [(CUDA, None), (CUDA, "0"), (CUDA[1:], None), (CUDA[1:], ""), ([], "-1")]
)
def test_where_all_that_is_named_is_there_nothing_is_said(found, visible):
    assert doctor.unmatched(found, visible) is None


def test_a_named_gpu_that_is_not_there_is_a_failure(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    monkeypatch.setattr(devices, "find_devices", lambda: tuple(CUDA[1:]))
    monkeypatch.setattr(doctor, "try_devices", lambda _: [CPU])
    done = CliRunner().invoke(app, ["doctor", "--gpu"])
    assert done.exit_code == 1 and "CUDA_VISIBLE_DEVICES=7" in done.output
