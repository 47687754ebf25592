"""Epochs through interruptions: nothing twice, nothing lost, and the same weights in the end."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from vqc.errors import InputError, VqcError
from vqc.runs import LAST
from vqc.tasks.contract import Headline
from vqc.tasks.learning.epochs import Rules, forget, train

SCORES = [0.2, 0.6, 0.5, 0.6, 0.4, 0.3]


class Heard:
    def __init__(self, stop_in=0):
        self.epochs, self.resumed_after, self.seen, self.stop_in = {}, [], [], stop_in

    def progress(self, done, total):
        self.seen.append((done, total))

    def epoch(self, number, metrics):
        self.epochs[number] = dict(metrics)
        if number == self.stop_in:
            raise KeyboardInterrupt

    def resumed(self, epochs_done):
        self.resumed_after.append(epochs_done)


class Learner:
    """A line that learns noise, with dropout, and scores that are known beforehand."""

    def __init__(self, scores=SCORES):
        import torch

        torch.set_num_threads(1)
        torch.manual_seed(0)
        self.network = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(0.5))
        self.optimizer = torch.optim.Adam(self.network.parameters(), 0.01)
        self.pictures, self.scores, self.epoch = 8, scores, -1

    def learn(self, epoch, seen):
        import torch

        self.epoch = epoch
        for _ in range(2):
            self.optimizer.zero_grad()
            loss = self.network(torch.rand(4, 4)).square().mean()
            loss.backward()
            self.optimizer.step()
            seen(4)
        return {"train/loss": float(loss.detach())}

    def validate(self):
        return {"val/accuracy": self.scores[self.epoch]} if self.scores else {}

    def weights(self):
        return {k: v.clone() for k, v in self.network.state_dict().items()}


def rules(epochs=6, patience=0, higher=True):
    return Rules("toy", Headline("accuracy", higher), epochs, patience, seed=3)


def equal(one, two):
    return all((one[key] == two[key]).all() for key in one)


def test_the_first_of_the_best_epochs_counts(tmp_path):
    heard = Heard()
    fitted = train(Learner(), rules(), tmp_path, heard)
    assert (fitted.epochs, fitted.best_epoch, fitted.chosen_on) == (6, 2, "val")
    assert fitted.metrics == {"accuracy": 0.6}
    assert heard.seen[-1] == (48, 48)
    assert train(Learner(), rules(higher=False), tmp_path / "low", Heard()).best_epoch == 1


def test_of_equal_scores_the_lower_loss_counts(tmp_path):
    learner, losses = Learner(), [9, 9, 9, 0.1, 9, 9]
    score = learner.validate
    learner.validate = lambda: score() | {"val/loss": losses[learner.epoch]}
    assert train(learner, rules(), tmp_path, Heard()).best_epoch == 4


def test_without_val_the_last_epoch_counts(tmp_path):
    fitted = train(Learner(scores=None), rules(), tmp_path, Heard())
    assert (fitted.best_epoch, fitted.chosen_on) == (6, None)


def test_it_ends_when_val_gains_no_more(tmp_path):
    assert train(Learner(), rules(patience=3), tmp_path, Heard()).epochs == 5


@pytest.mark.parametrize("stop_in", [1, 3, 6])
def test_stopped_and_gone_on_gives_the_same_weights(tmp_path, stop_in):
    whole, parts = Learner(), Learner()
    train(whole, rules(), tmp_path / "whole", Heard())
    with pytest.raises(KeyboardInterrupt):
        train(Learner(), rules(), tmp_path / "parts", Heard(stop_in))
    heard = Heard()
    fitted = train(parts, rules(), tmp_path / "parts", heard)
    assert heard.resumed_after == ([stop_in - 1] if stop_in > 1 else [])
    assert sorted(heard.epochs) == list(range(stop_in, 7))
    assert fitted.best_epoch == 2
    assert equal(whole.weights(), parts.weights())


def flags():
    import torch

    return (
        torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.deterministic,
        torch.utils.deterministic.fill_uninitialized_memory,
    )  # fmt: skip


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_a_gpu_is_asked_to_repeat_itself_while_it_trains(tmp_path, monkeypatch, device):
    import torch

    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")  # put back afterwards
    learner, before, during = Learner(), flags(), []
    learn = learner.learn
    learner.learn = lambda *given: during.append(flags()) or learn(*given)
    # There is no GPU here: it computes on the CPU all the same.
    learner.network.parameters = lambda: iter([SimpleNamespace(device=torch.device(device))])
    train(learner, rules(epochs=1), tmp_path, Heard())
    assert during == [before if device == "cpu" else (True, True, False)]
    assert flags() == before


def test_a_finished_training_changes_nothing(tmp_path):
    first, again, heard = Learner(), Learner(), Heard()
    train(first, rules(), tmp_path, Heard())
    assert train(again, rules(), tmp_path, heard).best_epoch == 2
    assert heard.epochs == {}
    assert equal(first.weights(), again.weights())
    forget(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_loss_that_runs_away_is_told(tmp_path):
    learner = Learner()
    learner.learn = lambda epoch, seen: {"train/loss": float("nan")}
    with pytest.raises(VqcError, match="rate"):
        train(learner, rules(), tmp_path, Heard())
    assert not (tmp_path / LAST).exists()


def test_a_spoilt_or_foreign_checkpoint_is_refused(tmp_path):
    (tmp_path / LAST).write_bytes(b"nothing")
    with pytest.raises(InputError, match="--fresh"):
        train(Learner(), rules(), tmp_path, Heard())
    train(Learner(), rules(), tmp_path / "other", Heard())
    (tmp_path / "other" / LAST).replace(tmp_path / LAST)
    other = Rules("another", Headline("accuracy"), 6, 0, 3)
    with pytest.raises(InputError, match="toy"):
        train(Learner(), other, tmp_path, Heard())
