"""A finished run as `vqc train` leaves it, with a network that was never trained."""

from __future__ import annotations

import json
from pathlib import Path

from detectors import write_detector

from vqc import runs
from vqc.runs import Run

CLASSES = ("bolt", "nut")


def make_run(
    folder: Path, classes: tuple[str, ...] = CLASSES, imgsz: int = 64, eager: bool = True
) -> Run:
    """eager: its scores are raised, so that it finds something in every picture."""
    folder.mkdir(parents=True)
    write_detector(folder / "best.pt")
    if eager:
        _raise_scores(folder / "best.pt")
    run = Run(
        folder=folder,
        run_id="0123456789ab",
        task="detect",
        name=folder.name,
        config={"imgsz": imgsz},
        seed=0,
        classes=classes,
        dataset_name="boards",
        manifest_sha256="0" * 64,
        metrics={},
        epochs=1,
        best_epoch=1,
        chosen_on=None,
        seconds=1.0,
        weights=folder / "best.pt",
    )
    (folder / "run.json").write_text(json.dumps(runs.result_record(run)))
    return run


def _raise_scores(file: Path) -> None:
    """Make an untrained network answer to what it sees, with scores around a half.

    Its signals fade from layer to layer, so it would say the same of every picture: the norms
    are set to what a few pictures of noise show them.
    """
    import torch

    saved = torch.load(file, weights_only=False)
    network = saved["model"].float().train()
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # the mean over all that passes
        norm.reset_running_stats()
    with torch.no_grad():
        network(torch.rand(8, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    for branch in network.model[-1].cv3:
        branch[-1].weight.data *= 3
        branch[-1].bias.data[:] = -1.0
    saved["model"] = network.half().eval()
    torch.save(saved, file)
