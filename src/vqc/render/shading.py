"""How the surfaces of a look are lit: the shader, and the table of numbers that it reads.

Diffuse light plus the microfacet highlight of Walter et al., "Microfacet models for refraction
through rough surfaces" (2007), with Schlick's Fresnel term; lamps have a size, by which highlights
are widened (Karis, "Real shading in Unreal Engine 4", 2013, whose fit of the reflected surroundings
is used as well). One lamp, the first, throws shadows on the bodies themselves.

All numbers of a frame lie in one texture, so that a frame changes nothing but that: row 0 is the
light, row 1 + k is body k. Positions and directions are in camera axes as OpenGL has them (x right,
y up, z backwards).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqc.shot import Body, Light
from vqc.types import FloatArray

HEADROOM = 2.0
"""The brightest light that a sample can hold; white is 1."""
GAMMA = 2.2
MAX_LAMPS = 8
MAX_BODIES = 60
_LAMPS_AT, _SHADOW_AT, _AROUND_AT = 12, 4, 12 + 2 * MAX_LAMPS
CV_TO_GL = np.diag([1.0, -1.0, -1.0, 1.0])

VERTEX_DECLARATIONS = """//VTK::Normal::Dec
in float colourIndex;
uniform sampler2D table;
out vec3 positionVC;
out vec3 positionMC;
out vec3 normalOut;
flat out int colourOut;
vec4 tableAt(int row, int at) { return texelFetch(table, ivec2(at, row), 0); }
"""
VERTEX = """//VTK::Normal::Impl
  mat4 toCamera = mat4(tableAt(bodyRow, 0), tableAt(bodyRow, 1), tableAt(bodyRow, 2),
                       tableAt(bodyRow, 3));
  positionVC = (toCamera * vertexMC).xyz;
  positionMC = vertexMC.xyz * tableAt(bodyRow, 4).y;
  normalOut = mat3(toCamera) * normalMC;
  colourOut = int(colourIndex + 0.5);
"""
# VTK itself declares the textures of an actor in its fragment shader, before this mark.
FRAGMENT_DECLARATIONS = """//VTK::Picking::Dec
in vec3 positionVC;
in vec3 positionMC;
in vec3 normalOut;
flat in int colourOut;
vec4 tableAt(int row, int at) { return texelFetch(table, ivec2(at, row), 0); }

float hash3(vec3 p) {
  p = fract(p * vec3(0.1031, 0.1030, 0.0973));
  p += dot(p, p.yxz + 33.33);
  return fract((p.x + p.y) * p.z);
}
float noise3(vec3 p) {
  vec3 cell = floor(p), f = fract(p);
  f = f * f * (3.0 - 2.0 * f);
  vec2 o = vec2(0.0, 1.0);
  return mix(mix(mix(hash3(cell), hash3(cell + o.yxx), f.x),
                 mix(hash3(cell + o.xyx), hash3(cell + o.yyx), f.x), f.y),
             mix(mix(hash3(cell + o.xxy), hash3(cell + o.yxy), f.x),
                 mix(hash3(cell + o.xyy), hash3(cell + o.yyy), f.x), f.y), f.z);
}
// A direction on the environment map: longitude and latitude.
vec2 placeOnMap(vec3 d) {
  return vec2(atan(d.y, d.x) / 6.283185 + 0.5, 0.5 - asin(clamp(d.z, -1.0, 1.0)) / 3.141593);
}
// What a white surface that faces d sends back of the map's light, as spherical harmonics.
vec3 lightAround(vec3 d) {
  float y[9] = float[9](1.0, d.y, d.z, d.x, d.x * d.y, d.y * d.z, 3.0 * d.z * d.z - 1.0,
                        d.x * d.z, d.x * d.x - d.y * d.y);
  vec3 sum = vec3(0.0);
  for (int k = 0; k < 9; k++) sum += y[k] * tableAt(0, AROUND_AT + k).rgb;
  return sum;
}
// Share of the first lamp's light that reaches a point: 5 taps, as far apart as the lamp is large.
float lampReaches(vec3 at, vec3 n, vec4 setting) {
  mat4 toMap = mat4(tableAt(0, 4), tableAt(0, 5), tableAt(0, 6), tableAt(0, 7));
  vec3 place = (toMap * vec4(at + n * setting.y, 1.0)).xyz * 0.5 + 0.5;
  if (any(lessThan(place.xy, vec2(0.0))) || any(greaterThan(place.xy, vec2(1.0)))) return 1.0;
  float turn = 6.2832 * hash3(vec3(gl_FragCoord.xy, 1.0));
  mat2 spin = mat2(cos(turn), sin(turn), -sin(turn), cos(turn));
  float lit = 0.0;
  for (int k = 0; k < 5; k++) {
    float r = sqrt((float(k) + 0.5) / 5.0), a = 2.39996 * float(k);
    vec2 tap = place.xy + spin * vec2(cos(a), sin(a)) * r * setting.z;
    lit += step(place.z - setting.w, texture(shadowMap, tap).r);
  }
  return lit / 5.0;
}
"""
FRAGMENT = """
  vec3 n = normalize(gl_FrontFacing ? normalOut : -normalOut);
  vec3 v = normalize(-positionVC);
  n = normalize(n + v * max(0.0, 0.02 - dot(n, v)));
  vec4 base = tableAt(bodyRow, 8 + 2 * colourOut), finish = tableAt(bodyRow, 9 + 2 * colourOut);
  vec4 body = tableAt(bodyRow, 4), frame = tableAt(0, 0);
  vec3 albedo = base.rgb;
  float rough = finish.x, metal = finish.y;
  vec3 onBody = positionMC + body.x;
  if (base.a > 0.0) {
    float g = noise3(onBody * 11.0) + noise3(onBody * 90.0) - 1.0;
    albedo *= max(0.0, 1.0 + base.a * g * 2.5);
  }
  if (finish.z > 0.0) {
    float s = noise3(onBody.yzx * vec3(7.0, 160.0, 160.0));
    s *= noise3(onBody * vec3(4.0, 90.0, 130.0));
    rough = clamp(rough + finish.z * (s - 0.2), 0.05, 1.0);
    albedo *= 1.0 + 0.6 * finish.z * (s - 0.2);
  }
  float nv = max(dot(n, v), 1e-3), alpha = rough * rough;
  vec3 f0 = mix(vec3(0.04), albedo, metal), diffuse = albedo * (1.0 - metal), light = vec3(0.0);
  vec3 up = tableAt(0, 3).xyz, above = tableAt(0, 1).rgb, below = tableAt(0, 2).rgb;
  vec4 shadow = tableAt(0, 8);
  for (int k = 0; k < int(frame.x); k++) {
    vec4 lamp = tableAt(0, LAMPS_AT + 2 * k), colour = tableAt(0, LAMPS_AT + 1 + 2 * k);
    float nl = dot(n, lamp.xyz), soft = max(colour.a, 1e-3);
    float facing = nl > soft ? nl : (nl > -soft ? (nl + soft) * (nl + soft) / (4.0 * soft) : 0.0);
    if (facing <= 0.0) continue;
    if (k == 0 && shadow.x > 0.0) facing *= lampReaches(positionVC, n, shadow);
    vec3 h = normalize(lamp.xyz + v);
    float nh = max(dot(n, h), 0.0), vh = max(dot(v, h), 0.0);
    float a2 = alpha * alpha, wide = min(alpha + 0.5 * colour.a, 1.0), w2 = wide * wide;
    float d = nh * nh * (w2 - 1.0) + 1.0, k2 = wide * 0.5;
    float lobe = a2 / (d * d) / (4.0 * (nv * (1.0 - k2) + k2) * (facing * (1.0 - k2) + k2));
    vec3 fresnel = f0 + (1.0 - f0) * pow(1.0 - vh, 5.0);
    light += colour.rgb * facing * (diffuse * (1.0 - fresnel) + fresnel * lobe);
  }
  vec3 r = reflect(-v, n), around, mirrored;
  if (frame.y > 0.0) {
    mat3 toMap = mat3(tableAt(0, 9).xyz, tableAt(0, 10).xyz, tableAt(0, 11).xyz);
    vec3 from = toMap * r, facing = toMap * n;
    mirrored = textureLod(environment, placeOnMap(from), rough * frame.w).rgb * frame.z;
    around = max(lightAround(facing), 0.0) * frame.z;
  } else {
    around = mix(below, above, 0.5 + 0.5 * dot(n, up));
    mirrored = mix(below, above, smoothstep(-rough, rough + 1e-3, dot(r, up)));
    mirrored *= 1.0 + (1.0 - rough) * 1.6 * (noise3(r * 2.3 + 7.0 * body.x) - 0.5);
  }
  vec4 c = rough * vec4(-1.0, -0.0275, -0.572, 0.022) + vec4(1.0, 0.0425, 1.04, -0.04);
  float fit = min(c.x * c.x, exp2(-9.28 * nv)) * c.x + c.y;
  vec2 env = vec2(-1.04, 1.04) * fit + c.zw;
  light += diffuse * around + mirrored * (f0 * env.x + env.y);
  gl_FragData[0] = vec4(pow(clamp(light / HEADROOM, 0.0, 1.0), vec3(1.0 / GAMMA)), 1.0);
"""


@dataclass(frozen=True, slots=True, eq=False)
class ShadowMap:
    """How the first lamp's map is read.

    matrix: (4, 4) camera axes of OpenGL → clip coordinates of the map.
    offset_mm: how far from a surface it is asked. radius: of the taps, as a share of the map.
    bias: in depths of the map.
    """

    matrix: FloatArray
    offset_mm: float
    radius: float
    bias: float


_LUMA = np.array([0.2126, 0.7152, 0.0722])
_HARMONICS = np.sqrt(np.array([1, 3, 3, 3, 15, 15, 5 / 4, 15, 15 / 4]) / (4 * np.pi))
_COSINE = np.array([1.0, *[2 / 3] * 3, *[1 / 4] * 5])


@dataclass(frozen=True, slots=True, eq=False)
class Around:
    """The light of an environment map on matt surfaces.

    harmonics: (9, 3), of what a white surface sends back by the direction that it faces, with all
    constant factors in them (Ramamoorthi and Hanrahan, "An efficient representation for irradiance
    environment maps", 2001). levels: of the map's texture, which stand for rougher reflections.
    """

    harmonics: FloatArray
    levels: float

    def on_ground(self) -> FloatArray:
        """(3,) what a white surface sends back that faces up."""
        lit: FloatArray = np.maximum(
            _polynomials(np.array([[0.0, 0.0, 1.0]]))[0] @ self.harmonics, 0
        )
        return lit

    def gain(self, light: Light) -> float:
        """What makes the map as bright as the light from everywhere was drawn."""
        return float(np.asarray(light.above) @ _LUMA / max(float(self.on_ground() @ _LUMA), 1e-6))


def light_around(map_rgb: NDArray[np.float32], levels: float) -> Around:
    """map_rgb: (H, W, 3) linear light, longitude by latitude, up at the top."""
    height, width = map_rgb.shape[:2]
    latitude = np.pi * (0.5 - (np.arange(height) + 0.5) / height)
    longitude = 2 * np.pi * ((np.arange(width) + 0.5) / width - 0.5)
    flat = np.cos(latitude)[:, None]
    facing = np.stack(
        np.broadcast_arrays(
            flat * np.cos(longitude), flat * np.sin(longitude), np.sin(latitude)[:, None]
        ),
        axis=-1,
    ).reshape(-1, 3)
    solid_angle = (np.broadcast_to(flat, (height, width)) * 2 * np.pi**2 / (height * width)).ravel()
    values = _polynomials(facing) * _HARMONICS
    found = (values * solid_angle[:, None]).T @ map_rgb.reshape(-1, 3).astype(np.float64)
    return Around(found * (_HARMONICS * _COSINE)[:, None], levels)


def _polynomials(d: FloatArray) -> FloatArray:
    """(N, 9) of (N, 3) directions, in the order of `lightAround`."""
    x, y, z = d.T
    one = np.ones_like(x)
    return np.stack([one, y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y], axis=1)


def replacements() -> dict[tuple[str, str], str]:
    """(stage, mark of VTK's template) → text."""
    fragment = (
        FRAGMENT.replace("LAMPS_AT", str(_LAMPS_AT))
        .replace("HEADROOM", f"{HEADROOM:.1f}")
        .replace("GAMMA", f"{GAMMA:.1f}")
    )
    return {
        ("vertex", "Normal::Dec"): VERTEX_DECLARATIONS,
        ("vertex", "Normal::Impl"): VERTEX,
        ("fragment", "Normal::Dec"): "\n",
        ("fragment", "Picking::Dec"): FRAGMENT_DECLARATIONS.replace("AROUND_AT", str(_AROUND_AT)),
        ("fragment", "Normal::Impl"): "\n",
        ("fragment", "Light::Impl"): fragment,
    }


def table_of_light(
    light: Light, world2cam: FloatArray, shadow: ShadowMap | None, around: Around | None
) -> NDArray[np.float32]:
    """(N, 4): row 0 of the table."""
    row = np.zeros((_AROUND_AT + 9, 4), np.float32)
    turn = (CV_TO_GL @ world2cam)[:3, :3]
    row[0, 0] = len(light.lamps)
    row[1, :3], row[2, :3], row[3, :3] = light.above, light.below, turn[:, 2]
    if light.environment_turn_deg is not None and around is not None:
        angle = np.radians(light.environment_turn_deg)
        c, s = np.cos(angle), np.sin(angle)
        about = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        row[0, 1:] = 1.0, around.gain(light), around.levels
        row[9:12, :3] = (about @ turn.T).T
        row[_AROUND_AT : _AROUND_AT + 9, :3] = around.harmonics
    if shadow is not None:
        row[_SHADOW_AT : _SHADOW_AT + 4] = shadow.matrix.T
        row[_SHADOW_AT + 4] = 1.0, shadow.offset_mm, shadow.radius, shadow.bias
    for k, lamp in enumerate(light.lamps[:MAX_LAMPS]):
        row[_LAMPS_AT + 2 * k, :3] = turn @ lamp.towards
        row[_LAMPS_AT + 2 * k + 1] = *lamp.rgb, np.sin(np.radians(lamp.size_deg) / 2)
    return row


def table_of_body(body: Body, model2cam: FloatArray, scale: float) -> NDArray[np.float32]:
    """(N, 4): a body's row. scale: the model's millimetres → units of its patterns."""
    finish, count = body.finish, len(body.finish.rgb)
    row = np.zeros((8 + 2 * count, 4), np.float32)
    row[:4] = (CV_TO_GL @ model2cam).T
    row[4, :2] = finish.pattern_seed, scale
    row[8::2, :3], row[8::2, 3] = finish.rgb, finish.grain
    row[9::2, 0] = finish.roughness
    row[9::2, 1] = finish.metallic
    row[9::2, 2] = finish.scratches
    return row


def table_width(colours: int) -> int:
    """How wide the table must be for models of that many colours."""
    return max(8 + 2 * colours, _AROUND_AT + 9)


def table(rows: Sequence[NDArray[np.float32]], width: int) -> NDArray[np.float32]:
    """(1 + MAX_BODIES, width, 4) of as many rows as there are."""
    whole = np.zeros((1 + MAX_BODIES, width, 4), np.float32)
    for number, row in enumerate(rows):
        whole[number, : len(row)] = row
    return whole
