"""Pictures made on the spot, sound and hostile; Pillow's own turn is the oracle."""

import hashlib
import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from vqc.intake.picture import (
    Picture,
    open_picture,
    place_mask,
    place_points,
    prepare,
    scale_mask,
    scale_points,
    turn_mask,
    turn_points,
)
from vqc.phash import phash

LIMIT = 1_000_000
ORIENTATIONS = range(1, 9)


@pytest.fixture(scope="module", autouse=True)
def prepared():
    prepare()


def scene(height=40, width=60):
    """Smooth colours that differ in every corner, so that turns show and JPEG keeps them."""
    y, x = np.mgrid[0:height, 0:width]
    red, green, blue = x * 255 // width, y * 255 // height, (x + y) * 127 // (width + height)
    return np.stack([red, green, blue], axis=2).astype(np.uint8)


def encoded(picture, kind, orientation=None, **options):
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    if orientation is not None:
        exif = Image.Exif()
        exif[274] = orientation
        options["exif"] = exif.tobytes()
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def written(tmp_path, data, name="a.jpg"):
    (tmp_path / name).write_bytes(data)
    return tmp_path / name


def taken(tmp_path, data, max_side=None, max_pixels=LIMIT, name="a.jpg"):
    return open_picture(written(tmp_path, data, name), max_side, max_pixels)


def reopened(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def as_rgb(image):
    return np.asarray(image.convert("RGB"))


LOSSLESS = {"PNG": {}, "BMP": {}, "TIFF": {}, "WEBP": {"lossless": True}}
SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp", "TIFF": ".tif", "WEBP": ".webp"}


@pytest.mark.parametrize("kind", SUFFIXES)
@pytest.mark.parametrize("name", ["a.jpg", "b.png", "c"])
def test_bytes_are_kept_and_the_content_names_the_suffix(tmp_path, kind, name):
    data = encoded(scene(), kind)
    picture = taken(tmp_path, data, max_side=60, name=name)
    assert picture.data is None
    assert picture.suffix == SUFFIXES[kind]
    assert picture.sha256 == hashlib.sha256(data).hexdigest()
    assert picture.phash == phash(as_rgb(reopened(data)))
    assert (picture.width, picture.height) == (60, 40) == picture.raw_size == picture.shown_size
    assert picture.orientation == 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_picture_is_turned_as_pillow_turns_it(tmp_path, kind, orientation):
    data = encoded(scene(), kind, orientation, **LOSSLESS.get(kind, {"quality": 95}))
    picture = taken(tmp_path, data)
    wanted = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert (picture.orientation, picture.raw_size) == (orientation, (60, 40))
    assert (picture.width, picture.height) == picture.shown_size == wanted.size
    assert (picture.data is None) == (orientation == 1)
    if picture.data is not None:
        stored = reopened(picture.data)
        assert stored.getexif().get(274, 1) == 1
        assert stored.format == kind
        worst = np.abs(as_rgb(stored).astype(int) - as_rgb(wanted)).max()
        assert worst <= (8 if kind == "JPEG" else 0)
        assert picture.phash == phash(as_rgb(stored))
        assert picture.sha256 == hashlib.sha256(picture.data).hexdigest()
        assert cv2.imdecode(np.frombuffer(picture.data, np.uint8), 1).shape[1::-1] == wanted.size


@pytest.mark.parametrize("value", [0, 9, 42])
def test_an_orientation_that_does_not_exist_is_none(tmp_path, value):
    picture = taken(tmp_path, encoded(scene(), "JPEG", value))
    assert (picture.data, picture.orientation) == (None, 1)


def test_broken_exif_is_passed_over(tmp_path, recwarn):
    prepare()
    data = encoded(scene(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff garbage")
    assert taken(tmp_path, data).orientation == 1
    assert not recwarn.list


def test_orientation_in_xmp_counts_too(tmp_path):
    xmp = b'<x:xmpmeta><rdf tiff:Orientation="6"/></x:xmpmeta>'
    for kind, options in (("JPEG", {"xmp": xmp}), ("TIFF", {"tiffinfo": {700: xmp}})):
        picture = taken(tmp_path, encoded(scene(), kind, **options))
        assert (picture.orientation, picture.raw_size) == (6, (60, 40))
        assert reopened(picture.data).size == (40, 60)
        assert b"Orientation" not in picture.data


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "1", "I;16"])
@pytest.mark.parametrize("max_side", [None, 30])
def test_png_modes_survive(tmp_path, mode, max_side):
    grey = scene()[..., 0].astype(np.uint16) * 257
    image = Image.fromarray(grey) if mode == "I;16" else Image.fromarray(scene()).convert(mode)
    assert taken(tmp_path, encoded(image, "PNG")).data is None
    picture = taken(tmp_path, encoded(image, "PNG", 3), max_side)
    stored = reopened(picture.data)
    kept = {"P": "RGB", "1": "L"}.get(mode, mode) if max_side else mode
    assert stored.mode == kept
    if max_side is None:
        assert np.array_equal(np.asarray(stored), np.asarray(image)[::-1, ::-1])
    else:
        assert stored.size == (30, 20)


def test_sixteen_bit_grey_is_hashed_as_it_looks(tmp_path):
    grey = scene()[..., 0]
    deep = encoded(Image.fromarray(grey.astype(np.uint16) << 8), "PNG")
    assert taken(tmp_path, deep).phash == taken(tmp_path, encoded(grey, "PNG")).phash


def test_transparent_palette_colours_stay_transparent_when_shrunk(tmp_path):
    image = Image.fromarray(scene()).convert("P")
    data = encoded(image, "PNG", transparency=image.getpixel((0, 0)))
    stored = reopened(taken(tmp_path, data, max_side=30).data)
    assert stored.mode == "RGBA"
    assert stored.getpixel((0, 0))[3] < 255 == stored.getpixel((29, 19))[3]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_the_colour_profile_stays_and_other_metadata_goes(tmp_path, kind):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[274], exif[0x010F] = 6, "Maker of cameras"
    comment = {"comment": b"Not for others"} if kind == "JPEG" else {}
    data = encoded(scene(), kind, icc_profile=profile, exif=exif.tobytes(), **comment)
    picture = taken(tmp_path, data)
    assert reopened(picture.data).info["icc_profile"] == profile
    for text in (b"Maker of cameras", *comment.values()):
        assert text in data
        assert text not in picture.data


def test_grey_and_cmyk_jpeg_stay_what_they_are(tmp_path):
    for mode in ("L", "CMYK"):
        image = Image.fromarray(scene()).convert(mode)
        stored = reopened(taken(tmp_path, encoded(image, "JPEG", 3, quality=95)).data)
        assert stored.mode == mode
        turned = image.transpose(Image.Transpose.ROTATE_180)
        assert np.abs(as_rgb(stored).astype(int) - as_rgb(turned)).max() <= 12


def test_lossy_webp_stays_lossy(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    data = encoded(noise, "WEBP", 3, quality=50)
    assert b"VP8L" not in taken(tmp_path, data).data


@pytest.mark.parametrize(
    ("size", "max_side", "stored"),
    [
        ((60, 40), 30, (30, 20)),
        ((40, 60), 30, (20, 30)),
        ((60, 40), 60, (60, 40)),
        ((60, 40), 600, (60, 40)),
        ((300, 1), 3, (3, 1)),
    ],
)
def test_long_pictures_are_shrunk_and_short_ones_left(tmp_path, size, max_side, stored):
    picture = taken(tmp_path, encoded(scene(size[1], size[0]), "PNG"), max_side)
    assert (picture.width, picture.height) == stored
    assert picture.raw_size == size
    assert (picture.data is None) == (stored == size)


def test_shrinking_leaves_no_moire(tmp_path):
    """Stripes too fine for the small picture must become an even grey."""
    x = np.arange(900)
    stripes = np.repeat((127.5 + 127 * np.sin(x * 2.5))[None, :], 60, axis=0)
    picture = taken(tmp_path, encoded(stripes.astype(np.uint8), "PNG"), 347)
    inner = np.asarray(reopened(picture.data))[:, 10:-10].astype(float)
    assert abs(inner.mean() - 127.5) < 2
    assert inner.std() < 5


def test_turned_first_then_shrunk(tmp_path):
    picture = taken(tmp_path, encoded(scene(), "PNG", 6), max_side=30)
    assert (picture.raw_size, picture.shown_size) == ((60, 40), (40, 60))
    assert (picture.width, picture.height) == (20, 30) == reopened(picture.data).size


def test_heic_becomes_a_jpeg_of_the_picture_as_shown(tmp_path):
    for orientation in (1, 6):
        data = encoded(scene(64, 96), "HEIF", orientation, quality=95)
        picture = taken(tmp_path, data, name="IMG_1.HEIC")
        stored = reopened(picture.data)
        assert (stored.format, picture.suffix) == ("JPEG", ".jpg")
        turned = scene(64, 96) if orientation == 1 else np.rot90(scene(64, 96), -1)
        assert np.abs(as_rgb(stored).astype(int) - turned).mean() < 4
        assert picture.orientation == 1
        assert picture.raw_size == picture.shown_size == stored.size


def test_mpo_is_a_jpeg_and_its_first_picture_counts(tmp_path):
    second = Image.fromarray(scene()[::-1])
    data = encoded(scene(), "MPO", save_all=True, append_images=[second])
    picture = taken(tmp_path, data)
    assert (picture.suffix, picture.data) == (".jpg", None)
    stored = reopened(taken(tmp_path, data, max_side=30).data)
    assert stored.format == "JPEG"
    assert stored.getpixel((0, 19))[1] > 200


def big_header(kind, side):
    """A file of few bytes that claims side x side pixels."""
    data = bytearray(encoded(scene(), kind, **LOSSLESS.get(kind, {})))
    if kind == "JPEG":
        at = data.index(b"\xff\xc0")
        data[at + 5 : at + 9] = struct.pack(">HH", side, side)
    elif kind == "PNG":
        data[16:24] = struct.pack(">II", side, side)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    elif kind == "BMP":
        data[18:26] = struct.pack("<ii", side, side)
    elif kind == "WEBP":
        bits = struct.unpack("<I", data[21:25])[0] & ~0xFFFFFFF
        data[21:25] = struct.pack("<I", bits | (side - 1) << 14 | (side - 1))
    else:
        at = struct.unpack("<I", data[4:8])[0]
        for k in range(struct.unpack("<H", data[at : at + 2])[0]):
            entry = at + 2 + 12 * k
            if struct.unpack("<H", data[entry : entry + 2])[0] in (256, 257):
                data[entry + 2 : entry + 12] = struct.pack("<HII", 4, 1, side)
    return bytes(data)


@pytest.mark.parametrize("kind", SUFFIXES)
@pytest.mark.parametrize("side", [1001, 16000])
def test_too_many_pixels_are_refused_from_the_header(tmp_path, kind, side):
    words = taken(tmp_path, big_header(kind, side))
    by_pillow = kind == "WEBP" and side == 16000
    assert ("has too many pixels" if by_pillow else f"{side} x {side} pixels") in words


def test_pixels_count_and_not_sides_and_the_limit_itself_is_allowed(tmp_path):
    data = encoded(np.zeros((1, 5000), np.uint8), "PNG")
    assert isinstance(taken(tmp_path, data, max_pixels=5000), Picture)
    assert "5000 x 1" in taken(tmp_path, data, max_pixels=4999)
    heic = encoded(scene(64, 96), "HEIF")
    assert "96 x 64" in taken(tmp_path, heic, max_pixels=96 * 64 - 1)


def test_the_callers_limit_counts_and_not_pillows(tmp_path, monkeypatch, recwarn):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1500)
    assert isinstance(taken(tmp_path, encoded(scene(), "PNG")), Picture)
    assert not recwarn.list
    assert Image.MAX_IMAGE_PIXELS == 1500


def test_a_file_far_too_large_is_not_read(tmp_path):
    path = tmp_path / "a.jpg"
    with path.open("wb") as file:
        file.truncate(200 * 2**20)
    assert "too large" in open_picture(path, None, LIMIT)


@pytest.mark.parametrize("kind", [*SUFFIXES, "HEIF"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_cut_off_files_are_found(tmp_path, kind, share):
    noise = np.random.default_rng(0).integers(0, 255, (96, 96, 3)).astype(np.uint8)
    data = encoded(noise, kind)
    assert isinstance(taken(tmp_path, data), Picture)
    words = taken(tmp_path, data[: int(len(data) * share)])
    assert isinstance(words, str)
    assert words.startswith(("is cut off or damaged", "is no JPEG"))


def test_png_with_a_broken_middle_is_found(tmp_path):
    """Packed pixels that claim an impossible block: the checksum is right, the content is not."""
    data = bytearray(encoded(np.zeros((96, 96, 3), np.uint8), "PNG"))
    at = data.index(b"IDAT") + 4
    size = int.from_bytes(data[at - 8 : at - 4])
    data[at + 2] = 0xFF
    data[at + size : at + size + 4] = zlib.crc32(data[at - 4 : at + size]).to_bytes(4)
    assert "damaged" in taken(tmp_path, bytes(data))


def test_progressive_jpeg_cut_off(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (96, 96, 3)).astype(np.uint8)
    data = encoded(noise, "JPEG", progressive=True)
    assert isinstance(taken(tmp_path, data), Picture)
    assert "cut off" in taken(tmp_path, data[: len(data) // 2])


FRAMES = {"save_all": True, "append_images": [Image.fromarray(scene()[::-1])]}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"not a picture at all", "is no JPEG"),
        (b"\xff\xd8\xff", "cut off or damaged"),
        (b"BM but only text", "cut off or damaged"),
        (b"%PDF-1.4\n%%EOF", "is no JPEG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is no JPEG"),
        (b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "is no JPEG"),
        (encoded(scene(), "GIF"), "is no JPEG"),
        (encoded(scene(), "PNG", **FRAMES), "several pictures"),
        (encoded(scene(), "WEBP", **FRAMES), "several pictures"),
        (encoded(scene(), "TIFF", **FRAMES), "several pictures"),
        (encoded(scene()[..., 0].astype(np.float32), "TIFF"), "32 bits"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_taken_is_told_in_words(tmp_path, data, words):
    assert words in taken(tmp_path, data)


def test_a_file_that_is_not_there_or_not_a_file(tmp_path):
    assert "cannot be read" in open_picture(tmp_path / "none.jpg", None, LIMIT)
    assert "cannot be read" in open_picture(tmp_path, None, LIMIT)


@pytest.mark.parametrize("kind", [*SUFFIXES, "HEIF"])
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_no_damage_raises(tmp_path, kind):
    """Bytes changed at random: a picture or words, never an exception."""
    rng = np.random.default_rng(7)
    data = np.frombuffer(encoded(scene(), kind, 6 if kind != "BMP" else None), np.uint8)
    for _ in range(40):
        hurt = data.copy()
        hurt[rng.integers(0, len(data), 6)] = rng.integers(0, 255, 6)
        assert isinstance(taken(tmp_path, hurt.tobytes()), Picture | str)


def test_same_file_same_bytes_on_many_threads(tmp_path):
    paths = [
        written(tmp_path, encoded(scene(), kind, 6), f"{k}.jpg")
        for k, kind in enumerate(["JPEG", "PNG", "TIFF", "WEBP", "HEIF"] * 4)
    ]
    alone = [open_picture(path, 30, LIMIT) for path in paths]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda path: open_picture(path, 30, LIMIT), paths)) == alone
    assert alone[:5] == alone[5:10]


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_points_and_masks_follow_the_turn(orientation):
    """A marked pixel, turned by Pillow itself; its box by corners, its mask by pixels."""
    pixels = np.zeros((5, 9), np.uint8)
    pixels[1, 6] = 255
    image = Image.open(io.BytesIO(encoded(pixels, "PNG", orientation)))
    wanted = np.asarray(ImageOps.exif_transpose(image)) > 0
    assert np.array_equal(turn_mask(pixels > 0, orientation), wanted)
    corners = turn_points(np.array([[6.0, 1.0], [7.0, 2.0]]), orientation, (9, 5))
    (row,), (column,) = np.nonzero(wanted)
    assert corners.min(axis=0).tolist() == [column, row]
    assert corners.max(axis=0).tolist() == [column + 1, row + 1]


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("max_side", [None, 30])
def test_labels_lie_on_what_they_mark_in_the_stored_picture(tmp_path, orientation, max_side):
    marked = np.zeros((40, 60, 3), np.uint8)
    marked[10:20, 40:56] = 255
    picture = taken(tmp_path, encoded(marked, "PNG", orientation), max_side)
    stored = marked if picture.data is None else as_rgb(reopened(picture.data))
    mask = place_mask(marked[..., 0] > 0, picture, is_raw=True)
    assert np.array_equal(mask, stored[..., 0] > 127)
    rows, columns = np.nonzero(mask)
    box = place_points([(40, 10), (56, 20)], picture, is_raw=True)
    assert box.min(axis=0).tolist() == [columns.min(), rows.min()]
    assert box.max(axis=0).tolist() == [columns.max() + 1, rows.max() + 1]


def test_labels_of_the_picture_as_shown_are_only_shrunk(tmp_path):
    picture = taken(tmp_path, encoded(scene(), "PNG", 6), max_side=30)
    assert place_points([(40, 60)], picture, is_raw=False).tolist() == [[20, 30]]
    assert place_mask(np.ones((60, 40), bool), picture, is_raw=False).shape == (30, 20)


def test_a_shrunk_mask_has_the_pixels_that_are_half_covered():
    mask = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [0, 1, 0, 1], [0, 1, 0, 0]], bool)
    assert scale_mask(mask, (2, 2)).tolist() == [[True, False], [True, False]]
    assert scale_mask(mask, (4, 4)) is mask
    assert scale_points(np.array([[4.0, 1.0]]), (4, 4), (2, 8)).tolist() == [[2, 2]]
