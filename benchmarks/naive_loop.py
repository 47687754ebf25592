"""Render views the way most people first write it: what `vqc render` is measured against.

A new Plotter for every image, PyVista's defaults, a PNG on disk, and a YOLO label from
thresholding the picture. Usage: naive_loop.py STL OUT VIEWS
"""

import sys
from pathlib import Path

import numpy as np
import pyvista as pv

from vqc.geometry import bounding_sphere, distance_for_fill, intrinsics_from_fov, world2cam
from vqc.types import CameraPose
from vqc.views import FULL_RANGES, spread


def main(stl: str, out: Path, count: int) -> None:
    out.mkdir(parents=True)
    mesh = pv.read(stl)
    center, radius = bounding_sphere(np.asarray(mesh.points, dtype=float))
    intrinsics = intrinsics_from_fov(30.0, 1024, 768)
    distance = distance_for_fill(radius, 0.8, intrinsics)
    for index, angles in enumerate(spread(count, *FULL_RANGES)):
        camera = world2cam(CameraPose(*angles, distance))
        position = center - camera[:3, :3].T @ camera[:3, 3]
        plotter = pv.Plotter(off_screen=True, window_size=(1024, 768))
        plotter.set_background("white")
        plotter.add_mesh(mesh, color="grey")
        plotter.camera_position = [position, center, -camera[1, :3]]
        plotter.camera.view_angle = 30.0
        image = plotter.screenshot(out / f"{index:06d}.png")
        plotter.close()
        rows, cols = np.nonzero((image < 250).any(axis=-1))
        x0, x1, y0, y1 = cols.min(), cols.max() + 1, rows.min(), rows.max() + 1
        label = ((x0 + x1) / 2048, (y0 + y1) / 1536, (x1 - x0) / 1024, (y1 - y0) / 768)
        (out / f"{index:06d}.txt").write_text("0 " + " ".join(f"{v:.6f}" for v in label) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
