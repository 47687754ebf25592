"""The run-length code against pycocotools, on masks of every shape."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as reference

from vqc.errors import ManifestError
from vqc.formats import rle

SHAPES = array_shapes(min_dims=2, max_dims=2, max_side=40)


def same_as_reference(mask: np.ndarray) -> None:
    code = rle.encode(mask)
    theirs = reference.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert code == {"size": theirs["size"], "counts": theirs["counts"].decode()}
    assert rle.area(code) == reference.area(theirs) == mask.sum()
    decoded = rle.decode(code)
    assert decoded.dtype == bool
    assert np.array_equal(decoded, mask)


@given(arrays(bool, SHAPES))
def test_any_mask(mask: np.ndarray) -> None:
    same_as_reference(mask)


@given(SHAPES, st.data())
def test_a_rectangle_anywhere(shape: tuple[int, int], data: st.DataObject) -> None:
    y0, x0 = (data.draw(st.integers(0, side - 1)) for side in shape)
    y1, x1 = (
        data.draw(st.integers(low + 1, side)) for low, side in zip((y0, x0), shape, strict=True)
    )
    mask = np.zeros(shape, bool)
    mask[y0:y1, x0:x1] = True
    same_as_reference(mask)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (768, 1024), (2160, 3840)])
@pytest.mark.parametrize("value", [False, True])
def test_a_mask_of_one_value(shape: tuple[int, int], value: bool) -> None:
    same_as_reference(np.full(shape, value))


def test_large_round_parts_and_noise() -> None:
    y, x = np.mgrid[:768, :1024]
    distance = np.hypot(y - 384, x - 512)
    same_as_reference(distance < 300)
    same_as_reference((distance < 600) & (distance > 100))
    same_as_reference(np.random.default_rng(1).random((200, 300)) < 0.5)


def test_columns_come_first() -> None:
    mask = np.array([[False, True], [False, True]])
    assert rle.encode(mask) == {"size": [2, 2], "counts": "22"}


def test_the_argument_stays_as_it_is() -> None:
    mask = np.eye(5, dtype=bool)
    mask.flags.writeable = False
    assert np.array_equal(rle.decode(rle.encode(mask)), mask)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ("", "empty"),
        ("é", "outside"),
        ("2 2", "outside"),
        ("2\x7f", "outside"),
        ("2P", "breaks off"),
        ("PPPPPPPP0", "more than"),
        ("2", "covers 2"),
        ("222", "covers 6"),
        ("5O", "shortest run of -1"),
    ],
)
def test_a_broken_code_is_refused(counts: str, message: str) -> None:
    for function in (rle.decode, rle.area):
        with pytest.raises(ManifestError, match=message):
            function({"size": [2, 2], "counts": counts})


@given(arrays(bool, SHAPES))
def test_uncompressed_runs(mask: np.ndarray) -> None:
    flat = mask.ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff([0, *changes, flat.size]).tolist()
    runs = [0, *runs] if flat[0] else runs
    assert rle.from_runs(mask.shape, runs) == rle.encode(mask)


@pytest.mark.parametrize("runs", [[], [3], [5], [5, -1], [2.0, 2], [True, 3], ["4"], [10**30]])
def test_broken_runs_are_refused(runs: list) -> None:
    with pytest.raises(ManifestError, match="add up to 2 x 2 = 4"):
        rle.from_runs([2, 2], runs)


@settings(max_examples=300)
@given(st.text(st.characters(min_codepoint=48, max_codepoint=111), max_size=12))
def test_any_text_is_decoded_or_refused(counts: str) -> None:
    code = {"size": [7, 5], "counts": counts}
    try:
        mask = rle.decode(code)
    except ManifestError:
        return
    assert mask.shape == (7, 5)
    assert rle.area(code) == mask.sum()
