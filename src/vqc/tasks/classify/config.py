"""Settings of a classifier's training, and what each of its models takes by itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from vqc.errors import InputError
from vqc.tasks.contract import Headline
from vqc.tasks.learning.augment import Augment, Flip
from vqc.tasks.settings import LARGEST_SEED, NONE_HELP, about, sift

HEADLINE = Headline("accuracy")
BACKBONE, LEGO_CNN = "backbone", "lego-cnn"
SCRATCH = "yolov8n.yaml"
"""The backbone that starts from nothing."""
_STRIDE, _LARGEST_IMGSZ = 32, 4096


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a model is trained with; the settings of the same names say otherwise.

    rate: of the optimiser, its highest where a schedule lowers it. augment: strength, 1 is usual.
    """

    imgsz: int
    epochs: int
    batch: int
    rate: float
    dropout: float
    augment: float
    turn_deg: float


RECIPES: Mapping[str, Recipe] = {
    BACKBONE: Recipe(
        imgsz=128, epochs=10, batch=16, rate=1e-3, dropout=0.2, augment=1, turn_deg=15
    ),
    LEGO_CNN: Recipe(imgsz=32, epochs=3, batch=32, rate=1e-3, dropout=0.25, augment=0, turn_deg=0),
}  # fmt: skip


def _own(text: str, name: str, **limits: float) -> dict[str, Any]:
    """The metadata of a setting of which each model has its own value."""
    values = dict.fromkeys(f"{getattr(recipe, name):g}" for recipe in RECIPES.values())
    return about(f"{text}{NONE_HELP}{', or '.join(values)}", **limits)


@dataclass(frozen=True, slots=True)
class ClassifyConfig:
    """How a classifier is trained; None is what its model takes, see RECIPES.

    weights_sha256: of the file that training starts from, or None from scratch.
    """

    model: Literal["backbone", "lego-cnn"] = field(
        default="backbone", metadata=about("a detector's backbone, or the small network")
    )
    weights: str | None = field(
        default="yolov8n.pt",
        metadata=about("detector whose backbone starts it, its name in weights/; none: scratch"),
    )
    crop: bool = field(
        default=False, metadata=about("learn from crops of labelled boxes, not whole pictures")
    )
    margin: float = field(
        default=0.1, metadata=about("around a crop, of the box's longer side", low=0, high=2)
    )
    least_px: int = field(
        default=8, metadata=about("boxes whose longer side is shorter are at fault", low=1)
    )
    imgsz: int | None = field(
        default=None,
        metadata=_own("side of the network's picture, px", "imgsz", low=32, high=_LARGEST_IMGSZ),
    )
    epochs: int | None = field(
        default=None, metadata=_own("how often the pictures are seen", "epochs", low=1)
    )
    batch: int | None = field(default=None, metadata=_own("pictures a step", "batch", low=1))
    rate: float | None = field(default=None, metadata=_own("highest learning rate", "rate", low=0))
    dropout: float | None = field(
        default=None, metadata=_own("share of features", "dropout", low=0, high=0.9)
    )
    augment: float | None = field(
        default=None,
        metadata=_own("how far pictures are varied, 0: not at all", "augment", low=0, high=3),
    )
    turn_deg: float | None = field(
        default=None, metadata=_own("largest turn either way", "turn_deg", low=0, high=180)
    )
    flip: Flip = field(
        default="none", metadata=about("mirrorings that leave a part what it is")
    )  # fmt: skip
    keep: float = field(
        default=0.99,
        metadata=about(
            "share of right val answers that count, where val has no backgrounds", low=0.5, high=1
        ),
    )
    patience: int = field(
        default=0, metadata=about("epochs without a gain on val, then it ends; 0: never", low=0)
    )
    epoch_images: int | None = field(
        default=None, metadata=about("pictures an epoch, all in turns; none: each once", low=1)
    )
    device: str = field(default="", metadata=about("cpu, or a GPU such as 0; empty: GPU if any"))
    seed: int = field(default=0, metadata=about("of everything random", low=0, high=LARGEST_SEED))
    weights_sha256: str | None = None

    @property
    def recipe(self) -> Recipe:
        """The model's own, but for what was given."""
        of_model = RECIPES[self.model]
        given = {f.name: getattr(self, f.name) for f in fields(Recipe)}
        return replace(of_model, **{k: v for k, v in given.items() if v is not None})

    @property
    def variation(self) -> Augment:
        """How training pictures are varied."""
        of = self.recipe
        shares = {"scale": 0.2, "shift": 0.06, "light": 0.3, "contrast": 0.3, "colour": 0.05}
        grown = {name: share * of.augment for name, share in shares.items()}
        return Augment(self.flip, of.turn_deg, **grown, noise=4 * of.augment)

    @property
    def start(self) -> str:
        """File, or architecture, that the backbone comes from."""
        return self.weights or SCRATCH

    def identity(self) -> dict[str, Any]:
        """What decides the result: weights by their hash, the model's own values, no device."""
        record = asdict(self) | asdict(self.recipe)
        record.pop("device")
        if self.model == LEGO_CNN or self.weights_sha256 is not None:
            record.pop("weights")
        else:
            record["weights"] = self.start
        return record


@dataclass(frozen=True, slots=True)
class PredictConfig:
    """How to predict. conf: None is the run's threshold. batch: None is what suits the device."""

    conf: float | None = field(
        default=None,
        metadata=about(
            "least probability of a class that counts; none: what val chose", low=0, high=1
        ),
    )
    device: str = field(default="", metadata=about("cpu, or a GPU such as 0; empty: GPU if any"))
    batch: int | None = field(
        default=None, metadata=about("pictures at once; none: what suits the device", low=1)
    )


def configure(settings: Mapping[str, Any]) -> ClassifyConfig:
    """Settings by name to a config; InputError lists every one that is unknown or does not fit."""
    from vqc.tasks.learning.weights import sha256_of

    values, unfit = sift(ClassifyConfig, settings)
    config = ClassifyConfig(**values)
    if faults := [*unfit.values(), *_faults(config, values, unfit)]:
        raise InputError("\n".join(faults))
    if config.model == LEGO_CNN:
        return replace(config, weights=None)
    return replace(config, weights_sha256=sha256_of(config.start))


def _faults(config: ClassifyConfig, given: Collection[str], unfit: Collection[str]) -> list[str]:
    """What does not fit together. given, unfit: names whose values fit and do not."""
    from vqc.tasks.learning.device import device_faults

    faults = device_faults(config.device)
    if config.model == LEGO_CNN and config.weights is not None and "weights" in given:
        faults.append(f"weights: {LEGO_CNN} starts from nothing, got {config.weights}")
    is_backbone = config.model == BACKBONE and "model" not in unfit
    if is_backbone and (config.recipe.imgsz % _STRIDE or config.recipe.imgsz < 64):
        faults.append(
            f"imgsz: expected a multiple of {_STRIDE} from 64 for the {BACKBONE}, got "
            f"{config.recipe.imgsz}"
        )
    return faults
