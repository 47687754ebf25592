"""What is found of pixels, frame by frame."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from surfaces import frame

from vqc.formats import rle
from vqc.tasks.anomaly.answers import Anomalies
from vqc.tasks.anomaly.findings import pixel_metrics
from vqc.tasks.anomaly.thresholds import Scale
from vqc.types import Annotation

SCALE = Scale(threshold=2.0, power=3.0, hot=1.5, limit=0.0)
NO_PARTS = frozenset()


def answers(count):
    heat = np.zeros((8, 8), np.float32)
    heat[1, 1] = 3
    return [Anomalies("it", 4.0, SCALE, 0, heat)] * count


def peak_bytes(frames):
    """What `pixel_metrics` gives, and how many bytes it held at once."""
    tracemalloc.start()
    found = pixel_metrics(frames, answers(len(frames)), NO_PARTS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found, peak


@pytest.fixture
def good(tmp_path):
    return frame(tmp_path, 1, "test")


@pytest.fixture
def bad(tmp_path):
    return frame(tmp_path, 2, "test", "blob")


def test_one_mask_at_a_time_is_held(good, bad):
    side = 320
    mask = np.zeros((side, side), bool)
    mask[40:80, 40:80] = True
    note = Annotation("blob", mask=rle.encode(mask))
    bad = replace(bad, width=side, height=side, objects=(note,))
    good = replace(good, width=side, height=side)
    pixel_metrics([bad, good], answers(2), NO_PARTS)  # imports and caches
    few, many = (peak_bytes([bad, *[good] * count]) for count in (2, 22))
    assert few[0]["PRO"] > 0.9 and many[0]["PRO"] > 0.9
    assert many[1] - few[1] < 10 * mask.nbytes, "twenty good frames more"


def test_nothing_is_decoded_where_no_note_says_where(good, bad):
    side = 8000
    empty = rle.encode(np.zeros((side, side), bool))
    good = replace(good, width=side, height=side)
    for notes in (None, (), (Annotation("blob"),), (Annotation("blob", mask=empty),)):
        found, peak = peak_bytes([good, replace(bad, width=side, height=side, objects=notes)])
        assert found == {} and peak < 1e6
