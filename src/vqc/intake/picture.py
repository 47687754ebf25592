"""One picture file that nobody vouches for → what a set stores of it.

In: a path. Out: a `Picture`, or words for what is wrong with the file. Further: labels made
on the file → the same places in the picture as stored.

The content decides what a file is, never its name. Formats are an explicit list, so nothing
that runs a language (SVG, PDF, EPS) is ever opened. The size is checked in the header,
before a pixel is decoded; then everything is decoded, so that a cut-off file is found.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vqc.errors import InputError
from vqc.phash import phash
from vqc.pictures import in_8_bits
from vqc.types import ByteArray, FloatArray

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

JPEG_QUALITY = 95

_SUFFIXES = {
    "JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "BMP": ".bmp", "TIFF": ".tif", "WEBP": ".webp",
    "HEIF": ".jpg",  # hardly anything else reads HEIF, so it becomes a JPEG
}  # fmt: skip
_PILLOW_NAMES = {
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE",
    6: "ROTATE_270", 7: "TRANSVERSE", 8: "ROTATE_90",
}  # fmt: skip
_MAX_BYTES_PER_PIXEL = 16
_MAX_METADATA_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that is ready to be stored.

    data: the bytes to store; None where they are the file's own.
    suffix: of the stored file, by its content.
    sha256: of the bytes to store. phash, width, height: of the picture in them.
    raw_size: width and height in the file, before its turn.
    orientation: EXIF, 1 to 8: the turn from the file to the picture as it is shown.
    """

    data: bytes | None
    suffix: str
    sha256: str
    phash: str
    width: int
    height: int
    raw_size: tuple[int, int]
    orientation: int

    @property
    def shown_size(self) -> tuple[int, int]:
        """Width and height once turned, before any shrinking."""
        width, height = self.raw_size
        return (height, width) if self.orientation >= 5 else (width, height)


def prepare() -> None:
    """Import everything that `open_picture` needs; once, in the main thread.

    Pillow's remarks about broken EXIF are silenced; what is wrong with pixels is an error.
    """
    import cv2  # noqa: F401
    import pillow_heif
    from PIL import Image, ImageOps  # noqa: F401

    Image.init()
    pillow_heif.register_heif_opener(thumbnails=False)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def open_picture(path: Path, max_side: int | None, max_pixels: int) -> Picture | str:
    """A picture file, checked, turned upright and shrunk; or what is wrong with it, in words.

    max_side: longer pictures are shrunk to it with Pillow's Lanczos filter, which widens with
    the factor and so leaves no moiré at any size; nothing is enlarged.
    A file that needs neither turn nor shrinking keeps its bytes. Any other is written again in
    its own format, lossless ones without loss, JPEG at quality 95 without thinning out the
    colours; its ICC profile stays, other metadata goes, 16-bit colour becomes 8-bit (16-bit
    grey stays). HEIF becomes JPEG; its own turns are part of the format, so its orientation
    is always 1. Of MPO and HEIF files with several pictures the main one counts; animations
    and TIFF files with several pages are refused.
    `prepare` must have been called. Safe on threads.
    """
    from PIL.Image import DecompressionBombError

    try:
        data = _bytes_of(path, max_pixels)
        with _opened(data) as image:
            return _ready(data, image, max_side, max_pixels)
    except InputError as error:
        return str(error)
    except DecompressionBombError as error:  # WebP and TIFF: also Pillow's own limit holds
        return f"has too many pixels: {error}"
    except Exception as error:  # a decoder may raise anything on broken data
        return f"is cut off or damaged: {str(error) or type(error).__name__}"


def place_points(points: Any, picture: Picture, is_raw: bool) -> FloatArray:
    """(N, 2) x, y of labels → the same places in the picture as stored.

    is_raw: the labels count pixels of the file before its turn, else of the picture as shown.
    """
    placed = np.asarray(points, np.float64).reshape(-1, 2)
    if is_raw:
        placed = turn_points(placed, picture.orientation, picture.raw_size)
    return scale_points(placed, picture.shown_size, (picture.width, picture.height))


def place_mask(mask: NDArray[np.bool_], picture: Picture, is_raw: bool) -> NDArray[np.bool_]:
    """An (H, W) mask of a label → the same pixels of the picture as stored."""
    turned = turn_mask(mask, picture.orientation) if is_raw else mask
    return scale_mask(turned, (picture.width, picture.height))


def turn_points(points: FloatArray, orientation: int, size: tuple[int, int]) -> FloatArray:
    """(N, 2) x, y in a file of `size` (width, height) → in the picture as shown.

    Pixels are half-open, so the mirror image of x is width - x.
    """
    (w, h), (x, y) = size, (points[:, 0], points[:, 1])
    turned = {
        1: (x, y), 2: (w - x, y), 3: (w - x, h - y), 4: (x, h - y),
        5: (y, x), 6: (h - y, x), 7: (h - y, w - x), 8: (y, w - x),
    }  # fmt: skip
    return np.stack(turned[orientation], axis=1)


def turn_mask(mask: NDArray[np.bool_], orientation: int) -> NDArray[np.bool_]:
    """An (H, W) mask in a file → in the picture as shown; (W, H) from orientation 5 on."""
    columns = mask[:, ::-1] if orientation in (2, 3, 7, 8) else mask
    both = columns[::-1] if orientation in (3, 4, 6, 7) else columns
    return np.ascontiguousarray(both.T if orientation >= 5 else both)


def scale_points(
    points: FloatArray, from_size: tuple[int, int], to_size: tuple[int, int]
) -> FloatArray:
    """(N, 2) x, y in a picture of one size → in the same picture at another size."""
    return points * (np.array(to_size, np.float64) / from_size)


def scale_mask(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """An (H, W) mask at another size, (width, height): pixels of which it covers half or more."""
    import cv2

    if mask.shape == size[::-1]:
        return mask
    covered = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return np.asarray(covered >= 0.5 - 1e-6)


def _bytes_of(path: Path, max_pixels: int) -> bytes:
    try:
        size = path.stat().st_size
        if size > max_pixels * _MAX_BYTES_PER_PIXEL + _MAX_METADATA_BYTES:
            raise InputError(
                f"is a file of {size / 1e6:.0f} MB, too large for {max_pixels / 1e6:g} megapixels"
            )
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}") from None
    if not data:
        raise InputError("is empty")
    return data


def _opened(data: bytes) -> ImageFile:
    """The header alone.

    Pillow's own `open` would also compare the size with a limit that holds for the whole
    process; here the caller's limit is the one that counts.
    """
    from PIL import Image

    for name in ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "HEIF"):
        factory, accepts = Image.OPEN[name]
        if accepts and accepts(data[:16]) is True:
            return factory(io.BytesIO(data), "")
    raise InputError("is no JPEG, PNG, BMP, TIFF, WebP or HEIC picture, whatever its name says")


def _ready(data: bytes, image: ImageFile, max_side: int | None, max_pixels: int) -> Picture:
    raw_size, kind = _raw_size(image), str(image.format)
    if raw_size[0] * raw_size[1] > max_pixels:
        raise InputError(
            f"has {raw_size[0]} x {raw_size[1]} pixels, {raw_size[0] * raw_size[1] / 1e6:.0f} "
            f"megapixels; the limit is {max_pixels / 1e6:g}"
        )
    if getattr(image, "is_animated", False) and kind not in ("MPO", "HEIF"):
        raise InputError("holds several pictures: save the one that is meant as a file of its own")
    if kind == "PNG":  # decodes before it tells its EXIF; such errors are none of EXIF's
        image.load()
    orientation = _orientation(image)
    image.load()
    if image.mode in ("I", "F"):
        raise InputError(f"has 32 bits a channel (mode {image.mode}), expected 8 or 16")
    stored = _shrunk(_turned(image, orientation), max_side)
    if stored is image and orientation == 1 and kind != "HEIF":
        return _picture(None, data, image, raw_size, orientation)
    encoded = _encoded(stored, kind, data)
    with _opened(encoded) as again:
        again.load()
        return _picture(encoded, encoded, again, raw_size, orientation)


def _picture(
    new: bytes | None, data: bytes, image: ImageFile, raw_size: tuple[int, int], orientation: int
) -> Picture:
    return Picture(
        data=new,
        suffix=_SUFFIXES[str(image.format)],
        sha256=hashlib.sha256(data).hexdigest(),
        phash=phash(_rgb(image)),
        width=image.width,
        height=image.height,
        raw_size=raw_size,
        orientation=orientation,
    )


def _raw_size(image: ImageFile) -> tuple[int, int]:
    """As in the file; Pillow gives TIFF's size as it will be after the turn."""
    tags = getattr(image, "tag_v2", None)
    return image.size if tags is None else (int(tags[256]), int(tags[257]))


def _orientation(image: ImageFile) -> int:
    try:
        value = image.getexif().get(274, 1)
    except Exception:  # EXIF that is broken says nothing, and every other reader goes on too
        return 1
    return int(value) if value in range(1, 9) else 1


def _turned(image: ImageFile, orientation: int) -> Image:
    from PIL.Image import Transpose

    if orientation == 1 or image.format == "TIFF":  # Pillow turns TIFF while it loads
        return image
    return image.transpose(Transpose[_PILLOW_NAMES[orientation]])


def _shrunk(image: Image, max_side: int | None) -> Image:
    from PIL.Image import Resampling

    if max_side is None or max(image.size) <= max_side:
        return image
    scale = max_side / max(image.size)
    if image.mode in ("1", "P") or "transparency" in image.info:  # values that do not mix
        grey = "L" if image.mode in ("1", "L") else "RGB"
        alpha = {"L": "LA", "RGB": "RGBA"}[grey]
        image = image.convert(alpha if "transparency" in image.info else grey)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Resampling.LANCZOS)


def _encoded(image: Image, kind: str, original: bytes) -> bytes:
    """The picture as a file of its own kind, without any metadata but the colour profile."""
    options: dict[str, Any] = {"icc_profile": image.info.get("icc_profile")}
    if _SUFFIXES[kind] == ".jpg":
        kind = "JPEG"
        options |= {"quality": JPEG_QUALITY, "subsampling": 0}
        image = image if image.mode in ("L", "RGB", "CMYK") else _as_rgb(image)
    elif kind == "WEBP":
        is_lossless = b"VP8L" in original
        options |= {"lossless": True, "exact": True} if is_lossless else {"quality": JPEG_QUALITY}
    elif kind == "TIFF":
        options |= {"compression": "tiff_lzw"}
    bare = image.copy()  # a plain image: no TIFF tags that would be written again
    bare.info = {k: v for k, v in image.info.items() if k == "transparency"}
    out = io.BytesIO()
    bare.save(out, kind, **options)
    return out.getvalue()


def _rgb(image: Image) -> ByteArray:
    return np.asarray(_as_rgb(image), np.uint8)


def _as_rgb(image: Image) -> Image:
    image = in_8_bits(image)
    return image if image.mode == "RGB" else image.convert("RGB")
