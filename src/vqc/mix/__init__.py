"""Sets of renders and photos → a balanced training set of links, with splits.

`plan` decides from manifests alone which frames go where; `build` makes the folder.
"""

from __future__ import annotations

from vqc.counts import Count
from vqc.mix.build import Summary, build
from vqc.mix.plan import Plan, plan
from vqc.mix.pool import Pool
from vqc.mix.reading import find_sets, read_pool
from vqc.mix.request import Request
from vqc.mix.splits import SplitRules

__all__ = [
    "Count", "Plan", "Pool", "Request", "SplitRules", "Summary", "build", "find_sets", "plan",
    "read_pool",
]  # fmt: skip
