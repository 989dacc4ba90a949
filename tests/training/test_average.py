"""Averages of the parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.runs.checkpoint import Checkpoint
from harmonium.training.average import Average

from .helpers import Break, Tensors, patterns, same, tensors, trained
from .helpers import one_thread as one_thread


class Listener(hm.training.Callback):
    """What parameters are after updates and when they are measured."""

    def __init__(self) -> None:
        self.updates: dict[int, Tensors] = {}
        self.measured: dict[int, Tensors] = {}

    def on_update(self, training: Any) -> None:
        self.updates[training.position.update] = tensors(training.model)

    def on_measure(self, training: Any, row: hm.training.History) -> None:
        self.measured[training.position.update] = tensors(training.model)


def looks(average: Average, values: list[float]) -> float:
    state: dict[str, torch.Tensor] = {}
    for value in values:
        average.look({"x": torch.tensor([value])}, state)
    return float(average.mean(state)["x"])


def test_the_mean_of_all() -> None:
    values = [1.0, 4.0, -2.0, 7.0]
    assert looks(Average(share=1.0), values) == pytest.approx(np.mean(values), rel=1e-12)


def test_a_share_by_the_weights_of_shamir_and_zhang() -> None:
    # c = 3: look k has the weight 4 / (k + 3) times what later looks leave, which is proportional to k (k + 1) (k + 2).
    values = [1.0, 4.0, -2.0, 7.0, 0.5]
    weights = [k * (k + 1) * (k + 2) for k in range(1, 6)]
    assert looks(Average(share=0.25), values) == pytest.approx(np.average(values, weights=weights), rel=1e-12)


def test_a_number_of_updates() -> None:
    values = list(np.random.default_rng(0).normal(size=40))
    expected = values[0]
    for k, value in enumerate(values, 1):
        expected += max(1 / k, 0.2) * (value - expected)
    assert looks(Average(updates=50, every=10), values) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("loop", ["compiled", "single"])
def test_monitors_see_the_average_and_it_is_left(loop: str) -> None:
    average, listener = Average(share=0.5, every=3), Listener()
    listener.every_updates = 1 if loop == "single" else 3
    rbm = hm.RBM(12, 5)
    options: dict[str, Any] = {"epochs": 3, "batch_size": 16, "objective": hm.PCD(chains=8), "seed": 3}
    hm.fit(rbm, patterns(), average=average, callbacks=[listener], **options)
    state: dict[str, torch.Tensor] = {}
    for update in range(1, 13):
        if update % 3 == 0:
            now = {name: listener.updates[update][name] for name, _ in rbm.named_parameters()}
            average.look(now, state)
        if update in (4, 8, 12):
            for name, value in average.mean(state).items():
                assert torch.equal(listener.measured[update][name], value.float()), (update, name)
    for name, value in average.mean(state).items():
        assert torch.equal(rbm.state_dict()[name], value.float())
        assert not torch.equal(value.float(), listener.updates[12][name])
    # Gradients are those of the last parameters: the updates are the same as without.
    alone = trained(patterns())
    for name, _ in rbm.named_parameters():
        torch.testing.assert_close(listener.updates[12][name], alone[name], rtol=1e-4, atol=1e-5)


def test_chains_are_those_of_the_averaged_model() -> None:
    """Six units, all states enumerated: means of 4,000 chains, of which each has a standard error below 0.008."""
    data = np.random.default_rng(0).random((200, 6)) < 0.5
    data[:, 1] = data[:, 0]
    rbm = hm.RBM(6, 3)
    hm.fit(rbm, data, epochs=20, batch_size=20, learning_rate=2.0, objective=hm.PCD(chains=4000), average=Average(1.0))
    states = torch.tensor([[i >> bit & 1 for bit in range(6)] for i in range(64)], dtype=torch.float32)
    p = rbm.log_prob(states, hm.log_partition(rbm, "exact").value).exp().double()
    assert rbm.chains is not None
    found = torch.cat((rbm.chains[:, :6].mean(0), (rbm.chains[:, 0] * rbm.chains[:, 1]).mean().view(1))).double()
    expected = torch.cat((p @ states.double(), (p @ (states[:, 0] * states[:, 1]).double()).view(1)))
    torch.testing.assert_close(found, expected, rtol=0, atol=0.035)  # four and a half of them


def test_the_best_averaged_model_is_kept() -> None:
    data, valid = patterns(), patterns(seed=1)
    rbm = hm.RBM(12, 5)
    stop = hm.training.EarlyStopping("log_likelihood", patience=None)
    history = hm.fit(
        rbm, data, validation=valid, epochs=30, batch_size=16, learning_rate=0.5, average=Average(0.3, every=2),
        callbacks=[hm.training.LikelihoodMonitor(every=5), stop],
    )  # fmt: skip
    assert history.best is not None
    assert hm.evaluate(rbm, valid).mean == pytest.approx(history.best["log_likelihood"], abs=1e-6)


def test_a_training_that_plans_itself() -> None:
    rbm = hm.RBM(12, 5)
    history = hm.fit(rbm, patterns(300), minutes=0.05, average=Average())
    assert history.best is not None and hm.evaluate(rbm, patterns(300)).gained > 1.0


@pytest.mark.parametrize("update", [7, 8, 10])  # within an epoch, at its end, after the next look
def test_resumed_bit_for_bit(update: int, tmp_path: Path) -> None:
    data, average = patterns(), Average(0.4, every=3)
    whole = trained(data, average=average)
    with pytest.raises(KeyboardInterrupt):
        hm.fit(hm.RBM(12, 5), data, epochs=3, batch_size=16, objective=hm.PCD(chains=8), seed=3, average=average,
               out=tmp_path / "run", callbacks=[Checkpoint(0), Break(update)])  # fmt: skip
    model, _ = hm.resume(tmp_path / "run", data=data, callbacks=[Break()])
    # Checkpoint(0) is called after every update, which the compiled loop makes one by one then.
    assert same(tensors(model), trained(data, average=average, callbacks=[Break()]))
    again, _ = hm.resume(tmp_path / "run", data=data, callbacks=[Break()])
    assert same(tensors(again), tensors(model)) and whole.keys() == tensors(model).keys()


def test_going_back_begins_the_average_again() -> None:
    class Back(hm.training.Callback):
        def on_epoch(self, training: Any, row: hm.training.History) -> None:
            if row["epoch"] == 1:
                training.keep_best(row)
                self.kept = {name: value.clone() for name, value in training.best.items()}
            elif row["epoch"] == 2:
                training.go_back(0.5)
                training.stop = "it is enough"

        def on_end(self, training: Any) -> None:
            self.left = tensors(training.model)
            self.average = dict(training.average_state)

    back = Back()
    trained(patterns(), average=Average(every=1), callbacks=[back])
    assert all(torch.equal(back.left[name], value) for name, value in back.kept.items() if "chains" not in name)
    assert not back.average


def test_refused() -> None:
    for share in (0.0, 1.5, float("nan")):
        with pytest.raises(ValueError, match=r"Average\(share=...\) must be a number in \(0, 1\]"):
            Average(share=share)
    with pytest.raises(ValueError, match=r"Average\(every=...\)"):
        Average(every=0)
    with pytest.raises(ValueError, match=r"Average\(updates=...\)"):
        Average(updates=0)
    with pytest.raises(TypeError, match=r"average must be a harmonium.training.Average, .*found 0.9"):
        trained(patterns(), average=0.9)
