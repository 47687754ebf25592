"""STEP → raw meshes with the OpenCASCADE kernel; runs as a process of its own.

In: a STEP file open on standard input and a JSON object as the only argument (`Job`).
Out, on standard output: one line of JSON, then the arrays of `ARRAYS`, back to back.
`vqc.cad.mesh` makes an `Assembly` of it. The kernel may crash, hang or eat the memory:
`vqc.cad.reader` starts this process and guards it.

NumPy is not imported here: that alone takes longer than reading most files.
"""

from __future__ import annotations

import ctypes
import gc
import json
import math
import os
import resource
import signal
import sys
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any

from vqc.cad.structure import Model, collect, faces
from vqc.cad.units import length_unit
from vqc.cad.xcaf import Refused, read_document

ARRAYS = {"nodes": "d", "normals": "f", "triangles": "i", "faces": "i"}
"""Name and type code of the arrays, in the order in which they are written.

nodes: x, y, z of every node, mm, in the frame of its body.
normals: x, y, z of the normal of the surface at every node.
triangles: three node numbers, counted from 1 within one face of the B-rep.
faces: for every face of the B-rep, body after body: number of nodes, number of
    triangles, 1 where winding and normals point inwards, index into the palette or -1.
"""

_ENDLESS_MM = 1e9
_PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>


@dataclass(frozen=True)
class Job:
    """Mesh settings (see `MeshSettings`) and the limits of this process."""

    deflection: float
    angle_deg: float
    timeout_s: float
    memory_bytes: int


def main() -> None:
    """Read, mesh, write, and leave without the kernel's slow good-bye."""
    gc.disable()  # a short life: looking for cycles only costs time
    out = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the kernel prints on standard output
    job = Job(**json.loads(sys.argv[1]))
    _limit(job)
    arrays: dict[str, array[Any]] = {}
    try:
        header, arrays = _convert(job)
    except Refused as error:
        header = {"refused": str(error)}
    except MemoryError:
        header = {"refused": "memory"}
    except ImportError as error:
        header = {"missing": str(error)}
    with os.fdopen(out, "wb") as stream:
        header["sizes"] = {name: len(values) for name, values in arrays.items()}
        stream.write(json.dumps(header).encode() + b"\n")
        for values in arrays.values():
            values.tofile(stream)
    os._exit(0)


def _limit(job: Job) -> None:
    """Bound the memory; die at once on Ctrl-C, with the parent, and in time anyway."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # DATA, not AS: a library or the reserve of a thread takes addresses, not memory
    resource.setrlimit(resource.RLIMIT_DATA, (job.memory_bytes, job.memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, job.timeout_s + 5)


def _convert(job: Job) -> tuple[dict[str, Any], dict[str, array[Any]]]:
    with open(0, "rb", closefd=False) as stream:
        text = stream.read()
    document, notes = read_document("/dev/stdin", text)
    model = collect(document, b"SPECIFIED_HIGHER_USAGE_OCCURRENCE" in text)
    if model.bare:
        notes.append(f"left out, being curves or points only: {model.bare}")
    _mesh(model, job)
    arrays, faces_of_body, empty = _extract(model)
    if not arrays["triangles"]:
        raise Refused("there is no geometry inside: the kernel made no triangle of it")
    if empty:
        total = empty + sum(faces_of_body)
        notes.append(f"missing faces, of which no triangle came: {empty} of {total}")
    if b"CARTESIAN_TRANSFORMATION_OPERATOR_3D" in text:
        notes.append("where the file mirrors or scales an occurrence, the kernel does not")
    unit = length_unit(text)
    if unit is None:
        notes.append("the file names no length unit; mm is assumed")
    parts = [
        {"body": body, "name": name, "rgba": rgba, "placements": [_matrix(at) for at in places]}
        for (body, name, rgba), places in model.placed.items()
    ]
    header = {"unit": unit or "mm", "notes": notes, "palette": list(model.palette)}
    return {**header, "faces_of_body": faces_of_body, "parts": parts}, arrays


def _mesh(model: Model, job: Job) -> None:
    """Mesh all bodies at once, so that all faces share the cores."""
    from OCP.BRep import BRep_Builder
    from OCP.BRepMesh import BRepMesh_IncrementalMesh
    from OCP.TopoDS import TopoDS_Compound

    builder, everything = BRep_Builder(), TopoDS_Compound()
    builder.MakeCompound(everything)
    for body in model.bodies:
        builder.Add(everything, body.shape)
    deflection_mm = job.deflection * _diagonal_mm(model)
    BRepMesh_IncrementalMesh(everything, deflection_mm, False, math.radians(job.angle_deg), True)


def _diagonal_mm(model: Model) -> float:
    """Diagonal of the assembly's box, from the B-rep before it is meshed."""
    from OCP.Bnd import Bnd_Box
    from OCP.BRepBndLib import BRepBndLib

    boxes = [Bnd_Box() for _ in model.bodies]
    for box, body in zip(boxes, model.bodies, strict=True):
        for face in faces(body.shape):  # not loose curves, which are not drawn
            BRepBndLib.Add_s(face, box, True)
    whole = Bnd_Box()
    for (body_index, _, _), places in model.placed.items():
        for place in places:
            whole.Add(boxes[body_index].Transformed(place.Transformation()))
    if whole.IsVoid():
        raise Refused("there is no geometry inside: no solid, surface or triangle")
    diagonal_mm = math.sqrt(whole.SquareExtent())
    if whole.IsOpen() or not diagonal_mm < _ENDLESS_MM:
        raise Refused("a surface inside is endless, its border is lost; export the file again")
    return diagonal_mm


def _extract(model: Model) -> tuple[dict[str, array[Any]], list[int], int]:
    """The arrays, the number of faces of every body, and of faces without a triangle."""
    from OCP.BRep import BRep_Tool
    from OCP.BRepLib import BRepLib_ToolTriangulatedShape
    from OCP.TopLoc import TopLoc_Location

    arrays: dict[str, array[Any]] = {name: array(code) for name, code in ARRAYS.items()}
    faces_of_body, empty = [], 0
    for body in model.bodies:
        before = len(arrays["faces"])
        for face in faces(body.shape):
            location = TopLoc_Location()
            mesh = BRep_Tool.Triangulation_s(face, location)
            if mesh is None or not mesh.NbTriangles():
                empty += 1
                continue
            BRepLib_ToolTriangulatedShape.ComputeNormals_s(face, mesh)
            colour = body.colours.Find(face) - 1 if body.colours.IsBound(face) else -1
            _append(arrays, face, mesh, location, colour)
        faces_of_body.append((len(arrays["faces"]) - before) // 4)
    return arrays, faces_of_body, empty


def _append(
    arrays: dict[str, array[Any]], face: Any, mesh: Any, location: Any, colour: int
) -> None:
    """Add one triangulated face; `location` places it in its body."""
    from OCP.TopAbs import TopAbs_Orientation

    place: Callable[[Any], Any] = lambda point: point  # noqa: E731
    inwards = face.Orientation() == TopAbs_Orientation.TopAbs_REVERSED
    if not location.IsIdentity():
        move = location.Transformation()
        inwards ^= move.IsNegative()
        place = lambda point: point.Transformed(move)  # noqa: E731
    nodes, triangles = range(1, mesh.NbNodes() + 1), range(1, mesh.NbTriangles() + 1)
    flat = chain.from_iterable
    arrays["nodes"].extend(flat(place(mesh.Node(i)).Coord() for i in nodes))
    arrays["normals"].extend(flat(place(mesh.Normal(i)).Coord() for i in nodes))
    arrays["triangles"].extend(flat(mesh.Triangle(i).Get() for i in triangles))
    arrays["faces"].extend((len(nodes), len(triangles), inwards, colour))


def _matrix(location: Any) -> list[float]:
    """The upper three rows of the matrix of a location, row by row."""
    move = location.Transformation()
    return [move.Value(row, column) for row in (1, 2, 3) for column in (1, 2, 3, 4)]


if __name__ == "__main__":
    main()
