"""A trained classifier, out of a run's file: pictures in, calibrated probabilities out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vqc import ultra
from vqc.errors import InputError
from vqc.runs import ANEW
from vqc.tasks.classify.calibration import probabilities
from vqc.tasks.classify.config import BACKBONE, LEGO_CNN
from vqc.tasks.classify.samples import Cropping, Pixels, square
from vqc.tasks.learning import files
from vqc.tasks.learning.device import device_of
from vqc.types import ByteArray, FloatArray

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """threshold: the least probability that counts. cropping: as the run learnt from boxes."""

    network: nn.Module
    device: torch.device
    classes: tuple[str, ...]
    imgsz: int
    temperature: float
    threshold: float
    cropping: Cropping | None

    def shares(self, rgbs: Sequence[ByteArray]) -> FloatArray:
        """(N, K): probabilities of whole pictures, each (H, W, 3)."""
        import torch

        from vqc.tasks.classify.learner import to_batch

        squares = [square(rgb, self.imgsz) for rgb in rgbs]
        with torch.inference_mode():
            logits = self.network(to_batch(squares, self.device)).double().cpu().numpy()
        return probabilities(logits, self.temperature)

    def shares_of(self, pixels: Pixels) -> FloatArray:
        """(N, K): probabilities of samples."""
        from vqc.tasks.classify.learner import logits_of

        return probabilities(logits_of(self.network, pixels, self.device), self.temperature)


def load(file: Path, classes: Sequence[str], device: str) -> Trained:
    """The classifier of a run's file, on its device.

    classes: the run's. Raises InputError where the file holds other ones, or no classifier that
    can be opened safely, and for a device that is not there.
    """
    ultra.prepare()
    from vqc.tasks.classify.learner import laid_out
    from vqc.tasks.classify.networks import rebuilt

    where = device_of(device)
    about, tensors = files.load(file, "classify", ANEW)
    try:
        known = tuple(map(str, about["classes"]))
        imgsz, model = int(about["imgsz"]), about["model"]
        numbers = [float(about[key]) for key in ("temperature", "threshold", "margin")]
        least_px, has_crops = int(about["least_px"]), about["crop"] is True
        state: Any = tensors["network"]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{file}: not the weights of a classifier ({error!r}); {ANEW}") from None
    if known != tuple(classes) or model not in (BACKBONE, LEGO_CNN):
        raise InputError(
            f"{file} is a {model} for the classes {', '.join(known)}; expected "
            f"{', '.join(classes)}, in this order: the file belongs to another run"
        )
    network = rebuilt(about, len(known), str(file))
    files.restore(network, state, file, ANEW)
    temperature, threshold, margin = numbers
    cropping = Cropping(margin, least_px) if has_crops else None
    network = laid_out(network.eval(), where)
    return Trained(network, where, known, imgsz, temperature, threshold, cropping)
