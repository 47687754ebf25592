"""Videos that browsers play, with the times that the frames had."""

from __future__ import annotations

import av
import numpy as np
import pytest
from clips import noise

from vqc.predict.mp4 import Mp4


def write(path, pictures, times):
    video = Mp4(path)
    for picture, time_s in zip(pictures, times, strict=True):
        video.add(picture, time_s)
    video.close()
    return path


@pytest.mark.parametrize("size", [(64, 48), (65, 49), (31, 50), (1, 1)])
def test_every_size_becomes_what_browsers_play(tmp_path, size):
    pictures = [noise(0, *size)] * 3
    file = write(tmp_path / "v.mp4", pictures, [0, 0.04, 0.08])
    data = file.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # the index first: it plays while it loads
    with av.open(str(file)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264" and stream.codec_context.pix_fmt == "yuv420p"
        assert (stream.width, stream.height) == (size[0] + size[0] % 2, size[1] + size[1] % 2)
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    assert len(frames) == 3
    if min(size) > 1:
        shown = frames[0][: size[1], : size[0]].astype(int)
        assert np.abs(shown - pictures[0]).mean() < 25  # colours at half the resolution
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]


def test_frames_keep_irregular_times(tmp_path):
    times = [0, 0.01, 0.35, 0.4, 2.0]
    file = write(tmp_path / "v.mp4", [noise(k) for k in range(5)], times)
    with av.open(str(file)) as container:
        stream = container.streams.video[0]
        came = [float(f.pts * stream.time_base) for f in container.decode(stream)]
        assert float(stream.duration * stream.time_base) == pytest.approx(3.6, abs=0.001)
    assert came == pytest.approx(times, abs=1e-4)


def test_equal_times_and_other_sizes_do_no_harm(tmp_path):
    pictures = [noise(0), noise(1, 32, 90), noise(2)]
    file = write(tmp_path / "v.mp4", pictures, [0, 0, 0])
    with av.open(str(file)) as container:
        assert [(f.width, f.height) for f in container.decode(video=0)] == [(64, 48)] * 3


def test_an_unfinished_video_leaves_nothing(tmp_path):
    video = Mp4(tmp_path / "v.mp4")
    video.add(noise(0), 0)
    assert not (tmp_path / "v.mp4").exists()
    video.discard()
    assert not list(tmp_path.iterdir())
