"""Which photo may go into which split: whole sessions, unless the user says otherwise."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqc.errors import InputError
from vqc.mix.draw import Keys, by_key, one_of_each
from vqc.mix.pool import SPLITS, Pool, Rows

TRAIN, VAL, TEST = range(len(SPLITS))
UNUSED = -1
_ORDERS = 100
_EQUAL = 1e-12


@dataclass(frozen=True, slots=True)
class SplitRules:
    """What the user asked for.

    val, test: names of sessions that go there whole. val_fraction: share of the training
    photos of each class that is cut out for val, from the same shoots. test_fraction: share
    of the photos that goes to test, by whole sessions. cut_seed: decides which photos val and
    test get, while the request's seed draws what trains; None for the request's seed.
    val_sessions: share of the training photos, what goes to test taken off, that goes to val
    by whole sessions; instead of val_fraction.
    """

    val: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    val_fraction: float = 0.0
    test_fraction: float = 0.0
    cut_seed: int | None = None
    val_sessions: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """role: (N,) int8, TRAIN, VAL, TEST or UNUSED, for photos; renders have UNUSED.

    notes: for the user.
    """

    role: NDArray[np.int8]
    notes: tuple[str, ...]


def assign(pool: Pool, photos: Rows, rules: SplitRules, keys: Keys, seed: int) -> Assignment:
    """Give every photo a role; a session in test is in no other split.

    What the user names comes first, then the splits given at intake, then the fractions;
    the rest trains. keys, seed: of the cuts. Raises InputError for sessions that are not there
    or named twice.
    """
    _check(pool, photos, rules)
    role = np.full(len(pool), UNUSED, np.int8)
    role[photos] = np.where(pool.split[photos] == -1, TRAIN, pool.split[photos])
    notes: list[str] = []
    for name, there in ((VAL, rules.val), (TEST, rules.test)):
        role[_in_sessions(pool, photos, there)] = name
    cut = _cut_through(pool, role)
    role[cut] = UNUSED
    if rules.test_fraction:
        _take_sessions(pool, role, photos, TEST, rules.test_fraction, seed)
        if not (role == TEST).any():
            notes.append("--test-fraction needs two sessions at least: there is no test split")
    cut = cut[role[cut] == UNUSED]
    if len(cut):
        names = ", ".join(sorted({pool.sessions[s] for s in pool.session[cut]}))
        notes.append(
            f"{len(cut)} photos marked test stay out: their session also trains or chooses "
            f"({names}); --test SESSION takes a session whole"
        )
    if rules.val_sessions:
        rest = np.flatnonzero((role == TRAIN) | (role == VAL))
        _take_sessions(pool, role, rest, VAL, rules.val_sessions, seed)
        if not (role == VAL).any():
            notes.append(
                "--val-sessions needs two training sessions at least; --val-fraction cuts val out "
                "of one"
            )
    if rules.val_fraction:
        _cut_val(pool, role, rules.val_fraction, keys)
    return Assignment(role, tuple(notes))


def _check(pool: Pool, photos: Rows, rules: SplitRules) -> None:
    known = sorted({pool.sessions[s] for s in np.unique(pool.session[photos])})
    faults = []
    for option, names in (("--val", rules.val), ("--test", rules.test)):
        for name in names:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                faults.append(f"{option} {name}: no photo has this session{hint}")
    twice = sorted(set(rules.val) & set(rules.test))
    faults += [f"session {name} is in --val and in --test: choose one" for name in twice]
    if faults:
        shown = ", ".join(known[:40]) + (", ..." if len(known) > 40 else "")
        faults.append(f"sessions of photos: {shown or 'none'}")
    for option, value in (
        ("--val-fraction", rules.val_fraction),
        ("--test-fraction", rules.test_fraction),
        ("--val-sessions", rules.val_sessions or 0.0),
    ):
        if not 0 <= value < 1:
            faults.append(f"{option}: expected a number from 0 to below 1, got {value}")
    if rules.val_sessions and rules.val_fraction:
        faults.append("--val-sessions and --val-fraction both say what val is: give one of them")
    if rules.cut_seed is not None and rules.cut_seed < 0:
        faults.append(f"cut_seed: expected a whole number from 0, got {rules.cut_seed}")
    if faults:
        raise InputError("\n".join(faults))


def _in_sessions(pool: Pool, photos: Rows, names: Sequence[str]) -> Rows:
    wanted = np.array([name in set(names) for name in pool.sessions], bool)
    return photos[wanted[pool.session[photos]]] if len(wanted) else photos[:0]


def _cut_through(pool: Pool, role: NDArray[np.int8]) -> Rows:
    """Test photos whose session has photos with another role."""
    elsewhere = np.zeros(len(pool.sessions), bool)
    elsewhere[pool.session[(role == TRAIN) | (role == VAL)]] = True
    return np.flatnonzero((role == TEST) & elsewhere[pool.session])


def _take_sessions(
    pool: Pool, role: NDArray[np.int8], photos: Rows, to: int, fraction: float, seed: int
) -> None:
    """Move whole training sessions to a split until the share is reached; one stays at least.

    photos: what the share is of, and what goes along with its session whatever its role was.
    Of several seeded orders of the sessions the one counts that leaves the split closest to
    the same share of every class and of the backgrounds, so that what is rare is on both sides
    where whole sessions allow it.
    """
    trains = np.unique(pool.session[role == TRAIN]).tolist()
    trains.sort(key=lambda number: pool.sessions[number])
    new = photos[role[photos] != to]
    sizes = np.bincount(pool.session[new], minlength=len(pool.sessions))
    missing = fraction * len(photos) - (len(photos) - len(new))
    rows, group = _by_group(pool, photos)
    session, fixed = pool.session[rows], role[rows] == to
    total = np.bincount(group)
    rng = np.random.default_rng([seed, 2 if to == TEST else 3])
    least, best = np.inf, np.empty(0, np.int64)
    for _ in range(_ORDERS):
        order = rng.permutation(np.array(trains, np.int64))[1:]
        taken = order[np.cumsum(sizes[order]) - sizes[order] < missing]
        is_taken = np.zeros(len(pool.sessions), bool)
        is_taken[taken] = True
        there = np.bincount(group[is_taken[session] | fixed], minlength=len(total))
        off = float((((there - fraction * total) / np.maximum(total, 1)) ** 2).sum())
        if off < least - _EQUAL:
            least, best = off, taken
    role[photos[np.isin(pool.session[photos], best)]] = to


def _by_group(pool: Pool, rows: Rows) -> tuple[Rows, NDArray[np.int64]]:
    """Each row as often as it shows a class, with that class; backgrounds with one number more."""
    empty = rows[pool.is_background[rows]]
    of_class = [*pool.rows_of_class(rows), empty]
    group = np.repeat(np.arange(len(of_class)), [len(r) for r in of_class])
    return np.concatenate(of_class), group


def _cut_val(pool: Pool, role: NDArray[np.int8], fraction: float, keys: Keys) -> None:
    """Move a share of each class and of the backgrounds from train to val.

    Of exact copies one stays, so that the cut never has one on each side.
    """
    rows = np.flatnonzero(role == TRAIN)
    role[np.setdiff1d(rows, one_of_each(pool, rows))] = UNUSED
    rows = np.flatnonzero(role == TRAIN)
    labelled = by_key(pool, rows[pool.is_labelled[rows]], keys)
    empty = by_key(pool, rows[pool.is_background[rows]], keys)
    orders = pool.rows_of_class(labelled)
    for order in (orders[number] for number in pool.classes_by_name):
        missing = round(fraction * len(order)) - int((role[order] == VAL).sum())
        role[order[role[order] == TRAIN][: max(missing, 0)]] = VAL
    role[empty[: round(fraction * len(empty))]] = VAL
