"""Where a training starts: a file of weights found by name, or an architecture from scratch.

Nothing is downloaded. Architectures are Ultralytics' own, read from its package only, and a file
of weights may ask for no other layers than these: some layers fetch files when they are built.
"""

from __future__ import annotations

import copy
import difflib
import hashlib
import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from vqc.errors import InputError
from vqc.runs import ASKED, DATASET

FOLDER = Path("weights")
VARIABLE = "VQC_WEIGHTS"
SEEN = "vqc_seen"
"""The field of a .pt file with what trained it, as a tensor of bytes."""
_ADDRESS = "https://github.com/ultralytics/assets/releases/download/v8.4.0"
_HEADS = ("Detect", "v10Detect")
_SIZED = re.compile(r"(yolov?[0-9]+)([nslmx])(-.+)?")
_PUBLISHED = re.compile(r"yolov?[0-9]+[a-z][a-z0-9]*\.pt")


def is_architecture(name: str) -> bool:
    """Whether the name stands for a network that knows nothing yet."""
    return name.endswith((".yaml", ".yml"))


def find_weights(name: str) -> Path:
    """The file of weights: a path, or a name in weights/ or in the folder $VQC_WEIGHTS.

    Raises InputError where it is not there; for a detector that Ultralytics publishes, with the
    line that fetches it.
    """
    places = [Path(name), FOLDER / name]
    if elsewhere := os.environ.get(VARIABLE):
        places.append(Path(elsewhere) / name)
    for place in places:
        if os.path.isfile(place):
            return place
    if os.path.isdir(name):
        raise InputError(f"--weights {name} is a folder; expected a file such as yolov8n.pt")
    if "/" in name:
        raise InputError(f"--weights {name}: there is no such file")
    looked = f"looked for {', '.join(map(str, places))}"
    if not elsewhere:
        looked += f"; ${VARIABLE} may name another folder"
    published = _published()
    if name in published:
        raise InputError(
            f"--weights {name} is not here ({looked}). vqc downloads nothing; this fetches it:\n"
            f"  mkdir -p {FOLDER} && curl -L -o {FOLDER}/{name} {_ADDRESS}/{name}\n"
            "or train from scratch, with an architecture such as --weights yolov8n.yaml"
        )
    near = difflib.get_close_matches(name, published, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise InputError(f"--weights {name} is not here ({looked}).{hint}")


def find_architecture(name: str) -> dict[str, Any]:
    """The network's plan, from Ultralytics' package; InputError for an unknown name.

    Only the name counts: a file of that name in the working directory is not read.
    """
    plans, stem = _plans(), name.rpartition(".")[0]
    sized = _SIZED.fullmatch(stem)
    family, size = (sized[1] + (sized[3] or ""), sized[2]) if sized else (stem, "")
    if stem in plans:
        plan, scale = plans[stem], ""
    elif size in plans.get(family, {}).get("scales", ()):
        plan, scale = plans[family], size
    else:
        raise InputError(
            f"--weights {name}: no such architecture; expected a name such as yolov8n.yaml. "
            f"Known: {', '.join(plans)}; many with n, s, m, l or x after the number"
        )
    scale = scale or next(iter(plan.get("scales", ())), "")
    return {**copy.deepcopy(plan), "scale": scale, "yaml_file": name}


def plan_of(network: Any, file: str) -> dict[str, Any]:
    """The plan by which a network is built again, with as many classes as a set has.

    It comes out of the file of weights, so it is checked: InputError where it names layers
    that no detector of Ultralytics has.
    """
    plan = getattr(network, "yaml", None)
    try:
        rows = [*plan["backbone"], *plan["head"]]  # type: ignore[index]
        layers = [str(row[2]) for row in rows]
    except (TypeError, KeyError, IndexError):
        raise InputError(f"{file}: its network has no plan to build it by") from None
    if layers[-1] not in _HEADS:
        raise InputError(f"{file}: expected a detector of boxes, got one with a {layers[-1]} layer")
    known = {str(row[2]) for of in _plans().values() for row in [*of["backbone"], *of["head"]]}
    if foreign := sorted({*layers} - known):
        raise InputError(
            f"{file}: asks for layers that no detector of Ultralytics has: {', '.join(foreign)}"
        )
    return dict(plan)  # type: ignore[arg-type]


def sha256_of(name: str) -> str | None:
    """Of the file of weights; None for an architecture, whose name says all."""
    if is_architecture(name):
        find_architecture(name)
        return None
    path = find_weights(name)
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def seen_by(file: Path) -> bytes | None:
    """What trained a file of weights, as `vqc.lineage.seen` packs it; None where nobody knows.

    The weights of a run say it themselves. Those that do not, such as what an interrupted
    training has saved, are known by the folder of the run that they lie in.
    """
    import torch

    from vqc import lineage, ultra

    kept = ultra.load_file(file).get(SEEN)
    if isinstance(kept, torch.Tensor) and kept.dtype == torch.uint8:
        return bytes(kept.numpy())
    for folder in file.resolve().parents[:3]:
        if (folder / ASKED).is_file() and (folder / DATASET).is_file():
            return lineage.seen(folder)
    return None


def inherit(weights: str, run_dir: Path) -> None:
    """Note in a run what the weights have seen that it starts from, or looks through."""
    from vqc import lineage

    if not is_architecture(weights):
        packed = seen_by(find_weights(weights))
        if packed is not None:
            lineage.inherit(run_dir, packed)


def seen_tensor(run_dir: Path) -> dict[str, Any]:
    """What a run has seen, under SEEN, for its file of weights; empty where the core keeps none."""
    import torch

    from vqc import lineage

    if not (run_dir / DATASET).is_file():
        return {}
    return {SEEN: torch.frombuffer(bytearray(lineage.seen(run_dir)), dtype=torch.uint8)}


@cache
def _plans() -> Mapping[str, dict[str, Any]]:
    """Every detector of Ultralytics' package, by the name of its file."""
    import yaml

    from vqc import ultra

    ultra.prepare()
    import ultralytics

    base = Path(ultralytics.__file__).parent / "cfg" / "models"
    read = {path.stem: yaml.safe_load(path.read_bytes()) for path in base.rglob("yolo*.yaml")}
    return {name: read[name] for name in sorted(read) if read[name]["head"][-1][2] in _HEADS}


def _published() -> list[str]:
    from vqc import ultra

    ultra.prepare()
    from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES

    return sorted(name for name in GITHUB_ASSETS_NAMES if _PUBLISHED.fullmatch(name))
