"""Ultralytics, kept from the network, from the user's settings and from code inside weights.

In: a file of weights. Out: the network in it. Whatever imports Ultralytics calls `prepare`
first, since most of its switches are read at import.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vqc.errors import InputError

if TYPE_CHECKING:
    from torch import nn

_SWITCHES = {
    "YOLO_OFFLINE": "true",
    "YOLO_AUTOINSTALL": "false",
    "YOLO_VERBOSE": "false",
    "ULTRALYTICS_SAFE_LOAD": "true",
}
_FOR_EXPORTS = ("intel", "tpu", "vulkan")
"""Devices that Ultralytics lets pass, though no network runs there."""
_FONTS = ("Arial.ttf", "Arial.Unicode.ttf")
"""Ultralytics would fetch these; any font does."""


@cache
def prepare() -> Path:
    """Import Ultralytics guarded; returns its private folder, which goes when the process ends.

    Nothing is downloaded, installed or reported to a tracker, and neither the user's own
    settings of Ultralytics nor the number of threads of this process are touched.
    """
    folder = Path(tempfile.mkdtemp(prefix="vqc-ultralytics-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ.update(_SWITCHES, YOLO_CONFIG_DIR=str(folder))
    import matplotlib
    import torch  # before Ultralytics, which asks for a single thread
    from PIL import Image

    open_picture = Image.open
    asked_threads = os.environ.get("OMP_NUM_THREADS")
    from ultralytics import settings
    from ultralytics.utils import torch_utils

    Image.open = open_picture  # Ultralytics' own would install a package for what does not open
    if asked_threads is None:
        os.environ.pop("OMP_NUM_THREADS", None)
    torch_utils.NUM_THREADS = torch.get_num_threads()  # its own leaves one core of two idle
    # Every switch off, trackers above all: they are on as soon as they are installed.
    settings.update({key: False for key, value in settings.items() if isinstance(value, bool)})
    home = folder / "Ultralytics"
    home.mkdir(exist_ok=True)
    font = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    for name in _FONTS:
        shutil.copyfile(font, home / name)
    return folder


def require_device(device: str) -> None:
    """InputError where this machine has no such device; "" is a GPU if there is one."""
    if device.startswith(_FOR_EXPORTS):
        raise InputError(
            f"--device {device}: runs exported models only; expected cpu or a GPU; "
            "vqc doctor lists the GPUs"
        )
    prepare()
    from ultralytics.utils.torch_utils import select_device

    try:
        select_device(device, verbose=False)
    except (ValueError, RuntimeError, AssertionError) as error:
        said = next(filter(None, str(error).splitlines()), type(error).__name__)
        raise InputError(
            f"--device {device}: cannot be used here: {said}; vqc doctor lists the GPUs"
        ) from None


def load_detector(path: Path) -> nn.Module:
    """The detector of an Ultralytics .pt file: float32, on the CPU, ready to evaluate.

    Raises InputError where there is no such file or no detector in it.
    """
    found = load_file(path)
    from torch import nn
    from ultralytics.nn.tasks import DetectionModel

    try:
        network: nn.Module = (found.get("ema") or found["model"]).float().eval()
    except Exception as error:  # a spoilt file may hold anything
        raise _unreadable(path, error) from None
    if not isinstance(network, DetectionModel):
        raise InputError(f"{path}: expected a detector, got a {type(network).__name__}")
    for module in network.modules():
        if isinstance(module, nn.Upsample):
            module.recompute_scale_factor = None  # files of old versions lack it
    return network


def load_trained(path: Path, classes: Sequence[str]) -> nn.Module:
    """The detector of a run's file, as `load_detector` gives it.

    classes: the run's. Raises InputError where the network has others, or in another order:
    its answers are numbers, so they would pass for other objects without a word.
    """
    network = load_detector(path)
    names: Any = getattr(network, "names", None)
    known = [str(names.get(k)) for k in range(len(names))] if isinstance(names, dict) else []
    if known != list(classes):
        raise InputError(
            f"{path} knows the classes {', '.join(known)}; expected {', '.join(classes)}, in this "
            "order, as in the run's result: the file belongs to another run"
        )
    return network


def load_file(path: Path) -> dict[str, Any]:
    """The content of an Ultralytics .pt file, on the CPU.

    No code of the file runs: only classes of torch and Ultralytics are restored, and from
    their state alone. Raises InputError where there is no such file or nothing of that kind.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; expected weights of a detector (.pt)")
    folder = prepare()
    from ultralytics.nn.tasks import torch_safe_load

    # Ultralytics reads meaning into names (quotes, blanks, yolov5n): it gets a plain one.
    with (
        tempfile.TemporaryDirectory(dir=folder) as private,
        warnings.catch_warnings(),
        _nothing_is_built(),
    ):
        link = Path(private, "weights.pt")
        link.symlink_to(path.resolve())
        try:
            warnings.simplefilter("ignore")  # about odd files: they are told below
            found, _ = torch_safe_load(str(link), safe_only=True)
            return dict(found)
        except Exception as error:  # a spoilt or hostile file may raise anything
            raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path}: holds no network that can be read safely ({type(error).__name__}); "
        "expected a .pt file as Ultralytics saves it: classes of torch and Ultralytics only"
    )


@contextlib.contextmanager
def _nothing_is_built() -> Iterator[None]:
    """Meanwhile no network can be constructed.

    A file restores its networks from their state. One that calls a constructor instead
    chooses the arguments, and some constructors read files or download weights.
    """
    import torch

    def refuse(*_: object, **__: object) -> None:
        raise TypeError("the file calls a constructor")

    constructor = torch.nn.Module.__init__
    torch.nn.Module.__init__ = refuse
    try:
        yield
    finally:
        torch.nn.Module.__init__ = constructor
