"""Mixed precision on a processor: convolutions in bfloat16, the loss in float32."""

from __future__ import annotations

import pytest

from vqc import ultra


@pytest.fixture(scope="module")
def torch():
    ultra.prepare()
    import torch

    torch.set_num_threads(1)
    return torch


def network_of(torch):
    from ultralytics.nn.tasks import DetectionModel
    from ultralytics.utils import DEFAULT_CFG

    torch.manual_seed(0)
    network = DetectionModel("yolov8n.yaml", nc=2, verbose=False)
    network.args = DEFAULT_CFG
    return network


def batch_of(torch):
    torch.manual_seed(1)
    return {
        "img": torch.rand(2, 3, 64, 64),
        "cls": torch.tensor([[0.0], [1.0]]),
        "bboxes": torch.tensor([[0.5, 0.5, 0.4, 0.4], [0.4, 0.6, 0.5, 0.3]]),
        "batch_idx": torch.tensor([0.0, 1.0]),
    }


def test_a_loss_sees_float32_whatever_the_network_computed_in(torch):
    from vqc.tasks.detect.precision import Float32Loss

    seen = []

    class Loss:
        weight = 7

        def __call__(self, predictions, batch):
            seen.append((predictions, torch.is_autocast_enabled("cpu")))
            return predictions["a"][0].sum()

    half = torch.ones(3, dtype=torch.bfloat16)
    loss = Float32Loss(Loss())
    with torch.autocast("cpu", torch.bfloat16):
        assert loss({"a": [half, torch.arange(2)]}, {}) == 3
    (predictions, is_mixed), = seen  # fmt: skip
    assert predictions["a"][0].dtype == torch.float32
    assert predictions["a"][1].dtype == torch.int64
    assert not is_mixed
    assert loss.weight == 7, "what Ultralytics asks of its own loss is there"


def test_both_precisions_give_nearly_the_same_loss_and_gradient(torch):
    import ultralytics.engine.trainer as engine

    from vqc.tasks.detect.precision import mixed_precision, suit_processor

    found = {}
    for amp in (False, torch.bfloat16):
        network = network_of(torch).train()
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eval()  # statistics of two small pictures would only magnify rounding
        suit_processor(network)
        with mixed_precision(), engine.autocast(amp, device="cpu"):
            loss, _ = network(batch_of(torch))
        assert loss.dtype == torch.float32
        loss.sum().backward()
        slopes = [p.grad.flatten() for p in network.parameters() if p.grad is not None]
        assert {slope.dtype for slope in slopes} == {torch.float32}
        found[amp] = float(loss.detach().sum()), torch.cat(slopes)
    (exact, slope), (mixed, mixed_slope) = found.values()
    assert exact != mixed, "nothing was computed in bfloat16"
    assert mixed == pytest.approx(exact, rel=0.02)
    assert torch.cosine_similarity(slope, mixed_slope, dim=0) > 0.98


def test_the_layout_changes_no_answer(torch):
    from vqc.tasks.detect.precision import suit_processor

    network, picture = network_of(torch).eval(), batch_of(torch)["img"]
    with torch.no_grad():
        before = network(picture)[0]
        suit_processor(network)
        assert torch.allclose(network(picture)[0], before, atol=1e-3)


def test_ultralytics_is_left_as_it_was(torch):
    import ultralytics.engine.trainer as engine

    from vqc.tasks.detect.precision import mixed_precision

    kept = engine.autocast, engine.check_amp
    with pytest.raises(KeyboardInterrupt), mixed_precision():
        assert engine.autocast is not kept[0]
        raise KeyboardInterrupt
    assert (engine.autocast, engine.check_amp) == kept
