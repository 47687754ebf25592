"""How finely to mesh, and how much the CAD kernel may use up."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

from vqc.errors import InputError


@dataclass(frozen=True, slots=True)
class MeshSettings:
    """How far a mesh may be from the true surface.

    deflection: largest distance, as a fraction of the diagonal of the assembly's box.
    angle_deg: largest angle between neighbouring segments of a curve.
    Raises InputError for values that make no mesh.
    """

    deflection: float = 0.0005
    angle_deg: float = 20.0

    def __post_init__(self) -> None:
        faults = [
            f"{name}: expected {low:g} to {high:g}, got {value}"
            for name, value, low, high in (
                ("deflection (a fraction of the part's size)", self.deflection, 1e-6, 0.1),
                ("angle_deg", self.angle_deg, 1.0, 60.0),
            )
            if not low <= value <= high
        ]
        if faults:
            raise InputError("; ".join(faults))


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """What reading one file may take; beyond it, the file is refused.

    timeout_s: seconds. memory_gb: 10⁹ bytes, held to 80 % of this machine's memory.
    Raises InputError for limits under which nothing can be read.
    """

    timeout_s: float = 600.0
    memory_gb: float = 8.0

    def __post_init__(self) -> None:
        faults = []
        if not (0 < self.timeout_s < math.inf):
            faults.append(f"timeout_s: expected seconds above 0, got {self.timeout_s}")
        if not (0.5 <= self.memory_gb < math.inf):
            faults.append(f"memory_gb: expected 0.5 or more, got {self.memory_gb}")
        if faults:
            raise InputError("; ".join(faults))

    @property
    def memory_bytes(self) -> int:
        """The memory limit that holds on this machine."""
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return int(min(self.memory_gb * 1e9, 0.8 * machine))
