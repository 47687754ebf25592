"""`vqc doctor`: what this machine offers."""

from __future__ import annotations

from typing import Annotated

import typer

from vqc.cli import show


def doctor(
    gpu: Annotated[
        bool, typer.Option("--gpu", help="Let every EGL device draw test frames instead.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Say what this machine offers, what is missing, and how to get it.

    Exits with 1 where something that vqc needs is missing.

    With --gpu every device that EGL lists, GPU or software, draws a sphere of 19,600 triangles at
    640×480 in a process of its own. What it drew is checked and timed. Exits with 1 where a GPU
    that CUDA may use cannot draw, where CUDA_VISIBLE_DEVICES names one that EGL does not find, or
    where no device can. Try it first on a new GPU node, inside a job: there the job's own GPUs
    answer.

    \b
    Examples:
      vqc doctor
      srun --gpus=1 vqc doctor --gpu
    """
    if gpu:
        _gpu(json)
    import dataclasses

    from vqc import doctor as machine

    findings = machine.examine()
    if json:
        show.as_json([dataclasses.asdict(finding) for finding in findings])
    else:
        marks = {True: "ok", False: "MISSING", None: ""}
        rows = [(f.name, f.value, marks[f.ok]) for f in findings]
        show.table("this machine", ("what", "found", ""), rows)
        show.notes([f"{f.name}: {f.remedy}" for f in findings if f.remedy])
    raise typer.Exit(0 if machine.healthy(findings) else 1)


def _gpu(json: bool) -> None:
    import dataclasses
    import os

    from vqc import doctor as machine
    from vqc.render.devices import can_draw, find_devices

    devices = find_devices()
    lost = machine.unmatched(devices, os.environ.get("CUDA_VISIBLE_DEVICES"))
    trials = machine.try_devices(devices)
    if json:
        show.as_json([dataclasses.asdict(trial) for trial in trials])
    else:
        rows = [
            (
                *(str(t.index), "-" if t.cuda is None else str(t.cuda), t.name, t.renderer or "-"),
                *("-" if t.ms_per_frame is None else f"{t.ms_per_frame:.1f}", t.fault or "ok"),
            )
            for t in trials
        ]
        columns = ("EGL device", "CUDA", "file", "drawn by", "ms a frame", "")
        show.table("what each EGL device draws", columns, rows)
        if not trials:
            show.notes(["EGL lists no device here; vqc doctor says what is missing"])
    show.notes([lost] if lost else [])
    raise typer.Exit(0 if can_draw(trials) and not lost else 1)
