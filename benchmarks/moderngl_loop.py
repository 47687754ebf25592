"""Render views with a hand-written moderngl loop: the least that the job can cost.

One context, one indexed buffer, one directional light, back faces culled, aa × aa samples a
pixel, a JPEG on disk and a YOLO label from the alpha channel; no proof, no manifest.
Usage: moderngl_loop.py MESH.npz OUT VIEWS AA
"""

import sys
from pathlib import Path

import cv2
import moderngl
import numpy as np

from vqc.geometry import bounding_sphere, distance_for_fill, intrinsics_from_fov, world2cam
from vqc.types import CameraPose
from vqc.views import FULL_RANGES, spread

VERTEX = """#version 330
uniform mat4 clip; uniform mat3 turn;
in vec3 position; in vec3 normal; in vec3 color; out vec3 lit;
void main() {
  gl_Position = clip * vec4(position, 1.0);
  lit = color * (0.3 + 0.7 * max(dot(turn * normal, vec3(-0.4, -0.6, -0.69)), 0.0));
}"""
FRAGMENT = """#version 330
in vec3 lit; out vec4 pixel;
void main() { pixel = vec4(lit, 1.0); }"""


def main(mesh: str, out: Path, count: int, aa: int) -> None:
    out.mkdir(parents=True)
    arrays = np.load(mesh)
    vertices = arrays["vertices"]
    center, radius = bounding_sphere(vertices)
    k = intrinsics_from_fov(30.0, 1024, 768)
    distance = distance_for_fill(radius, 0.8, k)
    near, far = distance - 1.01 * radius, distance + 1.01 * radius
    project = np.array(
        [
            [2 * k.fx / 1024, 0, 0, 0],
            [0, -2 * k.fy / 768, 0, 0],
            [0, 0, (far + near) / (far - near), -2 * far * near / (far - near)],
            [0, 0, 1, 0],
        ]
    )
    context = moderngl.create_standalone_context(
        backend="egl", libgl="libGL.so.1", libegl="libEGL.so.1"
    )
    context.enable(moderngl.DEPTH_TEST | moderngl.CULL_FACE)
    program = context.program(VERTEX, FRAGMENT)
    data = np.hstack([vertices - center, arrays["normals"], arrays["rgb"] / 255.0])
    array = context.vertex_array(
        program,
        [(context.buffer(data.astype("f4").tobytes()), "3f 3f 3f", "position", "normal", "color")],
        context.buffer(arrays["faces"].astype("i4").tobytes()),
    )
    size = (1024 * aa, 768 * aa)
    target = context.framebuffer([context.texture(size, 4)], context.depth_renderbuffer(size))
    target.use()
    for index, angles in enumerate(spread(count, *FULL_RANGES)):
        camera = world2cam(CameraPose(*angles, distance))
        program["clip"].write((project @ camera).T.astype("f4").tobytes())
        program["turn"].write(camera[:3, :3].T.astype("f4").tobytes())
        context.clear(1.0, 1.0, 1.0, 0.0)
        array.render()
        image = np.frombuffer(target.read(components=4), np.uint8).reshape(size[1], size[0], 4)[
            ::-1
        ]
        if aa > 1:
            image = cv2.resize(image, (1024, 768), interpolation=cv2.INTER_AREA)
        mask = image[..., 3] > 127
        rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        x0, x1, y0, y1 = cols[0], cols[-1] + 1, rows[0], rows[-1] + 1
        label = ((x0 + x1) / 2048, (y0 + y1) / 1536, (x1 - x0) / 1024, (y1 - y0) / 768)
        bgr = cv2.cvtColor(image, cv2.COLOR_RGBA2BGR)
        cv2.imwrite(str(out / f"{index:06d}.jpg"), bgr, [cv2.IMWRITE_JPEG_QUALITY, 95])
        (out / f"{index:06d}.txt").write_text("0 " + " ".join(f"{v:.6f}" for v in label) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
