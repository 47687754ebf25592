"""STEP text → XCAF document, with an account of what was damaged, lost or mended.

Runs only in the kernel process (`vqc.cad.kernel`).
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

_STRUCTURE = re.compile(
    r"Step(Basic_Product|Repr_(ProductDefinition|NextAssembly|MappedItem|RepresentationMap"
    r"|ItemDefinedTransformation|\w*RelationshipWithTransformation)"
    r"|Shape_\w*Representation$)"
)
_SOLID = re.compile(rb"(?:MANIFOLD_SOLID_BREP|BREP_WITH_VOIDS|FACETED_BREP)\s*\(\s*'[^']")


class Refused(Exception):
    """The file cannot be turned into meshes; the text is for the user."""


def read_document(path: str, text: bytes) -> tuple[Any, list[str]]:
    """An XCAF document in millimetres, and notes of one sentence each.

    text: the content of the file at `path`.
    Raises Refused where the text cannot be parsed or is damaged.
    """
    from OCP.IFSelect import IFSelect_ReturnStatus
    from OCP.Interface import Interface_Static
    from OCP.STEPCAFControl import STEPCAFControl_Reader
    from OCP.TCollection import TCollection_ExtendedString
    from OCP.TDocStd import TDocStd_Document

    reader = STEPCAFControl_Reader()
    Interface_Static.SetCVal_s("xstep.cascade.unit", "MM")
    # names inside a product cost time for every edge; only several solids need them
    Interface_Static.SetIVal_s("read.stepcaf.subshapes.name", int(len(_SOLID.findall(text)) > 1))
    Interface_Static.SetIVal_s("read.step.tessellated", 1)
    reader.SetSHUOMode(True)
    for unused in ("GDT", "Layer", "Mat", "Meta", "Props", "View"):
        getattr(reader, f"Set{unused}Mode")(False)
    if reader.ReadFile(path) != IFSelect_ReturnStatus.IFSelect_RetDone:
        raise Refused("the STEP text cannot be parsed; export the file again")
    notes = _damage(reader.Reader().StepModel())
    document = TDocStd_Document(TCollection_ExtendedString("vqc"))
    reader.Transfer(document)
    return document, notes + _failures(reader.Reader())


def _damage(model: Any) -> list[str]:
    """Refuse a file whose geometry or structure is broken as text; note unknown entities.

    The kernel would go on with what is left, and for instance draw a face that lost its
    border as an endless plane.
    """
    if not model.NbEntities():
        raise Refused("there is no geometry inside: its DATA section is empty")
    syntax = model.GlobalCheck(True)
    faults = [syntax.CFail(i).removeprefix("Undefined Parsing: ") for i in _upto(syntax.NbFails())]
    # a dangling reference counts where the entity that holds it is looked at, below
    faults = [fault for fault in faults if not fault.startswith("Unresolved Reference")]
    unknown: set[str] = set()
    for i in _upto(model.NbEntities()):
        if model.IsReportEntity(i):
            entity = model.Value(i)
            kind = entity.DynamicType().Name()
            if kind == "StepData_UndefinedEntity":
                unknown.add(entity.StepType() or "several in one")
            elif model.IsErrorEntity(i) and _is_shape(entity, kind):
                faults += _faults(model.Check(i, True), kind)
    if faults:
        more = f", and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise Refused(f"the file is damaged ({'; '.join(faults[:3])}{more}); export it again")
    if not unknown:
        return []
    names = ", ".join(sorted(unknown)[:3]) + (", …" if len(unknown) > 3 else "")
    return [f"ignored, being unknown to the kernel: {names}"]


def _faults(check: Any, kind: str) -> list[str]:
    texts = [check.CFail(i) for i in _upto(check.NbFails())]
    # "$" in place of a name is against the standard, common, and harmless
    return [f"{_plain(kind)}: {t}" for t in texts if "(name) not a quoted String" not in t]


def _is_shape(entity: Any, kind: str) -> bool:
    """Whether an entity bears geometry, or the structure that places it."""
    from OCP.StepGeom import StepGeom_GeometricRepresentationItem
    from OCP.StepShape import StepShape_TopologicalRepresentationItem

    if _STRUCTURE.match(kind):
        return True
    bases = (StepGeom_GeometricRepresentationItem, StepShape_TopologicalRepresentationItem)
    return kind.startswith(("StepGeom_", "StepShape_")) and any(
        entity.IsKind(base.get_type_descriptor_s()) for base in bases
    )


def _failures(reader: Any) -> list[str]:
    """Notes on what the kernel could not translate, and on what it mended."""
    model = reader.StepModel()
    checks = reader.WS().TransferReader().TransientProcess().CheckList(False)
    lost: Counter[str] = Counter()
    mended: Counter[str] = Counter()
    checks.Start()
    while checks.More():
        check, number = checks.Value(), checks.Number()
        if check.NbFails():
            kind = _plain(model.Value(number).DynamicType().Name()) if number else "file"
            lost[f"{kind}: {check.CFail(1).strip()}"] += 1
        elif check.NbWarnings():
            mended[check.CWarning(1).strip()] += 1
        checks.Next()
    notes = []
    if lost:
        kinds = "; ".join(kind for kind, _ in lost.most_common(2))
        notes.append(
            f"missing, since the kernel could not translate them: {lost.total()} ({kinds})"
        )
    if mended:
        kind = mended.most_common(1)[0][0]
        notes.append(f"mended by the kernel: {mended.total()} ({kind})")
    return notes


def _upto(count: int) -> range:
    """The kernel counts from 1."""
    return range(1, count + 1)


def _plain(kind: str) -> str:
    return kind.partition("_")[2] or kind
