"""Few patches that stand for many: greedy k-center, as PatchCore thins its memory bank.

Roth et al., Towards Total Recall in Industrial Anomaly Detection, CVPR 2022. Import this late: it
loads torch.
"""

from __future__ import annotations

import torch
from torch import Tensor

_PROJECTED = 64
"""Dimensions in which distances are taken while patches are chosen."""


def k_center(rows: Tensor, count: int, seed: int) -> Tensor:
    """(count,) numbers of rows, each the farthest from all that were chosen before it.

    rows: (N, D). Distances are taken after a random projection (Johnson & Lindenstrauss), which
    follows from the seed; so does the first row. All rows where there are no more than `count`.
    """
    if count >= len(rows):
        return torch.arange(len(rows))
    generator = torch.Generator().manual_seed(seed)
    reduced = _projected(rows, generator)
    squares = (reduced * reduced).sum(1)
    chosen = torch.zeros(count, dtype=torch.long)
    chosen[0] = int(torch.randint(len(rows), (1,), generator=generator))
    left = torch.full((len(rows),), torch.inf, device=rows.device)
    for place in range(1, count):
        newest = chosen[place - 1]
        apart = squares + squares[newest] - 2 * (reduced @ reduced[newest])
        left = torch.minimum(left, apart)
        chosen[place] = int(left.argmax())
    return chosen


def radius(rows: Tensor, chosen: Tensor) -> float:
    """The largest distance of a row from the nearest chosen one."""
    return float(torch.cdist(rows, rows[chosen]).min(1).values.max())


def _projected(rows: Tensor, generator: torch.Generator) -> Tensor:
    if rows.shape[1] <= _PROJECTED:
        return rows
    matrix = torch.randn(rows.shape[1], _PROJECTED, generator=generator) / _PROJECTED**0.5
    return rows @ matrix.to(rows.device)
