"""Sources in other people's formats, written on the spot; their pictures are empty files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vqc.formats.source import Item, Listing, Reading, list_source
from vqc.types import Fault


def source(root: Path, files: Mapping[str, str | bytes]) -> Listing:
    """Files below a folder, by path and content."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list_source(root)


def every_fault(reading: Reading) -> list[Fault]:
    return [*reading.faults, *(fault for item in reading.items for fault in item.faults)]


def sound(reading: Reading) -> dict[str, Item]:
    """The items by file, none of them faulty."""
    assert [str(fault) for fault in every_fault(reading)] == []
    return {item.file: item for item in reading.items}
