"""XCAF document → bodies with names and colours, and where each of them stands.

Runs only in the kernel process (`vqc.cad.kernel`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Rgba = tuple[int, int, int, int]

_INVENTED_NAME = re.compile(
    r"\s*|=>\[.*|NONE|UNNAMED|ASSEMBLY|COMPOUND|COMPSOLID|SOLID|SHELL|FACE"
    r"|Open CASCADE STEP translator.*",
    re.DOTALL,
)


@dataclass
class Body:
    """A shape to be meshed once; `colours` maps its faces to palette index + 1."""

    shape: Any
    name: str | None
    colours: Any


@dataclass
class Model:
    """What a document holds.

    placed: for each (index of the body, name, own or inherited colour) the locations
        of its occurrences. palette: the colours given to single faces. bare: how many
        products hold only curves or points.
    """

    bodies: list[Body] = field(default_factory=list)
    placed: dict[tuple[int, str | None, Rgba | None], list[Any]] = field(default_factory=dict)
    palette: dict[Rgba, int] = field(default_factory=dict)
    bare: int = 0


def collect(document: Any, occurrence_colours: bool) -> Model:
    """Walk the assembly; `occurrence_colours`: the file colours single occurrences."""
    from OCP.TDF import TDF_LabelSequence
    from OCP.TopLoc import TopLoc_Location
    from OCP.XCAFDoc import XCAFDoc_DocumentTool

    roots = TDF_LabelSequence()
    XCAFDoc_DocumentTool.ShapeTool_s(document.Main()).GetFreeShapes(roots)
    colour_tool = XCAFDoc_DocumentTool.ColorTool_s(document.Main())
    walk = _Walk(colour_tool if occurrence_colours else None)
    for root in _labels(roots):
        walk.visit(root, TopLoc_Location(), None, None)
    return walk.model


class _Walk:
    """Depth first over the occurrences of a document, filling `model`."""

    def __init__(self, colour_tool: Any) -> None:
        self.model = Model()
        self._colour_tool = colour_tool
        self._bodies: dict[str, range] = {}

    def visit(self, label: Any, location: Any, rgba: Rgba | None, product: str | None) -> None:
        """One occurrence, given its parent's location and colour.

        product: the name of the product above, where the label is a body of that product
        rather than a component of an assembly.
        """
        from OCP.TDF import TDF_Label, TDF_LabelSequence
        from OCP.XCAFDoc import XCAFDoc_ShapeTool

        referred = TDF_Label()
        if XCAFDoc_ShapeTool.GetReferredShape_s(label, referred):
            location = location.Multiplied(XCAFDoc_ShapeTool.GetLocation_s(label))
        else:
            referred = label
        name = _name(referred) or _name(label) or product
        rgba = _colour(label) or _colour(referred) or rgba
        if XCAFDoc_ShapeTool.IsAssembly_s(referred):
            children = TDF_LabelSequence()
            XCAFDoc_ShapeTool.GetComponents_s(referred, children)
            for child in _labels(children):
                self.visit(child, location, rgba, None if _name(child) else name)
            return
        shape = XCAFDoc_ShapeTool.GetShape_s(referred)
        if not shape.IsNull():
            rgba = self._occurrence_colour(shape, location) or rgba
            for body in self._leaf(referred, shape):
                key = (body, self.model.bodies[body].name or name, rgba)
                self.model.placed.setdefault(key, []).append(location)

    def _occurrence_colour(self, shape: Any, location: Any) -> Rgba | None:
        """The colour that this occurrence has within one assembly only (SHUO)."""
        if self._colour_tool is None:
            return None
        from OCP.Quantity import Quantity_ColorRGBA

        placed = shape.Moved(location, False)
        for kind in _colour_kinds():
            colour = Quantity_ColorRGBA()
            if self._colour_tool.GetInstanceColor(placed, kind, colour):
                return _rgba(colour)
        return None

    def _leaf(self, label: Any, shape: Any) -> range:
        """Indices of the bodies of a product, made on its first occurrence."""
        entry = _entry(label)
        if entry not in self._bodies:
            pieces = [(name, piece) for name, piece in _pieces(label, shape) if has_faces(piece)]
            colours = _face_colours(label, self.model.palette) if pieces else None
            first = len(self.model.bodies)
            self.model.bodies += [Body(piece, name, colours) for name, piece in pieces]
            self.model.bare += not pieces
            self._bodies[entry] = range(first, len(self.model.bodies))
        return self._bodies[entry]


def _pieces(label: Any, shape: Any) -> list[tuple[str | None, Any]]:
    """A product as one piece; or solid by solid, where it holds several with names."""
    from OCP.BRep import BRep_Builder
    from OCP.TopAbs import TopAbs_ShapeEnum as Kind
    from OCP.TopoDS import TopoDS_Compound, TopoDS_Iterator

    if shape.ShapeType() != Kind.TopAbs_COMPOUND:
        return [(_name(label), shape)]
    solids = [
        (name, solid)
        for sub, solid in _sub_shapes(label)
        if solid.ShapeType() == Kind.TopAbs_SOLID and (name := _name(sub))
    ]
    if len(solids) < 2:
        return [(_name(label), shape)]
    builder, rest = BRep_Builder(), TopoDS_Compound()
    builder.MakeCompound(rest)
    child = TopoDS_Iterator(shape)
    while child.More():
        if not any(child.Value().IsSame(solid) for _, solid in solids):
            builder.Add(rest, child.Value())
        child.Next()
    return [*solids, (_name(label), rest)]


def _face_colours(label: Any, palette: dict[Rgba, int]) -> Any:
    """Map from face to palette index + 1; the colour of a finer shape wins."""
    from OCP.TopTools import TopTools_DataMapOfShapeInteger

    found = [(shape, rgba) for sub, shape in _sub_shapes(label) if (rgba := _colour(sub))]
    colours = TopTools_DataMapOfShapeInteger()
    for shape, rgba in sorted(found, key=lambda item: item[0].ShapeType().value):
        index = palette.setdefault(rgba, len(palette)) + 1
        for face in faces(shape):
            colours.Bind(face, index)
    return colours


def _name(label: Any) -> str | None:
    """A label's name; None where it has none or the kernel made one up."""
    from OCP.TDataStd import TDataStd_Name

    if not label.IsAttribute(TDataStd_Name.GetID_s()):  # to ask for it would crash
        return None
    attribute = TDataStd_Name()
    label.FindAttribute(TDataStd_Name.GetID_s(), attribute)
    name = str(attribute.Get().ToExtString())
    return None if _INVENTED_NAME.fullmatch(name) else name.strip()


def _colour_kinds() -> tuple[Any, Any]:
    from OCP.XCAFDoc import XCAFDoc_ColorType

    return XCAFDoc_ColorType.XCAFDoc_ColorSurf, XCAFDoc_ColorType.XCAFDoc_ColorGen


def _colour(label: Any) -> Rgba | None:
    """The colour of a label: of its surfaces, else the general one."""
    from OCP.Quantity import Quantity_ColorRGBA
    from OCP.XCAFDoc import XCAFDoc_ColorTool

    for kind in _colour_kinds():
        colour = Quantity_ColorRGBA()
        if XCAFDoc_ColorTool.GetColor_s(label, kind, colour):
            return _rgba(colour)
    return None


def _rgba(colour: Any) -> Rgba:
    """8-bit sRGB; the kernel keeps linear light. Source: IEC 61966-2-1."""
    rgb = colour.GetRGB()
    linear = (rgb.Red(), rgb.Green(), rgb.Blue())
    srgb = [12.92 * c if c <= 0.0031308 else 1.055 * c ** (1 / 2.4) - 0.055 for c in linear]
    red, green, blue, alpha = (min(255, max(0, round(255 * c))) for c in (*srgb, colour.Alpha()))
    return red, green, blue, alpha


def _labels(sequence: Any) -> Iterator[Any]:
    return (sequence.Value(i) for i in range(1, sequence.Length() + 1))


def _sub_shapes(label: Any) -> Iterator[tuple[Any, Any]]:
    """Labels of the marked sub-shapes of a product, with the shapes."""
    from OCP.TDF import TDF_LabelSequence
    from OCP.XCAFDoc import XCAFDoc_ShapeTool

    sequence = TDF_LabelSequence()
    XCAFDoc_ShapeTool.GetSubShapes_s(label, sequence)
    for sub in _labels(sequence):
        shape = XCAFDoc_ShapeTool.GetShape_s(sub)
        if not shape.IsNull():
            yield sub, shape


def _entry(label: Any) -> str:
    from OCP.TCollection import TCollection_AsciiString
    from OCP.TDF import TDF_Tool

    text = TCollection_AsciiString()
    TDF_Tool.Entry_s(label, text)
    return str(text.ToCString())


def faces(shape: Any) -> Iterator[Any]:
    """All faces of a shape, in a fixed order."""
    from OCP.TopAbs import TopAbs_ShapeEnum
    from OCP.TopExp import TopExp_Explorer
    from OCP.TopoDS import TopoDS

    explorer = TopExp_Explorer(shape, TopAbs_ShapeEnum.TopAbs_FACE)
    while explorer.More():
        yield TopoDS.Face_s(explorer.Current())
        explorer.Next()


def has_faces(shape: Any) -> bool:
    """Whether there is anything to mesh."""
    return next(faces(shape), None) is not None
