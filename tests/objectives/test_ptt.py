"""Trajectory tempering in training: rungs frozen and dropped, updates undone, log Z tracked, runs resumed."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.core.errors import DivergedError
from harmonium.likelihood.exact import exact_log_partition, exact_moments
from harmonium.objectives import Batch
from harmonium.runs.checkpoint import Checkpoint

from ..training.helpers import Break

State = dict[str, torch.Tensor]


def far_patterns(cases: int = 200, width: int = 12) -> np.ndarray:
    """Two opposite patterns, the first three times as often, with one unit in twenty flipped; (cases, width) bools."""
    rng = np.random.default_rng(0)
    return (rng.random((cases, 1)) < 0.25) ^ (rng.random((cases, width)) < 0.05)


class Watch(hm.training.Callback):
    """The state after every update, as (rungs, rate, live), and the weights."""

    def __init__(self, every: int = 10**9) -> None:
        self.every, self.rows, self.weights = every, [], []
        self.log_z: list[tuple[float, float, float]] = []
        self.epochs: list[dict[str, Any]] = []

    def on_epoch(self, training: Any, row: dict[str, Any]) -> None:
        self.epochs.append(row)

    def on_update(self, training: Any) -> None:
        state, objective = training.objective_state, training.plan.objective
        self.rows.append((len(state["chains"]), float(state["rate"]), float(state["live"])))
        self.weights.append(training.model.weights.detach().clone())
        if training.position.update % self.every == 0:
            z = objective.log_partition(training.model, state)
            self.log_z.append((z.value, (z.upper - z.value) / 3, float(exact_log_partition(training.model))))


def fit(model: hm.models.Machine, data: Any, watch: hm.training.Callback, **options: Any) -> hm.training.History:
    return hm.fit(
        model,
        data,
        **({"batch_size": 50, "callbacks": [watch], "seed": 1, "learning_rate": 0.2, "epochs": 100} | options),
    )


def test_log_z_is_tracked_within_its_error_while_rungs_are_frozen() -> None:
    watch, rbm = Watch(every=10), hm.RBM(12, 6)
    history = fit(rbm, far_patterns(), watch, objective=hm.PTT(k=2, chains=100), validation=far_patterns())
    rungs = [row[0] for row in watch.rows]
    assert rungs[0] == 2 and rungs[-1] >= 3
    assert watch.rows[-1][1] == 1.0  # no update of such a length is undone
    value, stderr, exact = torch.tensor(watch.log_z).double().unbind(-1)
    score = (value - exact) / stderr
    # Forty estimates, correlated from one to the next: within 4 errors each, and on average within 1.5.
    assert float(score.abs().max()) < 4.0
    assert abs(float(score.mean())) < 1.5
    assert float(stderr.max()) < 0.3
    assert float(exact.max() - exact.min()) > 1.0  # what was followed has moved
    row = history.rows[-1]
    likelihood = float(
        (rbm.log_weight(rbm.visible_only_state(torch.as_tensor(far_patterns()).float()))).mean().detach() - exact[-1]
    )
    assert abs(row["log_likelihood_tracked"] - likelihood) < 4 * row["log_likelihood_tracked_stderr"] + 1e-4


def test_chains_hold_both_patterns_in_their_shares() -> None:
    rbm = hm.RBM(12, 6)
    fit(rbm, far_patterns(), Watch(), objective=hm.PTT(k=2, chains=400), learning_rate=hm.schedules.Linear(0.2))
    assert rbm.chains is not None and rbm.chains.shape == (400, 12)
    v = rbm.visible.states(torch.arange(2**12)).to(rbm.dtype)
    share = float(torch.softmax(rbm.log_weight(rbm.visible_only_state(v)), 0)[v.sum(-1) > 6].sum().detach())
    found = float((rbm.chains.sum(-1) > 6).double().mean())
    # At a rate that has fallen to zero the chains have caught up: five standard errors of 400 independent ones.
    assert abs(found - share) < 5 * (share * (1 - share) / 400) ** 0.5
    assert 0.1 < share < 0.5


def test_the_gradient_of_a_trained_model_is_right_at_once(make_rbm: Any) -> None:
    """Without a trajectory the ladder starts from temperatures."""
    strength = torch.full((6, 5), 2.0, dtype=torch.float64)
    rbm = hm.RBM.from_arrays(strength, -strength.sum(1) / 2 + 0.05, -strength.sum(0) / 2)
    objective = hm.PTT(chains=2000)
    state = objective.init_state(rbm, hm.Stream(0))
    assert len(state["chains"]) > 3
    exact = exact_moments(rbm)["visible_bias"]
    batch = Batch(torch.zeros(1, 6).double())
    found = rbm.moments(objective.phases(rbm, batch, state, hm.Stream(1)).negative)["visible_bias"]
    assert 0.5 < float(exact[0]) < 0.8
    assert float((found - exact).abs().max()) < 5 * 0.5 / 2000**0.5  # five standard errors of a share
    z = objective.log_partition(rbm, state)
    assert abs(z.value - float(exact_log_partition(rbm))) < 5 / 3 * (z.upper - z.value) < 0.5


def test_an_update_that_goes_too_far_is_undone_and_the_rate_halved() -> None:
    watch, rbm = Watch(), hm.RBM(12, 6)
    with pytest.raises(DivergedError, match="independent columns"):  # the first updates were not undone
        fit(rbm, far_patterns(), watch, objective=hm.PTT(chains=50), learning_rate=500.0, epochs=12)
    rates = [1.0, *(row[1] for row in watch.rows)]
    undone = [after < before for before, after in pairwise(rates)]
    assert 2 <= sum(undone) <= 20 and not undone[-1]
    assert all(after in (before, before / 2) for before, after in pairwise(rates))
    for i in range(1, len(undone)):
        moved = not torch.equal(watch.weights[i], watch.weights[i - 1])
        assert moved != undone[i]  # parameters are those from before
        if undone[i - 1]:  # and the next update starts from a rung of its own
            assert watch.rows[i][0] >= watch.rows[i - 1][0] + (0 if undone[i] else 1)
    assert watch.epochs[-1]["learning_rate"] == 500.0 * rates[-1]
    assert all(live >= 0.1 for (_, _, live), bad in zip(watch.rows, undone, strict=True) if not bad)


def test_a_model_is_frozen_as_it_was_with_its_chains(make_rbm: Any) -> None:
    rbm, objective, stream = hm.RBM(12, 6), hm.PTT(chains=30), hm.Stream(0)
    state = objective.init_state(rbm, stream)
    before = rbm.weights.detach().clone()
    state["live"] = torch.tensor(0.29).double()
    objective.phases(rbm, Batch(torch.zeros(5, 12)), state, stream)
    assert state["chains"].shape[0] == 3 and state["to"].shape == (1, 30)
    assert torch.equal(state["rungs.couplings.weights"][1], before)
    assert torch.equal(state["chains"][1], state["chains"][2])
    assert float(state["live"]) == 1.0
    with torch.no_grad():
        rbm.weights.add_(1)
    assert torch.equal(state["rungs.couplings.weights"][1], before)
    objective.phases(rbm, Batch(torch.zeros(5, 12)), state, stream)
    assert torch.equal(state["rungs.couplings.weights"][1:], torch.stack((before, rbm.weights.detach())))


def test_a_rung_that_the_model_has_come_back_from_is_dropped() -> None:
    rbm, objective, stream = hm.RBM(12, 6), hm.PTT(chains=30), hm.Stream(0)
    state = objective.init_state(rbm, stream)
    start = rbm.weights.detach().clone()
    with torch.no_grad():
        rbm.weights.add_(0.1)
    state["live"] = torch.tensor(0.0).double()
    objective.phases(rbm, Batch(torch.zeros(5, 12)), state, stream)  # freezes the model far from where it began
    assert len(state["chains"]) == 3
    with torch.no_grad():
        rbm.weights.copy_(start)
    for _ in range(40):
        objective.phases(rbm, Batch(torch.zeros(5, 12)), state, stream)
        live = state["chains"][-1]
        assert objective.after_update(rbm, state)
        assert torch.equal(state["chains"][-1], live)
        if len(state["chains"]) == 2:
            break
    assert len(state["chains"]) == 2
    assert state["to"].shape == (0, 30)
    assert float(state["live"]) > 0.5
    assert torch.equal(state["rungs.couplings.weights"][0], torch.zeros(12, 6))


def test_the_best_model_may_be_chosen_by_what_is_tracked() -> None:
    rbm, early = hm.RBM(12, 6), hm.training.EarlyStopping("log_likelihood_tracked", patience=None)
    history = fit(
        rbm, far_patterns(), early, objective=hm.PTT(chains=50), validation=far_patterns(), epochs=5, learning_rate=0.5
    )
    assert history.best["log_likelihood_tracked"] == max(row["log_likelihood_tracked"] for row in history.rows)
    assert all(0 < row["log_likelihood_tracked_stderr"] < 1 for row in history.rows)


@pytest.mark.filterwarnings("ignore:training went wrong")
@pytest.mark.parametrize("stop", [3, 150])
def test_a_resumed_run_is_bit_identical(tmp_path: Path, stop: int) -> None:
    """Stopped while updates are undone, and with several rungs."""

    def options() -> dict[str, Any]:
        return {"objective": hm.PTT(chains=20), "learning_rate": 5.0, "epochs": 45, "batch_size": 50, "seed": 4}

    def run(folder: Path, update: int | None, seconds: float) -> None:
        hm.fit(
            hm.RBM(12, 6), far_patterns(), out=folder, callbacks=[Break(update), Checkpoint(seconds)], optimizer="adam",
            **options(),
        )  # fmt: skip

    run(tmp_path / "whole", None, 60.0)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", stop, 0.0)
    hm.resume(tmp_path / "broken", data=far_patterns(), callbacks=[Break()])
    from harmonium.core.files import read_tensors

    whole, broken = (read_tensors(tmp_path / name / "checkpoint.safetensors")[0] for name in ("whole", "broken"))
    assert whole.keys() == broken.keys()
    assert len(whole["objective.chains"]) > 3
    assert float(whole["objective.rate"]) < 1
    assert all(torch.equal(whole[name], broken[name]) for name in whole)


@pytest.mark.parametrize(
    "make",
    [lambda: hm.DBM([12, 4, 3]), lambda: hm.BoltzmannMachine(12, 3), lambda: hm.RBM(12, 6, dtype=torch.float64)],
    ids=["deep", "lateral", "float64"],
)
def test_other_machines_are_trained_and_tracked(make: Any) -> None:
    watch, machine = Watch(every=20), make()

    class Look(hm.training.Callback):
        def on_update(self, training: Any) -> None:
            if training.position.update % 20 == 0:
                z = training.plan.objective.log_partition(training.model, training.objective_state)
                watch.log_z.append((z.value, (z.upper - z.value) / 3, float(exact_log_partition(training.model))))

    fit(machine, far_patterns(), Look(), objective=hm.PTT(chains=100), epochs=40)
    value, stderr, exact = torch.tensor(watch.log_z).double().unbind(-1)
    assert float(((value - exact) / stderr).abs().max()) < 4.5  # of eight


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: hm.PTT(k=0), r"PTT\(k=...\)"),
        (lambda: hm.PTT(chains=True), r"PTT\(chains=...\)"),
        (lambda: hm.PTT(freeze=0.1, reject=0.2), "reject < freeze"),
        (
            lambda: hm.PTT().init_state(
                hm.RBM.from_arrays(np.zeros((2, 3, 2)), np.zeros((2, 3)), np.zeros((2, 2))), hm.Stream(0)
            ),
            "found a batched model",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(call: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
