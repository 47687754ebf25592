"""Folded batch normalisation, taken out again: the network answers as before, in training too."""

from __future__ import annotations

import copy

import pytest

EPS = 1e-3


@pytest.fixture(scope="module")
def torch():
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    return torch


def network_of(torch, folded: bool):
    """Three layers; folded: as rebuilt from an exported network, with a line in each norm."""
    nn = torch.nn
    layers = []
    for wide, into in ((3, 8), (8, 8), (8, 4)):
        norm = nn.BatchNorm2d(into, eps=EPS)
        if folded:
            with torch.no_grad():
                norm.weight.fill_((1 + EPS) ** 0.5)
                norm.bias.uniform_(-1, 1)
        layers += [nn.Conv2d(wide, into, 3, 2, 1, bias=False), norm, nn.SiLU()]
    return nn.Sequential(*layers)


def batches_of(torch):
    noise = torch.Generator().manual_seed(1)
    return [torch.rand(4, 3, 32, 32, generator=noise) for _ in range(3)]


def test_networks_are_told_apart(torch):
    from vqc.tasks.learning.norms import is_folded

    assert is_folded(network_of(torch, folded=True))
    new = network_of(torch, folded=False)
    assert not is_folded(new), "it has learnt nothing yet"
    learnt = network_of(torch, folded=True)
    learnt.train()(batches_of(torch)[0])
    assert not is_folded(learnt), "it has statistics of its own"
    assert not is_folded(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3)))


def test_answers_stay_on_any_picture(torch):
    from vqc.tasks.learning.norms import is_folded, unfold

    network = network_of(torch, folded=True).eval()
    other = torch.rand(2, 3, 48, 32)
    with torch.no_grad():
        before = network(other)
        unfold(network, batches_of(torch))
        assert torch.allclose(network(other), before, atol=1e-4)
    assert not is_folded(network) and not network.training


def test_training_begins_where_the_network_was(torch):
    """On the pictures that were measured, the statistics of a batch are those of the layer."""
    from vqc.tasks.learning.norms import unfold

    folded, (batch, *_) = network_of(torch, folded=True), batches_of(torch)
    unfolded = copy.deepcopy(folded)
    unfold(unfolded, [batch])
    with torch.no_grad():
        wanted = folded.eval()(batch)
        assert torch.allclose(unfolded.train()(batch), wanted, atol=1e-3)
        assert not torch.allclose(folded.train()(batch), wanted, atol=0.1), "nothing to mend"


def test_the_statistics_are_those_of_all_pictures(torch):
    from vqc.tasks.learning.norms import unfold

    network, batches = network_of(torch, folded=True), batches_of(torch)
    unfold(network, batches)
    seen = network[0](torch.cat(batches)).double()
    assert torch.allclose(network[1].running_mean.double(), seen.mean((0, 2, 3)), atol=1e-5)
    variance = seen.var((0, 2, 3), unbiased=False)
    assert torch.allclose(network[1].running_var.double(), variance, atol=1e-5)
    assert network.training and not any(module._forward_pre_hooks for module in network)
