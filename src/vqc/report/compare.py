"""Runs beside each other: which of their scores can be compared, and repeats as one row."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import TypeGuard

from vqc import honesty
from vqc.errors import VqcError
from vqc.evaluations import Stored
from vqc.figures.style import spelled
from vqc.report.reading import Composition, RunReport, Scored

KNOWN = ("precision", "recall", "mAP50", "mAP50-95", "F1")
"""The columns of the study's table, in its order, after the metric that runs are compared by."""
MOST_COLUMNS = 8
_TRAINED = "what training saw"
_SEED = re.compile(r"[-_](seed)?\d+(-[0-9a-f]{8})?$")
"""What names of repeats differ in: "a-seed0", "a-0", "cad500-real10-seed0-1a2b3c4d"."""
_SPLIT_ORDER = {"test": 0, "val": 1, "train": 2}


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One run, or several that differ in nothing but the seed.

    scores: metric to one value for each run. scored_on: which pictures, in words. key:
    equal for the same pictures, None where there is no evaluation. mark, reasons: why not honest.
    """

    label: str
    runs: tuple[RunReport, ...]
    scores: Mapping[str, tuple[float, ...]]
    scored_on: str
    key: str | None
    frames: int
    mark: str
    reasons: tuple[str, ...]

    @property
    def composition(self) -> Composition | None:
        return self.runs[0].composition

    @property
    def honest(self) -> bool:
        return self.key is not None and not self.mark

    @property
    def compositions(self) -> list[Composition]:
        """Of all runs, or of none: repeats draw other photos."""
        found = [r.composition for r in self.runs if r.composition is not None]
        return found if len(found) == len(self.runs) else []


def common_key(runs: Sequence[RunReport]) -> str | None:
    """The pictures by which runs are best compared: honest scores first, then the most runs."""
    keys: dict[str, list[Stored]] = {}
    for run in runs:
        for stored, scored in zip(run.evaluations, run.scored, strict=True):
            keys.setdefault(scored.key, []).append(stored)
    if not keys:
        return None

    def rank(key: str) -> tuple[int, int, int, str]:
        honest = sum(stored.honest for stored in keys[key])
        return -honest, -len(keys[key]), _SPLIT_ORDER.get(keys[key][0].split, 3), key

    return min(keys, key=rank)


def main_evaluation(run: RunReport, wanted: str | None = None) -> tuple[Stored, Scored] | None:
    """The evaluation that stands for a run: the wanted one, or its most honest one."""
    pairs = list(zip(run.evaluations, run.scored, strict=True))
    for stored, scored in pairs:
        if scored.key == wanted:
            return stored, scored
    return min(pairs, key=lambda pair: _standing(pair[0]), default=None)


def _standing(stored: Stored) -> tuple[bool, int, str]:
    return not stored.honest, _SPLIT_ORDER.get(stored.split, 3), stored.dataset_name


def rows_of(runs: Sequence[RunReport]) -> list[Row]:
    """One row for each training, in the order given; repeats with other seeds share one."""
    wanted = common_key(runs)
    groups: list[list[RunReport]] = []
    for run in runs:
        for group in groups:
            if is_repeat(group[0], run) and _key(group[0], wanted) == _key(run, wanted):
                group.append(run)
                break
        else:
            groups.append([run])
    return [_row(group, wanted) for group in groups]


def is_repeat(one: RunReport, other: RunReport) -> bool:
    """Whether two runs differ in seeds alone: settings, numbers and sources of the pictures."""
    mine, theirs = one.composition, other.composition
    if mine is None or theirs is None or one.run.task != other.run.task:
        return False
    settings = [{k: v for k, v in r.run.config.items() if k != "seed"} for r in (one, other)]
    names = [_SEED.sub("", report.run.dataset_name) for report in (one, other)]
    same_set = one.run.manifest_sha256 == other.run.manifest_sha256
    same_kind = names[0] == names[1] and mine.asked == theirs.asked
    return settings[0] == settings[1] and (same_set or same_kind)


def headline_of(task: str, names: Sequence[str]) -> tuple[str, int]:
    """The metric that a task's runs are compared by, and 1 where more is better, else -1.

    As the plugin says; without it the known one that the runs have, else their first.
    """
    from vqc.tasks import find

    try:
        headline = find(task).headline
        for name in names:
            if headline.metric in (name, spelled(name)):
                return name, 1 if headline.higher_is_better else -1
    except VqcError:  # a report is read where the task need not be installed
        pass
    spelt = {spelled(name): name for name in names}
    return spelt.get("mAP50") or next(iter(names), ""), 1


def metrics_of(rows: Sequence[Row]) -> list[str]:
    """The metrics to show: the headline, the known ones, then the others as they come.

    Where there are too many, those go first that an F1 of the same kind sums up: of
    precision-tolerant, recall-tolerant and F1-tolerant the last one stays.
    """
    there = list(dict.fromkeys(name for row in rows for name in row.scores))
    by_name = {spelled(name): name for name in there}
    first = [headline_of(row.runs[0].run.task, there)[0] for row in rows[:1] if there]
    known = [by_name[name] for name in KNOWN if name in by_name]
    ordered = list(dict.fromkeys([*first, *known, *there]))
    if len(ordered) > MOST_COLUMNS:
        ordered = [name for name in ordered if _summed_up_in(name) not in there]
    return ordered[:MOST_COLUMNS]


def _summed_up_in(metric: str) -> str:
    """Such as F1-tolerant for recall-tolerant; empty for any other metric."""
    part, _, kind = metric.partition("-")
    return f"F1-{kind}" if kind and part in ("precision", "recall") else ""


def _key(run: RunReport, wanted: str | None) -> str | None:
    found = main_evaluation(run, wanted)
    return None if found is None else found[1].key


def _row(group: Sequence[RunReport], wanted: str | None) -> Row:
    found = [pair for run in group if (pair := main_evaluation(run, wanted)) is not None]
    stored = [each for each, _ in found]
    metrics = [s.metrics for s in stored] if stored else [r.run.metrics for r in group]
    names = dict.fromkeys(n for each in metrics for n in each if "loss" not in n.lower())
    chosen_on = group[0].run.chosen_on
    marks = [s.mark or "; ".join(s.reasons) for s in stored]
    if not stored:
        marks = [
            f"{report.mark} ({_TRAINED})" if report.mark else honesty.mark([_TRAINED])
            for report in group
        ]
    return Row(
        label=_label(group),
        runs=tuple(group),
        scores={n: tuple(each[n] for each in metrics if n in each) for n in names},
        scored_on=found[0][1].name if found else f"{chosen_on or 'nothing'}, in training",
        key=found[0][1].key if found else None,
        frames=stored[0].frames if stored else 0,
        mark="; ".join(dict.fromkeys(mark for mark in marks if mark)),
        reasons=tuple(dict.fromkeys(reason for s in stored for reason in s.reasons)),
    )


def kind_of(row: Row, rows: Sequence[Row]) -> str:
    """What sort of training set it is, in the words of the study; empty where not known.

    Few photos or all is asked among the rows that were scored on the same pictures.
    """
    made_of = row.composition
    if made_of is None:
        return ""
    if not made_of.photos:
        return "all CAD"
    if made_of.cad:
        return "mixed"
    alike = [each.composition for each in rows if each.key == row.key]
    photos = {each.a_class[0] for each in alike if _only_photos(each)}
    if len(photos) < 2:
        return "photos only"
    return "few photos" if made_of.a_class[0] < max(photos) else "all photos"


def _only_photos(composition: Composition | None) -> TypeGuard[Composition]:
    return composition is not None and bool(composition.photos) and not composition.cad


def letters_of(rows: Sequence[Row]) -> dict[str, str]:
    """A letter for each set of pictures, where rows were scored on several."""
    keys = list(dict.fromkeys(row.key for row in rows if row.key is not None))
    if len(keys) < 2:
        return {}
    return {key: letter for key, letter in zip(keys, ascii_uppercase, strict=False)}


def _label(group: Sequence[RunReport]) -> str:
    names = [report.run.name for report in group]
    if len(names) == 1:
        return names[0]
    return f"{_SEED.sub('', names[0])}, {len(names)} repeats"
