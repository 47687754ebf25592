"""A linear-light picture → what a camera makes of it: pure functions on (H, W, 3) arrays.

`expose` goes the way of the light. Before the sensor: exposure, white balance and vignette (one
multiplication), defocus and motion blur, all on light that is not clipped yet, so a highlight far
above white stays bright when it is blurred. At the sensor, whose pixels may be fewer: each
gathers the light of its area, noise is added, white clips. In the camera, on those pixels: sRGB
curve, contrast, saturation or grey, sharpening. At last the picture is enlarged to the frame, as
any viewer does it. So noise and sharpening halos grow with the pixels, as they do in real pictures
from few pixels. White balance counts as the colour of the light, so noise is alike in all
channels. `compress` is apart, since its bytes are what a JPEG file holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from statistics import NormalDist
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vqc.shot import SensorDraw
from vqc.types import ByteArray, FloatArray

LightArray = NDArray[np.float32]
"""(H, W, 3) linear light; 1 is white, and there may be more."""

T = TypeVar("T", bound=np.generic)

SHARPEN_SIGMA_PX = 1.0
"""Standard deviation of the blurred picture that sharpening compares with; pixels as taken."""

_LUMA = (0.2126, 0.7152, 0.0722)  # ITU-R BT.709
_STEPS = 65535  # of light; the steepest part of the sRGB curve rises 0.05 levels a step
_DEFOCUS_SEEN_PX = 0.3  # a smaller disc, or a shorter line, moves under 5 % of the light
_MOTION_SEEN_PX = 0.5
_BLOCK = 16384  # numbers that fit the cache with all that is computed from them
_DIRECT_TAPS = 130  # OpenCV filters larger kernels by Fourier transforms, at a price of its own


def expose(linear: LightArray, draw: SensorDraw) -> ByteArray:
    """(H, W, 3) light → (H, W, 3) uint8 sRGB: every step but JPEG, those left out that do nothing.

    The same arguments give the same bytes; `linear` is left as it is.
    """
    height, width = linear.shape[:2]
    light = take(blur(weigh(linear, draw), draw), draw.resolution)
    light = add_noise(light, draw.shot_noise, draw.read_noise, draw.noise_seed)
    return _enlarge(develop(light, draw), width, height)


def srgb_to_linear(rgb: ByteArray) -> LightArray:
    """uint8 sRGB of any shape → float32 linear light in [0, 1]. Source: IEC 61966-2-1."""
    light: LightArray = np.take(_linear_table(), rgb)
    return light


def linear_to_srgb(linear: LightArray) -> ByteArray:
    """float32 light of any shape → uint8 sRGB, clipped; within a level of the exact curve."""
    return _look_up(_round(_srgb_table()), linear)


def weigh(linear: LightArray, draw: SensorDraw) -> LightArray:
    """Exposure, white balance and vignette: the light times a number for each pixel and channel.

    The vignette takes a share that grows with the square of the distance from the centre of the
    frame; the centre loses nothing, the corner pixels exactly `draw.vignette`.
    """
    height, width = linear.shape[:2]
    colour = np.array([draw.red * draw.balance_red, 1.0, draw.blue * draw.balance_blue])
    gain = 2.0**draw.exposure_ev * colour
    row = np.tile(gain, width).astype(np.float32)  # NumPy multiplies long rows fast
    flat = linear.reshape(height, -1)
    if not draw.vignette:
        return linear if (row == 1).all() else (flat * row).reshape(linear.shape)
    across, down = (np.arange(n) - (n - 1) / 2 for n in (width, height))
    loss = draw.vignette / max(across[0] ** 2 + down[0] ** 2, 1e-9)
    weights = np.multiply.outer((loss * down**2).astype(np.float32), row)
    row *= np.repeat(1 - loss * across**2, 3).astype(np.float32)
    np.subtract(row, weights, out=weights)
    weights *= flat
    weighed: LightArray = weights.reshape(linear.shape)
    return weighed


def blur(linear: LightArray, draw: SensorDraw) -> LightArray:
    """Defocus and motion; light goes on mirrored at the borders, so they do not darken."""
    import cv2

    kernels = []
    if draw.defocus_px >= _DEFOCUS_SEEN_PX:
        kernels.append(disc_kernel(draw.defocus_px))
    if draw.motion_px >= _MOTION_SEEN_PX:
        kernels.append(line_kernel(draw.motion_px, draw.motion_deg))
    if len(kernels) == 2 and min(k.size for k in kernels) >= _DIRECT_TAPS:
        kernels = [_one_after_the_other(*kernels)]  # one Fourier transform instead of two
    for kernel in kernels:
        weights = kernel.astype(np.float32)
        linear = cv2.filter2D(linear, -1, weights, borderType=cv2.BORDER_REFLECT)
    return linear


def disc_kernel(radius_px: float) -> FloatArray:
    """(K, K) weights of an evenly lit disc with soft edges; their sum is 1.

    The second moment along either axis is the exact disc's, radius² / 4, at any radius.
    """
    reach = math.ceil(radius_px + 1)
    offsets = np.arange(-reach, reach + 1.0)
    distance = np.hypot(offsets, offsets[:, None])
    squares = np.tile(offsets**2, (len(offsets), 1))
    return _fitted(lambda radius: radius - distance, 1.0, squares, radius_px**2 / 4)


def line_kernel(length_px: float, direction_deg: float) -> FloatArray:
    """(K, L) weights of an evenly lit line, one pixel wide; their sum is 1.

    direction_deg: from the picture's x axis (right) towards its y axis (down). The second moment
    along the line is the exact line's, length² / 12; across it is 0 along rows and columns and
    under 1/4 elsewhere, as much as a slanted line of pixels needs.
    """
    reach = math.ceil(length_px / 2 + 1)
    x, y = np.meshgrid(*[np.arange(-reach, reach + 1.0)] * 2)
    cos, sin = math.cos(math.radians(direction_deg)), math.sin(math.radians(direction_deg))
    along, across = x * cos + y * sin, y * cos - x * sin
    width = np.clip(1 - np.abs(across), 0, 1)
    width[width < 1e-9] = 0  # 90° is no exact number
    return _fitted(lambda half: half - np.abs(along), width, along**2, length_px**2 / 12)


def take(linear: LightArray, resolution: float) -> LightArray:
    """The picture on a sensor of that share of its width and height; at least one pixel."""
    import cv2

    height, width = linear.shape[:2]
    size = max(1, round(width * resolution)), max(1, round(height * resolution))
    if size == (width, height):
        return linear
    taken: LightArray = cv2.resize(linear, size, interpolation=cv2.INTER_AREA)
    return taken


def add_noise(linear: LightArray, shot: float, read: float, seed: int) -> LightArray:
    """Gaussian noise of variance shot² × light + read²; what it makes negative stays so.

    Its 65536 values reach to 4.3 standard deviations. Looking them up takes a quarter of the time
    of `standard_normal`, and the bytes do not depend on how that one is programmed.
    """
    if not shot and not read:
        return linear
    rng, table = np.random.default_rng(seed), _normal_table()
    flat, noisy = linear.reshape(-1), np.empty(linear.size, np.float32)
    for start in range(0, linear.size, _BLOCK):
        light, sums = flat[start : start + _BLOCK], noisy[start : start + _BLOCK]
        drawn = np.frombuffer(rng.bytes(2 * len(light)), "<u2")
        deviation = np.maximum(light, np.float32(0))
        deviation *= np.float32(shot**2)
        deviation += np.float32(read**2)
        np.multiply(np.take(table, drawn), np.sqrt(deviation, out=deviation), out=sums)
        sums += light
    return noisy.reshape(linear.shape)


def develop(linear: LightArray, draw: SensorDraw) -> ByteArray:
    """Light → sRGB bytes: clip, sRGB curve, contrast, saturation or grey, sharpening.

    Contrast and saturation act on sRGB values, about 0.5 and about the luma of Rec. 709.
    """
    table = (_srgb_table() - np.float32(0.5)) * np.float32(draw.contrast) + np.float32(0.5)
    saturation = 0.0 if draw.grey else draw.saturation
    if saturation == 1 and not draw.sharpen:
        return _look_up(_round(table), linear)
    srgb = _look_up(np.clip(table, 0, 1) * np.float32(255), linear)
    if saturation != 1:
        srgb = _saturate(srgb, saturation)
    return _sharpen(srgb, draw.sharpen)


def compress(rgb: ByteArray, quality: int) -> bytes:
    """(H, W, 3) sRGB → the bytes of a JPEG file; quality from 1 to 100."""
    import cv2

    pixels = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(encoded)


def decompress(encoded: bytes) -> ByteArray:
    """The bytes of a JPEG file that `compress` made → (H, W, 3) sRGB."""
    import cv2

    pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    rgb: ByteArray = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    return rgb


def _fitted(
    inside: Callable[[float], FloatArray],
    width: FloatArray | float,
    squares: FloatArray,
    mean: float,
) -> FloatArray:
    """The kernel of the size at which the weighted mean of `squares` is `mean`, by bisection.

    inside: size → how far each pixel's centre is within the shape's end. Pixels widen every shape
    a little, so the shape that is drawn is a little smaller.
    """

    def kernel_of(size: float) -> FloatArray:
        kernel: FloatArray = width * np.clip(inside(size) + 0.5, 0, 1)
        kernel /= kernel.sum()
        return kernel

    low, high = 0.0, float(squares.max()) ** 0.5 + 1
    for _ in range(32):
        middle = (low + high) / 2
        if (kernel_of(middle) * squares).sum() < mean:
            low = middle
        else:
            high = middle
    kernel = kernel_of(high)
    rows, cols = (int(np.flatnonzero(kernel.any(axis=axis))[0]) for axis in (1, 0))
    return kernel[rows : len(kernel) - rows, cols : kernel.shape[1] - cols]


def _one_after_the_other(first: FloatArray, second: FloatArray) -> FloatArray:
    """The kernel that does what two odd-sized ones do."""
    import cv2

    rows, cols = (n // 2 for n in second.shape)
    wide = np.pad(first, ((rows, rows), (cols, cols)))
    both: FloatArray = cv2.filter2D(wide, -1, second, borderType=cv2.BORDER_CONSTANT)
    return both


@cache
def _linear_table() -> LightArray:
    """(256,): sRGB byte → light."""
    srgb = np.arange(256) / 255
    light = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return light.astype(np.float32)


@cache
def _srgb_table() -> LightArray:
    """(65536,): light from 0 to 1 → sRGB from 0 to 1."""
    light: FloatArray = np.linspace(0, 1, _STEPS + 1)
    srgb = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return srgb.astype(np.float32)


@cache
def _normal_table() -> LightArray:
    """(65536,): the middles of equally likely steps of the normal distribution; variance 1."""
    normal = NormalDist()
    upper = np.array([normal.inv_cdf((i + 0.5) / 65536) for i in range(32768, 65536)])
    values = np.concatenate([-upper[::-1], upper])
    scaled: LightArray = (values / values.std()).astype(np.float32)
    return scaled


def _round(table: LightArray) -> ByteArray:
    rounded: ByteArray = np.rint(np.clip(table, 0, 1) * 255).astype(np.uint8)
    return rounded


def _look_up(table: NDArray[T], linear: LightArray) -> NDArray[T]:
    flat, found = linear.reshape(-1), np.empty(linear.size, table.dtype)
    for start in range(0, linear.size, _BLOCK):
        steps = np.clip(flat[start : start + _BLOCK], 0, 1)
        steps *= np.float32(_STEPS)
        steps += np.float32(0.5)
        # `clip` changes nothing here, but makes NumPy write to `out` without a buffer.
        out = found[start : start + _BLOCK]
        np.take(table, steps.astype(np.intp), out=out, mode="clip")
    return found.reshape(linear.shape)


def _saturate(srgb: LightArray, saturation: float) -> LightArray:
    import cv2

    mix = saturation * np.eye(3) + (1 - saturation) * np.tile(_LUMA, (3, 1))
    saturated: LightArray = cv2.transform(srgb, mix.astype(np.float32))
    return saturated


def _sharpen(srgb: LightArray, amount: float) -> ByteArray:
    """Unsharp mask on values from 0 to 255, rounded to bytes."""
    import cv2

    soft = srgb
    if amount:
        np.clip(srgb, 0, 255, out=srgb)  # saturation may have left the range
        soft = cv2.GaussianBlur(srgb, (7, 7), SHARPEN_SIGMA_PX, borderType=cv2.BORDER_REFLECT)
    sharp: ByteArray = cv2.addWeighted(srgb, 1 + amount, soft, -amount, 0, dtype=cv2.CV_8U)
    return sharp


def _enlarge(rgb: ByteArray, width: int, height: int) -> ByteArray:
    import cv2

    if rgb.shape[:2] == (height, width):
        return rgb
    large: ByteArray = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_CUBIC)
    return large
