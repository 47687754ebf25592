"""The splits that data.yaml or darknet's *.data give to the pictures of a YOLO source.

An entry names a folder or a text file that lists pictures. Every one is looked up among the
source's own files, so none leads out of it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from vqc.formats.labels import Pictures, Wrong
from vqc.formats.source import SPLITS, Listing, split_of, text_of


@dataclass(frozen=True, slots=True)
class Entry:
    """Pictures of a split. file: where it is written; path: the dataset's place by that file."""

    file: str
    split: str
    written: str
    path: str = ""


def splits_of(
    listing: Listing, entries: Iterable[Entry]
) -> tuple[dict[str, str | None], set[str], list[str]]:
    """The split of every picture, the lists of pictures that were read, and notes.

    A picture that an entry names alone has that entry's split; otherwise its folders tell.
    """
    images, pictures = listing.images, Pictures(listing.images)
    folders = set(_folders(images))
    known = folders | set(listing.ending(".txt"))
    claims: dict[str, set[str]] = {image: set() for image in images}
    lists, notes = set(), []
    for entry in entries:
        base = entry.file.rpartition("/")[0]
        inner = _resolve(entry.path, [base, ""], folders) if entry.path else base
        target = _resolve(entry.written, [base if inner is None else inner, base, ""], known)
        claimed: Iterable[str] = ()
        if target is None:
            notes.append(f"{entry.file}: {entry.split}: {entry.written} is not in the source")
        elif target in folders:
            claimed = [i for i in images if i.startswith(f"{target}/" if target else "")]
        else:
            lists.add(target)
            claimed = _listed(listing, target, pictures, notes)
        for image in claimed:
            claims[image].add(entry.split)
    return {image: _split(image, claims[image]) for image in images}, lists, notes + _torn(claims)


def _split(image: str, claimed: set[str]) -> str | None:
    return next(iter(claimed)) if len(claimed) == 1 else split_of(image)


def _torn(claims: Mapping[str, set[str]]) -> list[str]:
    """A note on pictures that several splits claim and whose folders name none."""
    torn = Counter(
        " and ".join(sorted(claimed))
        for image, claimed in claims.items()
        if len(claimed) > 1 and split_of(image) is None
    )
    return [f"{n} pictures are {which} alike: no split is kept" for which, n in torn.items()]


def _folders(files: Iterable[str]) -> Iterator[str]:
    """Every folder that holds files, at any depth; "" is the source itself."""
    yield ""
    for folder in {file.rpartition("/")[0] for file in files}:
        while folder:
            yield folder
            folder = folder.rpartition("/")[0]


def _resolve(written: str, bases: list[str], known: set[str]) -> str | None:
    """The folder or list that an entry means, seen from one of the bases.

    Leading folders are other people's and may be absent here, but not one that names a split:
    `../test/images` is not `images`.
    """
    parts = [p for p in re.split(r"[/\\]+", written) if p not in ("", ".", "..")]
    if not parts:
        return bases[0]
    for start, part in enumerate(parts):
        rest = "/".join(parts[start:])
        for base in bases:
            path = f"{base}/{rest}" if base else rest
            if path in known:
                return path
        if part.lower() in SPLITS:
            break
    return None


def _listed(listing: Listing, file: str, pictures: Pictures, notes: list[str]) -> Iterator[str]:
    """The pictures that a list names, one a line; a note on those that are not here."""
    text = text_of(listing.root, file)
    missing = []
    for line in text.split("\n") if isinstance(text, str) else ():
        try:
            if line.strip():
                yield pictures.find(line.strip(), file)
        except Wrong:
            missing.append(line.strip())
    if missing:
        notes.append(f"{file}: names {len(missing)} pictures that are not here, as {missing[0]}")
