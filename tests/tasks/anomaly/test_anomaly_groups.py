"""Groups of look-alike frames, and the patches that stand for many."""

from __future__ import annotations

import numpy as np
import pytest

from vqc.errors import InputError
from vqc.tasks.anomaly.groups import find_groups, k_means, nearest, silhouette


def clouds(centres, each=12, seed=0):
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(c, 0.1, (each, len(c))) for c in centres])


@pytest.mark.parametrize("count", [2, 3, 4])
def test_clouds_that_lie_apart_are_found(count):
    rows = clouds([(0, 0), (5, 0), (0, 5), (5, 5)][:count])
    centres = find_groups(rows, None, seed=1)
    of = nearest(rows, centres)
    assert len(centres) == count
    assert [len(set(of[12 * k : 12 * k + 12])) for k in range(count)] == [1] * count


def test_one_cloud_is_one_group():
    assert len(find_groups(np.random.default_rng(0).normal(size=(60, 8)), None, 0)) == 1


def test_a_number_of_groups_is_kept_while_there_are_rows():
    rows = clouds([(0, 0), (5, 0)])
    assert len(find_groups(rows, 3, 0)) == 3
    assert np.allclose(find_groups(rows, 1, 0), rows.mean(0))


def test_more_groups_than_different_rows_are_refused():
    with pytest.raises(InputError, match=r"groups: expected 2 at most.* got 5"):
        find_groups(np.array([[0.0], [1.0], [1.0]]), 5, 0)


def test_equal_seeds_give_equal_groups():
    rows = np.random.default_rng(2).normal(size=(40, 3))
    assert np.array_equal(k_means(rows, 4, 7), k_means(rows, 4, 7))


def test_silhouette_by_hand():
    rows = np.array([[0.0], [1.0], [10.0]])
    # 0: a = 1, b = 10; 1: a = 1, b = 9; the third is alone.
    assert silhouette(rows, np.array([0, 0, 1])) == pytest.approx((9 / 10 + 8 / 9) / 3)


def test_greedy_k_center_takes_the_farthest_and_covers_all():
    import torch

    from vqc.tasks.anomaly.coreset import k_center, radius

    rows = torch.tensor([[0.0], [0.1], [0.2], [10.0], [10.1], [20.0]])
    chosen = k_center(rows, 3, seed=0)
    assert {int(rows[k] >= 15) + int(rows[k] >= 5) for k in chosen} == {0, 1, 2}
    assert radius(rows, chosen) <= 0.2 + 1e-4
    assert k_center(rows, 9, 0).tolist() == list(range(6))


def test_greedy_k_center_covers_within_twice_the_best_radius():
    import torch

    from vqc.tasks.anomaly.coreset import k_center, radius

    grid = torch.cartesian_prod(torch.arange(8.0), torch.arange(8.0))
    # Sixteen squares of 2 × 2 points cover the grid from their middles at sqrt(0.5).
    assert radius(grid, k_center(grid, 16, 3)) <= 2 * 2**0.5 + 1e-4
    assert radius(grid, k_center(grid, 63, 3)) == pytest.approx(1)
