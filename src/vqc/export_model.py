"""A detector's run → its network in a format of other software, proven to answer the same.

Ultralytics' exporter writes it. Both networks then look at the same pictures, and what they
propose before overlapping boxes are merged is compared, so that nothing hides a difference.
"""

from __future__ import annotations

import dataclasses
import shutil
import sys
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from vqc import ultra
from vqc.errors import InputError, OutputError
from vqc.files import replace_file
from vqc.formats.source import list_source
from vqc.predict import reading
from vqc.predict.agreement import BOX_TOLERANCE_PX, SCORE_TOLERANCE, compare
from vqc.runs import Run, json_bytes, own_dataset, read_run
from vqc.types import ByteArray, FloatArray

FOLDER = "export"
FORMATS = {
    "onnx": ("onnx", "onnxruntime", "onnxslim"),
    "openvino": ("openvino",),
    "torchscript": (),
}
"""What can be written, and the packages that this needs."""
SAMPLES = 8
"""Pictures that both networks look at."""
LARGEST_SIDE_PX = 8192
_SEED = 0

Answer = Callable[[Any], Any]
"""(1, 3, S, S) tensor in [0, 1] → what a network proposes."""


@dataclass(frozen=True, slots=True)
class Exported:
    """file: where the model is, or would be. pictures_from: a folder, or "made".

    boxes: how many were compared. box_px, score: the largest differences; of the scores over
    everything proposed, of the boxes over the surest.
    """

    run_id: str
    format: str
    file: Path
    imgsz: int
    pictures: int
    pictures_from: str
    boxes: int
    box_px: float
    score: float
    notes: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """NaN agrees with nothing."""
        return self.box_px <= BOX_TOLERANCE_PX and self.score <= SCORE_TOLERANCE

    def figures(self) -> dict[str, Any]:
        return {
            "pictures": f"{self.pictures} ({self.pictures_from})",
            "boxes compared": self.boxes,
            "largest difference of a box": f"{self.box_px:.2g} px (tolerance {BOX_TOLERANCE_PX:g})",
            "largest difference of a score": f"{self.score:.2g} (tolerance {SCORE_TOLERANCE:g})",
        }

    def verdict(self) -> str:
        return (
            f"{self.file} is not kept: boxes differ from the original's by up to "
            f"{self.box_px:.2g} px (tolerance {BOX_TOLERANCE_PX:g}) and scores by up to "
            f"{self.score:.2g} (tolerance {SCORE_TOLERANCE:g}); see {comparison_file(self.file)}"
        )

    def record(self) -> dict[str, Any]:
        """The content of the comparison's file."""
        tolerance = {"box_px": BOX_TOLERANCE_PX, "score": SCORE_TOLERANCE}
        values = dataclasses.asdict(self) | {"file": self.file.name}
        for key in ("box_px", "score"):
            if not np.isfinite(values[key]):
                values[key] = None
        return values | {"tolerance": tolerance, "agrees": self.agrees}


def comparison_file(file: Path) -> Path:
    return file.with_name(f"{file.name}.json")


def export(
    folder: Path,
    format: str,
    imgsz: int | None = None,
    data: Path | None = None,
    fresh: bool = False,
) -> Exported:
    """Export a run to `<run>/export`, and compare; a model that does not agree is not kept.

    imgsz: side of the square input, by default the run's. data: a folder of pictures; by
    default the run's set where it is at hand, else pictures are made.
    Raises InputError where the run, the format or a picture cannot be used, and OutputError.
    """
    run = read_run(folder)
    target = _target(run, format)
    _require_possible(run, format, target, fresh)
    network: Any = ultra.load_trained(run.weights, run.classes)
    network.names = dict(enumerate(run.classes))
    size = _size(run, imgsz, network)
    pictures, origin = _pictures(run, data, size)
    tensors = [_tensor(picture, size) for picture in pictures]
    mine = _proposals(_original(network), tensors, network.end2end)
    with _scratch(target.parent) as scratch:
        made = _exported(network, run, format, size, scratch)
        answer, notes = _loaded(made, format)
        theirs = _proposals(answer, tensors, network.end2end)
        boxes, box_px, score = compare(mine, theirs, network.end2end)
        exported = Exported(
            run.run_id, format, target, size, len(pictures), origin, boxes, box_px, score, notes
        )
        _place(exported, made, scratch)
    return exported


def _require_possible(run: Run, format: str, target: Path, fresh: bool) -> None:
    if run.task != "detect":
        raise InputError(f"{run.folder}: export-model writes detectors, this is {run.task}")
    if target.exists() and not fresh:
        raise InputError(f"{target} is there already; --fresh replaces it")
    missing = [name for name in FORMATS[format] if not _is_installed(name)]
    if missing:
        raise InputError(
            f"--format {format} needs {', '.join(missing)}, not installed here: "
            f"pip install {' '.join(missing)}"
        )


def _is_installed(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


def _target(run: Run, format: str) -> Path:
    """Named as Ultralytics names it, which tells a format by the name."""
    if format not in FORMATS:
        raise InputError(f"--format: expected {', '.join(FORMATS)}, got {format!r}")
    name = "best_openvino_model" if format == "openvino" else f"best.{format}"
    return run.folder / FOLDER / name


def _size(run: Run, imgsz: int | None, network: Any) -> int:
    """The input's side, a multiple of the network's stride, as Ultralytics rounds it up."""
    asked = int(run.config.get("imgsz", 640)) if imgsz is None else imgsz
    stride = int(max(network.stride))
    if not stride <= asked <= LARGEST_SIDE_PX:
        raise InputError(f"--imgsz: expected {stride} to {LARGEST_SIDE_PX} px, got {asked}")
    return -(-asked // stride) * stride


@contextmanager
def _scratch(parent: Path) -> Iterator[Path]:
    """A folder in the file system of the target, gone afterwards."""
    scratch = parent / f".{uuid.uuid4().hex}.tmp"
    try:
        scratch.mkdir(parents=True)
        yield scratch
    except OSError as error:
        raise OutputError(f"{parent}: cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _exported(network: Any, run: Run, format: str, size: int, scratch: Path) -> Path:
    """The file or folder that Ultralytics' exporter wrote."""
    from ultralytics.engine.exporter import Exporter

    if format == "openvino":
        # It reports every import to its maker; without this package it cannot.
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    network.task, network.pt_path = "detect", str(scratch / "best.pt")
    network.args = {"data": run.dataset_name}  # it writes this down; a path is nobody's business
    options = {
        "format": format, "imgsz": size, "batch": 1, "dynamic": False, "device": "cpu",
        "nms": False if network.end2end else None, "verbose": False,
    }  # fmt: skip
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the tracer, about what cannot change
            return Path(Exporter(overrides=options)(model=network))
    except OSError:
        raise
    except Exception as error:  # the exporters of many makers
        said = next(filter(None, str(error).splitlines()), type(error).__name__)
        raise InputError(f"{run.folder}: cannot be written as {format}: {said}") from None


def _proposals(answer: Answer, tensors: Sequence[Any], is_merged: bool) -> list[FloatArray]:
    """For each picture what a network proposes; see `compare`."""
    import torch

    with torch.inference_mode():
        rows = [np.asarray(answer(tensor), np.float64)[0] for tensor in tensors]
    return rows if is_merged else [row.T for row in rows]


def _original(network: Any) -> Answer:
    return lambda tensor: network(tensor)[0].numpy()


def _loaded(made: Path, format: str) -> tuple[Answer, tuple[str, ...]]:
    """The exported network, and what its user should know."""
    import torch

    if format == "openvino":
        return _openvino(made)
    from ultralytics.nn.autobackend import AutoBackend

    backend = AutoBackend(str(made), device=torch.device("cpu"), verbose=False)

    def answer(tensor: Any) -> Any:
        found = backend(tensor)
        return (found[0] if isinstance(found, list | tuple) else found).numpy()

    return answer, ()


def _openvino(made: Path) -> tuple[Answer, tuple[str, ...]]:
    """In full precision: what is in the file is to be compared, not what the CPU makes of it."""
    openvino = import_module("openvino")  # without types, where it is installed at all
    core, file = openvino.Core(), str(next(made.glob("*.xml")))
    hint = "INFERENCE_PRECISION_HINT"
    own = core.compile_model(file, "CPU").get_property(hint).get_type_name()
    exact = core.compile_model(file, "CPU", {hint: "f32"})
    note = (
        f"OpenVINO computes in {own} on this CPU by default, and answers less exactly than "
        f"stated here; compile the model with {hint} f32 where that matters"
    )
    return lambda tensor: exact(tensor.numpy())[0], () if own == "f32" else (note,)


def _tensor(rgb: ByteArray, size: int) -> Any:
    """(1, 3, size, size) float32 in [0, 1], with a border that makes the picture square."""
    import torch
    from ultralytics.data.augment import LetterBox

    square = LetterBox((size, size), auto=False)(image=rgb)
    tensor = torch.from_numpy(np.ascontiguousarray(square.transpose(2, 0, 1)))
    return tensor[None].float() / 255


def _pictures(run: Run, data: Path | None, size: int) -> tuple[list[ByteArray], str]:
    """Up to SAMPLES pictures, spread over the folder, and where they are from."""
    own = own_dataset(run) if data is None else None
    folder = data if own is None else own.folder
    if folder is None:
        return [_made(number, size) for number in range(SAMPLES)], "made"
    if not folder.is_dir():
        raise InputError(f"--data {folder}: there is no such folder")
    images = list_source(folder).images
    if not images:
        raise InputError(f"{folder}: no picture inside to compare on; give another --data")
    reading.prepare()
    places = np.linspace(0, len(images) - 1, min(SAMPLES, len(images))).round().astype(int)
    try:
        return [reading.read_still(folder / images[k]) for k in places], str(folder)
    except InputError as error:
        raise InputError(f"{folder}: a picture of it {error}; give another --data") from None


def _made(number: int, size: int) -> ByteArray:
    """Shapes on a ground of noise, another picture for each number."""
    import cv2

    rng = np.random.default_rng([_SEED, number])
    rgb = rng.integers(90, 160, (size * 3 // 4, size, 3), np.uint8)
    for _ in range(8):
        x, y, radius = (int(v) for v in rng.integers(size // 16, size * 3 // 4, 3))
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        if rng.random() < 0.5:
            cv2.circle(rgb, (x, y), radius // 3, colour, -1)
        else:
            cv2.rectangle(rgb, (x, y), (x + radius // 2, y + radius // 3), colour, -1)
    return rgb


def _place(exported: Exported, made: Path, scratch: Path) -> None:
    """The comparison, and the model where it agrees, in place of earlier ones.

    Whenever it is interrupted, no model is there without the comparison that speaks for it.
    """
    target = exported.file
    if target.exists():
        target.replace(scratch / f"earlier-{target.name}")
    comparison_file(target).unlink(missing_ok=True)
    replace_file(comparison_file(target), json_bytes(exported.record()))
    if exported.agrees:
        made.replace(target)
