"""Files of weights, sound and hostile. Nothing here is trained: random weights do."""

import io
import os
import pickle
import subprocess
import sys

import pytest
from detectors import write_detector

from vqc.errors import InputError


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    return write_detector(tmp_path_factory.mktemp("weights") / "detector.pt")


class Exploit:
    """Runs a command where it is unpickled without care."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


class Call:
    """Calls a class of torch or Ultralytics with arguments of its own choice."""

    def __init__(self, called, *arguments):
        self.call = called, arguments

    def __reduce__(self):
        return self.call


def test_a_detector_comes_ready_to_use(detector):
    import torch

    from vqc.ultra import load_detector

    model = load_detector(detector)
    assert not model.training
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    with torch.inference_mode():
        assert model(torch.zeros(1, 3, 64, 64))[0].shape[1] == 4 + 2  # a box and two classes


@pytest.mark.parametrize("name", ["yolov5n.pt", "it's mine .pt", "best", "https:x.pt"])
def test_names_mean_nothing(detector, tmp_path, name):
    from vqc.ultra import load_detector

    (tmp_path / name).write_bytes(detector.read_bytes())
    assert load_detector(tmp_path / name)


def test_a_hostile_file_runs_nothing(detector, tmp_path):
    import torch

    from vqc.ultra import load_detector

    mark, file = tmp_path / "ran", tmp_path / "weights.pt"
    kept = torch.load(detector, weights_only=False)
    for content in ({"model": Exploit(mark)}, kept | {"train_args": Exploit(mark)}):
        torch.save(content, file)
        with pytest.raises(InputError, match=r"weights\.pt: holds no network"):
            load_detector(file)
        torch.save(content, file, _use_new_zipfile_serialization=False)
        with pytest.raises(InputError, match=r"weights\.pt: holds no network"):
            load_detector(file)
    file.write_bytes(pickle.dumps({"model": Exploit(mark)}))
    with pytest.raises(InputError, match=r"weights\.pt: holds no network"):
        load_detector(file)
    assert not mark.exists()
    pickle.loads(file.read_bytes())
    assert mark.exists(), "the file would have done no harm, so this test showed nothing"


def test_a_file_may_not_construct_networks(detector, tmp_path):
    """Constructors take arguments: a yaml file to read, a model to download."""
    import torch

    from vqc import ultra

    ultra.prepare()
    from ultralytics.nn.modules.block import TorchVision
    from ultralytics.nn.tasks import DetectionModel

    for call in (
        Call(torch.nn.Linear, 2, 2),
        Call(DetectionModel, "yolov8n.yaml"),
        Call(TorchVision, "resnet18", "DEFAULT"),
    ):
        torch.save({"model": call}, tmp_path / "weights.pt")
        with pytest.raises(InputError, match="holds no network"):
            ultra.load_detector(tmp_path / "weights.pt")
    assert torch.nn.Linear(2, 2).weight.shape == (2, 2)  # afterwards all is as before
    assert ultra.load_detector(detector)


def test_what_is_no_detector_is_told(tmp_path):
    import torch

    from vqc import ultra

    ultra.prepare()
    from ultralytics.nn.tasks import ClassificationModel

    file = tmp_path / "weights.pt"
    with pytest.raises(InputError, match="no such file"):
        ultra.load_detector(file)
    for content in (torch.nn.Linear(2, 2), {"model": torch.zeros(3)}, {"weights": 1}, {}, [1]):
        torch.save(content, file)
        with pytest.raises(InputError, match=r"weights\.pt: "):
            ultra.load_detector(file)
    torch.save({"model": ClassificationModel("yolov8n-cls.yaml", nc=2, verbose=False)}, file)
    with pytest.raises(InputError, match="expected a detector, got a ClassificationModel"):
        ultra.load_detector(file)
    for data in (b"", b"weights", b"PK\x03\x04"):
        file.write_bytes(data)
        with pytest.raises(InputError, match="holds no network"):
            ultra.load_detector(file)


def test_pillow_opens_pictures_as_before():
    from PIL import Image, UnidentifiedImageError

    from vqc import ultra

    ultra.prepare()
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(b"not a picture"))


GUARDED = """
import os, pathlib, socket, sys
def refuse(*arguments):
    raise SystemExit(f"network: {arguments}")
socket.socket.connect = socket.getaddrinfo = refuse
from vqc import ultra
folder = ultra.prepare()
from ultralytics import settings
from ultralytics.utils import ONLINE, SAFE_LOAD
from ultralytics.utils.checks import check_font
import torch
assert (ONLINE, SAFE_LOAD) == (False, True)
on = [key for key, value in settings.items() if value is True]
assert not on, on
assert check_font("Arial.ttf") == folder / "Ultralytics" / "Arial.ttf"
assert torch.get_num_threads() == int(sys.argv[1]) and "OMP_NUM_THREADS" not in os.environ
print(folder)
"""


def test_ultralytics_stays_off_the_network_and_out_of_the_users_folders(tmp_path):
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    for name in [*environment]:
        if name.startswith(("YOLO_", "ULTRALYTICS_", "OMP_")):
            del environment[name]

    def python(*words):
        return subprocess.run(
            [sys.executable, "-c", *words],
            cwd=tmp_path, env=environment, capture_output=True, text=True,
        )  # fmt: skip

    # What torch takes by itself; this process may have been told another number.
    threads = python("import torch; print(torch.get_num_threads())").stdout.strip()
    done = python(GUARDED, threads)
    assert done.returncode == 0, done.stderr
    assert not os.path.exists(done.stdout.strip()), "its private folder is still there"
    assert [p.name for p in tmp_path.rglob("*") if "ltralytics" in p.name] == []
