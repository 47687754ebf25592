"""What a magnet needs around its yoke and coils, in the beam frame (x to the side, y up)."""

from __future__ import annotations

import math

import cadquery as cq
from cadquery import Location, Vector
from magnet import BRASS, END_PLATE, ZINC, Magnet, facets
from shapes import (
    UPRIGHT,
    Placed,
    Point,
    Point3,
    at,
    bent,
    box,
    cylinder,
    hexagon,
    moved,
    part,
    prism,
    tube,
    turn,
    turned,
)
from step_file import Group, Part

BLACK, COPPER, CREAM, GREY, RUBBER = "#565c66", "#b87346", "#d9d0b4", "#7b8187", "#23262b"
SILVER, YELLOW, COLD, WARM = "#dfe3e6", "#e0b21b", "#2f6fb0", "#b4352f"
TIE_BAR = 14.0
"""Thickness of the bars over the joints."""


def tie_bars(m: Magnet, bolt: Part) -> Placed:
    """Flat bars with bolts over the joints between sectors, except where the cradle is."""
    half = m.length / 2 - END_PLATE - 1
    count = round(half / 22)
    spots = [(9 * (-1) ** i, half * (2 * i + 1) / count - half) for i in range(count)]
    plain = box((0, TIE_BAR), (-22, 22), (-half, half))
    drilled = plain.faces(">X").workplane(origin=(0, 0, 0)).pushPoints(spots).hole(13)
    bar = part("tie_bar", drilled, ZINC)
    outwards = at(0, 0, 0, (0, 1, 0), 90)
    placed: list[tuple[Part | Group, Location]] = []
    for i in range(m.poles):
        angle = m.tilt_deg + (2 * i + 1) * 180 / m.poles
        if math.sin(math.radians(angle)) > -0.5:
            placed.append((bar, turn(angle, m.side)))
            placed += [(bolt, turn(angle, m.side + TIE_BAR, y, z) * outwards) for y, z in spots]
    return tuple(placed)


def bolt_m12() -> Part:
    """Hexagon bolt with washer; the seat is z = 0."""
    head = cylinder(12, 0, 2).union(hexagon(18, 2, 10)).union(cylinder(6, -13, 0))
    return part("bolt_m12", head, BLACK)


def lifting_eye() -> Part:
    ring = cq.Workplane(cq.Solid.makeTorus(19, 6, Vector(0, 0, 31), Vector(0, 1, 0)))
    return part("lifting_eye", ring.union(cylinder(18, 0, 8)).union(cylinder(9, 8, 15)), YELLOW)


def survey_target() -> Part:
    """A 38.1 mm reflector ball in its seat."""
    ball = cq.Solid.makeSphere(19.05, Vector(0, 0, 26), Vector(0, 0, 1), -90, 90, 360)
    return part("survey_target", cylinder(17, 0, 14).union(cq.Workplane(ball)), SILVER)


def on_top(m: Magnet) -> Placed:
    """Two lifting eyes in the middle and two survey targets in opposite corners."""
    eye, target = lifting_eye(), survey_target()
    spots = ((eye, -55, 0.05), (eye, 55, 0.05), (target, -66, -0.32), (target, 66, 0.32))
    return tuple((item, at(x, m.top, z * m.length) * UPRIGHT) for item, x, z in spots)


def base(m: Magnet, half_x: float, half_z: float, feet: list[Point]) -> cq.Workplane:
    """Plate with holes for the feet, two cradles that follow the yoke, and two ribs."""
    sectors = [turned(facets(m, m.back, m.side)[:-1], m.pole_deg(i)) for i in range(m.poles)]
    yoke = prism([point for sector in sectors for point in sector], -half_z, half_z)
    plate = box((-half_x, half_x), (m.floor - 22, m.floor), (-half_z, half_z))
    solid = plate.edges("|Y").fillet(15)
    arm, rib, reach = m.side + 16, 0.45 * m.side, 0.3 * m.length
    for z in (-reach, reach):
        cradle = box((-arm, arm), (m.floor, -0.5 * m.side), (z - 9, z + 9))
        solid = solid.union(cradle.cut(yoke))
    for x in (-rib, rib):
        solid = solid.union(box((x - 7, x + 7), (m.floor, -m.top), (-reach, reach)))
    return solid.faces("<Y").workplane(origin=(0, 0, 0)).pushPoints(feet).hole(22, 22)


def stand(m: Magnet) -> Group:
    """The base on four feet with adjustment screws."""
    half_x, half_z = m.side + 105, m.length / 2 + 60
    feet = [(x, z) for x in (28 - half_x, half_x - 28) for z in (28 - half_z, half_z - 28)]
    rod = cylinder(10, -70, 44).union(hexagon(30, 0, 15)).union(hexagon(30, -37, -22))
    pad = cylinder(40, -100, -88).union(cylinder(18, -88, -70)).edges(">Z").fillet(3)
    screw = part("adjustment_screw", rod.faces(">Z").chamfer(1.5), ZINC)
    foot = part("foot", pad, RUBBER)
    legs = [(leg, at(x, m.floor, z) * UPRIGHT) for x, z in feet for leg in (screw, foot)]
    return Group("stand", ((part("base", base(m, half_x, half_z, feet), GREY), Location()), *legs))


def spot(m: Magnet, sector: int, side: int) -> Point3:
    """Beam-frame point on the outer face of a coil terminal, at the end with positive z."""
    x, y = m.terminal
    return (*turned([(x, side * y)], m.pole_deg(sector))[0], m.coil_end + 18)


def jumpers(m: Magnet) -> Placed:
    """Tubes from coil to coil: electrical ones where z < 0, for water where z > 0."""
    start, end = spot(m, 0, 1), spot(m, 1, -1)
    out = start[2] + 16
    path = bent([start, (*start[:2], out), (*end[:2], out), end], 12)
    jumper = part("jumper", tube(5, path, start, (0, 0, 1)), COPPER)
    step, fed = 360 / m.poles, (m.poles // 2 - 1, m.poles - 1)
    front = [turn(k * step) for k in range(m.poles) if k not in fed]
    # Half a turn about y brings the joint after sector 0 behind the one after this sector.
    behind = m.poles // 2 - 2
    half_turn = at(0, 0, 0, (0, 1, 0), 180)
    rear = [turn((k - behind) * step) * half_turn for k in range(1, m.poles)]
    return tuple((jumper, place) for place in front + rear)


def terminal() -> Part:
    """Brass block with a stud and nut on it; stands on y = 0."""
    block = box((-11, 11), (0, 22), (-13, 13)).edges("|Z").chamfer(2)
    stud = hexagon(17, 0, 9).union(cylinder(5, 9, 16))
    return part("terminal", block.union(moved(stud, at(0, 22, 0) * UPRIGHT)), BRASS)


def terminals(m: Magnet) -> Placed:
    """A block that bridges the tie bar, with the leads of the first two coils."""
    middle = 0.0 if m.poles == 4 else facets(m, m.back, m.side)[2][1] - 44
    z, bridge = -0.19 * m.length, m.top + 26
    board = box((middle - 44, middle + 44), (m.top, bridge + 14), (z - 30, z + 30))
    board = board.cut(box((middle - 30, middle + 30), (m.top, bridge), (z - 30, z + 30)))
    block = part("terminal_block", board.edges("|Y").fillet(4), CREAM)
    brass, y = terminal(), bridge + 25
    placed: list[tuple[Part | Group, Location]] = [(block, Location())]
    for i, (coil, side, x) in enumerate(((0, 1, middle + 22), (1, -1, middle - 22)), 1):
        u, v, end = spot(m, coil, side)
        out = -end - 24
        path = bent([(u, v, -end), (u, v, out), (x, y, out), (x, y, z - 13)], 14)
        lead = part(f"coil_lead_{i}", tube(6, path, (u, v, -end), (0, 0, -1)), COPPER)
        placed += [(lead, Location()), (brass, at(x, bridge + 14, z))]
    return tuple(placed)


def manifold(m: Magnet, name: str, color: str) -> Part:
    post = box((-17, 17), (m.floor, 0.5 * m.side), (-17, 17)).edges("|Y").fillet(5)
    foot = box((-28, 28), (m.floor, m.floor + 12), (-28, 28)).edges("|Y").fillet(6)
    inlet = cylinder(11, 0, 26).union(hexagon(30, 0, 10))
    return part(name, post.union(foot).union(moved(inlet, at(0, 0.5 * m.side, 0) * UPRIGHT)), color)


def water(m: Magnet) -> Placed:
    """Supply at +x and return at -x: manifolds on the base, and hoses to the nearest coils."""
    x, z, port = m.side + 60, m.length / 2 - 25, 0.28 * m.side
    fitting = part("hose_fitting", hexagon(20, 0, 10).union(cylinder(8.5, 10, 26)), BRASS)
    placed: list[tuple[Part | Group, Location]] = [
        (manifold(m, "manifold_supply", COLD), at(x, 0, z)),
        (manifold(m, "manifold_return", WARM), at(-x, 0, z)),
        *((fitting, at(u, v, z + 17)) for u in (x, -x) for v in (port, -port)),
    ]
    for name, start, y in (
        ("hose_upper", spot(m, 0, -1), port),
        ("hose_lower", spot(m, -1, 1), -port),
    ):
        bend = 0.45 * math.dist(start[:2], (x, y))
        out = start[2] + bend + 5
        path = bent([start, (*start[:2], out), (x, y, out), (x, y, z + 43)], bend)
        hose = part(name, tube(7.5, path, start, (0, 0, 1)), RUBBER)
        placed += [(hose, Location()), (hose, turn(180))]
    return tuple(placed)
