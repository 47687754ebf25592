"""Which pictures a user means by files, folders and sets of photos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vqc.errors import InputError
from vqc.manifest import FILE_NAME, read_manifest

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
_SHOWN = 20


def find_pictures(places: Sequence[Path]) -> list[Path]:
    """Every picture below the places, sorted. Of a set with a manifest, only empty frames: a part
    in the background that carries no label would teach that it is none.

    Raises InputError with every place where there is none.
    """
    found, faults = list[Path](), []
    for place in places:
        here = _below(place)
        if not here:
            faults.append(_nothing(place))
        found += here
    if faults:
        raise InputError("\n".join(faults))
    return sorted(set(found))


def _below(place: Path) -> list[Path]:
    if place.is_file():
        return [place] if place.suffix.lower() in SUFFIXES else []
    if (place / FILE_NAME).is_file():
        frames = read_manifest(place).frames
        return [place / frame.image for frame in frames if frame.objects == ()]
    return [p for p in sorted(place.rglob("*")) if p.suffix.lower() in SUFFIXES and p.is_file()]


def _nothing(place: Path) -> str:
    if not place.exists():
        return f"{place}: there is no such file or folder; expected pictures of backgrounds"
    if (place / FILE_NAME).is_file():
        return (
            f"{place}: the set holds no background; expected frames that were looked at and are "
            "empty, as `vqc intake --background` makes them"
        )
    return f"{place}: holds no picture; expected {', '.join(SUFFIXES)}"


def require_readable(pictures: Sequence[Path]) -> None:
    """Raise InputError with every picture that cannot be decoded whole: frames need any of them."""
    from concurrent.futures import ThreadPoolExecutor

    from PIL import Image

    Image.init()  # its readers are imported here, and not by several threads at once
    with ThreadPoolExecutor() as pool:
        faults = [fault for fault in pool.map(_fault, pictures) if fault]
    if faults:
        more = [f"... and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
        raise InputError("\n".join([*faults[:_SHOWN], *more]))


def _fault(picture: Path) -> str | None:
    from PIL import Image

    try:
        with Image.open(picture) as opened:
            opened.draft("RGB", (256, 256))  # a JPEG is decoded small, but to its end
            opened.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return f"{picture}: cannot be read as a picture ({error}); leave it out"
    return None
