"""Options that several commands share: what they are called, and what is said of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

From = Annotated[
    list[Path] | None,
    typer.Option(
        "--from", help="A set or a folder of sets; may repeat [default: renders, datasets]."
    ),
]
Val = Annotated[list[str] | None, typer.Option(help="Session that goes to val whole; may repeat.")]
Test = Annotated[
    list[str] | None, typer.Option(help="Session that goes to test whole; may repeat.")
]
ValFraction = Annotated[
    float, typer.Option(help="Share of the training photos cut out for val, same shoots.")
]
ValSessions = Annotated[
    float, typer.Option(help="Share of the training photos for val, by whole sessions.")
]
TestFraction = Annotated[
    float, typer.Option(help="Share of the photos for test, by whole sessions.")
]
PerClassVal = Annotated[
    str, typer.Option(help="Photos a class in val, at most, and backgrounds; or all.")
]
PerClassTest = Annotated[
    str, typer.Option(help="Photos a class in test, at most, and backgrounds; or all.")
]
Background = Annotated[
    int | None, typer.Option(help="Photos of the empty place [default: as --real].")
]
Box = Annotated[str, typer.Option(help="modal (what shows) or amodal (the whole), for renders.")]
MinVisibility = Annotated[
    float, typer.Option(help="Objects of which less shows go without a label.")
]
AllowShort = Annotated[
    bool, typer.Option("--allow-short", help="Take what is there where frames are too few.")
]
AllowLeaks = Annotated[
    bool, typer.Option("--allow-leaks", help="Go on though splits share pictures.")
]
TaskName = Annotated[str, typer.Option(help="What to train; vqc tasks lists them.")]
Weights = Annotated[
    str | None,
    typer.Option(help="What to start from: yolov8n.pt, a path, or yolov8n.yaml for scratch."),
]
Batch = Annotated[int | None, typer.Option(help="Pictures a step.")]
Device = Annotated[str | None, typer.Option(help="cpu, or a GPU such as 0.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any other setting of the task or of Ultralytics; may repeat."),
]
RunsFolder = Annotated[Path, typer.Option(help="Folder that holds the runs.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print errors only.")]

Step = Annotated[list[Path], typer.Option(help="STEP file, or a folder of them; may repeat.")]
Classes = Annotated[list[str] | None, typer.Option("--class", help="stem=name; may repeat.")]
Backgrounds = Annotated[
    list[Path] | None,
    typer.Option(help="What a look lays behind: picture, folder of them, or set; may repeat."),
]
Distractors = Annotated[
    list[Path] | None,
    typer.Option(help="What a look puts beside: STEP or STL files of other things; may repeat."),
]
Environment = Annotated[
    Path | None,
    typer.Option(help="A panorama whose light shines on a look's parts, .hdr or a picture."),
]
Up = Annotated[str, typer.Option(help="Which axis of the file points up: z or y.")]
AllowMixed = Annotated[
    bool,
    typer.Option(
        "--allow-mixed-renderers",
        help="Let frames drawn in software and by a GPU stand in one set.",
    ),
]
Engine = Annotated[
    str,
    typer.Option(
        help="local: processes here; slurm: a job array; dask: a cluster that is there "
        "(docs/clusters.md)."
    ),
]
Shard = Annotated[
    str | None, typer.Option(help="K/N: only the K-th of N shares; any machine, any order.")
]
Shards = Annotated[
    int | None,
    typer.Option(help="Shares for slurm or dask [default: of ten minutes or more each]."),
]
Slurm = Annotated[
    list[str] | None,
    typer.Option(
        help="KEY=VALUE or FILE.yaml: account, partition, qos, constraint, time, gpus, cpus, "
        "throttle and more; may repeat."
    ),
]
WriteOnly = Annotated[
    bool, typer.Option("--write-only", help="Write Slurm's script and submit nothing.")
]
Scheduler = Annotated[
    str | None, typer.Option(help="Dask's scheduler: tcp://HOST:PORT or its scheduler file.")
]
