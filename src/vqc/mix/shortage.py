"""Too few frames: said once, with what is there for every class, session and source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqc.counts import Count
from vqc.errors import InputError
from vqc.mix.pool import KIND_NAMES, LABELLED, SPLITS, STATE_NAMES, Pool, Rows
from vqc.mix.request import number_of

_SHOWN = 60


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """How many frames were asked for.

    renders: in all. cad: (C,) renders by primary class. real: photos of each class.
    background_named: whether the user said how many backgrounds. "all" never falls short, and
    neither do zeros in renders and cad.
    """

    renders: int
    cad: NDArray[np.int64]
    real: Count
    background: Count
    background_named: bool
    unlabelled: Count = 0


def shortages(
    pool: Pool, photos: Sequence[Rows], unlabelled: Rows, wanted: Wanted, allow_short: bool
) -> list[str]:
    """Notes on what falls short; raises InputError where that is not allowed.

    photos: those that may train, for each class and the backgrounds last, without copies.
    unlabelled: those of which nobody said anything. No backgrounds at all is never an error,
    unless the user named a number. No class at all always is one, where classes were asked for.
    """
    cad = pool.is_render_to_train
    has_cad = np.bincount(pool.primary[cad], minlength=len(pool.classes))
    shows_cad = [len(rows) for rows in pool.rows_of_class(np.flatnonzero(cad))]
    *has_real, empty = map(len, photos)
    faults, notes = [], []
    real = number_of(wanted.real, least=0)
    shows_any = bool(pool.classes_there or pool.conditions_there)
    has_boxes = bool((pool.state == LABELLED).any())
    if (wanted.renders or real) and not shows_any:
        faults.append("no frame shows any class")
    if wanted.renders and not wanted.cad.any():
        faults.append(f"wanted {wanted.renders:,} renders, there are none that are labelled")
    for number in pool.classes_there:
        name = pool.classes[number]
        if wanted.cad.any() and not shows_cad[number]:
            faults.append(f"class {name}: wanted renders, there are none")
        elif wanted.cad.any() and not has_cad[number]:
            notes.append(f"class {name} is the main one in no render: it comes with others only")
        elif wanted.cad[number] > has_cad[number]:
            faults.append(
                f"class {name}: wanted {wanted.cad[number]:,} renders, there are "
                f"{has_cad[number]:,}"
            )
    for kind, there in (("class", pool.classes_there), ("condition", pool.conditions_there)):
        faults += [
            f"{kind} {pool.classes[number]}: wanted {real:,} photos that train, there are "
            f"{has_real[number]:,}"
            for number in there
            if real > has_real[number]
        ]
    if number_of(wanted.unlabelled, least=0) > len(unlabelled):
        faults.append(
            f"photos that nobody labelled: wanted {wanted.unlabelled:,}, there are "
            f"{len(unlabelled):,} outside of the sessions of val and test"
        )
    background = number_of(wanted.background, least=0)
    if background > empty and (empty or wanted.background_named):
        faults.append(f"backgrounds: wanted {background:,}, there are {empty:,}")
    elif wanted.background and not empty and pool.is_background.any():
        notes.append("no background photo trains: all of them are in val or test")
    elif wanted.background and not empty and not wanted.background_named and has_boxes:
        notes.append(
            "no background photos anywhere: take some of the empty place and give them with "
            "vqc intake FOLDER --name empty --background"
        )
    if faults and not (allow_short and shows_any):
        raise too_few(pool, faults)
    return [*_first([f"fewer than asked for: {fault}" for fault in faults], ""), *notes]


def too_few(pool: Pool, faults: list[str]) -> InputError:
    """What is missing, with what there is."""
    told = _first(faults, "")
    return InputError("\n".join(["too few frames:", *told, "", *_table(pool), "", _HINT]))


_HINT = (
    "Names that differ between renders and photos are mapped when a set is made: vqc render "
    "--class stem=name, vqc intake --class old=new. --allow-short takes what is there."
)


def _table(pool: Pool) -> list[str]:
    """What there is: a line for every class, set, session, source and split."""
    counts = np.diff(pool.shown_at)
    bare = np.flatnonzero(counts == 0)
    rows = np.concatenate([np.repeat(np.arange(len(pool)), counts), bare])
    classes = np.concatenate([pool.shown, -1 - pool.state[bare]])
    columns = [classes, pool.source[rows], pool.session[rows], pool.kind[rows], pool.split[rows]]
    groups, frames = np.unique(np.stack(columns, axis=1), axis=0, return_counts=True)
    cells = [("class", "set", "session", "source", "split", "frames")]
    for (number, source, session, kind, split), count in zip(
        groups.tolist(), frames.tolist(), strict=True
    ):
        name = pool.classes[number] if number >= 0 else f"({STATE_NAMES[-1 - number]})"
        place = pool.sources[source].prefix, pool.sessions[session]
        given = SPLITS[split] if split >= 0 else "-"
        cells.append((name, *place, KIND_NAMES[kind], given, f"{count:,}"))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    padded = ([c.ljust(w) for c, w in zip(row, widths, strict=True)] for row in cells)
    lines = ["  " + "  ".join(row).rstrip() for row in padded]
    return _first(lines, "  ")


def _first(lines: list[str], indent: str) -> list[str]:
    more = len(lines) - _SHOWN
    return lines[:_SHOWN] + ([f"{indent}... and {more:,} more lines"] if more > 0 else [])
