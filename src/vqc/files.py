"""Files appear whole or not at all, whatever interrupts their writer."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def replace_file(path: Path, data: bytes, scratch: Path | None = None) -> None:
    """Write under a temporary name in `scratch`, by default beside the file, then rename.

    scratch: a folder of the same file system, where what a killed writer leaves does no harm.
    Missing folders are made. Raises OSError, and then leaves nothing.
    """
    temporary = (scratch or path.parent) / f".{path.name}.{uuid.uuid4().hex}.tmp"
    try:
        try:
            temporary.write_bytes(data)
            os.replace(temporary, path)
        except FileNotFoundError:  # a folder is not there yet, or another command tidied it up
            temporary.parent.mkdir(parents=True, exist_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(data)
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
