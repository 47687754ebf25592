"""The backbone of a detector: maps at every scale, and the same ones when built again."""

from __future__ import annotations

import pytest

from vqc import ultra
from vqc.tasks.learning.backbone import STRIDES, from_plan


@pytest.fixture(scope="module")
def torch():
    ultra.prepare()
    import torch

    torch.set_num_threads(1)
    return torch


@pytest.fixture(scope="module")
def backbone(torch):
    from vqc.tasks.learning.weights import find_architecture

    torch.manual_seed(0)
    return from_plan(find_architecture("yolov8n.yaml"))


def test_maps_have_every_stride(torch, backbone):
    maps = backbone.maps(torch.zeros(2, 3, 64, 96))
    sizes = [(64 // stride, 96 // stride) for stride in STRIDES]
    assert [tuple(m.shape) for m in maps] == [
        (2, channels, *size) for channels, size in zip(backbone.channels, sizes, strict=True)
    ]
    assert len(backbone.maps(torch.zeros(1, 3, 64, 64), deepest=8)) == 3


def test_built_again_it_answers_the_same(torch, backbone):
    again = from_plan(backbone.plan)
    again.layers.load_state_dict(backbone.layers.state_dict())
    again.layers.eval(), backbone.layers.eval()
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        pairs = zip(backbone.maps(picture), again.maps(picture), strict=True)
        assert all(torch.equal(one, two) for one, two in pairs)
