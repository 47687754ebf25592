"""Assembly → binary STL and GLB, as bytes; pure NumPy.

STL: millimetres, every occurrence in its place. GLB: as glTF 2.0 asks, metres and Y up,
colours in linear light; each mesh once, a named node for every occurrence.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqc.cad.mesh import is_closed
from vqc.types import Assembly, Part

_STL_RECORD = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_MM_Z_UP_TO_M_Y_UP = [0.001, 0, 0, 0, 0, 0, -0.001, 0, 0, 0.001, 0, 0, 0, 0, 0, 1]
_FLOAT, _UINT32 = 5126, 5125  # glTF component types


def stl_bytes(assembly: Assembly) -> bytes:
    """One binary STL of everything as placed. Source: the 3D Systems STL format."""
    records = [_stl_records(part, at) for part in assembly.parts for at in part.placements]
    triangles = np.concatenate(records)
    head = f"vqc, millimetres, {assembly.source}".encode("ascii", "replace")[:80]
    return head.ljust(80) + len(triangles).to_bytes(4, "little") + triangles.tobytes()


def _stl_records(part: Part, placement: NDArray[np.float64]) -> NDArray[np.void]:
    points = part.vertices_mm @ placement[:3, :3].T + placement[:3, 3]
    corners = points[part.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    records = np.zeros(len(corners), _STL_RECORD)
    records["normal"] = np.divide(normal, length, out=np.zeros_like(normal), where=length > 0)
    records["corners"] = corners
    return records


def glb_bytes(assembly: Assembly) -> bytes:
    """A binary glTF 2.0 file. Source: Khronos glTF 2.0 specification."""
    scene = _Gltf()
    nodes: list[dict[str, Any]] = []
    for number, part in enumerate(assembly.parts, 1):
        name = part.name or f"part {number}"
        mesh = scene.mesh(name, part)
        nodes += [
            {"name": name, "mesh": mesh, "matrix": at.T.ravel().tolist()} for at in part.placements
        ]
    root = {
        "name": assembly.name,
        "matrix": _MM_Z_UP_TO_M_Y_UP,
        "children": list(range(1, len(nodes) + 1)),
    }
    return scene.to_bytes([root, *nodes])


class _Gltf:
    """Collects the parts of a glTF file; equal arrays and materials are stored once."""

    def __init__(self) -> None:
        self._tables: dict[str, list[dict[str, Any]]] = {
            "meshes": [], "accessors": [], "bufferViews": [], "materials": []
        }  # fmt: skip
        self._chunks: list[bytes] = []
        self._known: dict[Any, int] = {}

    def mesh(self, name: str, part: Part) -> int:
        """One primitive for every colour; all of them share the vertices."""
        attributes = {
            "POSITION": self._points(part.vertices_mm),
            "NORMAL": self._points(part.normals),
        }
        closed = is_closed(part)
        colours, group = np.unique(part.face_rgba, axis=0, return_inverse=True)
        primitives = [
            {
                "attributes": attributes,
                "indices": self._accessor(part.faces[group.ravel() == i].ravel(), _UINT32),
                "material": self._material(rgba.tolist(), closed),
            }
            for i, rgba in enumerate(colours)
        ]
        return self._add("meshes", {"name": name, "primitives": primitives})

    def _points(self, values: NDArray[Any]) -> int:
        if id(values) not in self._known:
            limits = {"min": values.min(axis=0), "max": values.max(axis=0)}
            limits = {k: v.astype(np.float32).tolist() for k, v in limits.items()}
            self._known[id(values)] = self._accessor(values, _FLOAT, **limits)
        return self._known[id(values)]

    def _accessor(self, values: NDArray[Any], kind: int, **limits: Any) -> int:
        data = values.astype("<f4" if kind == _FLOAT else "<u4").tobytes()
        offset = sum(map(len, self._chunks))
        self._chunks.append(data)
        view = {"buffer": 0, "byteOffset": offset, "byteLength": len(data)}
        return self._add(
            "accessors",
            {
                "bufferView": self._add("bufferViews", view),
                "componentType": kind,
                "count": len(values),
                "type": "VEC3" if values.ndim == 2 else "SCALAR",
                **limits,
            },
        )

    def _material(self, rgba: list[int], closed: bool) -> int:
        key = (*rgba, closed)
        if key not in self._known:
            srgb = np.array(rgba[:3]) / 255
            linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
            factor = [*linear.round(6).tolist(), round(rgba[3] / 255, 6)]
            pbr = {"baseColorFactor": factor, "metallicFactor": 0, "roughnessFactor": 0.6}
            mode = {} if rgba[3] == 255 else {"alphaMode": "BLEND"}
            material = {"pbrMetallicRoughness": pbr, "doubleSided": not closed, **mode}
            self._known[key] = self._add("materials", material)
        return self._known[key]

    def _add(self, table: str, entry: dict[str, Any]) -> int:
        self._tables[table].append(entry)
        return len(self._tables[table]) - 1

    def to_bytes(self, nodes: list[dict[str, Any]]) -> bytes:
        """The file; the first node is the root."""
        binary = b"".join(self._chunks)
        document = {
            "asset": {"version": "2.0", "generator": "vqc"},
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": nodes,
            **self._tables,
            "buffers": [{"byteLength": len(binary)}],
        }
        text = json.dumps(document, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        body = _chunk(b"JSON", text) + _chunk(b"BIN\0", binary)
        return b"glTF" + (2).to_bytes(4, "little") + (12 + len(body)).to_bytes(4, "little") + body


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "little") + kind + data
