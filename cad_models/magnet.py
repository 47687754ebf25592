"""A multipole magnet's parameters, and one sector of it: yoke, pole and coil.

Two frames are in use. *Beam frame*: x to the side, y up, z along the beam. *Pole frame*: the
beam frame turned about z until x lies on a pole's axis; there a quadrupole's pole face is the
hyperbola x² - y² = r², and all sectors are alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cadquery as cq
from cadquery import Location
from shapes import OTHER_END, Placed, Point, at, cylinder, hexagon, part, polar, prism
from step_file import Group, Part

BRASS, STEEL, ZINC = "#c8a23c", "#8d9196", "#c3c7cc"
END_PLATE = 18.0
"""Thickness of the end plates."""


@dataclass(frozen=True)
class Magnet:
    """A multipole magnet of `poles` equal sectors; lengths in mm, distances from the beam axis.

    bore: radius that fits between the poles. pole: half width of a pole. coil_from: where the
    coil begins. root: where the pole meets the yoke. slot: inner face of the yoke, at the joint
    of two sectors. back: outer face behind a pole. side: outer face at the joint.
    coil_depth: the most a coil may be thick; it stays within its sector. coil_bend: radius of
    its inner corners. tilt_deg: direction of the first pole.
    """

    name: str
    poles: int
    tilt_deg: float
    bore: float
    length: float
    pole: float
    coil_from: float
    root: float
    slot: float
    back: float
    side: float
    coil_layers: int
    coil_depth: float
    coil_bend: float
    yoke_color: str
    coil_color: str

    @property
    def half_angle(self) -> float:
        """Half of a sector, in radians."""
        return math.pi / self.poles

    @property
    def window(self) -> float:
        """Half width of the hole in a coil: the pole and 2 mm of insulation."""
        return self.pole + 2

    @property
    def layer(self) -> float:
        """Height of one coil layer along the pole; 1.5 mm of insulation lie over the last."""
        return (self.root - 1.5 - self.coil_from) / self.coil_layers

    @property
    def coil_end(self) -> float:
        """z of the coil's end face."""
        return self.length / 2 + self.coil_bend + self.depth(self.coil_layers - 1)

    def depth(self, layer: int) -> float:
        """How thick a layer is: up to the joint of two sectors, less 2.5 mm."""
        room = (self.coil_from + layer * self.layer) * math.tan(self.half_angle)
        return min(self.coil_depth, room - 2.5 / math.cos(self.half_angle) - self.window)

    @property
    def terminal(self) -> Point:
        """Pole-frame position of a coil's terminal on its end face; the other is at -y."""
        return self.root - 1.5 - self.layer, self.window - self.coil_bend - 8

    @property
    def top(self) -> float:
        """y of the topmost face of the yoke: behind a pole, or at a joint."""
        return self.back if self.poles == 6 else self.side

    @property
    def floor(self) -> float:
        """y of the base plate's upper face."""
        return -self.top - 70

    def pole_deg(self, sector: int) -> float:
        """Direction of a pole."""
        return self.tilt_deg + sector * 360 / self.poles


def facets(m: Magnet, behind_pole: float, joint: float) -> list[Point]:
    """One sector of a polygon, given the distance of its sides from the axis."""
    a = m.half_angle
    y = (joint - behind_pole * math.cos(a)) / math.sin(a)
    return [polar(joint, -a), (behind_pole, -y), (behind_pole, y), polar(joint, a)]


def ring(m: Magnet, grow: float = 0) -> list[Point]:
    """Outline of the yoke without the pole; `grow` moves the outer faces."""
    return facets(m, m.root, m.slot) + facets(m, m.back + grow, m.side + grow)[::-1]


def yoke(m: Magnet) -> cq.Workplane:
    """Packets of laminations: 1.6 mm wide grooves between them."""
    half = m.length / 2 - END_PLATE
    packets = round(half / 18)
    pitch = 2 * half / packets
    solid = prism(ring(m, -1.5), -half, half)
    for i in range(packets):
        start = -half + i * pitch
        solid = solid.union(prism(ring(m), start + 0.8, start + pitch - 0.8))
    return solid


def joint_bolts(m: Magnet) -> list[Point]:
    """Where the end plate is bolted to the yoke."""
    a, r = m.half_angle, (m.slot + m.side) / 2
    x, y = r * math.cos(a) + 20 * math.sin(a), r * math.sin(a) - 20 * math.cos(a)
    return [((m.root + m.back) / 2, 0), (x, y), (x, -y)]


def end_plate(m: Magnet) -> cq.Workplane:
    plate = prism(ring(m, 6), m.length / 2 - END_PLATE, m.length / 2)
    return plate.faces(">Z").workplane(origin=(0, 0, 0)).pushPoints(joint_bolts(m)).hole(13)


def pole_profile(m: Magnet, width: float, back: float) -> cq.Workplane:
    """From the ideal pole face r^n cos(n·angle) = bore^n, n pairs of poles, to x = `back`."""
    n = m.poles / 2

    def face(angle: float) -> Point:
        return polar(m.bore / math.cos(n * angle) ** (1 / n), angle)

    low, high = 0.0, math.pi / 2 / n - 1e-6
    while high - low > 1e-12:
        middle = (low + high) / 2
        low, high = (middle, high) if face(middle)[1] < width else (low, middle)
    tip = [face(low * i / 5) for i in range(-5, 6)]
    return cq.Workplane().spline(tip).lineTo(back, width).lineTo(back, -width).close()


def pole(m: Magnet) -> cq.Workplane:
    return pole_profile(m, m.pole, m.root).extrude(m.length / 2, both=True)


def pole_shim(m: Magnet) -> cq.Workplane:
    """The chamfered end piece that trims the field; stands on z = 0."""
    return pole_profile(m, m.pole - 2, m.coil_from - 3).extrude(9).faces(">Z").chamfer(3)


def racetrack(m: Magnet, depth: float, x0: float, x1: float) -> cq.Workplane:
    """A winding around the pole between two distances from the axis."""

    def block(grow: float) -> cq.Workplane:
        half_y, half_z = m.window + grow, m.length / 2 + m.coil_bend + grow
        plan = cq.Workplane("YZ").workplane(offset=x0).rect(2 * half_y, 2 * half_z)
        return plan.extrude(x1 - x0).edges("|X").fillet(m.coil_bend + grow)

    return block(depth).cut(block(0))


def coil(m: Magnet) -> cq.Workplane:
    """Conductor layers, each as thick as the sector allows, with grooves between them."""
    rings = cq.Workplane()
    for i in range(m.coil_layers):
        x = m.coil_from + i * m.layer
        rings = rings.add(racetrack(m, m.depth(i), x + 0.6, x + m.layer - 0.6))
        rings = rings.add(racetrack(m, m.depth(i) - 1.5, x, x + m.layer))
    return rings.combine()


def sector(m: Magnet, bolt: Part) -> Group:
    """Everything that repeats from pole to pole."""
    kind = "quarter" if m.poles == 4 else "sextant"
    half, (x, y) = m.length / 2, m.terminal
    plate = part("end_plate", end_plate(m), STEEL)
    shim = part("pole_shim", pole_shim(m), ZINC)
    terminal = part("coil_terminal", hexagon(12, 0, 12).union(cylinder(5, 12, 18)), BRASS)
    one_end: Placed = (
        (plate, Location()),
        (shim, at(0, 0, half)),
        *((terminal, at(x, v, m.coil_end)) for v in (y, -y)),
        *((bolt, at(*p, half)) for p in joint_bolts(m)),
    )
    middle: Placed = (
        (part(f"yoke_{kind}", yoke(m), m.yoke_color), Location()),
        (part("pole", pole(m), STEEL), Location()),
        (part("coil", coil(m), m.coil_color), Location()),
    )
    other_end = tuple((item, OTHER_END * place) for item, place in one_end)
    return Group(kind, (*middle, *one_end, *other_end))
