"""A pool and what the user asks for → which frames go into which split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from vqc.errors import InputError, LeakError
from vqc.formats import BoxKind
from vqc.mix.diverse import diverse_order
from vqc.mix.draw import Keys, balanced, by_key, equal_shares, keys_of, one_of_each, quota
from vqc.mix.pool import SPLITS, Pool, Rows
from vqc.mix.shortage import Wanted, shortages
from vqc.mix.splits import TEST, TRAIN, VAL, SplitRules, assign
from vqc.mix.twins import twins
from vqc.types import Progress

Select = Literal["random", "diverse"]
BACKGROUND = "(background)"
"""The row of the table for photos that show nothing."""
ORIGINAL_STUDY = 40
"""Photos a class, and backgrounds, that the original study chose and tested with."""


_DRAW, _CUT = 0, 1
_MOST, _MOST_RATIO = 10**9, 10**6
_SHOWN_LEAKS = 10


@dataclass(frozen=True, slots=True)
class Request:
    """What a mix shall hold.

    cad: renders in all, balanced over classes. real: photos of each class. background: empty
    photos, None for as many as `real`. ratio: renders to real training frames, instead of cad.
    per_class_val, per_class_test: photos of each class, and backgrounds, at most; None for all.
    val_cad: renders in val. min_visibility: objects of which less shows go without a label.
    allow_short, allow_leaks: go on where a class has too few frames, or where val or test
    hold pictures that train holds too.
    """

    cad: int = 0
    real: int = 0
    background: int | None = None
    ratio: float | None = None
    per_class_val: int | None = ORIGINAL_STUDY
    per_class_test: int | None = ORIGINAL_STUDY
    val_cad: int = 0
    splits: SplitRules = field(default_factory=SplitRules)
    select: Select = "random"
    weights: Path | None = None
    seed: int = 0
    grey: bool = False
    box: BoxKind = "modal"
    min_visibility: float = 0.0
    allow_short: bool = False
    allow_leaks: bool = False

    def __post_init__(self) -> None:
        faults = [
            f"{name}: expected a whole number from 0 to {_MOST:,}, got {value}"
            for name, value in (
                ("--cad", self.cad), ("--real", self.real), ("--background", self.background),
                ("--per-class-val", self.per_class_val), ("--val-cad", self.val_cad),
                ("--per-class-test", self.per_class_test),
            )
            if value is not None and not 0 <= value <= _MOST
        ]  # fmt: skip
        if self.seed < 0:
            faults.append(f"--seed: expected a whole number from 0, got {self.seed}")
        if self.ratio is not None and self.cad:
            faults.append("--ratio and --cad both say how many renders: give one of them")
        if self.ratio is not None and not 0 < self.ratio <= _MOST_RATIO:
            faults.append(f"--ratio: expected above 0 and up to {_MOST_RATIO:,}, got {self.ratio}")
        if not (self.cad or self.real or self.background):
            faults.append("nothing asked for: --cad N renders in all, --real M photos a class")
        if self.select not in get_args(Select):
            faults.append(f"--select: expected random or diverse, got {self.select}")
        if self.box not in get_args(BoxKind):
            faults.append(f"--box: expected modal or amodal, got {self.box}")
        if self.weights is not None and self.select != "diverse":
            faults.append("--weights is for --select diverse")
        if not 0 <= self.min_visibility <= 1:
            faults.append(f"--min-visibility: expected 0 to 1, got {self.min_visibility}")
        if faults:
            raise InputError("\n".join(faults))

    @property
    def backgrounds(self) -> int:
        """Empty photos that shall train."""
        return self.real if self.background is None else self.background

    @property
    def default_name(self) -> str:
        """Such as cad500-real10; what else differs wants a name of its own."""
        renders = f"cad{self.cad}" if self.ratio is None else f"ratio{self.ratio:g}"
        return f"{renders}-real{self.real}" + (f"-seed{self.seed}" if self.seed else "")


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
        lines = [
            (name, *(counts[self.pool.classes.index(name)] for counts in by_class))
            for name in self.classes
        ]
        lines.append((BACKGROUND, *(int(self.pool.is_background[r].sum()) for r in columns)))
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
    train = _take(pool, order(groups[TRAIN]), request.real, request.backgrounds)
    val = _take(pool, by_cut(groups[VAL]), request.per_class_val, request.per_class_val)
    test = _take(pool, by_cut(groups[TEST]), request.per_class_test, request.per_class_test)
    count = request.cad if request.ratio is None else round(request.ratio * len(train))
    shares, val_cad, train_cad = _renders(pool, request, count, keys)
    wanted = Wanted(
        renders=count + request.val_cad,
        cad=shares,
        real=request.real,
        background=request.backgrounds,
        background_named=request.background is not None,
    )
    notes = shortages(pool, groups[TRAIN], wanted, request.allow_short)
    parts = [(TRAIN, train_cad), (TRAIN, train), (VAL, val_cad), (VAL, val), (TEST, test)]
    rows = np.concatenate([part for _, part in parts])
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
    most = max(map(len, orders), default=0)
    shown = quota(pool, orders[:-1], most if per_class is None else per_class)
    return np.concatenate([shown, orders[-1][:backgrounds]])


def _renders(
    pool: Pool, request: Request, count: int, keys: Keys
) -> tuple[NDArray[np.int64], Rows, Rows]:
    """How many renders of each class, and those for val, then from what is left for train."""
    orders = balanced(pool, np.flatnonzero(pool.is_render_to_train), keys)
    classes = [number for number in pool.classes_by_name if len(orders[number])]
    for_val, for_train = (
        equal_shares(n, classes, request.seed, len(orders)) for n in (request.val_cad, count)
    )
    both = for_val + for_train
    val = [rows[:n] for rows, n in zip(orders, for_val, strict=True)]
    train = [rows[a:b] for rows, a, b in zip(orders, for_val, both, strict=True)]
    none = np.empty(0, np.int64)
    return both, np.concatenate([none, *val]), np.concatenate([none, *train])


def _remarks(made: Plan) -> list[str]:
    """What the user should know of the splits; raises LeakError."""
    notes = []
    there = {SPLITS[number] for number in np.unique(made.split)}
    if "train" not in there:
        notes.append("nothing trains: this set is for scoring only")
    if "val" not in there:
        notes.append(
            "no val split: training cannot choose its best epoch; --val SESSION, or "
            "--val-fraction 0.2 from the same shoots"
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
    if whole.any() and not whole.all():
        notes.append(
            f"{whole.sum():,} frames are labelled as a whole and have no boxes: a detector would "
            "take them for empty; they are for classify, --from narrows what is taken"
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
