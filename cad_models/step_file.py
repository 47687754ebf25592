"""A tree of named, coloured parts → a STEP file (AP214, mm), always with the same bytes.

OCCT writes geometry and structure. What it writes differently from run to run is mended in
the text: clock and path in the header, running numbers, the order of the colours, and the
last digits of numbers, in which processors differ.
"""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from cadquery import Location, Shape
from OCP.IFSelect import IFSelect_RetDone
from OCP.Interface import Interface_Static
from OCP.STEPCAFControl import STEPCAFControl_Writer
from OCP.TCollection import TCollection_ExtendedString
from OCP.TDataStd import TDataStd_Name
from OCP.TDF import TDF_Label
from OCP.TDocStd import TDocStd_Document
from OCP.XCAFApp import XCAFApp_Application
from OCP.XCAFDoc import XCAFDoc_DocumentTool, XCAFDoc_ShapeTool

HEADER = """\
FILE_DESCRIPTION(('{name}'),'2;1');
FILE_NAME('{name}.step','2026-01-01T00:00:00',('vqc'),(''),'Open CASCADE','make_parts.py','');
"""
COLOR = """\
#{0} = MECHANICAL_DESIGN_GEOMETRIC_PRESENTATION_REPRESENTATION('',(#{1}),{context});
#{1} = STYLED_ITEM('color',(#{2}),{solid});
#{2} = PRESENTATION_STYLE_ASSIGNMENT((#{3}));
#{3} = SURFACE_STYLE_USAGE(.BOTH.,#{4});
#{4} = SURFACE_SIDE_STYLE('',(#{5}));
#{5} = SURFACE_STYLE_FILL_AREA(#{6});
#{6} = FILL_AREA_STYLE('',(#{7}));
#{7} = FILL_AREA_STYLE_COLOUR('',#{8});
#{8} = COLOUR_RGB('',{rgb[0]:.6f},{rgb[1]:.6f},{rgb[2]:.6f});
"""
STRING = r"'(?:[^']|'')*'"


@dataclass(frozen=True, eq=False)
class Part:
    """A leaf: one solid, its product name and its colour (#rrggbb, sRGB)."""

    name: str
    solid: Shape
    color: str


@dataclass(frozen=True, eq=False)
class Group:
    """An assembly: a name, and each child with where it stands in the group's frame."""

    name: str
    children: tuple[tuple[Part | Group, Location], ...]


def leaves(node: Part | Group, place: Location | None = None) -> list[tuple[Part, Location]]:
    """Every placement of every leaf below `node`, in the frame of `node`."""
    place = place or Location()
    if isinstance(node, Part):
        return [(node, place)]
    return [leaf for child, loc in node.children for leaf in leaves(child, place * loc)]


def write_step(root: Part | Group, path: Path) -> None:
    """Write `root` to `path`; a part or group that stands in several places is written once.

    Raises ValueError where two different parts share a name.
    """
    parts = {part.name: part for part, _ in leaves(root)}
    if any(parts[part.name] is not part for part, _ in leaves(root)):
        raise ValueError(f"{root.name}: two different parts have one name")
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        draft = Path(folder) / "draft.step"
        _write_uncolored(root, draft)
        text = re.sub(r"\n +", "", draft.read_text("ascii"))
        text = _points_once(_same_everywhere(text, root.name))
        text = _colored(text, {name: part.color for name, part in parts.items()})
        draft.write_text(text, "ascii", newline="\n")
        os.replace(draft, path)


def _write_uncolored(root: Part | Group, path: Path) -> None:
    document = TDocStd_Document(TCollection_ExtendedString("XmlOcaf"))
    XCAFApp_Application.GetApplication_s().InitDocument(document)
    shapes = XCAFDoc_DocumentTool.ShapeTool_s(document.Main())
    _add(root, shapes, {})
    shapes.UpdateAssemblies()
    writer = STEPCAFControl_Writer()  # before the settings, which it registers
    Interface_Static.SetCVal_s("write.step.schema", "AP214IS")
    Interface_Static.SetCVal_s("write.step.unit", "MM")
    Interface_Static.SetIVal_s("write.surfacecurve.mode", 0)  # a third of the size
    writer.Transfer(document)
    if writer.Write(str(path)) != IFSelect_RetDone:
        raise OSError(f"{path}: OCCT could not write this STEP file")


def _add(node: Part | Group, shapes: XCAFDoc_ShapeTool, done: dict[int, TDF_Label]) -> TDF_Label:
    """The label of `node`, made at its first use."""
    if id(node) in done:
        return done[id(node)]
    shapes.SetAutoNaming_s(False)
    if isinstance(node, Part):
        label = shapes.AddShape(node.solid.wrapped, False)
    else:
        label = shapes.NewShape()
        for child, loc in node.children:
            component = shapes.AddComponent(label, _add(child, shapes, done), loc.wrapped)
            TDataStd_Name.Set_s(component, TCollection_ExtendedString(child.name))
    TDataStd_Name.Set_s(label, TCollection_ExtendedString(node.name))
    done[id(node)] = label
    return label


def _same_everywhere(text: str, name: str) -> str:
    """`text` with a fixed header, its own running numbers, and reals rounded to 1e-9."""
    text = re.sub(r"FILE_DESCRIPTION.*?(?=FILE_SCHEMA)", HEADER.format(name=name), text, flags=re.S)
    number = count(1)
    text = re.sub(r"(?<=NEXT_ASSEMBLY_USAGE_OCCURRENCE\(')\d+", lambda _: str(next(number)), text)
    return re.sub(rf"{STRING}|[-+]?\d+\.\d*(?:E[-+]?\d+)?", _rounded, text)


def _rounded(token: re.Match[str]) -> str:
    """A STEP real with at most nine decimals; a quoted string as it is."""
    if token[0].startswith("'"):
        return token[0]
    number = f"{float(token[0]):.9f}".rstrip("0")
    return "0." if number == "-0." else number


def _points_once(text: str) -> str:
    """`text` with equal points and directions written once: a quarter shorter."""
    entity = re.compile(r"^(#\d+) = ((?:CARTESIAN_POINT|DIRECTION)\(.*\);\n)", re.M)
    number_of: dict[str, str] = {}
    kept = {m[1]: number_of.setdefault(m[2], m[1]) for m in entity.finditer(text)}
    text = entity.sub(lambda m: m[0] if kept[m[1]] == m[1] else "", text)
    return re.sub(rf"{STRING}|#\d+", lambda m: kept.get(m[0], m[0]), text)


def _colored(text: str, colors: dict[str, str]) -> str:
    """`text` with the colour of each product's solid."""
    number = max(int(n) for n in re.findall(r"^#(\d+) =", text, re.M)) + 1
    solid = re.compile(r"ADVANCED_BREP_SHAPE_REPRESENTATION\('',\(#\d+,(#\d+)\),(#\d+)\)")
    styles: list[str] = []
    for product in text.split(" = PRODUCT('")[1:]:
        if match := solid.search(product):
            color = colors[product.split("'")[0]]
            rgb = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
            numbers = range(number + 9 * len(styles), number + 9 * len(styles) + 9)
            styles.append(COLOR.format(*numbers, solid=match[1], context=match[2], rgb=rgb))
    body, end = text.split("ENDSEC;\nEND-ISO")
    return f"{body}{''.join(styles)}ENDSEC;\nEND-ISO{end}"
