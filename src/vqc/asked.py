"""What a user asks `vqc render` for → a recipe: parse, fill in the defaults, check it all."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_type_hints

from vqc.cad import STEP_SUFFIXES, MeshSettings, find_step_files
from vqc.contract import SET_NAME, is_set_name, is_text
from vqc.errors import InputError
from vqc.look.assets import find_pictures, require_readable
from vqc.look.draw import require_usable_lens
from vqc.look.reading import read_look
from vqc.recipe import Asset, LookBlock, Picture, RenderRecipe, Source, ViewBlock
from vqc.scene import LabelRules
from vqc.views import FULL_RANGES, default_axes, parse_axis

PLAIN = "plain"
DEFAULT_COUNT = 500
AXES = ("azimuth", "elevation", "tilt")
MESH_ERROR_PX = 0.25
DEFAULT_STEP_DEG = 15.0


@dataclass(frozen=True, slots=True)
class Request:
    """The options of `vqc render` as they were typed.

    axes: azimuth, elevation and tilt. picture: the fields of `Picture`, but `size` as
    WIDTHxHEIGHT and `background` as a colour's name; what is left out has its default.
    look: "plain", the name of a look or a file; the five after it go with a look alone.
    backgrounds: pictures, folders of them, or sets. distractors: STEP or STL files, or folders.
    """

    step: tuple[Path, ...]
    step_deg: float | None = None
    axes: tuple[str | None, str | None, str | None] = (None, None, None)
    views: int | None = None
    look: str = PLAIN
    count: int | None = None
    backgrounds: tuple[Path, ...] = ()
    distractors: tuple[Path, ...] = ()
    environment: Path | None = None
    name: str | None = None
    picture: Mapping[str, Any] = field(default_factory=dict)
    label_by: str = "file"
    classes: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    deflection: float | None = None
    angle_deg: float = 20.0
    seed: int = 0


def resolve(request: Request) -> tuple[RenderRecipe, dict[str, Path]]:
    """The recipe, and where each of its sources lies. Raises InputError with every fault."""
    faults: list[str] = []

    def attempt(build: Callable[..., Any], *arguments: Any) -> Any:
        """The result, or None and one more fault."""
        try:
            return build(*arguments)
        except InputError as error:
            faults.append(str(error))
            return None

    is_plain = request.look == PLAIN
    attempt(_require_fitting, request, is_plain)
    picture = attempt(_picture, request.picture)
    block = attempt(_view_block, request) if is_plain else None
    look: Any = (None, {}) if is_plain else attempt(_look_block, request)
    if look and look[0] and picture:
        attempt(require_usable_lens, look[0].look.camera, picture.width, picture.height)
    rules = attempt(_pairs, request.classes)
    labels = attempt(_labels, request, rules or {})
    files = attempt(find_step_files, list(request.step))
    file_rules = {} if request.label_by == "part" else rules or {}
    sources: Any = files and attempt(_sources, files, file_rules)
    mesh: Any = picture and attempt(_mesh, request, picture)
    name: Any = sources and attempt(_set_name, request, sources)
    if faults:
        raise InputError("\n".join(dict.fromkeys(faults)))
    views = () if block is None else (block,)
    recipe = RenderRecipe(
        name, request.seed, picture, labels, mesh, tuple(s for s, _ in sources), views, look[0]
    )
    return recipe, {source.key: path for source, path in sources} | look[1]


_OF_A_LOOK = ("count", "backgrounds", "distractors", "environment")
_SET_BY_LOOK = {"fov_deg": "fov", "fill": "fill", "color": "color", "background": "background"}


def _require_fitting(request: Request, is_plain: bool) -> None:
    """Options of sweeps and of looks do not go together."""
    if is_plain:
        given = [f"--{name}" for name in _OF_A_LOOK if getattr(request, name) not in (None, ())]
        if given:
            raise InputError(
                f"{', '.join(given)}: only with --look, such as --look bench; plain views have "
                "nothing to draw from"
            )
        return
    given = [f"--{name}" for name, axis in zip(AXES, request.axes, strict=True) if axis]
    given += ["--step-deg"] * (request.step_deg is not None)
    given += ["--views"] * (request.views is not None)
    given += [f"--{option}" for key, option in _SET_BY_LOOK.items() if key in request.picture]
    given += [f"--{name}" for name in ("depth", "normals") if request.picture.get(name)]
    if given:
        raise InputError(
            f"{', '.join(given)}: not with --look, whose file draws views, backgrounds and "
            "colours; say --count for the number of frames, and change a copy of the look"
        )


def _look_block(request: Request) -> tuple[LookBlock, dict[str, Path]]:
    """The look with what it draws from, and where that lies, by SHA-256."""
    look, pictures, steps, light = _each(
        lambda: read_look(request.look),
        lambda: _backgrounds(request.backgrounds),
        lambda: find_step_files(request.distractors, (*STEP_SUFFIXES, ".stl")),
        lambda: _environment(request.environment),
    )
    groups = [{_sha256(path): path for path in paths} for paths in (pictures, steps, light)]
    backgrounds, distractors, environment = (
        tuple(Asset(found[sha256].name, sha256) for sha256 in sorted(found)) for found in groups
    )
    count = DEFAULT_COUNT if request.count is None else request.count
    block = LookBlock(look, count, backgrounds, distractors, *environment)
    return block, {sha256: path for found in groups for sha256, path in found.items()}


def _backgrounds(places: Sequence[Path]) -> list[Path]:
    pictures = find_pictures(places)
    require_readable(pictures)
    return pictures


def _environment(path: Path | None) -> list[Path]:
    if path is None:
        return []
    if not path.is_file():
        raise InputError(f"--environment {path}: expected one panorama, .hdr or a picture")
    return [path]


def _each(*calls: Callable[[], Any]) -> list[Any]:
    """All results. Raises InputError with the faults of all calls."""
    results, faults = [], []
    for call in calls:
        try:
            results.append(call())
        except InputError as error:
            faults.append(str(error))
    if faults:
        raise InputError("\n".join(faults))
    return results


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _picture(options: Mapping[str, Any]) -> Picture:
    given, faults = dict(options), []
    size = given.pop("size", "1024x768")
    sides = size.lower().split("x")
    if len(sides) != 2 or not all(side.isdecimal() for side in sides):
        faults.append(f"--size: expected WIDTHxHEIGHT in pixels, such as 1024x768, got {size!r}")
        sides = ["1024", "768"]
    for name in ("up", "color", "format"):
        allowed = get_args(get_type_hints(Picture)[name])
        if name in given and given[name] not in allowed:
            faults.append(f"--{name}: expected {' or '.join(allowed)}, got {given.pop(name)!r}")
    try:
        background = _colour(given.pop("background", "white"))
        picture = Picture(int(sides[0]), int(sides[1]), background=background, **given)
    except InputError as error:
        faults.append(str(error))
    if faults:
        raise InputError("\n".join(faults))
    return picture


def _colour(text: str) -> tuple[int, int, int]:
    from PIL import ImageColor

    try:
        red, green, blue = ImageColor.getrgb(text)[:3]
    except ValueError:
        raise InputError(f"--background: expected a colour name or #rrggbb, got {text!r}") from None
    return red, green, blue


def _view_block(request: Request) -> ViewBlock:
    if request.views is not None and request.step_deg is not None:
        raise InputError("--views and --step-deg are two ways to choose the views; give one")
    step_deg = DEFAULT_STEP_DEG if request.step_deg is None else request.step_deg
    defaults = default_axes(step_deg) if request.views is None else FULL_RANGES
    faults, axes = [], []
    for text, name, default in zip(request.axes, AXES, defaults, strict=True):
        try:
            axes.append(default if text is None else parse_axis(text, name))
        except InputError as error:
            faults.append(str(error))
    if faults:
        raise InputError("\n".join(faults))
    block = ViewBlock(axes[0], axes[1], axes[2], request.views)
    different = len(set(block.angles()))
    if request.views is not None and different < request.views:
        raise InputError(f"--views {request.views}: these ranges hold only {different} of them")
    return block


def _pairs(texts: tuple[str, ...]) -> dict[str, str]:
    pairs = [(k.strip(), v.strip()) for k, _, v in (t.rpartition("=") for t in texts)]
    wrong = [t for t, pair in zip(texts, pairs, strict=True) if not all(map(is_text, pair))]
    if wrong:
        raise InputError(f"--class: expected old=new, got {', '.join(map(repr, wrong))}")
    return dict(pairs)


def _labels(request: Request, rules: Mapping[str, str]) -> LabelRules:
    if request.label_by == "part":
        return LabelRules("part", rules, request.ignore, request.drop)
    if request.label_by != "file":
        raise InputError(f"--label-by: expected file or part, got {request.label_by!r}")
    if request.ignore:
        raise InputError("--ignore names components; it goes with --label-by part")
    return LabelRules("file", {}, (), request.drop)


def _sources(files: list[Path], rules: Mapping[str, str]) -> list[tuple[Source, Path]]:
    """One source a file; two files of one class only where --class says so."""
    stems = Counter(path.stem for path in files)
    sources, used = [], set()
    for path in files:
        rule = str(path) if str(path) in rules else path.stem
        used.add(rule)
        sha256 = _sha256(path)
        key = _file_name(path.stem)
        if stems[path.stem] > 1 or key == "images":  # Ultralytics looks for that word in paths
            key = f"{key}-{sha256[:4]}"
        class_name = rules.get(rule, path.stem)
        sources.append((Source(key, path.name, sha256, class_name), path))
    faults = []
    unused = sorted(rules.keys() - used)
    if unused:
        faults.append(
            f"--class {', '.join(unused)}: fits no STEP file; stems: {', '.join(sorted(stems))}"
        )
    for class_name, count in Counter(s.class_name for s, _ in sources).items():
        same = [p for s, p in sources if s.class_name == class_name]
        if count > 1 and any(p.stem not in rules and str(p) not in rules for p in same):
            faults.append(
                f"{' and '.join(map(str, same))} are both of class {class_name!r}; "
                f"say it with --class {same[0].stem}={class_name}, or name them apart with "
                f"--class {same[0]}=NAME"
            )
    keys = Counter(s.key for s, _ in sources)
    faults += [
        f"{key}: two files would share this name; rename one" for key in keys if keys[key] > 1
    ]
    if faults:
        raise InputError("\n".join(faults))
    return sources


def _mesh(request: Request, picture: Picture) -> MeshSettings:
    """By default a mesh error of a quarter of a pixel: finer only costs time, coarser shows."""
    if request.deflection is not None:
        return MeshSettings(request.deflection, request.angle_deg)
    across_px = picture.fill * min(picture.width, picture.height)
    return MeshSettings(float(f"{MESH_ERROR_PX / max(across_px, 64):.2g}"), request.angle_deg)


def _set_name(request: Request, sources: list[tuple[Source, Path]]) -> str:
    if request.name is None:
        if len(sources) == 1:
            return sources[0][0].key
        folder = request.step[0]
        if len(request.step) == 1 and folder.is_dir():
            return _file_name(folder.resolve().name)
        raise InputError("several STEP files make one set: name it with --name")
    if not is_set_name(request.name):
        raise InputError(f"--name: expected {SET_NAME}, got {request.name!r}")
    return request.name


def _file_name(text: str) -> str:
    """The text with every character replaced that is awkward in a file name."""
    return "".join(c if c.isalnum() or c in "._- " else "_" for c in text).strip()
