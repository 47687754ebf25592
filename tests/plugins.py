"""Task plugins for tests: installed as a packager would, but only while a test lasts."""

from __future__ import annotations

import contextlib
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def on_path(folder: Path) -> Iterator[None]:
    """Meanwhile the packages in this folder are installed; what was imported goes with it."""
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(f"{folder}/"):
                del sys.modules[name]


def install_package(package: Path, folder: Path) -> None:
    """Build a package with a `pyproject.toml` and install it alone into a folder, offline."""
    from uv import find_uv_bin

    done = subprocess.run(
        [find_uv_bin(), "pip", "install", "--offline", "--no-deps", "--no-build-isolation",
         "--python", sys.executable, "--target", folder, package],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    importlib.invalidate_caches()


def install(folder: Path, package: str, code: str, **tasks: str) -> None:
    """A package of one module in a folder, see `on_path`; tasks: names to entry points.

    The module is called as the package, with underscores.
    """
    module = package.replace("-", "_")
    (folder / f"{module}.py").write_text(code)
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    points = "".join(f"{name} = {point}\n" for name, point in tasks.items())
    (info / "entry_points.txt").write_text(f"[vqc.tasks]\n{points}")
    importlib.invalidate_caches()
