"""One fit, from what was asked for to the look's file and the sheet beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vqc import asked
from vqc.errors import InputError, OutputError
from vqc.files import replace_file
from vqc.frames import Plan
from vqc.look.distributions import flow
from vqc.look.reading import look_to_record, read_look
from vqc.look.schema import Look
from vqc.twin import fit
from vqc.twin.photos import Found, Sample, find_photos, read_sample
from vqc.twin.sheet import draw_sheet
from vqc.twin.simulate import Lit, Simulation, sample, values
from vqc.types import FloatArray, Progress

SHOWN = 6
"""Pictures of each kind on the sheet."""
_SUFFIXES = (".yaml", ".yml")

Steps = Callable[[str, str], AbstractContextManager[Progress]]
"""What a step is called and what it counts → where it tells how far it is."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of `vqc look fit`, as they were typed. out: the look's file."""

    photos: tuple[Path, ...]
    step: tuple[Path, ...]
    base: str
    out: Path
    frames: int = 60
    size: str = "640x480"
    classes: tuple[str, ...] = ()
    backgrounds: tuple[Path, ...] = ()
    distractors: tuple[Path, ...] = ()
    environment: Path | None = None
    up: str = "z"
    seed: int = 0
    fresh: bool = False

    @property
    def sheet(self) -> Path:
        """The picture beside the look."""
        return self.out.with_suffix(".png")


@dataclass(frozen=True, slots=True, eq=False)
class Twin:
    """What a fit found. samples: photos, renders before and renders after."""

    look: Look
    photos: int
    samples: tuple[Sample, Sample, Sample]
    notes: tuple[str, ...]


def make(request: Asked, steps: Steps) -> Twin:
    """Fit, and write look and sheet. Raises VqcError; InputError with every fault at once."""
    _require_room(request)
    plan, base = _plan(request)
    classes = tuple(dict.fromkeys(source.class_name for source in plan.recipe.sources))
    found, notes = find_photos(request.photos, classes)
    picture = plan.recipe.picture
    with steps("read photos", "photos") as update:
        photos = read_sample(found, max(picture.width, picture.height), SHOWN, update)
    simulation = Simulation(plan)
    try:
        twin = _fitted(request, base, photos, len(found), simulation, steps)
    finally:
        simulation.close()
    twin = replace(twin, notes=notes + twin.notes)
    _write(request.out, look_text(twin.look, _header(request, found, photos)).encode())
    _write(request.sheet, draw_sheet(twin.samples))
    return twin


def look_text(look: Look, header: Sequence[str]) -> str:
    """A look's whole YAML, a line a field, below lines of comment; it reads as the same look."""
    lines = [f"# {line}" for line in header]
    for key, value in look_to_record(look).items():
        if not isinstance(value, dict):
            lines.append(f"{key}: {json.dumps(value, ensure_ascii=False)}")
            continue
        lines += ["", f"{key}:", *(f"  {name}: {flow(field)}" for name, field in value.items())]
    return "\n".join([*lines, ""])


def _fitted(
    request: Asked,
    base: Look,
    photos: Sample,
    count: int,
    simulation: Simulation,
    steps: Steps,
) -> Twin:
    with steps("render before", "frames") as update:
        lit = simulation.light(base, request.frames, update)
        before = sample(lit, [frame.draw for frame in lit], SHOWN)
        del lit
    look = fit.with_places(replace(base, name=request.out.stem), photos.places, count)
    with steps("render after", "frames") as update:
        lit = simulation.light(look, request.frames, update)
    with steps("fit sensor", "rounds") as update:
        found = fit.solve(photos.values, _on(lit, photos.quality, update), fit.start(base.sensor))
    spread = fit.spreads(photos.values, found)
    look = fit.with_sensor(look, found, spread, photos.quality, count)
    after = sample(lit, simulation.sensors(look, request.frames), SHOWN)
    wider = fit.wider_renders(photos.values, found)
    notes = (
        [
            f"renders differ more among themselves than the photos in {', '.join(wider)}, even "
            "with one sensor: that is the scene; narrow light, backdrop or material of the look"
        ]
        if wider
        else []
    )
    return Twin(look, count, (photos, before, after), tuple(notes))


def _on(lit: Sequence[Lit], quality: FloatArray, update: Progress) -> fit.Simulate:
    """Settings → statistics of these frames."""
    jpeg, rounds = int(np.clip(round(float(quality.mean())), 1, 100)), [0]

    def simulate(settings: FloatArray) -> FloatArray:
        rounds[0] += 1
        draws = [fit.set_to(f.draw, settings, f.light.shape[0], jpeg) for f in lit]
        found = values(lit, draws)
        update(min(rounds[0], fit.MOST_ROUNDS), fit.MOST_ROUNDS)
        return found

    return simulate


def _require_room(request: Asked) -> None:
    faults = []
    if request.out.suffix.lower() not in _SUFFIXES:
        faults.append(f"--out: expected a name that ends in .yaml, got {request.out}")
    if request.frames < 2:
        faults.append(f"--frames: expected 2 or more, got {request.frames}")
    there = [str(p) for p in (request.out, request.sheet) if p.exists()]
    if there and not request.fresh:
        faults.append(f"--out: {' and '.join(there)} is there; --fresh overwrites it")
    if faults:
        raise InputError("\n".join(faults))


def _plan(request: Asked) -> tuple[Plan, Look]:
    """What renders are made of: as `vqc render` would, but without a folder."""
    base = read_look(request.base)
    recipe, paths = asked.resolve(
        asked.Request(
            step=request.step,
            look=request.base,
            count=request.frames,
            backgrounds=request.backgrounds,
            distractors=request.distractors,
            environment=request.environment,
            name="twin",
            picture={"size": request.size, "up": request.up},
            classes=request.classes,
            seed=request.seed,
        )
    )
    return Plan(Path(), recipe, (), paths, len(os.sched_getaffinity(0))), base


def _header(request: Asked, found: Sequence[Found], photos: Sample) -> list[str]:
    sessions = ", ".join(sorted({item.frame.session for item in found}))
    return [
        f"Fitted by vqc look fit: the look {request.base} made like {len(found)} training photos",
        f"with {len(photos.places)} boxes (sessions: {sessions}), at {request.size} pixels.",
        f"Fitted: {', '.join(fit.FITTED[:3])},",
        f"{', '.join(fit.FITTED[3:10])},",
        f"{', '.join(fit.FITTED[10:])}.",
        f"All else is that of {request.base}, which counted as one photo more.",
    ]


def _write(path: Path, data: bytes) -> None:
    try:
        replace_file(path, data)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None
