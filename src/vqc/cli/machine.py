"""`vqc doctor`: what this machine offers."""

from __future__ import annotations

from typing import Annotated

import typer

from vqc.cli import show


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Say what this machine offers, what is missing, and how to get it.

    Exits with 1 where something that vqc needs is missing.
    """
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
