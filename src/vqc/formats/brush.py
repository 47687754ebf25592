"""Label Studio's run-length code for brush strokes: (H, W) bool ⇄ a list of bytes.

The bytes are one stream of bits, highest first, of the picture's values in the order red, green,
blue, alpha, pixel by pixel along the rows: 32 bits count the values, 5 are the bits of a value
less one, 4 × 4 the widths less one in which lengths may be written. Blocks follow: one bit says
run (1) or single values (0), two which width, then the length less one; a run has one value, the
others as many as they are long. This is thi.ng's rle-pack. What alpha covers is marked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqc.formats.labels import Wrong, size_for_mask

_CHANNELS = 4
_WIDTHS = (3, 4, 8, 16)


def decode(code: Sequence[Any], width: int, height: int) -> NDArray[np.bool_]:
    """The (H, W) mask of a code; raises Wrong where it is none or does not fill the picture."""
    shape = size_for_mask(width, height)
    try:
        data = bytes(code)
    except (TypeError, ValueError):
        raise Wrong("rle: expected a list of whole numbers from 0 to 255") from None
    bits = _Bits(data)
    count, word = bits.take(32), bits.take(5) + 1
    widths = [bits.take(4) + 1 for _ in range(4)]
    expected = _CHANNELS * width * height
    if count != expected:
        raise Wrong(f"rle: {count} values, expected {expected} for {width} x {height} pixels of 4")
    alpha = np.zeros(width * height, bool)
    start = 0
    while start < count:
        is_run = bits.take(1)
        end = start + 1 + bits.take(widths[bits.take(2)])
        if end > count:
            raise Wrong(f"rle: goes on to value {end} of {count}")
        first, last = start // _CHANNELS, end // _CHANNELS  # pixels whose alpha is in the block
        if is_run:
            alpha[first:last] = bits.take(word) != 0
        else:
            values = bits.take_many(end - start, word)
            alpha[first:last] = values[(3 - start) % _CHANNELS :: _CHANNELS]
        start = end
    return alpha.reshape(shape)


def encode(mask: NDArray[np.bool_]) -> list[int]:
    """The code of an (H, W) mask: white and opaque where it is set, else all zero."""
    flat = mask.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate(([0], edges))
    lengths = np.diff(np.append(starts, flat.size)) * _CHANNELS
    words = [f"{flat.size * _CHANNELS:032b}", f"{8 - 1:05b}", *(f"{w - 1:04b}" for w in _WIDTHS)]
    longest = 1 << _WIDTHS[-1]
    for length, is_set in zip(lengths.tolist(), flat[starts].tolist(), strict=True):
        value = "11111111" if is_set else "00000000"
        for part in [*[longest] * (length // longest), length % longest]:
            if part:
                k = next(i for i, w in enumerate(_WIDTHS) if part <= 1 << w)
                words.append(f"1{k:02b}{part - 1:0{_WIDTHS[k]}b}{value}")
    text = "".join(words)
    padded = text + "0" * (-len(text) % 8)
    return list(int(padded, 2).to_bytes(len(padded) // 8, "big"))


class _Bits:
    """A stream of bits, read from the front."""

    def __init__(self, data: bytes) -> None:
        self._text = "".join(f"{byte:08b}" for byte in data)
        self._at = 0

    def take(self, width: int) -> int:
        """The next number of so many bits; raises Wrong at the end."""
        self._at += width
        if self._at > len(self._text):
            raise Wrong("rle: breaks off before the picture is full")
        return int(self._text[self._at - width : self._at], 2)

    def take_many(self, count: int, width: int) -> NDArray[np.bool_]:
        """Whether each of the next numbers is not 0."""
        text = self._text[self._at : self._at + count * width]
        if len(text) < count * width:
            raise Wrong("rle: breaks off before the picture is full")
        self._at += count * width
        ones = np.frombuffer(text.encode("ascii"), np.uint8).reshape(count, width) == ord("1")
        marked: NDArray[np.bool_] = ones.any(axis=1)
        return marked
