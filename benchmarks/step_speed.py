"""Reading and meshing STEP files against plain OCP at the same deflection: whole processes, in turn.

Plain OCP is the shortest script that does the job in one process: read with XCAF, mesh in
parallel, write an STL. vqc reads in a child process, extracts names, colours and normals and
writes its cache as well.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PLAIN = """
import sys
from OCP.Bnd import Bnd_Box
from OCP.BRepBndLib import BRepBndLib
from OCP.BRepMesh import BRepMesh_IncrementalMesh
from OCP.IFSelect import IFSelect_RetDone
from OCP.StlAPI import StlAPI_Writer
from OCP.STEPCAFControl import STEPCAFControl_Reader
from OCP.TCollection import TCollection_ExtendedString
from OCP.TDF import TDF_LabelSequence
from OCP.TDocStd import TDocStd_Document
from OCP.XCAFDoc import XCAFDoc_DocumentTool
from OCP.BRep import BRep_Builder
from OCP.TopoDS import TopoDS_Compound
source, target, relative, angle_deg = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
document = TDocStd_Document(TCollection_ExtendedString("x"))
reader = STEPCAFControl_Reader()
reader.SetColorMode(True)
reader.SetNameMode(True)
assert reader.ReadFile(source) == IFSelect_RetDone
reader.Transfer(document)
tool = XCAFDoc_DocumentTool.ShapeTool_s(document.Main())
labels = TDF_LabelSequence()
tool.GetFreeShapes(labels)
builder, shape = BRep_Builder(), TopoDS_Compound()
builder.MakeCompound(shape)
for k in range(1, labels.Length() + 1):
    builder.Add(shape, tool.GetShape_s(labels.Value(k)))
box = Bnd_Box()
BRepBndLib.Add_s(shape, box)
deflection = relative * box.SquareExtent() ** 0.5
BRepMesh_IncrementalMesh(shape, deflection, False, angle_deg * 3.141592653589793 / 180, True)
StlAPI_Writer().Write(shape, target)
"""
DEFLECTION, ANGLE_DEG = 0.0005, 20.0


def main(files: list[str], rounds: int = 5) -> None:
    names = files or sorted(map(str, (Path(__file__).parent.parent / "cad_models").glob("*.step")))
    print(f"{'':40} {'OCP':>7} {'vqc':>7}  ratio   (median of {rounds}, seconds)")
    for name in names:
        seconds: dict[str, list[float]] = {"ocp": [], "vqc": []}
        for _ in range(rounds):
            with tempfile.TemporaryDirectory(prefix="vqc-bench-") as scratch:
                environment = {**os.environ, "VQC_CACHE": scratch}
                target = f"{scratch}/part.stl"
                plain = [sys.executable, "-c", PLAIN, name, target, str(DEFLECTION), str(ANGLE_DEG)]
                ours = [sys.executable, "-m", "vqc", "convert", name, "--out", scratch, "--quiet"]
                for key, command in (("ocp", plain), ("vqc", ours)):
                    started = time.perf_counter()
                    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
                    seconds[key].append(time.perf_counter() - started)
        ocp, vqc = (statistics.median(seconds[key]) for key in ("ocp", "vqc"))
        print(f"{Path(name).name:40} {ocp:7.2f} {vqc:7.2f}  {vqc / ocp:5.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
