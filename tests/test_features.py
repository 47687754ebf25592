import numpy as np
import pytest
from detectors import write_detector
from PIL import Image, ImageFilter

from vqc import features
from vqc.errors import InputError
from vqc.types import Annotation, Frame

rng = np.random.default_rng


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    return write_detector(tmp_path_factory.mktemp("weights") / "detector.pt")


def keys_of(count):
    return rng(99).permutation(count).astype(np.uint64)


def clusters(count, members, dim=5, seed=0):
    """Tight groups of points far from each other, and the group of each."""
    g = rng(seed)
    centres = g.normal(size=(count, dim)) * 100
    group = g.permutation(np.repeat(np.arange(count), members))
    return (centres[group] + g.normal(size=(len(group), dim))).astype(np.float32), group


def frame(*boxes, size=(200, 100)):
    objects = tuple(Annotation("qd", box_xyxy=box) for box in boxes)
    return Frame("images/a.png", "0" * 64, "0" * 16, *size, "real", "s", objects=objects)


def test_points_on_a_line_come_from_the_middle_then_from_the_ends():
    line = np.arange(9, dtype=np.float32)[:, None]
    order = features.farthest_first(line, np.arange(9, dtype=np.uint64))
    assert order[:5].tolist() == [4, 0, 8, 2, 6]
    assert sorted(order.tolist()) == list(range(9))


def test_ties_go_to_the_smaller_key():
    line = np.arange(9, dtype=np.float32)[:, None]
    order = features.farthest_first(line, np.arange(9, dtype=np.uint64)[::-1], 3)
    assert order.tolist() == [4, 8, 0]


@pytest.mark.parametrize("seed", range(5))
def test_the_first_picks_cover_every_cluster(seed):
    points, group = clusters(7, 12, seed=seed)
    order = features.farthest_first(points, keys_of(len(points)), 7)
    assert sorted(group[order].tolist()) == list(range(7))


def test_a_longer_draw_begins_with_the_shorter_one():
    points, _ = clusters(4, 10)
    keys = keys_of(40)
    whole = features.farthest_first(points, keys).tolist()
    for count in (0, 1, 5, 40, 99):
        assert features.farthest_first(points, keys, count).tolist() == whole[:count]


def test_the_order_of_the_rows_does_not_matter():
    points = rng(1).normal(size=(60, 9)).astype(np.float32)
    points[30:45] = points[:15]  # ties
    keys = keys_of(60)
    expected = keys[features.farthest_first(points, keys)].tolist()
    for seed in range(5):
        p = rng(seed).permutation(60)
        assert keys[p][features.farthest_first(points[p], keys[p])].tolist() == expected


def test_equal_pictures_all_come_in_the_end():
    order = features.farthest_first(np.ones((5, 3), np.float32), keys_of(5))
    assert sorted(order.tolist()) == list(range(5))
    assert len(features.farthest_first(np.empty((0, 3), np.float32), keys_of(0))) == 0


def test_balanced_groups_spread_alike():
    g = rng(0)
    wide, flat = g.normal(size=(50, 30)) * 1000, np.full((50, 2), 7.0)
    found = features.balanced(wide, g.normal(size=(50, 1)), flat)
    assert found.shape == (50, 33) and found.dtype == np.float32
    assert found[:, :30].var(axis=0).sum() == pytest.approx(1, rel=1e-4)
    assert found[:, 30].var() == pytest.approx(1, rel=1e-4)
    assert not found[:, 31:].any()


@pytest.fixture
def pictures(tmp_path):
    """Eight scenes, each once as it is and once with a little noise; names in that order."""
    files = []
    for k in range(8):
        low = Image.fromarray(rng(k).integers(0, 256, (6, 6, 3), np.uint8))
        scene = np.asarray(low.resize((160, 120), Image.Resampling.BICUBIC)).astype(float)
        for copy in range(2):
            noisy = scene + rng(100 * k + copy).normal(0, 3 * copy, scene.shape)
            files.append(tmp_path / f"{k}{copy}.png")
            Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(files[-1])
    return files


def nearest(found):
    """The number of the row that is nearest to each."""
    distance = np.linalg.norm(found[:, None] - found[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    return distance.argmin(axis=1).tolist()


def test_pictures_that_look_alike_are_near(pictures):
    found = features.image_features(pictures)
    assert found.shape == (16, 162) and found.dtype == np.float32
    assert nearest(found) == [k ^ 1 for k in range(16)]


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        lambda p: p.transpose(Image.Transpose.ROTATE_180),
        lambda p: p.point(lambda v: v // 2),
        lambda p: p.convert("L"),
        lambda p: p.filter(ImageFilter.GaussianBlur(12)),
    ],
    ids=["mirrored", "turned", "darker", "grey", "blurred"],
)
def test_a_change_of_view_or_appearance_shows(pictures, change):
    changed = pictures[0].with_name("changed.png")
    change(Image.open(pictures[0])).save(changed)
    found = features.image_features([*pictures, changed])
    noisy, other = (np.linalg.norm(found[0] - found[k]) for k in (1, 16))
    assert other > 5 * noisy


def test_neither_threads_nor_the_order_of_pictures_matter(pictures):
    found = features.image_features(pictures, jobs=1)
    p = rng(0).permutation(16)
    again = features.image_features([pictures[k] for k in p], jobs=4)
    assert (again == found[p]).all()


def test_every_kind_of_picture_has_features(tmp_path):
    files = []
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"):
        name = f"{mode.replace(';', '')}.{'tif' if mode in ('CMYK', 'I;16') else 'png'}"
        files.append(tmp_path / name)
        Image.new(mode, (3, 200)).save(files[-1])
    assert np.isfinite(features.image_features(files)).all()
    assert features.image_features([]).shape == (0, 0)


def test_progress_counts_the_pictures(pictures):
    seen = []
    features.image_features(
        pictures * 5, on_progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(k + 1, 80) for k in range(80)]


def test_a_file_that_is_no_picture_is_named(pictures):
    pictures[3].write_bytes(pictures[3].read_bytes()[:200])
    with pytest.raises(InputError, match=r"11\.png: does not open as a picture"):
        features.image_features(pictures)


def test_box_features_are_those_of_the_largest_box():
    frames = [
        frame((0, 0, 100, 50), (150, 50, 160, 60)),
        frame((100, 50, 200, 100)),
        frame((0, 0, 50, 100)),
        frame((0, 0, 200, 100)),
    ]
    found = features.box_features(frames)
    assert found.shape == (4, 4)
    moved, shape, size = (found[k] - found[0] for k in (1, 2, 3))
    assert (moved[:2] > 0).all() and moved[2:] == pytest.approx((0, 0))
    assert shape[2] == pytest.approx(0) and shape[3] < 0
    assert size[2] > 0 and size[3] == pytest.approx(0)


def test_a_frame_without_boxes_is_in_the_middle():
    frames = [frame((0, 0, 20, 20)), frame((50, 50, 90, 90)), frame((100, 0, 180, 80)), frame()]
    unlabelled = Frame("images/b.png", "0" * 64, "0" * 16, 9, 9, "real", "s")
    found = features.box_features([*frames, unlabelled])
    assert found[3] == pytest.approx(np.median(found[:3], axis=0), abs=1e-6)
    assert (found[4] == found[3]).all()
    assert not features.box_features([frame(), unlabelled]).any()


def test_the_backbone_tells_pictures_apart(pictures, detector):
    found = features.detector_features(pictures, detector)
    assert found.shape == (16, 256) and found.dtype == np.float32
    p = rng(0).permutation(16)
    assert (features.detector_features([pictures[k] for k in p], detector, 3) == found[p]).all()
    assert nearest(found) == [k ^ 1 for k in range(16)]


def test_no_pictures_give_no_rows_and_no_warning(recwarn):
    assert features.image_features([]).size == 0
    assert features.balanced(features.box_features([])).shape == (0, 4)
    assert [str(warning.message) for warning in recwarn] == []
