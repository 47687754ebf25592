from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from vqc.errors import InputError
from vqc.figures import sheets, style
from vqc.figures.boxes import around, write_label
from vqc.figures.legend import mask_key
from vqc.figures.sheets import PREDICTED, TRUTH, Drawn, Example, Tile
from vqc.tasks.contract import Mistake
from vqc.tasks.drawing import colour_of
from vqc.types import Frame

SIZE = (400, 300)
BOX, ASIDE = (100, 120, 180, 200), (120, 140, 200, 220)
MISSED = Mistake("images/a.png", "missed", "qd", None, 0.0, 0.9, None, BOX)
FALSE = Mistake("images/a.png", "false", None, "qf", 0.71, 0.7, ASIDE, None)
CONFUSED = Mistake("images/b.png", "confused", "qd", "qf", 0.55, 0.5, ASIDE, BOX)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    for name in "ab":
        Image.new("RGB", SIZE, "#808080").save(tmp_path / "images" / f"{name}.png")
    return tmp_path


def has(picture, colour):
    wanted = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
    return bool((np.asarray(picture.convert("RGB")) == wanted).all(axis=-1).any())


def test_the_gravest_mistakes_come_first_whatever_their_order():
    found = [CONFUSED, MISSED, FALSE]
    assert sheets.worst(found, 2) == [MISSED, FALSE]
    assert sheets.worst(reversed(found), 3) == [MISSED, FALSE, CONFUSED]


@pytest.mark.parametrize(
    ("mistake", "text", "colours"),
    [
        (MISSED, "missed: qd", {TRUTH}),
        (FALSE, "false: qf, 0.71", {PREDICTED}),
        (CONFUSED, "confused: qd taken for qf, 0.55", {TRUTH, PREDICTED}),
    ],
)
def test_a_mistake_is_shown_with_its_boxes_and_in_words(folder, mistake, text, colours):
    sources = {"images/b.png": "CAD, az 45° el −10°"}
    tile = sheets.mistake_tile(mistake, folder, sources)
    (picture,) = tile.pictures
    assert picture.width <= sheets.TILE_PX[0] and picture.height <= sheets.TILE_PX[1]
    assert {c for c in (TRUTH, PREDICTED) if has(picture, c)} == colours
    name = mistake.image.removeprefix("images/")
    assert tile.lines == (text, name, *([sources[mistake.image]] if name == "b.png" else []))


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (("double", "qd", "qd", 0.6), "double: qd, 0.60"),
        (("double", "qd", "qf", 0.6), "double: qd taken for qf, 0.60"),
        (("missed", "qd", None, 0.0), "missed: qd"),
        (("missed", "qd", None, 0.05), "missed: qd (score 0.05, below the threshold)"),
        (("missed", "qd", None, 0.001), "missed: qd (score under 0.01, below the threshold)"),
        (("false", None, "qf", 0.001), "false: qf, under 0.01"),
        (("poor", "crack", "crack", 0.93), "poor: crack, 0.93"),
        (("odd", None, None, 0.5), "odd, 0.50"),
    ],
)
def test_a_mistake_in_words(fields, text):
    assert sheets.what(Mistake("images/a.png", *fields, severity=1.0)) == text


def test_a_poor_mask_says_how_poor():
    poor = Mistake("images/a.png", "poor", "crack", "crack", 0.93, 0.6, dice=0.4321)
    assert sheets.what(poor) == "poor: crack, Dice 0.43"


def test_a_picture_called_none_of_these_names_the_likeliest_class():
    refused = Mistake("images/a.png", "missed", "qd", None, 0.34, 0.0, likeliest="qf")
    said = 'missed: qd called "none of these"; likeliest was qf, 0.34'
    assert sheets.what(refused) == said
    assert sheets.what(replace(refused, likeliest="qd")) == said.replace("qf", "qd")


def test_a_mistake_without_boxes_shows_the_whole_picture(folder):
    (picture,) = sheets.mistake_tile(
        Mistake("images/a.png", "confused", "good", "bent", 0.8, 0.8), folder, {}
    ).pictures
    assert picture.size == sheets.TILE_PX


def test_truth_stands_left_and_prediction_right(folder):
    example = Example("images/a.png", Drawn(((BOX, "qd", None),)), Drawn(((ASIDE, "qf", 0.9),)))
    left, right = sheets.example_tile(example, folder, {}).pictures
    assert has(left, TRUTH) and not has(left, PREDICTED)
    assert has(right, PREDICTED) and not has(right, TRUTH)


@pytest.mark.parametrize(
    "boxes", [[(100, 100, 140, 130)], [(0, 0, 20, 20)], [(390, 290, 400, 300)], [BOX, ASIDE],
              [(0, 0, 400, 300)], [(50, 0, 60, 300)]],
)  # fmt: skip
def test_a_crop_holds_its_boxes_and_stays_in_the_picture(boxes):
    left, top, right, bottom = sheets.crop_around(boxes, SIZE)
    assert 0 <= left < right <= SIZE[0] and 0 <= top < bottom <= SIZE[1]
    for x0, y0, x1, y1 in boxes:
        assert left <= x0 and top <= y0 and x1 <= right and y1 <= bottom


def test_the_sheet_holds_all_tiles_and_the_mark(folder, tmp_path):
    tiles = [sheets.mistake_tile(m, folder, {}) for m in (MISSED, FALSE, CONFUSED, MISSED)]
    plain, marked = tmp_path / "plain.png", tmp_path / "marked.png"
    assert sheets.draw_sheet(tiles, plain, "Worst mistakes") == plain
    sheets.draw_sheet(tiles, marked, "Worst mistakes", "not an honest score: same shoot")
    one, other = Image.open(plain), Image.open(marked)
    assert one.width > 3 * sheets.TILE_PX[0] and one.height > 2 * sheets.TILE_PX[1]
    assert has(other, style.MARK_PAPER) and not has(one, style.MARK_PAPER)
    assert other.width == one.width and other.height > one.height


def test_a_pair_takes_two_columns(tmp_path):
    picture = Image.new("RGB", (40, 30))
    sheets.draw_sheet([Tile((picture, picture), ("a",))] * 2, tmp_path / "s.png", "t", columns=4)
    assert Image.open(tmp_path / "s.png").width > 4 * sheets.TILE_PX[0]


def drawing(width, height):
    return Image.new("RGB", (width, height), "#3a7d44")


def test_what_a_task_has_drawn_takes_the_place_of_photo_and_boxes(tmp_path):
    gone = tmp_path / "gone"
    tile = sheets.mistake_tile(CONFUSED, gone, {}, drawing(400, 300))
    (picture,) = tile.pictures
    assert picture.size == sheets.TILE_PX and not has(picture, TRUTH) and not tile.boxed
    assert tile.lines[0] == "confused: qd taken for qf, 0.55"
    example = Example("images/a.png", Drawn(text="good"), Drawn(text="scratch 0.91"))
    tile = sheets.example_tile(example, gone, {"images/a.png": "photo"}, drawing(400, 300))
    assert len(tile.pictures) == 1
    assert tile.lines == ("truth: good, prediction: scratch 0.91", "a.png", "photo")
    silent = Example("images/a.png", Drawn(), Drawn())
    assert sheets.example_tile(silent, gone, {}, drawing(400, 300)).lines == ("a.png",)


def test_a_map_beside_its_photo_takes_two_tiles(tmp_path):
    wide = sheets.mistake_tile(CONFUSED, tmp_path, {}, drawing(800, 300))
    assert wide.across == 2 and wide.pictures[0].height == 324
    sheet = Image.open(sheets.draw_sheet([wide] * 3, tmp_path / "s.png", "t"))
    assert 4 * sheets.TILE_PX[0] < sheet.width < 5 * sheets.TILE_PX[0]
    flat = sheets.mistake_tile(CONFUSED, tmp_path, {}, drawing(8000, 30))
    assert flat.pictures[0].width <= 2 * sheets.TILE_PX[0] + 8


def test_a_row_is_as_high_as_its_highest_picture(tmp_path):
    flat = sheets.mistake_tile(CONFUSED, tmp_path, {}, drawing(800, 100))
    tall = sheets.mistake_tile(CONFUSED, tmp_path, {}, drawing(800, 300))
    heights = [
        Image.open(sheets.draw_sheet(tiles, tmp_path / "s.png", "t")).height
        for tiles in ([flat], [tall], [flat, tall])
    ]
    less = tall.pictures[0].height - flat.pictures[0].height
    assert less > 100 and heights[0] == heights[1] - less
    assert heights[2] == heights[1]


def test_lines_are_explained_only_where_boxes_are_drawn(folder, tmp_path):
    plain = sheets.mistake_tile(CONFUSED, folder, {}, drawing(400, 300))
    said = sheets.mistake_tile(Mistake("images/a.png", "odd", None, None, 0.5, 1.0), folder, {})
    bare = Image.open(sheets.draw_sheet([plain, said], tmp_path / "a.png", "t"))
    boxed = sheets.mistake_tile(MISSED, folder, {})
    key = Image.open(sheets.draw_sheet([plain, boxed], tmp_path / "b.png", "t"))
    assert not has(bare, TRUTH) and not has(bare, PREDICTED)
    assert has(key, PREDICTED) and key.height == bare.height + 26
    words = Drawn(text="good")
    pair = sheets.example_tile(Example("images/a.png", words, words), folder, {})
    assert not pair.boxed


def test_a_sheet_of_masks_says_which_colour_is_which_class(tmp_path):
    classes = ("crack", "pore")
    assert mask_key({"objects": []}, classes) == []
    key = mask_key({"masks": []}, classes)
    assert key == [(name, colour_of(name, classes)) for name in classes]
    tile = sheets.mistake_tile(CONFUSED, tmp_path, {}, drawing(400, 300))
    bare = Image.open(sheets.draw_sheet([tile], tmp_path / "a.png", "t"))
    keyed = Image.open(sheets.draw_sheet([tile], tmp_path / "b.png", "t", key=key))
    assert keyed.height == bare.height + 26
    for _, colour in key:
        assert has(keyed, colour) and not has(bare, colour)
    many = mask_key({"masks": []}, [f"class {k}" for k in range(20)])
    assert Image.open(sheets.draw_sheet([tile], tmp_path / "c.png", "t", key=many)).height > (
        bare.height + 52
    )


def test_a_drawn_picture_that_is_gone_is_told(tmp_path):
    with pytest.raises(InputError, match=r"x\.jpg: is missing or .*; vqc eval draws it again"):
        sheets.open_drawn(tmp_path / "x.jpg")


def test_no_tile_and_no_picture_are_told(folder, tmp_path):
    with pytest.raises(InputError, match="no picture to show"):
        sheets.draw_sheet([], tmp_path / "s.png", "t")
    (folder / "images" / "a.png").write_bytes(b"broken")
    with pytest.raises(InputError, match="does not open as a picture"):
        sheets.mistake_tile(MISSED, folder, {})


def test_a_label_stays_in_the_picture_and_hides_no_other_one():
    picture = Image.new("RGB", (200, 100))
    first = write_label(picture, around((150, 0, 190, 40)), "qd 0.90", TRUTH)
    second = write_label(picture, around((150, 2, 190, 40)), "qf 0.80", TRUTH, [first])
    for x0, y0, x1, y1 in (first, second):
        assert x0 >= 0 and y0 >= 0 and x1 <= 200 and y1 <= 100
    assert second[1] >= first[3] or first[1] >= second[3]


def test_the_source_of_a_picture_in_words():
    common = {"image": "a", "sha256": "", "phash": "", "width": 4, "height": 3, "session": "hall"}
    view = {"azimuth_deg": 45.0, "elevation_deg": -10.0}
    assert sheets.origin(Frame(**common, source="real")) == "photo, session hall"
    render = Frame(**common, source="cad", view=view)
    assert sheets.origin(render) == "CAD, session hall, az 45° el -10°"
    stand_in = Frame(**common, source="cad", simulated=True)
    assert sheets.origin(stand_in) == "simulated photo, session hall"
