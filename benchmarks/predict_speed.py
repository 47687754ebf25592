"""`vqc predict` beside Ultralytics' own `YOLO.predict`, in one process, in turns.

    python benchmarks/predict_speed.py [--images 60] [--size 640x480] [--imgsz 320,640]
                                       [--weights best.pt] [--save]

A folder of JPEG pictures and an H.264 video of them, at each --imgsz. vqc draws, encodes and
writes everything; Ultralytics only predicts, or draws and writes too with --save. Pictures are
drawn here, and so are the weights (YOLOv8n that was never trained), unless a file is given, which
is then trusted. What counts is the time of the whole, start-up and the first pictures left out;
the overhead is the median over the rounds of vqc's time by Ultralytics' of the same round.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from vqc import runs, ultra
from vqc.predict.job import predict
from vqc.predict.request import Request
from vqc.predict.speed import WARM_UP
from vqc.runs import Run


def draw_pictures(folder: Path, count: int, width: int, height: int) -> list[Path]:
    """Shapes on a ground of noise, as JPEG."""
    import cv2

    folder.mkdir()
    files = []
    for number in range(count):
        rng = np.random.default_rng(number)
        ground = rng.integers(60, 200, (height // 8, width // 8, 3), np.uint8)
        picture = cv2.resize(ground, (width, height), interpolation=cv2.INTER_CUBIC)
        for _ in range(8):
            x, y = int(rng.integers(width)), int(rng.integers(height))
            colour = [int(v) for v in rng.integers(0, 256, 3)]
            cv2.circle(picture, (x, y), int(rng.integers(height // 20, height // 6)), colour, -1)
        files.append(folder / f"{number:04d}.jpg")
        cv2.imwrite(str(files[-1]), picture)
    return files


def film(files: list[Path], video: Path) -> Path:
    """The pictures as a video of 25 frames a second."""
    import av
    import cv2

    with av.open(str(video), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width = cv2.imread(str(files[0])).shape[:2]
        stream.pix_fmt = "yuv420p"
        for file in files:
            frame = av.VideoFrame.from_ndarray(cv2.imread(str(file)), "bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return video


def make_run(folder: Path, weights: Path | None) -> Path:
    """A run's folder around the weights."""
    import torch
    from ultralytics.nn.tasks import DetectionModel

    folder.mkdir(parents=True)
    if weights is None:
        torch.manual_seed(0)
        model = DetectionModel("yolov8n.yaml", nc=4, verbose=False)
        torch.save({"ema": None, "model": model.half(), "train_args": {}}, folder / "best.pt")
    else:
        (folder / "best.pt").write_bytes(weights.read_bytes())
    names = ultra.load_detector(folder / "best.pt").names
    run = Run(
        folder=folder, run_id="benchmark", task="detect", name="m", config={}, seed=0,
        classes=tuple(map(str, names.values())), dataset_name="none", manifest_sha256="0" * 64,
        metrics={}, epochs=1, best_epoch=1, chosen_on=None, seconds=0.0, weights=folder / "best.pt",
    )  # fmt: skip
    (folder / "run.json").write_bytes(runs.json_bytes(runs.result_record(run)))
    return folder


def bare(
    model: object, source: Path, imgsz: int, conf: float, out: Path | None
) -> tuple[float, float, int]:
    """ms of wall time and of CPU time a picture after the warm-up, and objects found."""
    found, marks = 0, []
    saving = {"save": True, "project": str(out), "exist_ok": True} if out else {}
    for result in model.predict(  # type: ignore[attr-defined]
        source, stream=True, imgsz=imgsz, conf=conf, device="cpu", verbose=False, **saving
    ):
        found += len(result.boxes)
        marks.append((time.perf_counter(), time.process_time()))
    wall, cpu = (b - a for a, b in zip(marks[WARM_UP - 1], marks[-1], strict=True))
    return wall / (len(marks) - WARM_UP) * 1e3, cpu / (len(marks) - WARM_UP) * 1e3, found


def ours(run: Path, source: Path, imgsz: int, conf: float) -> tuple[float, float, int]:
    """The same of `vqc predict`, up to the last file that it writes."""
    marks = []
    settings = {"conf": conf, "imgsz": imgsz, "device": "cpu"}
    asked = Request(run, (str(source),), run.parent / "out", settings=settings, fresh=True)
    result = predict(asked, lambda *_: marks.append((time.perf_counter(), time.process_time())))
    end = time.perf_counter(), time.process_time()
    wall, cpu = (b - a for a, b in zip(marks[WARM_UP - 1], end, strict=True))
    count = result.frames - WARM_UP
    return wall / count * 1e3, cpu / count * 1e3, sum(result.objects.values())


def compared(
    run: Path, source: Path, imgsz: int, conf: float, rounds: int, out: Path | None
) -> dict[str, object]:
    """Both in turns. A model of its own each time, as vqc loads one: neither has an advantage."""
    from ultralytics import YOLO

    rows = []
    for turn in range(rounds):
        pair = [
            lambda: bare(YOLO(run / "best.pt"), source, imgsz, conf, out),
            lambda: ours(run, source, imgsz, conf),
        ]
        order = (0, 1) if turn % 2 == 0 else (1, 0)
        told = {k: pair[k]() for k in order}
        rows.append((told[0], told[1]))
        print(
            f"{source.name} at {imgsz}, round {turn + 1}: Ultralytics {told[0][0]:.1f}, "
            f"vqc {told[1][0]:.1f} ms",
            flush=True,
        )
    summary: dict[str, object] = {
        "source": source.name, "imgsz": imgsz, "objects": [rows[0][0][2], rows[0][1][2]],
    }  # fmt: skip
    for n, what in enumerate(("wall", "cpu")):
        summary[f"{what}_ms"] = [
            round(statistics.median(row[k][n] for row in rows), 2) for k in (0, 1)
        ]
        ratio = statistics.median(b[n] / a[n] for a, b in rows)
        summary[f"overhead_{what}_percent"] = round(100 * (ratio - 1), 1)
    return summary


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--size", default="640x480")
    parser.add_argument("--imgsz", default="320,640")
    parser.add_argument("--conf", type=float, default=0.25)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--save", action="store_true")
    asked = parser.parse_args()
    width, height = map(int, asked.size.split("x"))
    ultra.prepare()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        files = draw_pictures(root / "pictures", asked.images, width, height)
        sources = (root / "pictures", film(files, root / "video.mp4"))
        run = make_run(root / "runs" / "m", asked.weights)
        for imgsz in map(int, asked.imgsz.split(",")):
            for source in sources:
                out = root / "theirs" if asked.save else None
                found = compared(run, source, imgsz, asked.conf, asked.rounds, out)
                print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
