"""What the folders of a source mean: splits, pictures, masks, classes and conditions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vqc.formats.source import SPLITS, Listing, stem

GOOD = ("good", "ok", "normal", "healthy")
"""What people call a folder of pictures without a defect, in lower case."""

_IMAGES = ("images", "image", "imgs", "img")
_FOLDER = re.compile(
    r"(?:(?P<rest>.+)[_-])?(?:(?P<images>images?|imgs?)"
    r"|(?P<masks>masks?|labels?|annotations?|gt|ground_?truths?))",
    re.IGNORECASE,
)
_MASK_NAME = re.compile(
    r"(?P<of>.+)[_\-. ](?:masks?|gt|ground_?truth|labels?|seg|annotations?)", re.IGNORECASE
)

Folders = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pictures of a source and the masks that belong to them.

    masks: for each picture, in order of name, the mask of its name or None.
    alone: masks without a picture. shared: masks that several pictures would have.
    """

    masks: Mapping[str, str | None]
    alone: tuple[str, ...]
    shared: Mapping[str, tuple[str, ...]]


def folders_of(file: str) -> Folders:
    """The folders that mean something of their own: no split, nothing like `images`.

    >>> folders_of("lego/train/images/3022/a.jpg")
    ('lego', '3022')
    """
    parts = file.split("/")[:-1]
    return tuple(p for p in parts if p.lower() not in SPLITS and p.lower() not in _IMAGES)


def class_folders(files: Sequence[str]) -> dict[str, Folders]:
    """The folders of each file from where they differ; the last one stays in any case."""
    folders = {file: folders_of(file) for file in files}
    first, last = min(folders.values(), default=()), max(folders.values(), default=())
    least = min(map(len, folders.values()), default=0)
    pairs = enumerate(zip(first, last, strict=False))
    common = next((i for i, (a, b) in pairs if a != b), least)
    return {file: parts[min(common, max(least - 1, 0)) :] for file, parts in folders.items()}


def good_level(pictures: Iterable[str]) -> int | None:
    """How deep, among `folders_of`, a folder such as `good` lies; None where there is none."""
    found = (
        level
        for file in pictures
        for level, folder in enumerate(folders_of(file))
        if folder.lower() in GOOD
    )
    return min(found, default=None)


def looks_labelled(listing: Listing) -> bool:
    """Whether some pictures are masks of others, or a text has a picture's name.

    Such a text, XML or JSON may well be its label, so nobody should call it unlabelled.
    """
    images = listing.images
    names = {stem(file.rpartition("/")[2]) for file in images}
    texts = listing.ending(".txt", ".xml", ".json")
    if any(stem(file.rpartition("/")[2]) in names for file in texts):
        return True
    return any(map(_in_mask_folder, images)) or any(pair(listing).masks.values())


def pair(listing: Listing) -> Pairs:
    """Which pictures of a source are masks, and of which others.

    Masks lie in a folder such as `masks` or `ground_truth`; where there is no such folder, they
    end like `_mask` or `_GT`. A mask has its picture's name, with or without such an end, and
    lies in the same folders but for `images` and `masks`; splits count where masks have them.
    """
    files = listing.images
    is_mask = _in_mask_folder if any(map(_in_mask_folder, files)) else _named_mask
    found = [file for file in files if is_mask(file)]
    index = {_key(_named_like_picture(mask)): mask for mask in reversed(found)}
    index |= {_key(mask): mask for mask in reversed(found)}
    masks: dict[str, str | None] = {}
    users: dict[str, list[str]] = {}
    for file in files:
        if not is_mask(file):
            mask = index.get(_key(file)) or index.get(_key_without_split(file))
            masks[file] = mask
            if mask is not None:
                users.setdefault(mask, []).append(file)
    alone = tuple(file for file in found if file not in users)
    shared = {mask: tuple(files) for mask, files in users.items() if len(files) > 1}
    return Pairs(masks, alone, shared)


def _in_mask_folder(file: str) -> bool:
    """Whether the innermost folder that says images or masks says masks."""
    found = [m for m in map(_FOLDER.fullmatch, file.split("/")[:-1]) if m is not None]
    return bool(found) and found[-1]["masks"] is not None


def _named_mask(file: str) -> bool:
    return _MASK_NAME.fullmatch(stem(file.rpartition("/")[2])) is not None


def _named_like_picture(file: str) -> str:
    """A mask's path with the end of its name off: `a/b_mask.png` becomes `a/b.png`."""
    folder, slash, name = file.rpartition("/")
    found = _MASK_NAME.fullmatch(stem(name))
    return f"{folder}{slash}{found['of']}.png" if found else file


def _key(file: str) -> str:
    """What a picture and its mask have in common: `train/masks/a.png` becomes `train/a`."""
    *folders, name = stem(file).split("/")
    kept: list[str] = []
    for folder in folders:
        found = _FOLDER.fullmatch(folder)
        kept += [folder] if found is None else [found["rest"]] if found["rest"] else []
    return "/".join([*kept, name])


def _key_without_split(file: str) -> str:
    *folders, name = _key(file).split("/")
    return "/".join([*(f for f in folders if f.lower() not in SPLITS), name])
