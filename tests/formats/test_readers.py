"""Which format a source is, on small sources and on those of other people."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from commands import REAL
from outside import faults, source

from vqc.errors import InputError
from vqc.formats import readers
from vqc.formats.source import Listing, list_source

TASK = json.dumps([{"id": 1, "data": {"image": "a.jpg"}, "annotations": []}])
COCO = json.dumps({"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}]})
VOC = "<annotation><filename>a.jpg</filename></annotation>"
CVAT = "<annotations><version>1.1</version></annotations>"
CSV = "ImageId_ClassId,EncodedPixels\na.jpg_1,\n"

SOURCES = {
    "yolo": {"images/a.jpg": (4, 4), "labels/a.txt": "0 .5 .5 .1 .1", "data.yaml": "names: [a]"},
    "coco": {"a.jpg": (4, 4), "_annotations.coco.json": COCO},
    "voc": {"a.jpg": (4, 4), "a.xml": VOC},
    "labelstudio": {"a.jpg": (4, 4), "export.json": TASK},
    "cvat": {"images/a.jpg": (4, 4), "annotations.xml": CVAT},
    "severstal": {"a.jpg": (4, 4), "train.csv": CSV},
    "masks": {"images/a.jpg": (4, 4), "masks/a.png": (4, 4)},
    "conditions": {"good/a.jpg": (4, 4), "crack/a.jpg": (4, 4)},
    "classes": {"x/a.jpg": (4, 4), "y/a.jpg": (4, 4)},
    "images": {"a.jpg": (4, 4), "b.jpg": (4, 4)},
}


@pytest.mark.parametrize("name", SOURCES)
def test_each_format_is_recognised(name: str, tmp_path: Path) -> None:
    found, why = readers.recognise(source(tmp_path, SOURCES[name]))
    assert found == name
    assert why


def test_every_format_has_a_reader() -> None:
    assert tuple(SOURCES) == readers.FORMATS
    for name in readers.FORMATS:
        reader = readers.reader(name)
        assert callable(reader.evidence) and callable(reader.read)
    with pytest.raises(InputError, match=r"expected one of yolo, .* images, got 'txt'"):
        readers.reader("txt")


def test_several_formats_fit(tmp_path: Path) -> None:
    files = {**SOURCES["labelstudio"], **SOURCES["cvat"], "annotations.xml": CVAT}
    with pytest.raises(InputError) as caught:
        readers.recognise(source(tmp_path, files))
    head, *seen = str(caught.value).splitlines()
    assert "--format labelstudio or --format cvat" in head
    assert [line.split(":")[0].strip() for line in seen] == ["labelstudio", "cvat"]


def test_folders_may_be_sessions(tmp_path: Path) -> None:
    listing = source(tmp_path, SOURCES["classes"])
    assert readers.recognise(listing, has_session_folders=True)[0] == "images"
    good = source(tmp_path / "good", SOURCES["conditions"])
    assert readers.recognise(good, has_session_folders=True)[0] == "conditions"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"readme.txt": "none"}, "1 files, 0 of them pictures: expected pictures"),
        ({"a.jpg": (4, 4), "a.json": "{}"}, "no format that vqc recognises; say --format images"),
        ({"a.jpg": (4, 4), "x/b.jpg": (4, 4)}, "--format yolo, coco, .* or classes"),
    ],
)
def test_nothing_fits(files: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        readers.recognise(source(tmp_path, files))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("folder", "name", "items"),
    [
        ("neu_seg", "masks", 1840),
        ("kolektor", "masks", 399),
        ("crackforest", "masks", 118),
        ("lego4", "classes", 1600),
        ("backgrounds", "images", 80),
        ("boards/photos", "voc", 149),
    ],
)
def test_sources_of_other_people(folder: str, name: str, items: int) -> None:
    if not (REAL / folder).is_dir():
        pytest.skip(f"real data is not here: {REAL / folder}")
    listing = list_source(REAL / folder)
    assert readers.recognise(listing)[0] == name
    reading = readers.reader(name).read(listing)
    assert (len(reading.items), faults(reading)) == (items, [])
    assert all(item.row for item in reading.items) == (folder == "kolektor")


def test_time_grows_with_the_number_of_files() -> None:
    """Names that all end alike are the hard case; no file is opened here."""
    for name, folders in (("classes", ("x", "y")), ("masks", ("images", "masks"))):
        files = [f"{folder}/{k}/0.png" for folder in folders for k in range(20_000)]
        listing = Listing(Path("nowhere"), tuple(sorted(files)))
        start = time.perf_counter()
        assert readers.reader(name).evidence(listing)
        assert time.perf_counter() - start < 5
