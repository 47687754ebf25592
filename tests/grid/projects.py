"""Renders and photos of a small project, and the registration of the fake tasks."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

from sets import CLASSES, finish, frame

from vqc.types import Annotation

RENDERS, PHOTOS = 16, 48


def register(folder: Path) -> None:
    """Fake tasks as an installed package would bring them, once the folder is on the path."""
    info = folder / "fake_tasks-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-tasks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[vqc.tasks]\nfake = fake_tasks:Fake\nplain = fake_tasks:Plain\n"
    )
    shutil.copy(Path(__file__).with_name("fake_tasks.py"), folder)


def renders(root: Path) -> None:
    made = [
        frame(root, number, objects=(_box(number, CLASSES[number % 2]),))
        for number in range(RENDERS)
    ]
    finish(root, "render", made)


def photos(root: Path, session: str | None = None, name: str = "photos", noise: int = 0) -> None:
    """By fours: a background, three of the classes in turns.

    session: of all of them; by default the first half is of one and the other of another.
    noise: other pixels, while the perceptual hashes stay.
    """
    made = []
    for number in range(100, 100 + PHOTOS):
        objects = () if number % 4 == 0 else (_box(number, CLASSES[number % 2]),)
        half = "shop" if number < 100 + PHOTOS // 2 else "hall"
        image = f"images/000/p_{number:06d}.png"
        item = frame(
            root, number + noise, image, objects=objects, session=session or half, seed=None
        )
        phash = hashlib.sha256(str(number).encode()).hexdigest()[:16]
        made.append(replace(item, source="real", view=None, phash=phash))
    finish(root, "intake", made, name=name)


def _box(number: int, name: str) -> Annotation:
    return Annotation(name, box_xyxy=(4.0, 5.0, 30.0, 20.0 + number % 9), visibility=1.0)
