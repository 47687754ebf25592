import json

import numpy as np
import pytest
from PIL import Image

from vqc import inspection
from vqc.manifest import read_manifest


@pytest.fixture
def rendered(vqc, steps, tmp_path):
    vqc("render", "--step", steps / "ball.step", "--step", steps / "block.step", "--name", "two",
        "--views", 8, "--size", "160x120", "--quiet", check=0)  # fmt: skip
    return tmp_path / "renders" / "two"


def test_figures_count_frames_boxes_and_their_size(rendered):
    manifest = read_manifest(rendered)
    ball, block = inspection.rows(manifest)
    assert (ball.class_name, ball.frames, ball.boxes) == ("ball", 8, 8)
    assert block.class_name == "block" and block.visibility == 1
    # A sphere's outline is `--fill` of the shorter side: 0.8 × 120 of sqrt(160 × 120).
    assert ball.side[1] == pytest.approx(0.8 * 120 / np.sqrt(160 * 120), abs=0.01)
    assert ball.centre == pytest.approx((0.5, 0.5), abs=0.01)
    assert inspection.counts(manifest) == {
        "frames": 16,
        "backgrounds": 0,
        "unlabelled": 0,
        "no box": 0,
    }


def test_the_sheet_shows_a_box_around_the_part(rendered, vqc, tmp_path):
    vqc("inspect", rendered, "--frames", 4, check=0)
    sheet = np.asarray(Image.open(tmp_path / "renders" / "two-sheet.png").convert("RGB"))
    for colour in inspection.PALETTE[:2]:
        wanted = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
        assert (sheet == wanted).all(axis=-1).sum() > 400
    assert sheet.shape[1] > inspection.THUMBNAIL_PX


def test_json_for_scripts(rendered, vqc):
    found = json.loads(vqc("inspect", rendered, "--json", check=0).stdout)
    assert found["counts"]["frames"] == 16 and len(found["rows"]) == 2


def test_all_classes_are_on_the_sheet(rendered):
    chosen = inspection.choose(read_manifest(rendered).frames, 6)
    shown = [o.class_name for f in chosen for o in f.objects]
    assert shown.count("ball") == shown.count("block") == 3


def test_an_unfinished_set_is_told(vqc, tmp_path):
    (tmp_path / "half").mkdir()
    assert "manifest" in vqc("inspect", "half", check=2).stderr
