"""STEP file → Assembly: checks the file, asks the cache, else the kernel process."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING

from vqc.cad import cache as meshes
from vqc.cad.settings import MeshSettings, ReadLimits
from vqc.errors import CadError

if TYPE_CHECKING:
    from vqc.types import Assembly

_START, _END = b"ISO-10303-21", b"END-ISO-10303-21"
_TAIL_BYTES = 1 << 16
_running: set[subprocess.Popen[bytes]] = set()


def read_step(
    path: Path,
    settings: MeshSettings | None = None,
    limits: ReadLimits | None = None,
    cache: bool = True,
) -> Assembly:
    """The parts of a STEP file as meshes, in millimetres.

    AP203, AP214 and AP242; solids, shells, surfaces and triangulations. The kernel runs
    in a process of its own, so that a file that crashes it costs one error. With `cache`,
    the result is kept and found again by the file's bytes and the settings.

    Raises CadError: no such file, not STEP, cut off, damaged, no geometry inside, or
    beyond `limits`.
    """
    settings, limits = settings or MeshSettings(), limits or ReadLimits()
    with open_step(path) as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        entry = meshes.entry(sha256, settings)
        if cache and (found := meshes.load(entry, path.name)):
            return found
        stream.seek(0)
        assembly = _ask_kernel(stream, path, sha256, settings, limits)
    if cache:
        meshes.save(entry, assembly)
    return assembly


def stop_reading() -> None:
    """End all readings that other threads of this process are at."""
    for process in list(_running):
        process.kill()


def open_step(path: Path) -> BufferedReader:
    """A STEP file, open at its start, that looks whole from outside.

    Raises CadError: missing, a folder, unreadable, empty, not STEP, cut off.
    """
    if path.is_dir():
        raise CadError(f"{path} is a folder, not a STEP file")
    if path.exists() and not path.is_file():
        raise CadError(f"{path} is not a file")
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        raise CadError(f"{path}: there is no such file") from None
    except OSError as error:
        raise CadError(f"{path} cannot be read: {error.strerror}") from None
    fault = _fault(stream)
    if fault:
        stream.close()
        raise CadError(f"{path} {fault}")
    stream.seek(0)
    return stream


def _fault(stream: BufferedReader) -> str | None:
    head = stream.read(_TAIL_BYTES)
    if not head.strip(b"\0 \t\r\n"):
        return "is empty"
    if not head.lstrip().startswith(_START):
        found = head.lstrip()[:12].decode("ascii", "replace")
        return f"is not a STEP file: it begins with {found!r}, not with {_START.decode()!r}"
    stream.seek(max(0, stream.seek(0, os.SEEK_END) - _TAIL_BYTES))
    if _END not in stream.read():
        return f"is cut off: {_END.decode()!r} is missing at its end; copy or export it again"
    return None


def _ask_kernel(
    stream: BufferedReader, path: Path, sha256: str, settings: MeshSettings, limits: ReadLimits
) -> Assembly:
    """Run `vqc.cad.kernel` on an open file and make an assembly of its answer."""
    process = _start(stream, settings, limits)
    _running.add(process)
    try:
        from vqc.cad.mesh import from_kernel  # NumPy loads while the process works

        outcome = _wait(process, limits.timeout_s)
    finally:
        _running.discard(process)
    if process.returncode:
        raise CadError(f"{path} {_verdict(process.returncode, outcome, limits)}")
    line, _, _ = outcome.answer.partition(b"\n")
    header = json.loads(line)
    if missing := header.get("missing"):
        raise CadError(f"the CAD kernel cannot be loaded ({missing}); `vqc doctor` tells more")
    if refused := header.get("refused"):
        reason = _memory(limits) if refused == "memory" else refused
        raise CadError(f"{path}: {reason}")
    return from_kernel(header, memoryview(outcome.answer)[len(line) + 1 :], path.name, sha256)


def _start(
    stream: BufferedReader, settings: MeshSettings, limits: ReadLimits
) -> subprocess.Popen[bytes]:
    job = {**asdict(settings), "timeout_s": limits.timeout_s, "memory_bytes": limits.memory_bytes}
    package = str(Path(__file__).parents[2])
    search = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        # -P: nothing that lies in the working directory is to be imported
        [sys.executable, "-P", "-m", "vqc.cad.kernel", json.dumps(job)],
        stdin=stream,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(search)},
    )


@dataclass(frozen=True)
class _Outcome:
    """What a process wrote, its peak of memory, and whether its time ran out."""

    answer: bytes
    peak_bytes: int
    late: bool


def _wait(process: subprocess.Popen[bytes], timeout_s: float) -> _Outcome:
    """Collect the process, which ends by itself or after `timeout_s`."""
    late = threading.Event()

    def give_up() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(timeout_s, give_up)
    timer.start()
    assert process.stdout is not None
    try:
        answer = process.stdout.read()
        # wait4, because it alone tells how much memory this one process took
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        timer.cancel()
        process.stdout.close()
    return _Outcome(answer, usage.ru_maxrss * 1024, late.is_set())


def _verdict(returncode: int, outcome: _Outcome, limits: ReadLimits) -> str:
    """Why the kernel process gave no answer."""
    if outcome.late or returncode == -signal.SIGALRM:
        return (
            f"took longer than {limits.timeout_s:g} s to read and was given up; allow more time "
            "(--timeout) or a coarser mesh (--deflection)"
        )
    if outcome.peak_bytes > 0.8 * limits.memory_bytes:
        return _memory(limits)
    if returncode == -signal.SIGKILL:
        return "was not read: its process was killed, perhaps for want of memory; try again"
    cause = signal.Signals(-returncode).name if returncode < 0 else f"exit code {returncode}"
    return f"crashed the CAD kernel ({cause}); the file may be damaged: export it again"


def _memory(limits: ReadLimits) -> str:
    return (
        f"needs more than the {limits.memory_bytes / 1e9:.1f} GB of memory that it may take; "
        "allow more (--memory-gb) or a coarser mesh (--deflection)"
    )
