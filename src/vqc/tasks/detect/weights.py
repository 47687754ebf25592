"""Where a training starts: a file of weights found by name, or an architecture from scratch.

Nothing is downloaded. Architectures are Ultralytics' own, read from its package only, since a
yaml of anybody else may ask for modules that fetch files.
"""

from __future__ import annotations

import difflib
import hashlib
import os
from pathlib import Path
from typing import Any

from vqc.errors import InputError

FOLDER = Path("weights")
VARIABLE = "VQC_WEIGHTS"
_ADDRESS = "https://github.com/ultralytics/assets/releases/download/v8.4.0"


def is_architecture(name: str) -> bool:
    """Whether the name stands for a network that knows nothing yet."""
    return name.endswith((".yaml", ".yml"))


def find_weights(name: str) -> Path:
    """The file of weights: a path, or a name in weights/ or in the folder $VQC_WEIGHTS.

    Raises InputError where it is not there; for a model that Ultralytics publishes, with the
    line that fetches it.
    """
    places = [Path(name), FOLDER / name]
    if elsewhere := os.environ.get(VARIABLE):
        places.append(Path(elsewhere) / name)
    for place in places:
        if place.is_file():
            return place
    looked = f"looked for {', '.join(map(str, places))}"
    if not elsewhere:
        looked += f"; ${VARIABLE} may name another folder"
    if "/" in name:
        raise InputError(f"--weights {name}: there is no such file")
    published = _published()
    if name in published:
        raise InputError(
            f"--weights {name} is not here ({looked}). vqc downloads nothing; this fetches it:\n"
            f"  mkdir -p {FOLDER} && curl -L -o {FOLDER}/{name} {_ADDRESS}/{name}\n"
            f"or train from scratch with --weights {Path(name).stem}.yaml"
        )
    near = difflib.get_close_matches(name, published, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise InputError(f"--weights {name} is not here ({looked}).{hint}")


def find_architecture(name: str) -> dict[str, Any]:
    """The network's plan, from Ultralytics' package; InputError for an unknown name."""
    from vqc import ultra

    ultra.prepare()
    import ultralytics
    from ultralytics.nn.tasks import guess_model_scale, yaml_model_load

    base = Path(ultralytics.__file__).parent / "cfg" / "models"
    there = sorted(
        p for p in base.rglob("yolo*.yaml") if "-" not in p.stem and "rtdetr" not in p.stem
    )
    stem = Path(name).stem
    scale = guess_model_scale(stem)
    plain = stem[: -len(scale)] if scale and stem.endswith(scale) else stem
    found = [p for p in there if p.stem in (stem, plain)]
    if "/" in name or not found:
        known = ", ".join(sorted({p.stem for p in there}))
        raise InputError(
            f"--weights {name}: no such architecture; expected a name such as yolov8n.yaml. "
            f"Known: {known}, with n, s, m, l or x"
        )
    plan: dict[str, Any] = yaml_model_load(found[0].with_name(Path(name).name))
    return plan


def sha256_of(name: str) -> str | None:
    """Of the file of weights; None for an architecture, whose name says all."""
    if is_architecture(name):
        find_architecture(name)
        return None
    path = find_weights(name)
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def _published() -> list[str]:
    from vqc import ultra

    ultra.prepare()
    from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES

    return sorted(name for name in GITHUB_ASSETS_NAMES if name.endswith(".pt"))
