"""A pool and what the user asks for → which frames go into which split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from vqc.errors import InputError, LeakError
from vqc.mix.diverse import diverse_order
from vqc.mix.draw import Keys, balanced, by_key, equal_shares, keys_of, one_of_each, quota
from vqc.mix.pool import LABELLED, SPLITS, Pool, Rows
from vqc.mix.request import Request, limit_of, number_of
from vqc.mix.shortage import Wanted, shortages, too_few
from vqc.mix.splits import TEST, TRAIN, VAL, assign
from vqc.mix.twins import twins
from vqc.types import Progress

BACKGROUND = "(background)"
"""The row of the table for photos that show nothing."""
UNLABELLED = "(nobody labelled it)"
"""The row of the table for photos of which nobody said anything."""

_DRAW, _CUT = 0, 1
_SHOWN_LEAKS = 10
_NONE = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Which frames of a pool go where.

    rows: every frame taken. split: (len(rows),) place in SPLITS. same_shoot: (len(rows),).
    classes: names, those that occur nowhere left out. notes: for the user.
    """

    pool: Pool
    request: Request
    classes: tuple[str, ...]
    rows: Rows
    split: NDArray[np.int8]
    same_shoot: NDArray[np.bool_]
    notes: tuple[str, ...]

    def rows_in(self, split: int, cad: bool | None = None) -> Rows:
        """The frames of one split; renders only, photos only, or both."""
        rows: Rows = self.rows[self.split == split]
        return rows if cad is None else rows[self.pool.is_photo[rows] != cad]

    def table(self) -> list[tuple[str, int, int, int, int]]:
        """For every class, backgrounds and all together: renders and photos in train, val, test.

        A frame with several classes counts for each of them.
        """
        columns = [
            self.rows_in(TRAIN, cad=True),
            self.rows_in(TRAIN, cad=False),
            self.rows_in(VAL),
            self.rows_in(TEST),
        ]
        by_class = [[len(r) for r in self.pool.rows_of_class(rows)] for rows in columns]
        pool = self.pool
        titles = {pool.classes.index(name): name for name in self.classes}
        titles |= {k: f"{pool.classes[k]} (condition)" for k in pool.conditions_there}
        lines = [
            (title, *(counts[number] for counts in by_class)) for number, title in titles.items()
        ]
        if pool.is_unlabelled[self.rows].any():
            lines.append((UNLABELLED, *(int(pool.is_unlabelled[r].sum()) for r in columns)))
        lines.append((BACKGROUND, *(int(pool.is_background[r].sum()) for r in columns)))
        lines.append(("all frames", *map(len, columns)))
        return lines  # type: ignore[return-value]


def plan(pool: Pool, request: Request, on_progress: Progress = lambda done, total: None) -> Plan:
    """Draw the frames of a mix; the same pool and request give the same ones.

    on_progress: photos looked at and photos in all, where diverse ones are selected.
    Raises InputError for too few frames or unknown sessions, LeakError where val or test
    hold a picture that trains.
    """
    cut_seed = request.seed if request.splits.cut_seed is None else request.splits.cut_seed
    keys, cut_keys = keys_of(pool, request.seed, _DRAW), keys_of(pool, cut_seed, _CUT)
    photos = np.flatnonzero(pool.is_photo & pool.is_usable)
    roles = assign(pool, photos, request.splits, cut_keys, cut_seed)
    by_seed, by_cut = (partial(_by_keys, pool, k) for k in (keys, cut_keys))
    order = by_seed
    if request.select == "diverse":
        order = partial(diverse_order, pool, keys, request.weights, on_progress)
    groups = {role: _groups(pool, roles.role, role) for role in (TRAIN, VAL, TEST)}
    real, backgrounds = limit_of(request.real), limit_of(request.backgrounds)
    train = _take(pool, order(groups[TRAIN]), real, backgrounds)
    free = _unlabelled(pool, photos, roles.role, keys)
    val = _take(pool, by_cut(groups[VAL]), request.per_class_val, request.per_class_val)
    test = _take(pool, by_cut(groups[TEST]), request.per_class_test, request.per_class_test)
    cad = request.cad if request.ratio is None else round(request.ratio * len(train))
    shares, val_cad, train_cad = _renders(pool, request, limit_of(cad), keys)
    wanted = Wanted(
        renders=number_of(cad, least=0) + request.val_cad,
        cad=shares,
        real=request.real,
        background=request.backgrounds,
        background_named=request.background is not None,
        unlabelled=request.unlabelled,
    )
    notes = shortages(pool, groups[TRAIN], free, wanted, request.allow_short)
    parts = [(TRAIN, train_cad), (TRAIN, train), (TRAIN, free[: limit_of(request.unlabelled)])]
    parts += [(VAL, val_cad), (VAL, val), (TEST, test)]
    rows = np.concatenate([part for _, part in parts])
    if not (len(rows) or request.allow_short):
        raise too_few(pool, ["there is nothing of what was asked for"])
    split = np.concatenate([np.full(len(part), role, np.int8) for role, part in parts])
    same_shoot = _same_shoot(pool, rows, split)
    names = tuple(pool.classes[number] for number in pool.classes_there)
    made = Plan(pool, request, names, rows, split, same_shoot, (*roles.notes, *notes))
    return replace(made, notes=(*made.notes, *_remarks(made)))


def _same_shoot(pool: Pool, rows: Rows, split: NDArray[np.int8]) -> NDArray[np.bool_]:
    """(len(rows),) frames of val whose session also trains; InputError for such ones of test.

    No photo of a test session is in another split, but renders may have a session of that name.
    """
    session = pool.session[rows]
    both = np.intersect1d(session[split == TEST], session[split != TEST])
    if len(both):
        names = ", ".join(sorted(pool.sessions[s] for s in both))
        raise InputError(
            f"session {names} is a shoot that tests and a batch of renders too: take one of them "
            "in anew under another name (vqc intake --session)"
        )
    return np.asarray((split == VAL) & np.isin(session, session[split == TRAIN]))


def _groups(pool: Pool, roles: NDArray[np.int8], role: int) -> list[Rows]:
    """The photos of a role that show each class, and the backgrounds last; no exact copies."""
    rows = one_of_each(pool, np.flatnonzero(roles == role))
    return [*pool.rows_of_class(rows[pool.is_labelled[rows]]), rows[pool.is_background[rows]]]


def _by_keys(pool: Pool, keys: Keys, groups: Sequence[Rows]) -> list[Rows]:
    return [by_key(pool, rows, keys) for rows in groups]


def _take(
    pool: Pool, orders: Sequence[Rows], per_class: int | None, backgrounds: int | None
) -> Rows:
    """Photos of each class and backgrounds from the front of their orders; None takes all."""
    if per_class is None:
        shown = np.unique(np.concatenate([_NONE, *orders[:-1]]))
    else:
        shown = quota(pool, orders[:-1], per_class)
    return np.concatenate([shown, orders[-1][:backgrounds]])


def _unlabelled(pool: Pool, photos: Rows, role: NDArray[np.int8], keys: Keys) -> Rows:
    """Photos of which nobody said anything and that may train, in the order of a draw.

    None of a session that tests, or that chooses and does not train; none that was given as val
    or test at intake; of equal pictures one, and none where a labelled one is equal.
    """
    trains, chooses, tests = (np.zeros(len(pool.sessions), bool) for _ in SPLITS)
    for split, there in ((TRAIN, trains), (VAL, chooses), (TEST, tests)):
        there[pool.session[role == split]] = True
    closed = tests | (chooses & ~trains)
    given = (pool.split == VAL) | (pool.split == TEST)
    rows = np.flatnonzero(pool.is_unlabelled & ~given & ~closed[pool.session])
    both = np.concatenate([photos, rows])
    _, first = np.unique(pool.sha256[both], axis=0, return_index=True)
    return by_key(pool, both[first[first >= len(photos)]], keys)


def _renders(
    pool: Pool, request: Request, count: int | None, keys: Keys
) -> tuple[NDArray[np.int64], Rows, Rows]:
    """How many renders of each class, and those for val, then from what is left for train.

    count: None for all that are left, which are no number that was asked for.
    """
    orders = balanced(pool, np.flatnonzero(pool.is_render_to_train), keys)
    classes = [number for number in pool.classes_by_name if len(orders[number])]
    for_val, for_train = (
        equal_shares(n, classes, request.seed, len(orders)) for n in (request.val_cad, count or 0)
    )
    both = for_val + for_train
    ends = both if count is not None else [len(rows) for rows in orders]
    val = [rows[:n] for rows, n in zip(orders, for_val, strict=True)]
    train = [rows[a:b] for rows, a, b in zip(orders, for_val, ends, strict=True)]
    return both, np.concatenate([_NONE, *val]), np.concatenate([_NONE, *train])


def _remarks(made: Plan) -> list[str]:
    """What the user should know of the splits; raises LeakError."""
    notes = []
    there = {SPLITS[number] for number in np.unique(made.split)}
    if "train" not in there:
        notes.append("nothing trains: this set is for scoring only")
    if "val" not in there:
        notes.append(
            "no val split: training cannot choose its best epoch; --val SESSION, --val-sessions "
            "0.2 by whole sessions, or --val-fraction 0.2 from the same shoots"
        )
    same = int((made.same_shoot & made.pool.is_photo[made.rows]).sum())
    if same:
        notes.append(
            f"{same:,} val photos are from shoots that also train (same shoot): good for choosing "
            "an epoch, no honest score"
        )
    if len(made.rows_in(VAL, cad=True)):
        notes.append("val holds renders: every score on it is marked so")
    if "test" not in there:
        sessions = len(np.unique(made.pool.session[made.pool.is_photo & made.pool.is_usable]))
        notes.append(
            "no test split: no honest score is possible; take photos in another shoot and give "
            "its session with --test" + (" (all photos are of one shoot)" if sessions == 1 else "")
        )
    whole = made.pool.is_whole[made.rows]
    if whole.any() and (made.pool.state[made.rows] == LABELLED).any():
        notes.append(
            f"{whole.sum():,} frames are labelled as a whole and have no boxes: a detector would "
            "take them for empty; they are for classify and anomaly, --from narrows what is taken"
        )
    return notes + _leaks(made)


def _leaks(made: Plan) -> list[str]:
    """Pictures of train among those of val and test, or of val among those of test.

    Raises LeakError, unless all are of shoots that are marked as the same, or leaks are
    allowed.
    """
    pool, found, marked = made.pool, [], 0
    for one, other in ((TRAIN, VAL), (TRAIN, TEST), (VAL, TEST)):
        left, right = made.rows_in(one), made.rows_in(other)
        pairs = twins(pool, left, right)
        known = (pool.session[pairs[:, 0]] == pool.session[pairs[:, 1]]) & (other == VAL)
        marked += len(np.unique(pairs[known, 1]))
        leaking = pairs[~known]
        if len(leaking):
            touched = len(np.unique(leaking[:, 1]))
            found.append(f"{touched:,} of {len(right):,} {SPLITS[other]} pictures:")
            image = dict(pool.images(leaking[:_SHOWN_LEAKS].ravel()))
            found += [
                f"  {image[b]} ({SPLITS[other]}) is {image[a]} ({SPLITS[one]})"
                for a, b in leaking[:_SHOWN_LEAKS].tolist()
            ]
    notes = []
    if marked:
        notes.append(f"{marked:,} val pictures look like training pictures of the same shoot")
    if found and not made.request.allow_leaks:
        raise LeakError(
            "the same pictures stand on both sides of a split, so scores would be too good:\n"
            + "\n".join(found)
            + "\nGive the whole shoot to one split (--test, --val), or --allow-leaks"
        )
    return notes + (["LEAKS allowed; scores will be too good:", *found] if found else [])
