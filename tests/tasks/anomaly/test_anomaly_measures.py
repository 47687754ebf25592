"""AUROC, average precision, F1 and PRO, on cases small enough to count by hand."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

from vqc.tasks.anomaly import measures


def arrays(defects, good):
    distances = np.array([*defects, *good], float)
    return distances, np.arange(len(distances)) < len(defects)


@pytest.mark.parametrize(
    ("defects", "good", "area"),
    [
        ([3, 4], [1, 2], 1.0),
        ([1, 2], [3, 4], 0.0),
        ([1, 1], [1, 1], 0.5),
        ([2, 4], [1, 3], 0.75),
        ([2], [2, 1], 0.75),
    ],
)
def test_auroc_is_the_share_of_pairs_in_order(defects, good, area):
    assert measures.auroc(*arrays(defects, good)) == pytest.approx(area)


def test_auroc_is_that_of_all_pairs_on_random_scores():
    rng = np.random.default_rng(0)
    distances, wrong = rng.integers(0, 9, 60).astype(float), rng.random(60) < 0.4
    pairs = distances[wrong][:, None] - distances[~wrong][None]
    wanted = ((pairs > 0) + (pairs == 0) / 2).mean()
    assert measures.auroc(distances, wrong) == pytest.approx(wanted)


def test_one_kind_alone_has_no_auroc():
    for wrong in (True, False):
        assert math.isnan(measures.auroc(np.arange(3.0), np.full(3, wrong)))
    assert math.isnan(measures.average_precision(np.arange(3.0), np.zeros(3, bool)))
    assert math.isnan(measures.best_f1(np.arange(3.0), np.zeros(3, bool)))


def test_average_precision_and_best_f1_by_hand():
    found = arrays([4, 2], [3, 1])  # ranked: hit, alarm, hit, alarm
    assert measures.average_precision(*found) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert measures.best_f1(*found) == pytest.approx(4 / 5)


def test_at_a_threshold():
    calls, wrong = np.array([1, 1, 0, 0], bool), np.array([1, 0, 1, 0], bool)
    assert measures.at_threshold(calls, wrong) == {"precision": 0.5, "recall": 0.5, "F1": 0.5}
    nothing = measures.at_threshold(np.zeros(2, bool), np.zeros(2, bool))
    assert all(map(math.isnan, nothing.values()))


def test_scikit_learn_agrees():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    distances, wrong = rng.integers(0, 30, 200).astype(float), rng.random(200) < 0.3
    assert measures.auroc(distances, wrong) == pytest.approx(
        metrics.roc_auc_score(wrong, distances)
    )
    assert measures.average_precision(distances, wrong) == pytest.approx(
        metrics.average_precision_score(wrong, distances)
    )


# Pixels


def counted(heat, mask, edges=None):
    counts = measures.PixelCounts(np.unique(heat) if edges is None else edges)
    counts.add(np.asarray(heat, float), np.asarray(mask, bool))
    return counts


def test_a_perfect_map_has_pro_and_pixel_auroc_1():
    mask = np.zeros((10, 10), bool)
    mask[2:4, 2:4] = mask[7, 7] = True
    found = counted(mask.astype(float), mask)
    assert found.auroc() == pytest.approx(1) and found.pro() == pytest.approx(1)


def test_pro_counts_a_small_region_as_much_as_a_large_one():
    mask = np.zeros((10, 10), bool)
    mask[:4, :5] = mask[8, 8] = True  # 20 pixels and 1
    heat = np.zeros((10, 10))
    heat[:4, :5] = 1  # only the large one is seen; the rest lies at 0 with all good pixels
    found = counted(heat, mask)
    # Overlap starts at 1/2 and reaches 1 where every pixel counts: at rate r it is (1 + r) / 2.
    assert found.pro() == pytest.approx(0.5 + 0.3 / 4)
    # Of 21 defect pixels 20 lie above all good ones, one is tied with them.
    assert found.auroc() == pytest.approx((20 + 0.5) / 21)


def test_a_map_that_says_nothing_has_pixel_auroc_one_half_and_pro_half_the_limit():
    mask = np.zeros((4, 4), bool)
    mask[1, 1] = True
    found = counted(np.ones((4, 4)), mask)
    assert found.auroc() == pytest.approx(0.5) and found.pro() == pytest.approx(0.15)


def test_pixels_of_many_frames_add_up():
    rng = np.random.default_rng(3)
    heats, masks = rng.random((3, 12, 12)), rng.random((3, 12, 12)) < 0.1
    counts = measures.PixelCounts(measures.edges_of(list(heats)))
    for heat, mask in zip(heats, masks, strict=True):
        counts.add(heat, mask)
    assert counts.auroc() == pytest.approx(measures.auroc(heats.ravel(), masks.ravel()), abs=0.002)


def test_regions_are_what_hangs_together_over_corners_too():
    rng = np.random.default_rng(4)
    heat = rng.random((16, 16)).round(1)
    mask = np.zeros((16, 16), bool)
    regions = [[(1, 1), (2, 2), (2, 3)], [(9, 9)], [(15, 0), (14, 0), (13, 1), (13, 2)]]
    for region in regions:
        mask[tuple(zip(*region, strict=True))] = True
    levels = np.unique(heat)[::-1]
    overlap = [np.mean([np.mean([heat[p] >= t for p in r]) for r in regions]) for t in levels]
    rate = [(heat[~mask] >= t).mean() for t in levels]
    x = np.linspace(0, 0.3, 30001)
    wanted = np.interp(x, [0, *rate], [0, *overlap]).mean()
    assert counted(heat, mask).pro() == pytest.approx(wanted, abs=1e-4)


def test_a_speckled_mask_needs_no_more_memory_than_a_plain_one():
    mask = np.zeros((60, 60), bool)
    mask[::2, ::2] = True  # 900 regions
    heat, edges = np.random.default_rng(5).random((60, 60)), np.linspace(0, 1, 4000)
    tracemalloc.start()
    found = counted(heat, mask, edges)
    assert 0 < found.pro() < 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2e6, "4,000 numbers a region would be 29 MB"


def test_without_regions_there_is_no_pro():
    found = counted(np.ones((3, 3)), np.zeros((3, 3)))
    assert math.isnan(found.pro()) and math.isnan(found.auroc())
