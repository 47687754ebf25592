"""COCO's compressed run-length code for masks: (H, W) bool ⇄ {"size": [h, w], "counts": text}.

The mask is read column by column; `counts` holds the lengths of alternating runs, the
first one of background. From the third run on, each length is written as the difference
to the one two places before, five bits a character, lowest first, starting at "0"; bit 6
of a character says that more follow. The text is the same that pycocotools writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqc.errors import ManifestError
from vqc.types import IntArray

_FIRST = 48  # the character "0" stands for five zero bits
_MAX_CHARS = 7  # 35 bits: longer than any run of a real picture


def encode(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """The code of a mask.

    mask: (H, W) bool, H and W at least 1. Example: two columns, the right one set:

    >>> encode(np.array([[False, True], [False, True]]))
    {'size': [2, 2], 'counts': '22'}
    """
    height, width = mask.shape
    ends = np.append(_changes(mask), height * width)
    runs = np.diff(ends, prepend=0)
    if len(runs) > 1 and runs[-1] == 0:  # the mask ends with a pixel that is set
        runs = runs[:-1]
    return {"size": [height, width], "counts": _to_text(runs)}


def decode(rle: Mapping[str, Any]) -> NDArray[np.bool_]:
    """The mask of a code: (H, W) bool, stored column by column.

    Raises ManifestError where the text is no such code or does not fill the size.
    """
    height, width = rle["size"]
    runs = _runs(rle)
    is_set = np.zeros(len(runs), bool)
    is_set[1::2] = True
    return np.repeat(is_set, runs).reshape(width, height).T


def area(rle: Mapping[str, Any]) -> int:
    """How many pixels are set. Raises ManifestError as `decode` does."""
    return int(_runs(rle)[1::2].sum())


def from_runs(size: Sequence[int], runs: Sequence[int]) -> dict[str, Any]:
    """The code of COCO's uncompressed run lengths, the first one of background.

    size: height and width. Raises ManifestError where the runs do not fill it.

    >>> from_runs([2, 2], [2, 2])
    {'size': [2, 2], 'counts': '22'}
    """
    whole = size[0] * size[1]
    if any(type(run) is not int or not 0 <= run <= whole for run in runs) or sum(runs) != whole:
        raise ManifestError(
            f"mask: expected whole runs from 0 that add up to {size[0]} x {size[1]} = {whole}"
        )
    return {"size": list(size), "counts": _to_text(np.array(runs, np.int64))}


def _changes(mask: NDArray[np.bool_]) -> IntArray:
    """Places, counted down the columns, where a pixel differs from the one before it.

    Only the part of the frame that the mask occupies is turned round: that is what costs.
    """
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return np.empty(0, np.int64)
    top, bottom = rows[0], rows[-1] + 1
    columns = np.flatnonzero(mask[top:bottom].any(axis=0))
    left, right = columns[0], columns[-1] + 1
    full_height = len(mask)
    tall = bottom - top
    step = tall + (tall < full_height)  # one pixel of background ends each cropped column
    flat = np.zeros(1 + (right - left) * step + 1, bool)
    body = flat[1:-1].reshape(right - left, step)
    body[:, :tall] = mask[top:bottom, left:right].T
    at = np.flatnonzero(flat[1:] != flat[:-1])
    return np.asarray((at // step + left) * full_height + at % step + top, np.int64)


def _to_text(runs: IntArray) -> str:
    rest = runs.copy()
    rest[3:] -= runs[1:-2]
    chars = np.zeros((len(runs), _MAX_CHARS), np.uint8)
    more = np.ones(len(runs), bool)
    for place in range(_MAX_CHARS):
        bits = rest & 31
        rest >>= 5
        # Two's complement: the last character's fifth bit is the sign of what is left.
        goes_on = more & (rest != np.where(bits & 16, -1, 0))
        chars[more, place] = (bits + _FIRST + 32 * goes_on)[more]
        more = goes_on
        if not more.any():
            break
    return chars[chars > 0].tobytes().decode("ascii")


def _runs(rle: Mapping[str, Any]) -> IntArray:
    height, width = rle["size"]
    try:
        codes = np.frombuffer(rle["counts"].encode("ascii"), np.uint8).astype(np.int64) - _FIRST
    except UnicodeEncodeError:
        raise ManifestError("mask: counts holds characters outside the COCO code") from None
    if not len(codes) or codes.min() < 0 or codes.max() > 63:
        raise ManifestError("mask: counts is empty or holds characters outside the COCO code")
    last = np.flatnonzero(codes < 32)
    if not len(last) or last[-1] != len(codes) - 1:
        raise ManifestError("mask: counts breaks off in the middle of a number")
    first = np.concatenate(([0], last[:-1] + 1))
    length = last - first + 1
    if length.max() > _MAX_CHARS:
        raise ManifestError(f"mask: counts holds a number of more than {_MAX_CHARS} characters")
    place = np.arange(len(codes)) - np.repeat(first, length)
    runs = np.add.reduceat((codes & 31) << (5 * place), first)
    runs -= ((codes[last] & 16) > 0) * (np.int64(1) << (5 * length))
    runs[1::2] = runs[1::2].cumsum()
    runs[2::2] = runs[2::2].cumsum()
    if runs.min() < 0 or runs.sum() != height * width:
        raise ManifestError(
            f"mask: counts covers {runs.sum()} pixels with a shortest run of {runs.min()}; "
            f"expected {height} x {width} = {height * width} and no negative run"
        )
    return runs
