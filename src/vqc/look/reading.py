"""A look from YAML, and back: the file of a user or one of vqc's own → `Look` → a plain record.

The record is complete: every field stands in it, and reading it gives the same look again.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vqc.errors import InputError
from vqc.look.distributions import Distribution, did_you_mean, flow, parse, plain, shown
from vqc.look.rules import Rule
from vqc.look.schema import BOTH, SECTIONS, Look, Section, faults, rules, sections

VERSION = 1
_KEY = "vqc_look"
_FOLDER = Path(__file__).with_name("shipped")
SHIPPED = ("bench", "shopfloor", "studio")
"""The looks that come with vqc."""
NO_LOOK = "plain"
"""What stands for rendering without a look, beside the names of looks."""
_SUFFIXES = (".yaml", ".yml")
_MOST_BYTES = 256_000  # a complete look has 5,000


def read_look(name_or_path: str | Path) -> Look:
    """A look by the name of a shipped one, or by a path that ends in .yaml or .yml.

    Raises InputError, with every fault, where there is no such look or it does not read.
    """
    text = str(name_or_path)
    if text.lower().endswith(_SUFFIXES):
        path, where = Path(name_or_path), text
    elif text in SHIPPED:
        path, where = _FOLDER / f"{text}.yaml", text
    elif text == NO_LOOK:
        raise InputError(f"{text}: no look to read, but rendering without one")
    else:
        raise InputError(
            f"{text[:200]}: there is no such look{did_you_mean(text, (*SHIPPED, NO_LOOK))}; "
            "or give a path that ends in .yaml"
        )
    record = _record(path, where)
    if isinstance(record, dict):
        record = {"name": path.stem, **record}
    return look_from_record(record, where)


def look_from_record(record: Any, where: str) -> Look:
    """A look from what YAML or JSON gives; what is missing keeps the defaults of `Look()`.

    Raises InputError with every fault; each begins with `where` and the field's dotted path.
    """
    if not isinstance(record, Mapping):
        raise InputError(
            f"{where}: expected a look, that is {_KEY}: {VERSION} and sections such as camera:, "
            f"got {shown(record)}"
        )
    version = record.get(_KEY)
    if type(version) is not int or version != VERSION:
        newer = type(version) is int and version > VERSION
        hint = "a newer vqc wrote it: update" if newer else f"the first line is {_KEY}: {VERSION}"
        raise InputError(f"{where}: {_KEY}: expected {VERSION}, got {shown(version)}; {hint}")
    known = ("name", *SECTIONS)
    found = [
        f"{str(key)[:60]}: there is no such section{did_you_mean(key, known)}"
        for key in record
        if key not in (_KEY, *known)
    ]
    read = {name: _section(name, record.get(name), found) for name in SECTIONS}
    name = record.get("name", Look().name)
    found += faults(name, read)
    if found:
        raise InputError("\n".join(f"{where}: {fault}" for fault in dict.fromkeys(found)))
    return Look(name, **read)  # type: ignore[arg-type]


def look_to_record(look: Look) -> dict[str, Any]:
    """Every field of a look as YAML or JSON holds it; equal looks give equal records.

    A camera with intrinsics has no fov_deg.
    """
    record: dict[str, Any] = {_KEY: VERSION, "name": look.name}
    for name, section in sections(look).items():
        record[name] = {key: _plain(getattr(section, key)) for key in rules(type(section))}
    if look.camera.intrinsics is not None:
        del record["camera"]["fov_deg"]
    return record


def reference() -> str:
    """Markdown with a table for each section: its fields, defaults, bounds and meanings."""
    parts = []
    for name, kind in SECTIONS.items():
        rows = [f"### `{name}`", "", _sentence(kind), "", "| field | default | from, to | what |"]
        rows.append("|---|---|---|---|")
        default = kind()
        for key, rule in rules(kind).items():
            value = flow(_plain(getattr(default, key)))
            rows.append(f"| `{key}` | `{value}` | {_bounds(rule)} | {rule.meaning} |")
        parts.append("\n".join(rows))
    return "\n\n".join(parts) + "\n"


def _section(name: str, given: Any, found: list[str]) -> Section:
    """A section from its record; faults are added to `found`, and their fields keep defaults."""
    kind = SECTIONS[name]
    if given is None:  # a section whose fields are all commented out
        return kind()
    known = rules(kind)
    if not isinstance(given, Mapping):
        found.append(f"{name}: expected fields such as {next(iter(known))}:, got {shown(given)}")
        return kind()
    values = {}
    for key, value in given.items():
        if key not in known:
            found.append(
                f"{name}.{str(key)[:60]}: there is no such field{did_you_mean(key, known)}"
            )
            continue
        try:
            values[key] = _value(known[key], value, f"{name}.{key}")
        except InputError as error:
            found.append(str(error))
    if given.get("intrinsics") is not None and "fov_deg" in given:
        found.append(BOTH)
    return kind(**values)


def _value(rule: Rule, given: Any, where: str) -> Any:
    """What the field's dataclass holds; whether it fits there, the schema says."""
    if rule.kind == "share":
        return given
    if rule.kind == "intrinsics":
        return tuple(given) if isinstance(given, list) else given
    if given is None:
        raise InputError(f"{where}: expected {rule.expected}, or a distribution, got nothing")
    return parse(given, where)


def _plain(value: Any) -> Any:
    if isinstance(value, Distribution):
        return plain(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return int(value) if value is not None and value == int(value) else value


def _sentence(kind: type[Section]) -> str:
    return " ".join(textwrap.dedent(kind.__doc__ or "").split())


def _bounds(rule: Rule) -> str:
    if rule.kind == "word":
        return ", ".join(f"`{word}`" for word in rule.words)
    if rule.kind == "intrinsics":
        return ""
    kind = {"whole": ", whole", "share": ", a plain number"}.get(rule.kind, "")
    return f"{rule.low:g}, {rule.high:g}{' ' * bool(rule.unit)}{rule.unit}{kind}"


def _record(path: Path, where: str) -> Any:
    """What a YAML file holds, as plain lists, mappings and values."""
    try:
        if not path.is_file():
            raise InputError(f"{where}: there is no such file")
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{where}: cannot be read: {reason}") from None
    if len(data) > _MOST_BYTES:
        raise InputError(f"{where}: expected a look of at most {_MOST_BYTES} bytes, got more")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{where}: line {line}: expected UTF-8, got other bytes") from None
    return _loaded(text, where)


def _loaded(text: str, where: str) -> Any:
    """Plain YAML: no aliases, which a few lines can make endless, and no key twice."""
    import yaml

    try:
        return yaml.load(text, Loader=_loader())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = "" if mark is None else f"line {mark.line + 1}: "
        raise InputError(f"{where}: {line}expected plain YAML, but {error.problem}") from None
    except yaml.reader.ReaderError as error:
        number = text[: error.position].count("\n") + 1
        raise InputError(
            f"{where}: line {number}: expected YAML, got a control character"
        ) from None
    except RecursionError:
        raise InputError(f"{where}: expected YAML, got lists in lists without end") from None
    except ValueError as error:
        raise InputError(f"{where}: expected YAML, got a value that is none: {error}") from None


def _loader() -> Any:
    """The class that reads plain values only; made here, since YAML is imported late."""
    import yaml

    def fault(problem: str, mark: Any) -> yaml.MarkedYAMLError:
        return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)

    class Loader(yaml.SafeLoader):
        def compose_node(self, parent: yaml.Node | None, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
                raise fault("an alias (*) stands there; write the value out", mark)
            return super().compose_node(parent, index)

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
            for key_node, _ in node.value:
                if key_node.tag == "tag:yaml.org,2002:merge":
                    raise fault("the key << stands there; write the keys out", key_node.start_mark)
            record = super().construct_mapping(node, deep)  # it refuses keys such as lists
            seen = set()
            for key_node, _ in node.value:
                key = self.construct_object(key_node, deep=True)
                if key in seen:
                    raise fault(f"the key {shown(key)} stands there twice", key_node.start_mark)
                seen.add(key)
            return record

    return Loader
