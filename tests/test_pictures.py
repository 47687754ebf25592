"""Pictures of a set are opened in one way, whatever their depth, and never with a traceback."""

import numpy as np
import pytest
from PIL import Image

from vqc.errors import InputError
from vqc.pictures import prepare, read_picture

RAMP = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (48, 1))


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_sixteen_bits_become_eight(tmp_path, mode):
    Image.fromarray(RAMP).save(tmp_path / "a.png")
    pixels = np.asarray(read_picture(tmp_path / "a.png", mode)).reshape(48, 64, -1)
    assert (pixels == (RAMP >> 8)[..., None]).all()


def test_colours_and_sizes_stay(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert (np.asarray(read_picture(tmp_path / "a.png")) == pixels).all()


def test_a_draft_is_smaller_and_shows_the_same(tmp_path):
    grey = np.repeat(np.repeat(np.arange(0, 256, 32, dtype=np.uint8)[None], 512, 0), 64, 1)
    Image.fromarray(grey).convert("RGB").save(tmp_path / "a.jpg", quality=95)
    small = read_picture(tmp_path / "a.jpg", "L", (128, 128))
    assert 128 <= small.width < 512
    assert abs(float(np.asarray(small).mean()) - float(grey.mean())) < 2


@pytest.mark.parametrize("data", [b"", b"GIF89a" + bytes(20), b"\x89PNG\r\n\x1a\n broken"])
def test_what_does_not_open_is_told(tmp_path, data):
    prepare()
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(InputError, match=r"a\.png: does not open as a picture"):
        read_picture(tmp_path / "a.png")
    with pytest.raises(InputError, match="does not open"):
        read_picture(tmp_path / "nowhere.png")
