"""A look, one factor at a time: files that hold more and more of it.

    python benchmarks/look_steps.py [--look bench] FOLDER

Steps 1 and 2 are plain views, grey and in the colours of the CAD file, and need no file. Every
further step adds to the one before; the rest is plain. `benchmarks/looks.sh` trains on each.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import yaml

from vqc.look.reading import look_to_record, read_look
from vqc.look.schema import Look, SceneLook


def steps(look: Look) -> list[Look]:
    """From views, sizes and backgrounds alone up to all of the look."""
    clutter = replace(look.scene, rest=SceneLook().rest, upright=SceneLook().upright)
    size = Look("3-size-backgrounds", camera=look.camera, backdrop=look.backdrop)
    light = replace(size, name="4-light-material", light=look.light, material=look.material)
    crowded = replace(light, name="5-clutter", scene=clutter)
    at_rest = replace(crowded, name="6-plane", scene=look.scene)
    return [size, light, crowded, at_rest, replace(at_rest, name="7-sensor", sensor=look.sensor)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--look", default="bench")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for look in steps(read_look(options.look)):
        text = yaml.safe_dump(look_to_record(look), sort_keys=False)
        (options.folder / f"{look.name}.yaml").write_text(text)
        print(options.folder / f"{look.name}.yaml")


if __name__ == "__main__":
    main()
