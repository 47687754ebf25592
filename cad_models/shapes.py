"""Solids, tubes and places that the sample parts are put together from; mm and degrees."""

from __future__ import annotations

import math

import cadquery as cq
from cadquery import Location, Vector
from step_file import Group, Part

Point = tuple[float, float]
Point3 = tuple[float, float, float]
Placed = tuple[tuple[Part | Group, Location], ...]


def polar(distance: float, angle: float) -> Point:
    return distance * math.cos(angle), distance * math.sin(angle)


def turned(points: list[Point], degrees: float) -> list[Point]:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [(c * x - s * y, s * x + c * y) for x, y in points]


def turn(degrees: float, x: float = 0, y: float = 0, z: float = 0) -> Location:
    """A point of the frame that is turned by `degrees` about z."""
    return Location(Vector(), Vector(0, 0, 1), degrees) * Location(Vector(x, y, z))


def at(x: float, y: float, z: float, axis: Point3 = (0, 0, 1), degrees: float = 0) -> Location:
    return Location(Vector(x, y, z), Vector(*axis), degrees)


OTHER_END = at(0, 0, 0, (1, 0, 0), 180)
"""Takes what stands at one end of a pole to the other end."""
UPRIGHT = at(0, 0, 0, (1, 0, 0), -90)
"""Takes what stands on z = 0 to y = 0 in the beam frame."""


def moved(shape: cq.Workplane, place: Location) -> cq.Workplane:
    return cq.Workplane(shape.val().moved(place))


def prism(outline: list[Point], z0: float, z1: float) -> cq.Workplane:
    return cq.Workplane().workplane(offset=z0).polyline(outline).close().extrude(z1 - z0)


def box(x: Point, y: Point, z: Point) -> cq.Workplane:
    return prism([(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])], *z)


def cylinder(radius: float, z0: float, z1: float, x: float = 0, y: float = 0) -> cq.Workplane:
    return cq.Workplane().workplane(offset=z0).center(x, y).circle(radius).extrude(z1 - z0)


def hexagon(across_flats: float, z0: float, z1: float) -> cq.Workplane:
    corners = across_flats / math.cos(math.pi / 6)
    return cq.Workplane().workplane(offset=z0).polygon(6, corners).extrude(z1 - z0)


def part(name: str, shape: cq.Workplane, color: str) -> Part:
    """A leaf of `shape`, which must be one valid solid."""
    solids = shape.solids().vals()
    if len(solids) != 1 or not solids[0].isValid():
        raise ValueError(f"{name}: expected one valid solid, got {len(solids)}")
    return Part(name, solids[0], color)


def tube(radius: float, path: cq.Wire, start: Point3, direction: Point3) -> cq.Workplane:
    circle = cq.Wire.makeCircle(radius, Vector(*start), Vector(*direction))
    return cq.Workplane(cq.Solid.sweep(circle, [], path))


def bent(corners: list[Point3], bend: float) -> cq.Wire:
    """The polyline through `corners`, each inner corner rounded by an arc of radius `bend`."""
    points = [Vector(*c) for c in corners]
    edges, last = [], points[0]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        back, on = (before - corner).normalized(), (after - corner).normalized()
        reach = bend / math.tan(back.getAngle(on) / 2)
        middle = (back + on).normalized() * (math.hypot(reach, bend) - bend)
        start, end = corner + back * reach, corner + on * reach
        edges += [
            cq.Edge.makeLine(last, start),
            cq.Edge.makeThreePointArc(start, corner + middle, end),
        ]
        last = end
    return cq.Wire.assembleEdges([*edges, cq.Edge.makeLine(last, points[-1])])
