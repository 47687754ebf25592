"""The networks of `segment`: (N, 3, H, W) pictures in [0, 1] → (N, C, H, W) logits.

H and W are multiples of STEP_PX. The U-Nets are the originals; the default is a detector's
backbone with a light decoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vqc.tasks.learning.backbone import Backbone, from_plan, load_backbone
from vqc.tasks.learning.weights import find_architecture, is_architecture
from vqc.tasks.segment.config import BACKBONE, STEEL, SegmentConfig

if TYPE_CHECKING:
    from torch import nn

STEEL_FILTERS = (8, 16, 32, 64, 64, 128)
CRACK_FILTERS = (16, 32, 64, 128, 256, 512)
"""The original has 6 levels; how many filters is not on record, so they double from 16."""
CRACK_SLOPE = 0.375
_DECODER = (128, 96, 64, 48, 32)
"""Channels after each enlargement, from stride 32 up."""
_FULL = 16
"""Channels at full resolution."""
_RARE = -2.0
"""First logit of every pixel, a probability of 0.12: most pixels show no class, and steps need not
be spent on learning that."""


def build(config: SegmentConfig, classes: int) -> tuple[nn.Module, Mapping[str, Any]]:
    """An untrained network, its encoder pretrained where the config says so, and its plan.

    The first weights follow from torch's seed. Raises InputError for weights that are no detector.
    """
    if config.model != BACKBONE:
        return from_record(config.model, {}, classes), {}
    if is_architecture(config.weights):
        backbone = from_plan(find_architecture(config.weights))
    else:
        backbone = load_backbone(config.weights)
    return decoder_of(backbone, classes), backbone.plan


def from_record(model: str, plan: Mapping[str, Any], classes: int) -> nn.Module:
    """The network that `build` made, by what a run kept of it; its weights come from there."""
    if model == BACKBONE:
        return decoder_of(from_plan(plan), classes)
    return unet_steel(classes) if model == STEEL else unet_crack(classes)


def unet_steel(classes: int) -> nn.Module:
    """The original for steel: ELU, and Keras' usual first weights (Glorot)."""
    from torch import nn

    def first(module: nn.Module) -> None:
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(module.weight)
            _zero(module.bias)

    return unet(STEEL_FILTERS, nn.ELU, classes).apply(first)


def unet_crack(classes: int) -> nn.Module:
    """The original for cracks: Leaky ReLU of slope 0.375, He-normal first weights."""
    from torch import nn

    def first(module: nn.Module) -> None:
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            _zero(module.bias)

    return unet(CRACK_FILTERS, lambda: nn.LeakyReLU(CRACK_SLOPE), classes).apply(first)


def _zero(bias: Any) -> None:
    from torch import nn

    if bias is not None:
        nn.init.zeros_(bias)


def unet(filters: Sequence[int], activation: Any, classes: int) -> nn.Module:
    """Ronneberger's U-Net: two 3×3 convolutions a level, 2×2 pooling, transposed convolutions."""
    import torch
    from torch import nn

    def level(inside: int, outside: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(inside, outside, 3, padding=1), activation(),
            nn.Conv2d(outside, outside, 3, padding=1), activation(),
        )  # fmt: skip

    class UNet(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            downs = zip((3, *filters), filters, strict=False)
            ups = list(zip(filters[:0:-1], filters[-2::-1], strict=True))
            self.down = nn.ModuleList(level(a, b) for a, b in downs)
            self.enlarge = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, 2) for a, b in ups)
            self.up = nn.ModuleList(level(2 * b, b) for _, b in ups)
            self.head = nn.Conv2d(filters[0], classes, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            kept = []
            for number, down in enumerate(self.down):
                x = down(x if number == 0 else nn.functional.max_pool2d(x, 2))
                kept.append(x)
            for enlarge, up, skip in zip(self.enlarge, self.up, kept[-2::-1], strict=True):
                x = up(torch.cat([enlarge(x), skip], 1))
            logits: torch.Tensor = self.head(x)
            return logits

    return UNet()


def decoder_of(backbone: Backbone, classes: int) -> nn.Module:
    """The default: the backbone's maps at strides 32 to 2 and the picture itself, joined again.

    Each step doubles the map, puts the backbone's map of that stride beside it and mixes both.
    """
    import torch
    from torch import nn

    def mixed(inside: int, outside: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(inside, outside, 3, padding=1, bias=False),
            nn.BatchNorm2d(outside), nn.SiLU(),
        )  # fmt: skip

    class Decoder(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.encoder = backbone.layers
            skips = [*backbone.channels[-2::-1], _FULL]
            inside = backbone.channels[-1]
            self.lateral = mixed(inside, _DECODER[0])
            steps = zip(_DECODER, skips, (*_DECODER[1:], _FULL), strict=True)
            self.steps = nn.ModuleList(mixed(a + b, c) for a, b, c in steps)
            self.stem = mixed(3, _FULL)
            self.head = nn.Conv2d(_FULL, classes, 1)
            nn.init.constant_(self.head.bias, _RARE)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            maps = [self.stem(x), *backbone.maps(x)]
            y = self.lateral(maps[-1])
            for step, skip in zip(self.steps, maps[-2::-1], strict=True):
                y = nn.functional.interpolate(y, scale_factor=2.0, mode="nearest")
                y = step(torch.cat([y, skip], 1))
            logits: torch.Tensor = self.head(y)
            return logits

    return Decoder()
