import hashlib
import json
from functools import cache
from itertools import combinations

import cv2
import numpy as np
import pytest
import sets
from commands import REAL
from PIL import Image

from vqc import leaks
from vqc.errors import InputError
from vqc.types import Frame

WIDTH, HEIGHT = 400, 300


@cache
def scene(seed):
    """Noise whose power falls with the square of the frequency, as in photos, and shapes."""
    rng = np.random.default_rng(seed)
    waves = np.fft.rfft2(rng.standard_normal((HEIGHT, WIDTH, 3)), axes=(0, 1))
    down, across = np.fft.fftfreq(HEIGHT)[:, None], np.fft.rfftfreq(WIDTH)[None]
    waves /= np.maximum(np.hypot(down, across), 1 / WIDTH)[:, :, None]
    field = np.fft.irfft2(waves, (HEIGHT, WIDTH), axes=(0, 1))
    pixels = (field / field.std() * 30 + 120).clip(0, 255).astype(np.uint8)
    pixels = np.ascontiguousarray(pixels)
    for _ in range(4):
        x, y, size = (int(v) for v in rng.integers((40, 40, 15), (360, 260, 45)))
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        cv2.rectangle(pixels, (x, y), (x + size, y + size // 2), colour, -1)
    pixels.setflags(write=False)
    return pixels


def table(seed):
    """One look for all: a part in the middle of a light table; only grain and pose differ."""
    rng = np.random.default_rng(seed)
    pixels = rng.normal(200, 6, (HEIGHT, WIDTH, 1)).repeat(3, 2).clip(0, 255).astype(np.uint8)
    part = ((200, 150), (90, 60), float(rng.uniform(0, 180)))
    corners = cv2.boxPoints(part).astype(np.int32)
    cv2.fillPoly(pixels, [corners], (60, 90, 60))
    for x, y in rng.integers(-25, 25, (6, 2)):
        cv2.circle(pixels, (200 + int(x), 150 + int(y)), 5, (210, 210, 190), -1)
    return cv2.GaussianBlur(pixels, (0, 0), 1)


def encoded(pixels):
    data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 50])[1]
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def brighter(pixels, factor):
    return (pixels * factor).clip(0, 255).astype(np.uint8)


def cropped(pixels, left, top, right, bottom):
    """Shares of the sides are cut away."""
    h, w = pixels.shape[:2]
    return pixels[
        round(h * top) : round(h * (1 - bottom)), round(w * left) : round(w * (1 - right))
    ]


def moved(pixels):
    """The next frame of a video: the camera turned by 1.5 degrees and shifted by 2 %."""
    h, w = pixels.shape[:2]
    warp = cv2.getRotationMatrix2D((w / 2, h / 2), 1.5, 1.02)
    warp[:, 2] += (0.02 * w, -0.02 * h)
    return cv2.warpAffine(pixels, warp, (w, h), borderMode=cv2.BORDER_REFLECT)


CHANGES = {
    "encoded": encoded,
    "smaller": lambda p: cv2.resize(p, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA),
    "brighter": lambda p: brighter(p, 1.2),
    "darker": lambda p: brighter(p, 0.8),
    "cropped all round": lambda p: cropped(p, 0.05, 0.05, 0.05, 0.05),
    "cropped at a corner": lambda p: cropped(p, 0.05, 0.05, 0, 0),
    "cropped at a side": lambda p: cropped(p, 0, 0, 0.05, 0),
    "mirrored": lambda p: p[:, ::-1],
    "upside down": lambda p: p[::-1],
    "moved": moved,
}
PAIRS = list(combinations(CHANGES, 2))


def frame(root, split, name, pixels, **fields):
    """A frame with its picture, and no labels."""
    image = f"images/{split or 'none'}/{name}"
    path = root / image
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(pixels)).save(
        path, **({"quality": 95} if name.endswith(".jpg") else {})
    )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    height, width = pixels.shape[:2]
    fields = {"session": f"shoot-{split}", **fields}
    return Frame(image, digest, "0" * 16, width, height, "real", split=split, **fields)


def dataset(root, **pictures):
    """A set whose splits hold these pictures: train=[...], val=[...]."""
    frames = [
        frame(root, split, f"{number:03d}.jpg", pixels)
        for split, many in pictures.items()
        for number, pixels in enumerate(many)
    ]
    sets.finish(root, "mix", frames)
    return root


def places(found):
    """The pairs as numbers of the pictures: {(train, val)}."""
    return {tuple(int(f.image[-7:-4]) for f in (p.first, p.second)) for p in found.pairs}


@pytest.mark.parametrize("changes", [*((name,) for name in CHANGES), *PAIRS], ids="+".join)
def test_a_changed_copy_is_found(changes, tmp_path):
    train = [scene(seed) for seed in range(6)]
    copy = train[4]
    for name in changes:
        copy = CHANGES[name](copy)
    found = leaks.find(dataset(tmp_path, train=train, val=[scene(100), copy]))
    assert places(found) == {(4, 1)}
    flips = sum(name in ("mirrored", "upside down") for name in changes)
    assert (found.pairs[0].kind == "mirrored") == (flips > 0)
    assert [(s.split, s.frames, s.touched) for s in found.splits] == [
        ("train", 6, 1),
        ("val", 2, 1),
    ]


def test_an_object_that_moves_on_its_own_is_a_neighbouring_frame(tmp_path):
    def with_part(x):
        pixels = scene(1).copy()
        pixels[100:180, x : x + 90] = scene(2)[:80, :90]
        return pixels

    found = leaks.find(dataset(tmp_path, train=[with_part(150)], val=[with_part(165)]))
    assert places(found) == {(0, 0)}


@pytest.mark.parametrize("make", [scene, table])
def test_different_pictures_that_look_alike_are_no_leak(make, tmp_path):
    many = [make(seed) for seed in range(40)]
    found = leaks.find(dataset(tmp_path, train=many[:20], val=many[20:30], test=many[30:]))
    assert found.pairs == () and not found.found


def test_equal_bytes_are_found_even_in_plain_pictures(tmp_path):
    plain, other = np.full((60, 80, 3), 255, np.uint8), np.full((60, 80, 3), 254, np.uint8)
    found = leaks.find(dataset(tmp_path, train=[plain, other], val=[plain], test=[scene(1)]))
    assert [(p.kind, p.score) for p in found.pairs] == [("same bytes", 1)]
    assert places(found) == {(0, 0)}


def test_all_three_pairs_of_splits_are_compared_and_the_worst_comes_first(tmp_path):
    a, b, c = (scene(seed) for seed in range(3))
    root = dataset(tmp_path, train=[a, b], val=[moved(a), c], test=[b, cropped(c, 0, 0, 0.05, 0)])
    found = leaks.find(root)
    splits = [(p.first.split, p.second.split) for p in found.pairs]
    assert splits[0] == ("train", "test") and found.pairs[0].kind == "same bytes"
    assert sorted(splits) == [("train", "test"), ("train", "val"), ("val", "test")]
    assert [p.score for p in found.pairs] == sorted((p.score for p in found.pairs), reverse=True)
    assert [(s.split, s.touched) for s in found.splits] == [("train", 2), ("val", 2), ("test", 2)]
    assert found == leaks.find(root, jobs=1)


def test_a_session_on_both_sides_is_told_also_where_it_is_marked(tmp_path):
    frames = [
        frame(tmp_path, "train", "a.png", scene(1), session="hall"),
        frame(tmp_path, "val", "b.png", scene(2), session="hall", same_shoot=True),
        frame(tmp_path, "train", "c.png", scene(3), session="shop"),
        frame(tmp_path, "test", "d.png", scene(4), session="shop"),
        frame(tmp_path, "test", "e.png", scene(5), session="yard"),
    ]
    sets.finish(tmp_path, "mix", frames)
    found = leaks.find(tmp_path)
    assert found.pairs == () and found.found
    assert [(s.session, s.splits, s.frames, s.marked) for s in found.sessions] == [
        ("hall", ("train", "val"), (1, 1), True),
        ("shop", ("train", "test"), (1, 1), False),
    ]


@pytest.mark.parametrize(
    ("split", "same_shoot", "leaks_"),
    [("val", True, False), ("val", False, True), ("test", True, True), ("test", False, True)],
)
def test_only_a_marked_val_may_be_of_a_shoot_that_trains(split, same_shoot, leaks_, tmp_path):
    frames = [
        frame(tmp_path, "train", "a.png", scene(1), session="hall"),
        frame(tmp_path, split, "b.png", scene(2), session="hall", same_shoot=same_shoot),
    ]
    sets.finish(tmp_path, "mix", frames)
    found = leaks.find(tmp_path)
    assert found.found == leaks_ and len(found.sessions) == 1


@pytest.mark.parametrize("splits", [(None, None), ("train", "train"), ("test", None)])
def test_a_set_without_two_sides_says_what_to_do(splits, tmp_path):
    frames = [frame(tmp_path, s, f"{k}.png", scene(k)) for k, s in enumerate(splits)]
    sets.finish(tmp_path, "mix", frames)
    with pytest.raises(InputError, match="vqc mix"):
        leaks.find(tmp_path)


def test_frames_without_split_are_counted(tmp_path):
    frames = [
        frame(tmp_path, s, f"{k}.png", scene(k)) for k, s in enumerate(("train", "val", None))
    ]
    sets.finish(tmp_path, "mix", frames)
    assert leaks.find(tmp_path).without_split == 1


def test_pictures_that_cannot_be_read_are_all_named(tmp_path):
    root = dataset(tmp_path, train=[scene(1), scene(2)], val=[scene(3), scene(4)])
    (root / "images/train/001.jpg").unlink()
    cut = root / "images/val/000.jpg"
    cut.write_bytes(cut.read_bytes()[:5000])
    with pytest.raises(InputError) as caught:
        leaks.find(root)
    for text in ("train/001.jpg", "val/000.jpg", "vqc verify"):
        assert text in str(caught.value)


def test_linked_pictures_of_all_kinds_are_read(tmp_path):
    store, root = tmp_path / "store", tmp_path / "set"
    store.mkdir()
    names = ["a.jpg", "b.webp", "c.bmp", "d.tif"]
    frames = []
    for name in names:
        frames.append(frame(root, "val", name, scene(1)))
        (root / f"images/val/{name}").rename(store / name)
        (root / f"images/val/{name}").symlink_to(store / name)
    grey = cv2.cvtColor(scene(1), cv2.COLOR_RGB2GRAY)
    frames.append(frame(root, "train", "deep.png", grey.astype(np.uint16) * 257))
    sets.finish(root, "mix", frames)
    found = leaks.find(root)
    assert sorted(p.second.image.rsplit("/")[-1] for p in found.pairs) == names
    assert min(p.score for p in found.pairs) > 0.9


@pytest.fixture
def told(vqc):
    """Run the command; give its exit code and what it printed."""

    def run(*arguments):
        done = vqc("leaks", *arguments)
        return done.returncode, done.stdout

    return run


def test_the_command_tells_counts_and_exits_with_1(told, tmp_path):
    root = dataset(tmp_path, train=[scene(1), scene(2)], val=[moved(scene(1)), scene(3)])
    sheet = tmp_path / "out" / "sheet.png"
    code, out = told(root, "--quiet", "--out", sheet)
    assert code == 1
    assert "images/val/000.jpg" in out and "val: 1 of 2 frames touched" in out
    assert Image.open(sheet).width > 600
    code, out = told(root, "--json")
    record = json.loads(out)
    assert code == 1 and record["leaks"] and record["pairs"][0]["splits"] == ["train", "val"]


def test_the_command_exits_with_0_where_the_set_is_clean(told, tmp_path):
    root = dataset(tmp_path, train=[scene(1)], test=[scene(3)])
    code, out = told(root, "--quiet", "--out", tmp_path / "sheet.png")
    assert code == 0 and "no leak" in out
    assert not (tmp_path / "sheet.png").exists()


@pytest.fixture(scope="module")
def shoots():
    """Photos of the same parts in two shoots."""
    folder = REAL / "boards" / "photos"
    if not folder.is_dir():
        pytest.skip(f"real photos are not here: {folder}")
    return [
        [cv2.imread(str(file)) for file in sorted((folder / month).rglob("*.jpg"))]
        for month in ("december", "january")
    ]


def test_two_real_shoots_of_the_same_parts_are_no_leak(shoots, tmp_path):
    december, january = shoots
    found = leaks.find(dataset(tmp_path, train=december, test=january))
    assert found.pairs == () and found.splits[1].frames == 64


@pytest.mark.parametrize("name", CHANGES)
def test_changed_copies_of_real_photos_are_found(name, shoots, tmp_path):
    photos = shoots[0][::4][:20]
    found = leaks.find(dataset(tmp_path, train=photos, val=[CHANGES[name](p) for p in photos]))
    assert {(k, k) for k in range(20)} <= places(found)
