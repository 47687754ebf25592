"""What is on record of the originals: levels, filters, activations, parameters."""

from __future__ import annotations

import pytest

from vqc.tasks.segment import networks
from vqc.tasks.segment.config import SegmentConfig


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def parameters_of(filters, classes):
    """Counted by hand: two 3×3 convolutions a level, 2×2 transposed ones, a 1×1 head."""

    def level(a, b):
        return 9 * a * b + b + 9 * b * b + b

    down = sum(level(a, b) for a, b in zip((3, *filters), filters, strict=False))
    pairs = list(zip(filters[1:], filters, strict=False))
    up = sum(4 * a * b + b + level(2 * b, b) for a, b in pairs)
    return down + up + filters[0] * classes + classes


@pytest.mark.parametrize(
    ("build", "filters"),
    [
        (networks.unet_steel, (8, 16, 32, 64, 64, 128)),
        (networks.unet_crack, (16, 32, 64, 128, 256, 512)),
    ],
)
def test_levels_filters_and_parameters(build, filters):
    import torch

    network = build(4)
    assert [level[0].out_channels for level in network.down] == list(filters)
    sizes = {m.kernel_size for m in network.modules() if isinstance(m, torch.nn.Conv2d)}
    assert sizes == {(3, 3), (1, 1)}
    assert sum(p.numel() for p in network.parameters()) == parameters_of(filters, 4)
    assert network(torch.rand(1, 3, 64, 96)).shape == (1, 4, 64, 96)


def test_activations_and_first_weights():
    import torch

    steel, crack = networks.unet_steel(1), networks.unet_crack(1)
    kinds = {type(m) for m in steel.modules() if not list(m.children())}
    assert torch.nn.ELU in kinds and torch.nn.LeakyReLU not in kinds
    slopes = {m.negative_slope for m in crack.modules() if isinstance(m, torch.nn.LeakyReLU)}
    assert slopes == {0.375}
    layer = crack.down[5][2]  # 512 to 512: He-normal is N(0, 2 / (9 * 512))
    assert float(layer.weight.detach().std()) == pytest.approx((2 / (9 * 512)) ** 0.5, rel=0.02)
    assert not layer.bias.detach().any()


def test_the_default_is_a_backbone_and_comes_back_from_its_plan():
    import torch

    network, plan = networks.build(SegmentConfig(weights="yolov8n.yaml"), 3)
    again = networks.from_record("backbone", plan, 3)
    again.load_state_dict(network.state_dict())
    batch = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        one, other = network.eval()(batch), again.eval()(batch)
    assert one.shape == (1, 3, 64, 96) and torch.equal(one, other)


def test_the_originals_train_as_they_did():
    crack = SegmentConfig(model="unet-crack").resolved()
    assert (crack.batch, crack.rate, crack.loss) == (20, 1e-4, "bce")
    assert (crack.negative_weight, crack.positive_weight, crack.augment) == (0.9, 1.1, "none")
    steel = SegmentConfig(model="unet-steel", batch=4).resolved()
    assert (steel.loss, steel.batch) == ("bce-dice", 4)
