"""Videos made on the spot. Every frame is one grey that tells its number."""

import gc
import io
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from vqc.errors import InputError
from vqc.intake.hdr import HLG, PQ, to_sdr
from vqc.intake.video import VIDEO_SUFFIXES, encode_jpeg, frames_of

CODECS = {
    ".webm": ("libvpx-vp9", {"deadline": "realtime"}),
    ".avi": ("mpeg4", {"qmin": "1", "qmax": "1"}),
}
# Without B-frames: the times that libx265 gives their flushed packets are now and then no times.
QUIET = {"x265-params": "log-level=none:bframes=0:frame-threads=1"}


def grey(number, size=(64, 48)):
    return np.full((size[1], size[0], 3), 16 + 3 * number, np.uint8)


def numbers(frames):
    return [round((int(frame.rgb[5, 5, 1]) - 16) / 3) for frame in frames]


def quarters(size=(64, 48)):
    """Red, green, blue and grey: tells every turn."""
    picture = np.full((size[1], size[0], 3), 200, np.uint8)
    h, w = size[1] // 2, size[0] // 2
    picture[:h, :w], picture[:h, w:], picture[h:, :w] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    return picture


def write(path, pictures, rate=30, codec=None, stamps=None, **how):
    """stamps: time of each picture in milliseconds. how: fields of the stream's context."""
    default, options = CODECS.get(path.suffix, ("libx264", {}))
    options = how.pop("options", options if codec is None else {})
    flags, turn, form = how.pop("flags", {}), how.pop("turn", None), how.pop("form", "yuv420p")
    with av.open(str(path), "w", options=flags) as container:
        stream = container.add_stream(codec or default, rate=rate, options=options)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = form
        if stamps is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for name, value in how.items():
            setattr(stream.codec_context, name, value)
        if turn is not None:
            stream.set_display_rotation(*turn)
        for k, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(
                format=form,
                dst_colorspace={1: "ITU709", 5: "ITU601"}.get(how.get("colorspace")),
                dst_color_range=how.get("color_range"),
            )
            frame.pts = k if stamps is None else stamps[k]
            frame.time_base = 1 / Fraction(rate) if stamps is None else Fraction(1, 1000)
            frame.colorspace = how.get("colorspace", frame.colorspace)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def taken(path, fps=None, min_change=None, **options):
    return list(frames_of(path, fps, min_change, **options))


@pytest.mark.parametrize("suffix", VIDEO_SUFFIXES)
def test_every_frame_of_every_container(tmp_path, suffix):
    frames = taken(write(tmp_path / f"a{suffix}", [grey(k) for k in range(20)]))
    assert numbers(frames) == list(range(20)) == [frame.index for frame in frames]
    assert np.allclose([frame.time_s for frame in frames], np.arange(20) / 30, atol=6e-4)
    assert frames[0].time_s == 0
    assert frames[0].rgb.shape == (48, 64, 3)
    assert frames[0].rgb.dtype == np.uint8


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
@pytest.mark.parametrize(
    ("rate", "fps", "wanted"),
    [
        (30, 2, [0, 15, 30, 45]),
        (30, 30, list(range(60))),
        (30, 1000, list(range(60))),
        (30, 20, [0, 2, 3, 5, 6, 8, 9, 11]),
        (30, 0.6, [0, 50]),
        (30, 0.001, [0]),
        (10, 0.1, [0]),
        (1, 2, list(range(60))),
        (Fraction(30000, 1001), 2, [0, 15, 30, 45]),
        (Fraction(30000, 1001), 30, list(range(60))),
    ],
)
def test_the_first_frame_at_or_after_each_time(tmp_path, suffix, rate, fps, wanted):
    path = write(tmp_path / f"a{suffix}", [grey(k) for k in range(60)], rate)
    found = numbers(taken(path, fps))
    assert found[: len(wanted)] == wanted
    if len(wanted) < 8:
        assert found == wanted


def test_time_stamps_count_where_the_rate_varies(tmp_path):
    stamps = [0, 40, 80, 900, 1000, 1010, 1020, 2600, 2700, 2990, 3010, 3020]
    path = write(tmp_path / "a.mkv", [grey(k) for k in range(12)], stamps=stamps)
    frames = taken(path, 1)
    assert numbers(frames) == [0, 4, 7, 10]
    assert [frame.time_s for frame in frames] == [0, 1, 2.6, 3.01]
    assert numbers(taken(path, 10)) == [0, 3, 4, 7, 8, 9, 10]


def test_time_begins_with_the_first_frame(tmp_path):
    stamps = [5000, 5100, 5600, 6000]
    path = write(tmp_path / "a.mkv", [grey(k) for k in range(4)], stamps=stamps)
    assert [frame.time_s for frame in taken(path, 2)] == [0, 0.6, 1]


def test_avi_with_frames_that_are_coded_out_of_order(tmp_path):
    path = write(
        tmp_path / "a.avi",
        [grey(k) for k in range(30)],
        codec="libx264",
        options={"bf": "3", "b-adapt": "0"},
    )
    frames = taken(path)
    assert numbers(frames) == list(range(30))
    times = [frame.time_s for frame in frames]
    assert times == sorted(times)
    assert np.allclose(times, np.arange(30) / 30, atol=0.11)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_the_display_matrix_turns_and_mirrors(tmp_path, degrees, mirrored, suffix):
    path = write(tmp_path / f"a{suffix}", [quarters()] * 2, turn=(degrees, mirrored, False))
    wanted = np.rot90(quarters(), degrees // 90)
    wanted = wanted[:, ::-1] if mirrored else wanted
    rgb = taken(path)[0].rgb
    assert rgb.shape == wanted.shape
    assert rgb.flags.c_contiguous
    assert np.abs(rgb.astype(int) - wanted).mean() < 8


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_turned_as_opencv_turns_it(tmp_path, degrees):
    path = write(tmp_path / "a.mp4", [quarters()] * 2, turn=(degrees, False, False))
    is_read, bgr = cv2.VideoCapture(str(path)).read()
    assert is_read
    assert np.abs(taken(path)[0].rgb.astype(int) - bgr[..., ::-1]).mean() < 2


@pytest.mark.parametrize(
    ("aspect", "turn", "shape"),
    [
        (Fraction(4, 3), None, (48, 85, 3)),
        (Fraction(1, 2), None, (48, 32, 3)),
        (Fraction(4, 3), (90, False, False), (85, 48, 3)),
    ],
)
def test_pixels_become_square(tmp_path, aspect, turn, shape):
    path = write(tmp_path / "a.mp4", [quarters()] * 2, turn=turn, sample_aspect_ratio=aspect)
    assert taken(path)[0].rgb.shape == shape


@pytest.mark.parametrize(
    ("size", "how"),
    [
        ((64, 48), {}),
        ((64, 48), {"colorspace": 5}),
        ((64, 48), {"colorspace": 1}),
        ((64, 48), {"colorspace": 1, "color_range": 2}),
        ((1280, 720), {"colorspace": 1}),
        ((64, 48), {"codec": "libx265", "form": "yuv420p10le", "options": QUIET}),
        ((64, 48), {"codec": "libx264", "form": "yuv444p"}),
        ((64, 48), {"codec": "mjpeg", "form": "yuvj420p", "color_range": 2}),
    ],
)
def test_colours_come_back(tmp_path, size, how):
    rgb = taken(write(tmp_path / "a.mp4", [quarters(size)] * 2, **how))[0].rgb
    inner = np.s_[6 : size[1] // 2 - 6, 6 : size[0] // 2 - 6]
    for flip in (np.s_[:], np.s_[:, ::-1], np.s_[::-1], np.s_[::-1, ::-1]):
        assert np.abs(rgb[flip][inner].astype(int) - quarters(size)[flip][inner]).max() <= 12


def test_hd_without_a_colour_matrix_is_bt709(tmp_path):
    tagged = write(tmp_path / "a.mp4", [quarters((1280, 720))], colorspace=1)
    plain = tmp_path / "b.mp4"  # the same pixels without the tag
    with av.open(str(tagged)) as source, av.open(str(plain), "w") as target:
        stream = target.add_stream("libx264", rate=30, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for frame in source.decode(video=0):
            frame.colorspace, frame.pts = 2, 0
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    difference = taken(tagged)[0].rgb.astype(int) - taken(plain)[0].rgb
    assert np.abs(difference).max() <= 2


def signal(curve, light):
    """The signal for light, where white paper is 1; formulas of ITU-R BT.2100."""
    if curve == PQ:
        y = (light * 203 / 10000) ** (2610 / 16384)
        return ((3424 / 4096 + 2413 / 128 * y) / (1 + 2392 / 128 * y)) ** (2523 / 32)
    scene = light * 0.265
    a = 0.17883277
    return (3 * scene) ** 0.5 if scene <= 1 / 12 else a * np.log(12 * scene - 0.28466892) + 0.55991


@pytest.mark.parametrize("curve", [PQ, HLG])
def test_hdr_looks_as_an_ordinary_picture_does(curve):
    light = np.array([0, 0.01, 0.1, 0.2, 0.5, 0.7, 1, 2, 3.5])
    coded = np.array([signal(curve, value) for value in light])
    pixels = np.repeat((coded * 65535).round().astype(np.uint16)[None, :, None], 3, axis=2)
    found = to_sdr(pixels, curve)[0]
    assert (np.ptp(found.astype(int), axis=1) <= 1).all()  # grey stays grey
    srgb = 255 * np.where(light < 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(found[:6, 1] - srgb[:6]).max() <= 1
    assert 235 <= found[6, 1] < found[7, 1] <= found[8, 1] <= 255
    red = np.zeros((1, 1, 3), np.uint16)
    red[..., 0] = signal(curve, 0.3) * 65535
    assert to_sdr(red, curve)[0, 0, 0] > 150 > 10 > to_sdr(red, curve)[0, 0, 1:].max()


def test_an_hdr_video_is_made_ordinary(tmp_path):
    value = round(signal(HLG, 0.5) * 255)
    path = write(
        tmp_path / "a.mp4",
        [np.full((48, 64, 3), value, np.uint8)] * 3,
        codec="libx265",
        form="yuv420p10le",
        options=QUIET,
        colorspace=9,
        color_primaries=9,
        color_trc=HLG,
    )
    assert np.abs(taken(path)[0].rgb.astype(int) - 188).max() <= 4


def test_frames_that_hardly_change_are_dropped(tmp_path):
    levels = [0, 0, 1, 2, 20, 20, 21, 40, 41, 0]
    path = write(tmp_path / "a.mp4", [grey(k) for k in levels], options={"qp": "1"})
    assert [frame.index for frame in taken(path, None, 0.2)] == [0, 4, 7, 9]
    assert [frame.index for frame in taken(path, None, 0)] == list(range(10))
    assert [frame.index for frame in taken(path, 10, 0.2)] == [0, 6, 9]


def test_a_slow_change_adds_up_and_the_measure_is_a_share_of_white(tmp_path):
    path = write(tmp_path / "a.mp4", [grey(k) for k in range(60)], options={"qp": "1"})
    assert [frame.index for frame in taken(path, None, 0.23)] == [0, 20, 40]
    ends = [np.zeros((48, 64, 3), np.uint8), np.full((48, 64, 3), 255, np.uint8)]
    for color_range in (1, 2):
        path = write(tmp_path / "b.mp4", ends, color_range=color_range, options={"qp": "1"})
        assert len(taken(path, None, 0.98)) == 2


def test_progress_goes_forward_to_the_end(tmp_path):
    for suffix in (".mp4", ".mkv", ".avi"):
        calls = []
        path = write(tmp_path / f"a{suffix}", [grey(k) for k in range(60)])
        taken(
            path, 2, None, on_progress=lambda done, total, calls=calls: calls.append((done, total))
        )
        assert calls == sorted(calls)
        assert calls[-1][0] == pytest.approx(1966, abs=40)
        assert calls[-1][1] == pytest.approx(2000, abs=70)


def test_the_same_video_gives_the_same_bytes(tmp_path):
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 255, (96, 128, 3)).astype(np.uint8) for _ in range(12)]
    path = write(tmp_path / "a.mp4", noise)
    once, again = ([encode_jpeg(f.rgb) for f in taken(path, 10)] for _ in range(2))
    assert once == again
    assert len(set(once)) == 4


def test_jpegs_are_those_of_quality_95():
    data = encode_jpeg(quarters())
    stored = Image.open(io.BytesIO(data))
    own = io.BytesIO()
    Image.fromarray(quarters()).save(own, "JPEG", quality=95)
    assert stored.quantization == Image.open(own).quantization
    assert np.abs(np.asarray(stored).astype(int) - quarters()).mean() < 4


def rolling(count):
    """Noise that moves; new noise now and then, so that the file's bytes are spread evenly."""
    rng = np.random.default_rng(0)
    bases = [rng.integers(0, 255, (30, 40, 3)).astype(np.uint8) for _ in range(count // 5)]
    rolled = (np.roll(bases[k // 5], k, axis=1) for k in range(count))
    return [picture.repeat(4, 0).repeat(4, 1) for picture in rolled]


FAST = {"movflags": "faststart"}


@pytest.mark.parametrize("share", [0.5, 0.8, 0.97])
@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("a.mp4", {"flags": FAST}),
        ("a.mov", {"flags": FAST, "codec": "mjpeg", "form": "yuvj420p"}),
        ("a.mkv", {}),
        ("a.avi", {}),
        ("a.webm", {}),
    ],
)
def test_a_video_that_is_cut_off_gives_what_came_and_says_how_much(tmp_path, name, how, share):
    path = write(tmp_path / name, rolling(60), **how)
    assert len(taken(path)) == 60
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    count = 0
    with pytest.raises(InputError, match="cut off") as error:
        for _ in frames_of(path, None, None):
            count += 1
    assert 0 < count < 60
    assert f" {count} frames" in str(error.value)


def test_a_video_without_its_index_does_not_open(tmp_path):
    path = write(tmp_path / "a.mp4", rolling(30))
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(InputError, match="does not open as a video"):
        taken(path)


def test_damage_in_the_middle(tmp_path):
    for name in ("a.mp4", "a.avi"):
        path = write(tmp_path / name, rolling(60))
        data = bytearray(path.read_bytes())
        for k in range(len(data) // 2, len(data) // 2 + 300):
            data[k] ^= 0x5A
        path.write_bytes(data)
        with pytest.raises(InputError, match="cut off"):
            taken(path)


def silent_wav():
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "does not open"),
        (b"not a video", "does not open"),
        (b"\xff\xd8\xff\xe0" + bytes(500), "does not open"),
        (b"RIFF\0\0\0\0AVI ", "does not open"),
        (silent_wav(), "no video stream"),
    ],
    ids=["empty", "text", "jpeg", "stub", "sound"],
)
def test_what_is_no_video(tmp_path, data, words):
    (tmp_path / "a.mp4").write_bytes(data)
    with pytest.raises(InputError, match=words):
        taken(tmp_path / "a.mp4")


def test_no_such_file_and_folders(tmp_path):
    for path in (tmp_path / "none.mp4", tmp_path):
        with pytest.raises(InputError, match="does not open"):
            taken(path)


def test_playlists_lead_nowhere(tmp_path):
    real = write(tmp_path / "real.mp4", [grey(0)] * 3)
    playlists = {
        "a.mp4": f"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:1,\nfile://{real}\n#EXT-X-ENDLIST\n",
        "b.mp4": f"ffconcat version 1.0\nfile '{real}'\n",
    }
    for name, text in playlists.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match="does not open"):
            taken(tmp_path / name)


def test_a_video_without_a_frame(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    with pytest.raises(InputError):
        taken(path)


def test_absurd_sizes_are_refused(tmp_path):
    path = write(tmp_path / "a.mp4", [quarters()] * 2)
    assert len(taken(path, max_pixels=64 * 48)) == 2
    with pytest.raises(InputError, match="64 x 48"):
        taken(path, max_pixels=64 * 48 - 1)
    path = write(tmp_path / "b.mp4", [quarters()] * 2, sample_aspect_ratio=Fraction(16, 1))
    with pytest.raises(InputError, match="1024 x 48"):
        taken(path, max_pixels=40_000)


@pytest.mark.parametrize(
    ("fps", "change"), [(0, None), (-1, None), (float("nan"), None), (None, -0.1), (1, 1.5)]
)
def test_options_out_of_range(tmp_path, fps, change):
    with pytest.raises(InputError, match="expected fps"):
        taken(write(tmp_path / "a.mp4", [grey(0)]), fps, change)


def test_frames_come_one_by_one_and_one_may_stop(tmp_path):
    path = write(tmp_path / "a.mp4", [grey(k) for k in range(20)])
    frames = frames_of(path, None, None)
    assert next(frames).index == 0
    frames.close()
    path.unlink()


def test_decoded_frames_are_let_go_at_once(tmp_path):
    path = write(tmp_path / "a.mp4", [grey(k) for k in range(40)], turn=(90, False, False))
    gc.collect()
    gc.disable()
    try:
        for _ in frames_of(path, None, 0.0):
            pass
        assert gc.collect() < 20
    finally:
        gc.enable()
