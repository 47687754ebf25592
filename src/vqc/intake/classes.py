"""Class names of a source → those of the set: renamed, ignored, in their order."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vqc.contract import is_text
from vqc.errors import InputError


@dataclass(frozen=True, slots=True)
class ClassNames:
    """What --class and --ignore ask for; names are stripped before they are looked up."""

    renamed: Mapping[str, str]
    ignored: frozenset[str]

    def of(self, old: str) -> str | None:
        """The class in the set; None where it is ignored."""
        name = old.strip()
        return None if name in self.ignored else self.renamed.get(name, name)

    def require_known(self, known: Iterable[str]) -> None:
        """Raise InputError, with every fault, where the rules and a source do not fit together."""
        names = list(dict.fromkeys(name.strip() for name in known))
        faults = []
        for option, olds in (("--class", self.renamed), ("--ignore", sorted(self.ignored))):
            for old in olds:
                if old not in names:
                    faults.append(f"{option} {old}: {_nearest(old, names)}")
        faults += [
            f"the source has a class {name!r}: give it a name on one line with --class, "
            "or rename it there"
            for name in names
            if not is_text(name) and self.of(name) == name
        ]
        if faults:
            raise InputError("\n".join(faults))

    def in_order(self, known: Iterable[str], there: Sequence[str] = ()) -> tuple[str, ...]:
        """The set's classes: those that are there keep their places, others follow in order."""
        new = (self.of(old) for old in known)
        return tuple(dict.fromkeys([*there, *(name for name in new if name is not None)]))


def _nearest(old: str, names: Sequence[str]) -> str:
    if not names:
        return "the source names no classes"
    near = difflib.get_close_matches(old, names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"no such class in the source, it has {', '.join(names)}{hint}"
