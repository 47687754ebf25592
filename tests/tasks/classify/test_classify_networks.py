"""The original's network is the original's, layer by layer; the backbone's is rebuilt the same."""

from __future__ import annotations

import pytest

from vqc import ultra
from vqc.errors import InputError
from vqc.tasks.classify import Classify


@pytest.fixture(scope="module", autouse=True)
def torch():
    ultra.prepare()
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield torch
    torch.set_num_threads(before)


def built(classes=4, **settings):
    from vqc.tasks.classify.networks import build

    return build(Classify().configure(settings), classes)


def test_the_original_has_its_layers_and_parameters(torch):
    network = built(model="lego-cnn").eval()
    shapes, x = [], torch.zeros(2, 1, 32, 32)
    for layer in network.layers:
        x = layer(x)
        shapes.append((type(layer).__name__, tuple(x.shape[1:])))
    assert shapes == [
        ("Conv2d", (128, 30, 30)), ("ReLU", (128, 30, 30)), ("MaxPool2d", (128, 15, 15)),
        ("Conv2d", (128, 13, 13)), ("ReLU", (128, 13, 13)), ("MaxPool2d", (128, 6, 6)),
        ("Dropout", (128, 6, 6)), ("Flatten", (4608,)),
        ("Linear", (64,)), ("ReLU", (64,)), ("Linear", (4,)),
    ]  # fmt: skip
    dropout = next(m for m in network.modules() if isinstance(m, torch.nn.Dropout))
    assert dropout.p == 0.25
    counts = [1_280, 147_584, 294_976, 260]  # convolution, convolution, dense, dense
    assert sum(p.numel() for p in network.parameters()) == sum(counts) == 444_100


def test_the_original_sees_grey(torch):
    network = built(model="lego-cnn").eval()
    grey = torch.full((1, 3, 32, 32), 0.4)
    coloured = grey.clone()
    coloured[:, 0] = 0.4 - 0.114  # as much less red as there is more blue, weighed by luma
    coloured[:, 2] = 0.4 + 0.299
    assert torch.allclose(network(grey), network(coloured), atol=1e-5)


def test_a_backbone_is_rebuilt_from_what_is_said_of_it(torch):
    from vqc.tasks.classify.networks import described, rebuilt

    torch.manual_seed(0)
    network = built(3, weights="none").eval()
    about = {"model": "backbone", "imgsz": 64, **described(network)}
    again = rebuilt(about, 3, "best.pt").eval()
    again.load_state_dict(network.state_dict())
    batch = torch.rand(2, 3, 64, 64)
    assert torch.equal(network(batch), again(batch)) and network(batch).shape == (2, 3)


def test_a_file_may_not_name_strange_layers():
    from vqc.tasks.classify.networks import described, rebuilt

    about = {"model": "backbone", "imgsz": 64, **described(built(3, weights="none"))}
    about["plan"]["backbone"][0][2] = "TorchVision"
    with pytest.raises(InputError, match="TorchVision"):
        rebuilt(about, 3, "best.pt")
