"""Make the sample parts: python cad_models/make_parts.py [NAME ...] [--out DIR].

Two quadrupole magnets, a sextupole and a plain bracket, as coloured STEP files in mm, z up.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cadquery as cq
from magnet import Magnet, sector
from services import bolt_m12, jumpers, on_top, stand, terminals, tie_bars, water
from shapes import at, box, cylinder, part, turn
from step_file import Group, Part, write_step

MAGNETS = (
    Magnet(
        name="quadrupole_qd", poles=4, tilt_deg=45, bore=38, length=260, pole=34, coil_from=62,
        root=150, slot=168, back=220, side=220, coil_layers=6, coil_depth=46, coil_bend=14,
        yoke_color="#b3261e", coil_color="#a5623a",
    ),
    Magnet(
        name="quadrupole_qf", poles=4, tilt_deg=45, bore=28, length=420, pole=28, coil_from=74,
        root=144, slot=154, back=245, side=198, coil_layers=4, coil_depth=38, coil_bend=10,
        yoke_color="#1f4e9c", coil_color="#d9822b",
    ),
    Magnet(
        name="sextupole_sd", poles=6, tilt_deg=30, bore=40, length=220, pole=18, coil_from=72,
        root=140, slot=158, back=196, side=212, coil_layers=6, coil_depth=40, coil_bend=4,
        yoke_color="#2e7d4f", coil_color="#33312f",
    ),
)  # fmt: skip


def magnet(m: Magnet) -> Group:
    """The whole magnet, z up, the beam along y."""
    bolt = bolt_m12()
    one = sector(m, bolt)
    sectors = tuple((one, turn(m.pole_deg(i))) for i in range(m.poles))
    groups = (
        Group("core", (*sectors, *tie_bars(m, bolt), *on_top(m))),
        Group("wiring", jumpers(m) + terminals(m)),
        Group("water", water(m)),
        stand(m),
    )
    z_up = at(0, 0, 0, (1, 0, 0), 90)
    return Group(m.name, tuple((group, z_up) for group in groups))


def bracket() -> Part:
    """An L of 12 mm plate with two ribs, four holes and a slot."""
    solid = box((0, 120), (-50, 50), (0, 12)).union(box((0, 12), (-50, 50), (0, 100)))
    inner = cq.selectors.BoxSelector((11, -60, 11), (13, 60, 13))
    outer = cq.selectors.BoxSelector((-1, -60, -1), (1, 60, 1))
    solid = solid.edges(inner).fillet(8).edges(outer).fillet(10)
    solid = solid.edges("|Z and >X").fillet(16).edges("|X and >Z").fillet(16)
    for y in (-31, 31):
        rib = cq.Workplane("XZ", origin=(0, y + 5, 0)).polyline([(11, 11), (82, 11), (11, 70)])
        solid = solid.union(rib.close().extrude(10))
    for x, y in ((101, -31), (101, 31)):
        solid = solid.cut(cylinder(5.5, -1, 20, x, y)).cut(cylinder(9, 8, 20, x, y))
    holes = cq.Workplane("YZ").pushPoints([(-31, 84), (31, 84)]).circle(5.5).extrude(20)
    slot = cq.Workplane("YZ").center(0, 58).slot2D(44, 14, 90).extrude(20)
    return part("bracket", solid.cut(holes).cut(slot), "#5f7d95")


def main() -> None:
    roots: dict[str, Callable[[], Part | Group]] = {"bracket": bracket}
    roots |= {m.name: partial(magnet, m) for m in MAGNETS}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"only these of {', '.join(roots)}"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    args = parser.parse_args()
    if unknown := sorted(set(args.names) - set(roots)):
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(roots)}")
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.names or roots:
        path = args.out / f"{name}.step"
        write_step(roots[name](), path)
        print(path)


if __name__ == "__main__":
    main()
