"""Reading and meshing STEP files against plain OCP at the same deflection.

Whole processes, in turn. Plain OCP is the shortest script that does it in one process: read
with XCAF, mesh in parallel. `read` is vqc's reader without its cache: a child process, and
names, colours, normals and units kept. `convert` also writes STL, GLB, a record and the cache.
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
from OCP.STEPCAFControl import STEPCAFControl_Reader
from OCP.TCollection import TCollection_ExtendedString
from OCP.TDF import TDF_LabelSequence
from OCP.TDocStd import TDocStd_Document
from OCP.XCAFDoc import XCAFDoc_DocumentTool
from OCP.BRep import BRep_Builder
from OCP.TopoDS import TopoDS_Compound
source = sys.argv[1]
relative, angle_deg = map(float, sys.argv[2:4])
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
"""
READ = """
import sys
from pathlib import Path
from vqc.cad import MeshSettings, read_step
read_step(Path(sys.argv[1]), MeshSettings(*map(float, sys.argv[2:4])), cache=False)
"""
SETTINGS = ("0.0005", "20")


def main(files: list[str], rounds: int = 5) -> None:
    names = files or sorted(map(str, (Path(__file__).parent.parent / "cad_models").glob("*.step")))
    print(f"{'':40} {'OCP':>7} {'read':>7} {'ratio':>6} {'convert':>8}   (median seconds)")
    for name in names:
        seconds: dict[str, list[float]] = {"ocp": [], "read": [], "convert": []}
        for _ in range(rounds):
            with tempfile.TemporaryDirectory(prefix="vqc-bench-") as scratch:
                environment = {**os.environ, "VQC_CACHE": scratch}
                convert = ["-m", "vqc", "convert", name, "--out", scratch, "--quiet"]
                for key, arguments in (
                    ("ocp", ["-c", PLAIN, name, *SETTINGS]),
                    ("read", ["-c", READ, name, *SETTINGS]),
                    ("convert", convert),
                ):
                    started = time.perf_counter()
                    subprocess.run(
                        [sys.executable, *arguments],
                        check=True,
                        env=environment,
                        stdout=subprocess.DEVNULL,
                    )
                    seconds[key].append(time.perf_counter() - started)
        ocp, read, converted = (statistics.median(times) for times in seconds.values())
        print(f"{Path(name).name:40} {ocp:7.2f} {read:7.2f} {read / ocp:6.2f} {converted:8.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
