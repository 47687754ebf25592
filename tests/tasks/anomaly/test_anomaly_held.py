"""Frames that did not train: thresholds from them, and metrics at these."""

from __future__ import annotations

import numpy as np

from vqc.tasks.anomaly.held import NOTHING, Looked, metrics_of, scales_of
from vqc.tasks.anomaly.thresholds import read_rule


def looked(peaks, groups=None):
    """Frames of these distances, of which nothing is usual."""
    zeros = np.zeros(len(peaks))
    of = np.zeros(len(peaks), np.int64) if groups is None else np.array(groups)
    return Looked(np.array(peaks, float), zeros, zeros + 1, of)


def test_a_good_frame_just_below_its_threshold_is_no_false_alarm():
    val, is_defect = looked([1, 2, 3.7, 9]), np.arange(4) == 3
    (scale,) = scales = scales_of(read_rule("false-alarms:0"), val, is_defect, NOTHING, 1)
    assert scale.margin(3.7) == 0 and scale.threshold > 3.7, "too near for a logarithm"
    assert metrics_of(val, is_defect, scales) == {"AUROC": 1, "F1": 1}


def test_each_frame_is_judged_by_the_threshold_of_its_group():
    val = looked([1, 1.1, 5, 10, 11, 50], [0, 0, 0, 1, 1, 1])
    is_defect = np.array([0, 0, 1, 0, 0, 1], bool)
    scales = scales_of(read_rule("f1"), val, is_defect, NOTHING, 2)
    assert metrics_of(val, is_defect, scales) == {"AUROC": 1, "F1": 1}


def test_a_group_that_lacks_a_kind_takes_the_quantile():
    val, train = looked([*range(1, 11), 20, 50], [0] * 10 + [1, 1]), looked([4, 8], [1, 1])
    is_defect = np.array([0] * 10 + [0, 1], bool)
    first, second = scales_of(read_rule("f1"), val, is_defect, train, 2)
    (wanted,) = scales_of(
        read_rule("quantile:0.99"), val.of(val.groups == 0), np.zeros(10, bool), NOTHING, 1
    )
    assert first == wanted and second.threshold == 35
