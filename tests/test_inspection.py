import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from vqc import inspection
from vqc.errors import InputError, ManifestError, OutputError
from vqc.formats import rle
from vqc.inspection import areas, charts, sheet
from vqc.inspection.columns import columns_of
from vqc.manifest import read_manifest, write_manifest
from vqc.types import Annotation, Frame, Manifest

CLASSES = ("qd", "qf", "never")
FRAME_PX = 100


def boxed(class_name="qd", side=0.5, at=(0.5, 0.5), aspect=1.0, **fields):
    """An object whose box has this side, centre and aspect ratio, as shares of the frame."""
    half_x, half_y = (side * FRAME_PX / 2 * aspect**s for s in (0.5, -0.5))
    x, y = (v * FRAME_PX for v in at)
    box = (x - half_x, y - half_y, x + half_x, y + half_y)
    return Annotation(class_name, box_xyxy=box, **fields)


def frame(number, *objects, source="cad", **fields):
    fields = {"objects": objects, "session": "one", **fields}
    name = f"images/{source}_{number:03d}.png"
    return Frame(name, f"{number:064x}", "0" * 16, FRAME_PX, FRAME_PX, source, **fields)


def set_of(folder, frames, kind="intake"):
    """A folder with white pictures and a manifest; enough to inspect."""
    for each in frames:
        (folder / each.image).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (FRAME_PX, FRAME_PX), "white").save(folder / each.image)
    ordered = tuple(sorted(frames, key=lambda f: f.image))
    write_manifest(folder, Manifest(kind, folder.name, CLASSES, ordered, "0" * 64, "vqc 0.1.0"))
    return folder


def cad_and_photos():
    """Median side 0.6 in renders and 0.3 in photos, in train and test."""
    cad = [frame(k, boxed(side=0.6 + 0.01 * (k - 4))) for k in range(9)]
    real = [frame(k, boxed(side=0.3, at=(0.2, 0.7)), source="real", split="train")
            for k in range(3)]  # fmt: skip
    return cad, [*real, frame(7, source="real", split="test")]


def colour_count(file, colour):
    wanted = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
    pixels = np.asarray(Image.open(file).convert("RGB"))
    return int((pixels == wanted).all(axis=-1).sum())


@pytest.fixture
def rendered(vqc, steps, tmp_path):
    vqc("render", "--step", steps / "ball.step", "--step", steps / "block.step", "--name", "two",
        "--views", 8, "--size", "160x120", "--quiet", check=0)  # fmt: skip
    return tmp_path / "renders" / "two"


def test_figures_count_frames_boxes_and_their_size(rendered):
    manifest = read_manifest(rendered)
    of = columns_of(manifest.frames, manifest.classes)
    ball, block = inspection.rows(of)
    assert (ball.class_name, ball.frames, ball.boxes) == ("ball", 8, 8)
    assert block.class_name == "block" and block.visibility == 1
    # A sphere's outline is `--fill` of the shorter side: 0.8 × 120 of sqrt(160 × 120).
    assert ball.side[1] == pytest.approx(0.8 * 120 / np.sqrt(160 * 120), abs=0.01)
    assert ball.centre == pytest.approx((0.5, 0.5), abs=0.01)
    assert inspection.counts(of) == {"frames": 16, "backgrounds": 0, "unlabelled": 0, "no box": 0}


def test_rows_tell_least_middle_and_largest():
    sides = (0.2, 0.3, 0.5, 0.9)
    frames = [frame(k, boxed(side=s, visibility=s)) for k, s in enumerate(sides)]
    hidden = Annotation("qf", visibility=0.0)
    qd, qf = inspection.rows(columns_of([*frames, frame(9, hidden, hidden)], CLASSES))
    assert qd.side == (0.2, 0.4, 0.9) and qd.visibility == 0.4
    assert (qf.frames, qf.boxes, qf.side, qf.centre) == (1, 0, None, None)


def test_frames_without_boxes_are_told_apart():
    frames = [
        frame(0),  # looked at, nothing there
        frame(1, objects=None),
        frame(2, objects=None, label="qd"),
        frame(3, objects=None, condition="good"),
        frame(4, Annotation("qd", visibility=0.0)),
        frame(5, boxed()),
    ]
    of = columns_of(frames, CLASSES)
    assert inspection.counts(of) == {"frames": 6, "backgrounds": 1, "unlabelled": 1, "no box": 1}


def test_balance_counts_each_class_in_each_source_and_split():
    frames = [
        frame(0, boxed("qd"), boxed("qd"), boxed("qf")),
        frame(1, boxed("qd"), simulated=True, split="val"),
        frame(2, boxed("qf"), source="real", split="train"),
        frame(3, source="real", label="qf", objects=None, split="train"),
        frame(4, source="real", split="test"),
        frame(5, source="real", objects=None),
    ]
    found = [dataclasses.astuple(row) for row in inspection.balance(columns_of(frames, CLASSES))]
    assert found == [
        ("qd", "cad", None, 1, 2),
        ("qd", "simulated", "val", 1, 1),
        ("qf", "cad", None, 1, 1),
        ("qf", "real", "train", 2, 1),
        ("never", "", None, 0, 0),
        ("(background)", "real", "test", 1, 0),
        ("(nobody labelled it)", "real", None, 1, 0),
    ]


def test_conditions_are_counted():
    frames = [frame(k, source="real", condition="crack" if k == 2 else "good") for k in range(5)]
    of = columns_of(frames, CLASSES)
    found = [(row.name, row.source, row.frames) for row in inspection.condition_balance(of)]
    assert found == [("crack", "real", 1), ("good", "real", 4)]


def test_cad_is_compared_with_photos():
    cad, real = cad_and_photos()
    others = [frame(k, boxed("qf", side=0.9)) for k in (20, 21)]  # no photo shows this class
    every, qd = inspection.sizes(columns_of([*cad, *others, *real], CLASSES))
    assert (qd.class_name, qd.cad_boxes, qd.photo_boxes) == ("qd", 9, 3)
    assert dataclasses.replace(every, class_name="qd") == qd
    assert (qd.cad_side, qd.photo_side, qd.ratio, qd.overlap) == (0.6, 0.3, 2.0, 0.0)
    assert inspection.sentence(every) == (
        "CAD objects are 2.0 times as large in the frame as those in photos: "
        "median side 0.60 against 0.30; 0% of the sizes overlap"
    )


def test_simulated_photos_stand_in_only_where_there_is_no_real_one():
    frames = [frame(0, boxed(side=0.4)), frame(1, boxed(side=0.4), simulated=True)]
    row = inspection.sizes(columns_of(frames, CLASSES))[0]
    assert (row.photos, row.ratio, row.overlap) == ("simulated", 1, 1)
    assert "about as large" in inspection.sentence(row)
    frames.append(frame(2, boxed(side=0.8), source="real"))
    row = inspection.sizes(columns_of(frames, CLASSES))[0]
    assert (row.photos, row.ratio) == ("real", 0.5)


def test_test_photos_choose_nothing():
    cad, real = cad_and_photos()
    tests = [frame(30 + k, boxed(side=0.9), source="real", split="test") for k in range(9)]
    assert inspection.sizes(columns_of([*cad, *real, *tests], CLASSES)) == inspection.sizes(
        columns_of([*cad, *real], CLASSES)
    )
    assert inspection.sizes(columns_of([*cad, *tests], CLASSES)) == []


@pytest.mark.parametrize("frames", [[], cad_and_photos()[0], cad_and_photos()[1]])
def test_one_source_alone_is_compared_with_nothing(frames):
    assert inspection.sizes(columns_of(frames, CLASSES)) == []


@pytest.mark.parametrize(
    ("a", "b", "shared"),
    [([0.1, 0.9], [0.9, 0.1], 1), ([0.12], [0.17], 0), ([0.1, 0.1, 0.9, 0.9], [0.1], 0.5)],
)
def test_overlap_is_the_share_that_two_distributions_have_in_common(a, b, shared):
    assert inspection.overlap(np.array(a), np.array(b)) == pytest.approx(shared)


LOOKS = {
    "cad": cad_and_photos()[0],
    "photos": cad_and_photos()[1],
    "both": [f for part in cad_and_photos() for f in part],
    "classify": [frame(k, objects=None, label="qd", split="train") for k in range(4)],
    "good and bad": [frame(k, source="real", condition="good") for k in range(4)],
    "unlabelled": [frame(0, source="real", objects=None)],
    "hidden": [frame(0, Annotation("qd", visibility=0.0))],
    "one box": [frame(0, boxed(side=1.0))],
}


@pytest.mark.parametrize("name", LOOKS)
def test_charts_show_the_sources_that_are_there_and_no_other(name, tmp_path):
    frames = LOOKS[name]
    out = charts.draw(columns_of(frames, CLASSES), name, tmp_path / "charts.png")
    sources = {f.source for f in frames}
    for source in ("cad", "real"):
        assert (colour_count(out, charts.COLOURS[source]) > 100) == (source in sources), source


def test_charts_are_taller_where_there_are_boxes_or_conditions(tmp_path):
    heights = {}
    for name in ("classify", "good and bad", "one box"):
        out = charts.draw(columns_of(LOOKS[name], CLASSES), name, tmp_path / "charts.png")
        heights[name] = Image.open(out).height
    assert heights["classify"] < heights["good and bad"] < heights["one box"]


def masked(class_name, area_px):
    """An object whose mask has so many pixels, column by column."""
    pixels = np.zeros(FRAME_PX * FRAME_PX, bool)
    pixels[:area_px] = True
    return boxed(class_name, mask=rle.encode(pixels.reshape(FRAME_PX, FRAME_PX).T))


def test_masks_are_counted_and_measured_by_class(tmp_path):
    shown = [frame(1, masked("qd", 10), masked("qd", 1000)), frame(2, masked("qd", 200), boxed())]
    of = columns_of([*shown, frame(3, masked("qf", 1)), frame(4)], CLASSES)
    assert areas.areas(of) == [
        areas.AreaRow("qd", 2, 3, (10, 200, 1000), 0.02),
        areas.AreaRow("qf", 1, 1, (1, 1, 1), 0.0001),
    ]
    bins = areas.edges(of)
    assert bins[0] <= 1 and bins[-1] > 1000
    assert np.allclose(np.diff(np.log10(bins)), 0.2)
    tall, low = (
        Image.open(charts.draw(each, "x", tmp_path / f"{k}.png")).height
        for k, each in enumerate((of, columns_of([frame(1, boxed())], CLASSES)))
    )
    assert tall > low + 300, "masks have a row of their own"
    assert areas.areas(columns_of([frame(1, boxed())], CLASSES)) == []


def test_a_class_has_one_colour_on_sheets_and_charts(tmp_path):
    """The second class has the most masks, so its bar is the first."""
    of = columns_of([frame(k, masked("qf", 40)) for k in range(3)], CLASSES)
    out = charts.draw(of, "x", tmp_path / "charts.png")
    assert colour_count(out, sheet.PALETTE[1]) > 1000 and not colour_count(out, sheet.PALETTE[0])


def test_no_chart_counts_half_a_frame(tmp_path, monkeypatch):
    ticks = {}

    def keep(figure, out):
        figure.canvas.draw()
        for panel in figure.get_axes():
            ticks[panel.get_xlabel()] = panel.get_xticks().tolist()

    monkeypatch.setattr(charts, "_save", keep)
    for shown in (1, 3, 9):
        of = columns_of([frame(k, masked("qd", 40)) for k in range(shown)], CLASSES)
        charts.draw(of, "x", tmp_path / "charts.png")
        for name in ("frames that show it", "masks"):
            assert all(tick == round(tick) for tick in ticks[name]), (name, shown, ticks[name])


def test_charts_have_the_same_bytes_every_time(tmp_path):
    of = columns_of(LOOKS["both"], CLASSES)
    first, second = (charts.draw(of, "x", tmp_path / f"{k}.png").read_bytes() for k in range(2))
    assert first == second


def test_any_class_name_can_be_drawn(tmp_path, recwarn):
    names = ["$x_{", "_under", "部品", "n" * 80, *(f"class {k}" for k in range(60))]
    frames = [frame(k, boxed(name), label=name) for k, name in enumerate(names)]
    out = charts.draw(columns_of(frames, names), "$y^{", tmp_path / "charts.png")
    assert Image.open(out).width > 1000 and not list(recwarn)


def test_the_sheet_shows_a_box_around_the_part(rendered, vqc, tmp_path):
    vqc("inspect", rendered, "--frames", 4, check=0)
    file = tmp_path / "renders" / "two-sheet.png"
    for colour in sheet.PALETTE[:2]:
        assert colour_count(file, colour) > 400
    assert Image.open(file).width > sheet.THUMBNAIL_PX


def test_the_sheet_tints_masks_and_nothing_around_them(tmp_path):
    mask = np.zeros((FRAME_PX, FRAME_PX), bool)
    mask[20:60, 50:90] = True
    folder = set_of(tmp_path / "photos", [frame(0, Annotation("qd", mask=rle.encode(mask)))])
    pictures = [(folder, f) for f in read_manifest(folder).frames]
    out = sheet.draw(pictures, CLASSES, 1, tmp_path / "sheet.png")
    tile = np.asarray(Image.open(out))[-406:-6, 6:406]  # four pixels for one
    inside, outside = tile[120:200, 240:320], tile[40:300, 20:190]
    assert (outside == 255).all()
    assert (inside[..., 1] < 230).all() and (inside[..., 1] > 150).all()
    assert tuple(tile[160, 200]) == tuple(int(sheet.PALETTE[0][k : k + 2], 16) for k in (1, 3, 5))


def test_a_mask_that_does_not_fill_its_frame_is_told(tmp_path):
    note = Annotation("qd", mask={"size": [FRAME_PX, FRAME_PX], "counts": "11"})
    folder = set_of(tmp_path / "photos", [frame(0, note)])
    with pytest.raises(ManifestError, match="mask"):
        pictures = [(folder, read_manifest(folder).frames[0])]
        sheet.draw(pictures, CLASSES, 1, tmp_path / "sheet.png")


def test_classes_and_sources_share_the_sheet():
    groups = [("cad", "qd", 30), ("cad", "qf", 2), ("real", "qd", 30), ("real", "qf", 30)]
    frames = [
        frame(100 * n + k, boxed(name), source=source)
        for n, (source, name, count) in enumerate(groups)
        for k in range(count)
    ]
    chosen = [f for _, f in sheet.choose([(None, f) for f in reversed(frames)], 16)]
    found = [(f.source, f.objects[0].class_name) for f in chosen]
    assert [found.count(group[:2]) for group in groups] == [6, 2, 4, 4]
    assert [f for _, f in sheet.choose([(None, f) for f in frames], 16)] == chosen


@pytest.mark.parametrize(("out", "error"), [("x.jpg", InputError), ("file/x.png", OutputError)])
def test_a_sheet_that_cannot_be_written_is_told(tmp_path, out, error):
    (tmp_path / "file").touch()
    folder = set_of(tmp_path / "photos", [frame(0, boxed())])
    pictures = [(folder, f) for f in read_manifest(folder).frames]
    with pytest.raises(error, match="--out"):
        sheet.draw(pictures, CLASSES, 1, tmp_path / out)


def test_several_sets_are_looked_at_together(vqc, tmp_path):
    cad, real = cad_and_photos()
    folders = [set_of(tmp_path / "renders", cad, "render"), set_of(tmp_path / "hall", real)]
    done = vqc("inspect", *folders, folders[0], check=0)
    assert "2.0 times as large in the frame as those in photos" in done.stdout
    assert "frames: 13, backgrounds: 1, unlabelled: 0" in done.stdout
    assert {p.name for p in tmp_path.glob("*.png")} == {
        "renders+hall-sheet.png",
        "renders+hall-charts.png",
    }


def test_out_names_the_sheet_and_charts_go_beside_it(vqc, tmp_path):
    set_of(tmp_path / "hall", cad_and_photos()[1])
    vqc("inspect", "hall", "--out", "new/look.png", check=0)
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["look-charts.png", "look.png"]


def test_json_for_scripts(vqc, tmp_path):
    set_of(tmp_path / "hall", [f for part in cad_and_photos() for f in part])
    found = json.loads(vqc("inspect", "hall", "--json", check=0).stdout)
    assert found["sets"] == [{"name": "hall", "kind": "intake"}]
    assert found["counts"]["frames"] == 13 and len(found["rows"]) == 1
    assert [row["name"] for row in found["balance"]] == ["qd", "qd", "qf", "never", "(background)"]
    assert found["sizes"][0]["ratio"] == 2 and found["conditions"] == []


def test_a_session_for_each_picture_does_not_flood_the_screen(vqc, tmp_path):
    set_of(tmp_path / "hall", [frame(k, boxed(), session=f"s{k}") for k in range(100)])
    assert "and 40 more rows: --json" in vqc("inspect", "hall", check=0).stdout


def test_an_unfinished_set_is_told(vqc, tmp_path):
    (tmp_path / "half").mkdir()
    assert "manifest" in vqc("inspect", "half", check=2).stderr


def test_a_set_without_frames_is_told(vqc, tmp_path):
    (tmp_path / "hall").mkdir()
    set_of(tmp_path / "hall", [])
    assert "holds a frame" in vqc("inspect", "hall", check=2).stderr
