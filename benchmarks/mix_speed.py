"""What mixing costs and how it grows: manifests of 10,000, 100,000 and 1,000,000 frames.

    python benchmarks/mix_speed.py [--frames 10000 100000 1000000] [--take 0.1] [--dir DIR]

Makes manifests without pictures (about 800 bytes a frame, a tenth of them photos in twelve
shoots), then, each in a process of its own:

    read     every manifest as columns, hashes checked
    plan     draws, splits and the leak check
    naive    the same manifests as dataclasses, what `read` replaces (up to 100,000 frames)

and, with pictures of no content for the drawn frames, so that there is something to link:

    build    links, label files, manifest

Prints seconds and the peak of memory.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

CLASSES = [f"part{k}" for k in range(10)]
NAIVE_UP_TO = 100_000
LINE = (
    '{{"image": "{image}", "sha256": "{sha256}", "phash": "{phash}", "width": 1024, '
    '"height": 768, "source": "{source}", "session": "{session}", "split": null, "label": null, '
    '"condition": null, "seed": 7, "view": {{"azimuth_deg": 15, "elevation_deg": -30, '
    '"tilt_deg": 15, "distance_mm": 812.4, "intrinsics": [1433.057, 1433.057, 512, 384], '
    '"distortion": null}}, "objects": [{{"class": "{name}", "part": "{name}", "instance": 1, '
    '"box": [{x0}, {y0}, {x1}, {y1}], "amodal_box": [{x0}.25, {y0}.5, {x1}.204, {y1}.11], '
    '"visibility": 1, "truncated": false, "mask": null, "pose": [{pose}]}}]}}\n'
)
POSE = ", ".join(["0.123456789"] * 12 + ["0", "0", "0", "1"])


def make_set(folder: Path, kind: str, frames: int, sessions: int, seed: int) -> None:
    """A manifest and a recipe; hashes and boxes are random."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    recipe = f"vqc_recipe: 1\nkind: {kind}\n"
    (folder / "recipe.yaml").write_text(recipe)
    sha256, phash = rng.bytes(32 * frames).hex(), rng.bytes(8 * frames).hex()
    boxes = rng.integers(0, 300, (frames, 4))
    numbers = rng.integers(0, [len(CLASSES), sessions], (frames, 2))
    header = {
        "vqc_manifest": 1, "kind": kind, "name": folder.name, "classes": CLASSES,
        "created_by": "vqc 0.1.0", "recipe_sha256": hashlib.sha256(recipe.encode()).hexdigest(),
        "parents": [], "digest": "0" * 64,
    }  # fmt: skip
    path = folder / "manifest.jsonl"
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for i in range(-1, frames):
            if i < 0:
                line = json.dumps(header) + "\n"
            else:
                x0, y0, w, h = boxes[i].tolist()
                line = LINE.format(
                    image=f"images/{i // 1000:04d}/{folder.name}_{i:07d}.jpg",
                    sha256=sha256[64 * i : 64 * i + 64],
                    phash=phash[16 * i : 16 * i + 16],
                    source="cad" if kind == "render" else "real",
                    session=f"{folder.name}-{numbers[i, 1]}",
                    name=CLASSES[numbers[i, 0]],
                    x0=x0, y0=y0, x1=x0 + w + 1, y1=y0 + h + 1, pose=POSE,
                )  # fmt: skip
            file.write(line.encode())
            digest.update(line.encode())
        file.seek(0)
        file.write(json.dumps(header | {"digest": digest.hexdigest()}).encode())


def measure(root: Path, take: int, what: str) -> None:
    """Runs in a process of its own; prints a record."""
    from vqc import mix
    from vqc.manifest import read_manifest

    folders, _ = mix.find_sets([root / "renders", root / "datasets"])
    record: dict[str, float] = {}
    started = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal started
        record[name] = time.perf_counter() - started
        started = time.perf_counter()

    if what == "naive":
        kept = [read_manifest(folder) for folder in folders]
        lap("naive")
        del kept
    else:
        pool = mix.read_pool(folders)
        lap("read")
        rules = mix.SplitRules(val=("photos-1",), test=("photos-2",))
        real = max(1, take // 500)
        request = mix.Request(cad=take - 10 * real, real=real, splits=rules, allow_short=True)
        plan = mix.plan(pool, request)
        lap("plan")
        record["drawn"] = len(plan.rows)
        for row, line in pool.lines(plan.rows):
            picture = pool.sources[pool.source[row]].folder / json.loads(line)["image"]
            picture.parent.mkdir(parents=True, exist_ok=True)
            picture.touch()
        started = time.perf_counter()
        mix.build(plan, root / "datasets", "mix")
        lap("build")
    record["MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(json.dumps(record))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--take", type=float, default=0.1, help="share of the frames drawn")
    parser.add_argument("--dir", type=Path, help="where to work [default: a temporary folder]")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.dir, int(options.measure[0]), options.measure[1])
        return
    print(f"{'frames':>10} {'drawn':>8} {'read s':>8} {'plan s':>8} {'build s':>8} {'peak MB':>8}"
          f" {'naive s':>8} {'MB':>6}")  # fmt: skip
    for frames in options.frames:
        with tempfile.TemporaryDirectory(dir=options.dir) as folder:
            root = Path(folder)
            for k in range(3):
                make_set(root / "renders" / f"set{k}", "render", frames * 3 // 10, 3, k)
            make_set(root / "datasets" / "photos", "intake", frames // 10, 12, 9)

            def run(what: str, root: Path = root, frames: int = frames) -> dict[str, float]:
                command = [sys.executable, __file__, "--dir", str(root), "--measure",
                           str(int(frames * options.take)), what]  # fmt: skip
                done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
                found: dict[str, float] = json.loads(done.stdout)
                return found

            ours = run("ours")
            naive = run("naive") if frames <= NAIVE_UP_TO else {}
        print(f"{frames:>10,} {ours['drawn']:>8,.0f} {ours['read']:>8.2f} {ours['plan']:>8.2f}"
              f" {ours['build']:>8.2f} {ours['MB']:>8.0f}"
              f" {naive.get('naive', float('nan')):>8.2f} {naive.get('MB', float('nan')):>6.0f}",
              flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
