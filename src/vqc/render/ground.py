"""The ground and what is behind: the light on z = 0, and the pictures laid there.

A lamp's shadow on a plane is the bodies flattened onto it along the light. Each lamp is sampled
at a few points of its disc, and the light from everywhere at a few directions of the upper half,
spread as the cosine weighs them; the mean of these flat shadows is soft where it should be, and
dark where a body touches the ground.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqc.geometry import world2cam
from vqc.shot import Light, Shot, Surface
from vqc.types import ByteArray, FloatArray, Intrinsics, View

MAP_PX = 256
"""Side of the map of the light on the ground."""
LAMP_SAMPLES, SKY_SAMPLES = 4, 10
_LONGEST = 3.0
"""A shadow is mapped as far as that many heights: a larger map would be a coarser one."""
_FADE_PX = 24
_GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))
_LOWEST = 0.12
"""Sine of the lowest height from which a shadow is drawn: a lower one would have no end."""


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The square of the ground whose light is mapped: centre and half its side in mm."""

    x: float
    y: float
    half: float

    def clip(self, towards: FloatArray, top_mm: float) -> FloatArray:
        """(4, 4) world → clip coordinates: everything flattened along the light onto z = 0."""
        dx, dy = towards[:2] / max(towards[2], _LOWEST)
        return np.array(
            [
                [1 / self.half, 0, -dx / self.half, -self.x / self.half],
                [0, 1 / self.half, -dy / self.half, -self.y / self.half],
                [0, 0, -1 / (top_mm + 1.0), 0],
                [0, 0, 0, 1],
            ]
        )

    def to_mm(self) -> FloatArray:
        """(3, 3) pixels of the map, upper row first (+y is up) → mm on the ground."""
        mm = 2 * self.half / MAP_PX
        left, top = self.x - self.half, self.y + self.half
        return np.array([[mm, 0, left + mm / 2], [0, -mm, top - mm / 2], [0, 0, 1]])


def window_around(points: FloatArray, light: Light) -> Window:
    """Wide enough for (N, 3) points and their shadows, but for the ends of very long ones."""
    low, high = points.min(axis=0), points.max(axis=0)
    x, y = ((low + high) / 2)[:2].tolist()
    reaches = [np.hypot(*lamp.towards[:2]) / max(lamp.towards[2], _LOWEST) for lamp in light.lamps]
    shadow_mm = float(np.clip(max(reaches, default=0.0), 1.5, _LONGEST)) * max(float(high[2]), 0.0)
    wide_mm = float((high - low)[:2].max())
    return Window(x, y, wide_mm / 2 + shadow_mm + 0.02 * (wide_mm + shadow_mm) + 1e-6)


def directions(light: Light) -> tuple[list[FloatArray], list[int]]:
    """Where light comes from, one direction a flat shadow; and to which source each belongs.

    Source k is lamp k; the last one is the light from everywhere.
    """
    towards: list[FloatArray] = []
    owner: list[int] = []
    for number, lamp in enumerate(light.lamps):
        axis = np.asarray(lamp.towards)
        side = np.cross(axis, [0.0, 1.0, 0.0] if abs(axis[0]) > 0.5 else [1.0, 0.0, 0.0])
        side /= np.linalg.norm(side)
        other = np.cross(axis, side)
        radius = np.tan(np.radians(min(lamp.size_deg, 100)) / 2)
        for k in range(LAMP_SAMPLES):
            r, a = radius * np.sqrt((k + 0.5) / LAMP_SAMPLES), k * _GOLDEN_ANGLE
            towards.append(axis + r * (np.cos(a) * side + np.sin(a) * other))
            owner.append(number)
    for k in range(SKY_SAMPLES):
        r, a = np.sqrt((k + 0.5) / SKY_SAMPLES), k * _GOLDEN_ANGLE
        towards.append(np.array([r * np.cos(a), r * np.sin(a), np.sqrt(1 - r * r)]))
        owner.append(len(light.lamps))
    return towards, owner


def received(
    light: Light, shadows: Sequence[NDArray[np.bool_]], owner: Sequence[int]
) -> NDArray[np.float32]:
    """(MAP_PX, MAP_PX, 3): the light on each place of the window, upper row first.

    shadows: for each direction, which places its light does not reach.
    """
    import cv2

    total = np.zeros((MAP_PX, MAP_PX, 3), np.float32)
    inwards = np.minimum(np.arange(MAP_PX), np.arange(MAP_PX)[::-1]) / _FADE_PX
    ramp = np.minimum(inwards, 1.0).astype(np.float32)
    fade = ramp[:, None] * ramp  # what is cut off at the border of the map ends softly
    for number in range(len(light.lamps) + 1):
        own = [shadow for shadow, of in zip(shadows, owner, strict=True) if of == number]
        reaches = 1.0 - np.mean(own, axis=0, dtype=np.float32) * fade
        sky = number == len(light.lamps)
        soft = cv2.GaussianBlur(reaches, (0, 0), 3.0 if sky else 1.5)
        total += soft[..., None] * np.asarray(_full(light, number), np.float32)
    return total


def _full(light: Light, number: int) -> FloatArray:
    if number == len(light.lamps):
        return np.asarray(light.above)
    lamp = light.lamps[number]
    return np.asarray(lamp.rgb) * max(lamp.towards[2], 0.0)


def ground2image(view: View) -> FloatArray:
    """(3, 3) mm on z = 0 → pixels, homogeneous; the third number is the depth along the axis."""
    k, camera = view.intrinsics, world2cam(view.pose)
    pinhole = np.array([[k.fx, 0, k.cx], [0, k.fy, k.cy], [0, 0, 1]])
    product: FloatArray = pinhole @ camera[:3, [0, 1, 3]]
    return product


def sees_ground(view: View) -> NDArray[np.float32]:
    """(H, W) 1 where a pixel's ray meets z = 0 in front of the camera, soft over the horizon."""
    k = view.intrinsics
    camera = world2cam(view.pose)
    down = -camera[:3, 2]  # the world's downwards in camera axes
    cols = (np.arange(k.width) + 0.5 - k.cx) / k.fx
    rows = (np.arange(k.height) + 0.5 - k.cy) / k.fy
    sinks = (down[0] * cols)[None, :] + (down[1] * rows)[:, None] + down[2]
    if (np.linalg.inv(camera)[2, 3]) < 0:  # from below, the ground is above
        sinks = -sinks
    share: NDArray[np.float32] = np.clip(sinks * k.fy / 2 + 0.5, 0, 1).astype(np.float32)
    return share


def laid(surface: Surface, view: View) -> ByteArray:
    """(H, W, 3) the ground's picture as the camera sees it."""
    import cv2

    assert surface.mm_per_px is not None
    height, width = surface.picture.shape[:2]
    angle = np.radians(surface.turn_deg)
    c, s = np.cos(angle) * surface.mm_per_px, np.sin(angle) * surface.mm_per_px
    to_mm = np.array([[c, s, surface.shift_mm[0]], [s, -c, surface.shift_mm[1]], [0, 0, 1]])
    to_mm = to_mm @ np.array([[1, 0, -width / 2 + 0.5], [0, 1, -height / 2 + 0.5], [0, 0, 1]])
    k = view.intrinsics
    picture: ByteArray = cv2.warpPerspective(
        surface.picture, _centres() @ ground2image(view) @ to_mm, (k.width, k.height),
        flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101,
    )  # fmt: skip
    return picture


def _centres() -> FloatArray:
    """From pixels whose corner is at 0 to OpenCV's, whose centre is."""
    return np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])


def seen_light(
    window: Window, light_map: NDArray[np.float32], open_light: FloatArray, view: View
) -> NDArray[np.float32]:
    """(H, W, 3) the light on the ground as the camera sees it."""
    import cv2

    k = view.intrinsics
    picture: NDArray[np.float32] = cv2.warpPerspective(
        light_map, _centres() @ ground2image(view) @ window.to_mm(), (k.width, k.height),
        flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT,
        borderValue=[float(v) for v in open_light],
    )  # fmt: skip
    return picture


def behind(surface: Surface, k: Intrinsics) -> ByteArray:
    """(H, W, 3) the picture behind, filling the frame; what does not fit is cut on both sides."""
    import cv2

    height, width = surface.picture.shape[:2]
    scale = max(k.width / width, k.height / height)
    wide, high = max(k.width, round(width * scale)), max(k.height, round(height * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    large = cv2.resize(surface.picture, (wide, high), interpolation=method)
    left, top = (wide - k.width) // 2, (high - k.height) // 2
    picture: ByteArray = large[top : top + k.height, left : left + k.width]
    return picture


def backdrop(
    shot: Shot, window: Window | None, light_map: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """(H, W, 3) linear light of everything that is no body."""
    import cv2

    from vqc.sensor import srgb_to_linear

    k, open_light = shot.view.intrinsics, np.asarray(shot.light.on_open_ground())
    full = open_light.astype(np.float32)
    share = sees_ground(shot.view) if shot.ground is not None else None
    if share is None or share.min() < 1.0:
        far = srgb_to_linear(behind(shot.behind, k)) * full
        if shot.behind.blur_px > 0:
            far = cv2.GaussianBlur(far, (0, 0), shot.behind.blur_px)
        if share is None:
            return far
    assert shot.ground is not None and window is not None and light_map is not None
    near = srgb_to_linear(laid(shot.ground, shot.view))
    near *= seen_light(window, light_map, open_light, shot.view)
    if shot.ground.blur_px > 0:
        near = cv2.GaussianBlur(near, (0, 0), shot.ground.blur_px)
    if share.min() < 1.0:
        near = far + share[..., None] * (near - far)
    return near
