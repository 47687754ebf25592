"""What a patch is: where it lies, and in which units its features are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest


@pytest.fixture(scope="module")
def seer():
    import torch

    from vqc import ultra
    from vqc.tasks.anomaly.patches import Seer, start_backbone

    ultra.prepare()
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    backbone = start_backbone("yolov8n.yaml", 0)
    backbone.layers.eval()
    yield Seer(backbone, torch.device("cpu"), 96, (4, 8), 16, (1.0, 1.0))
    torch.set_num_threads(before)


def picture(side: int = 96) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (side, side, 3)).astype(np.uint8)


def test_spreads_by_hand():
    import torch

    from vqc.tasks.anomaly.patches import spreads_of

    # One channel with variance 4; two with 9 and 16; two that never change; one that is nought.
    low, high = (3.0, -3.0, -4.0, 7.0, 1e6, 0.0), (7.0, 3.0, 4.0, 7.0, 1e6, 0.0)
    rows = torch.tensor([low, high, low, high])
    assert spreads_of(rows, (1, 2, 2, 1)) == pytest.approx((2, 5, 1, 1))
    assert spreads_of(rows[:1], (1, 2, 2, 1)) == (1, 1, 1, 1)


def test_rounding_is_no_spread():
    import torch

    from vqc.tasks.anomaly.patches import spreads_of

    rows = torch.full((100, 2), 0.1)
    rows[::2] += 2e-8
    assert (rows[0] != rows[1]).all() and spreads_of(rows, (2,)) == (1,)


def test_each_scale_is_divided_by_its_own_spread(seer):
    from vqc.tasks.anomaly.patches import spreads_of

    raw = seer.patches(picture())
    assert raw.shape == (6, 6, sum(seer.widths))
    fine = seer.widths[0]
    found = replace(seer, spreads=(2.0, 0.5)).patches(picture())
    assert np.allclose(found[..., :fine], raw[..., :fine] / 2)
    assert np.allclose(found[..., fine:], raw[..., fine:] * 2)
    rows = raw.reshape(-1, sum(seer.widths))
    even = replace(seer, spreads=spreads_of(rows, seer.widths)).patches(picture())
    assert spreads_of(even.reshape(rows.shape), seer.widths) == pytest.approx((1, 1), rel=1e-5)


def test_a_larger_patch_is_the_mean_of_the_smaller_ones_in_it(seer):
    small = replace(seer, patch=8).patches(picture())
    large = seer.patches(picture())
    means = small.reshape(6, 2, 6, 2, -1).mean((1, 3))
    assert np.allclose(means, large, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("patch", [8, 16, 24, 32, 48])
def test_a_change_shows_in_the_patch_where_it_is(seer, patch):
    mine = replace(seer, imgsz=144, patch=patch)
    plain, spoilt = np.full((144, 144, 3), 90, np.uint8), np.full((144, 144, 3), 90, np.uint8)
    row, column = 144 // patch - 2, 1
    spoilt[row * patch : (row + 1) * patch, column * patch : (column + 1) * patch] = 250
    apart = (mine.patches(spoilt) - mine.patches(plain)).norm(dim=2)
    assert np.unravel_index(int(apart.argmax()), apart.shape) == (row, column)
