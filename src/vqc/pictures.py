"""The pictures of a set, read back: the one way for all stages that look at pixels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from vqc.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGE_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
"""What a set may hold; no other decoder of Pillow's is ever asked."""
LARGEST_MPX = 178
"""Megapixels that Pillow opens."""


def prepare() -> None:
    """Import Pillow's plug-ins here, not by several threads at once; call before threads."""
    import warnings

    from PIL import Image

    Image.init()
    # Raised from half of LARGEST_MPX on; how large a picture may be is decided at intake.
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)


def read_picture(
    path: Path, mode: Literal["RGB", "L"] = "RGB", draft_px: tuple[int, int] | None = None
) -> Image:
    """A picture in 8 bits.

    draft_px: width and height that suffice; a JPEG is then decoded smaller, and faster.
    Raises InputError for whatever does not open.
    """
    from PIL import Image

    try:
        with Image.open(path, formats=IMAGE_FORMATS) as picture:
            if draft_px is not None:
                picture.draft(mode, draft_px)
            return in_8_bits(picture).convert(mode)
    except Exception as error:  # a decoder may raise anything on broken data
        raise InputError(
            f"{path}: does not open as a picture ({type(error).__name__}); vqc verify lists "
            "everything that is wrong with its set"
        ) from None


def in_8_bits(picture: Image) -> Image:
    """16-bit grey with its upper eight bits, where Pillow would clip at 255; else unchanged."""
    from PIL import Image

    if not picture.mode.startswith("I"):
        return picture
    return Image.fromarray(
        (np.asarray(picture).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
    )
