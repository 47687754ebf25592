"""STEP → Assembly → STL, GLB. The only place of vqc that knows the CAD kernel.

In: STEP files (AP203, AP214, AP242). Out: `vqc.types.Assembly`, in millimetres, with the
file's names, structure, placements and colours; and mesh files for other programs.

    reader ──▶ kernel (a process of its own) ──▶ mesh ──▶ convert ──▶ export
                  xcaf ▸ structure                ▲ cache
"""

from vqc.cad.convert import STEP_SUFFIXES, Conversion, convert, find_step_files, read_each
from vqc.cad.reader import read_step
from vqc.cad.settings import MeshSettings, ReadLimits
from vqc.cad.stl import read_stl

__all__ = [
    "STEP_SUFFIXES",
    "Conversion",
    "MeshSettings",
    "ReadLimits",
    "convert",
    "find_step_files",
    "read_each",
    "read_step",
    "read_stl",
]
