"""Trajectory tempering in training: models frozen, reservoirs refilled, guards, log Z tracked, runs resumed."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.core.errors import DivergedError
from harmonium.core.files import read_tensors
from harmonium.core.registry import build
from harmonium.likelihood.exact import exact_log_partition, exact_moments
from harmonium.objectives import Batch
from harmonium.runs.checkpoint import Checkpoint

from ..training.helpers import Break

State = dict[str, torch.Tensor]


def far_patterns(cases: int = 200, width: int = 12) -> np.ndarray:
    """Two opposite patterns, the first three times as often, with one unit in twenty flipped; (cases, width) bools."""
    rng = np.random.default_rng(0)
    return (rng.random((cases, 1)) < 0.25) ^ (rng.random((cases, width)) < 0.05)


def empty(cases: int = 1) -> Batch:
    return Batch(torch.zeros(cases, 12))


class Watch(hm.training.Callback):
    """After every update the rate and the updates undone; sometimes log Z, its error, and what is exact."""

    def __init__(self, every: int = 10**9) -> None:
        self.every, self.rates, self.undone = every, [], []
        self.weights: list[torch.Tensor] = []
        self.log_z: list[tuple[float, float, float]] = []

    def on_update(self, training: Any) -> None:
        state = training.objective_state
        self.rates.append(float(state["rate"]))
        self.undone.append(int(state["count.undone"]))
        if training.position.update % self.every == 0:
            z = training.plan.objective.log_partition(training.model, state)
            self.log_z.append((z.value, (z.upper - z.value) / 3, float(exact_log_partition(training.model))))
        self.weights.append(next(iter(training.model.parameters())).detach().clone())


def fit(model: hm.models.Machine, data: Any, watch: hm.training.Callback, **options: Any) -> hm.training.History:
    usual = {"batch_size": 50, "callbacks": [watch], "seed": 1, "learning_rate": 0.05, "epochs": 100}
    return hm.fit(model, data, **(usual | options))


def test_log_z_is_tracked_within_its_error_through_reservoirs() -> None:
    watch, rbm = Watch(every=20), hm.RBM(12, 6)
    objective = hm.PTT(k=2, chains=100, freeze=0.75)
    history = fit(rbm, far_patterns(), watch, objective=objective, validation=far_patterns(), learning_rate=0.1)
    assert history["frozen_models"][-1] >= 4  # of which all but one have had a reservoir
    assert history["lagging"][-1] == history["redrawn"][-1] == 0
    assert history["renewals"][-1] >= 10
    value, stderr, exact = torch.tensor(watch.log_z).double().unbind(-1)
    score = (value - exact) / stderr
    # Twenty estimates, correlated from one to the next: within 4 errors each, and on average within 1.5.
    assert float(score.abs().max()) < 4.0
    assert abs(float(score.mean())) < 1.5
    assert float(stderr.max()) < 0.4
    assert float(exact.max() - exact.min()) > 1.0  # what was followed has moved
    row = history.rows[-1]
    likelihood = float(
        (rbm.log_weight(rbm.visible_only_state(torch.as_tensor(far_patterns()).float()))).mean().detach() - exact[-1]
    )
    assert abs(row["log_likelihood_tracked"] - likelihood) < 4 * row["log_likelihood_tracked_stderr"] + 1e-4


def test_chains_hold_both_patterns_in_their_shares() -> None:
    rbm = hm.RBM(12, 6)
    objective = hm.PTT(k=2, chains=400)
    fit(rbm, far_patterns(), Watch(), objective=objective, learning_rate=hm.schedules.Linear(0.2))
    assert rbm.chains is not None and rbm.chains.shape == (400, 12)
    v = rbm.visible.states(torch.arange(2**12)).to(rbm.dtype)
    share = float(torch.softmax(rbm.log_weight(rbm.visible_only_state(v)).detach(), 0)[v.sum(-1) > 6].sum())
    found = float((rbm.chains.sum(-1) > 6).double().mean())
    # At a rate that has fallen to zero the chains have caught up: five standard errors of 400 independent ones.
    assert abs(found - share) < 5 * (share * (1 - share) / 400) ** 0.5
    assert 0.1 < share < 0.5


def test_the_gradient_of_a_trained_model_is_right_at_once() -> None:
    """Without a past the reservoir comes from parallel tempering."""
    strength = torch.full((6, 5), 2.0, dtype=torch.float64)
    rbm = hm.RBM.from_arrays(strength, -strength.sum(1) / 2 + 0.05, -strength.sum(0) / 2)
    objective = hm.PTT(chains=500)
    state = objective.init_state(rbm, hm.Stream(0))
    exact = exact_moments(rbm)["visible_bias"]
    batch = Batch(torch.zeros(1, 6).double())
    found = rbm.moments(objective.phases(rbm, batch, state, hm.Stream(1)).negative)["visible_bias"]
    assert 0.5 < float(exact[0]) < 0.8
    assert float((found - exact).abs().max()) < 5 * 0.5 / 500**0.5  # five standard errors of a share
    z = objective.log_partition(rbm, state)
    assert abs(z.value - float(exact_log_partition(rbm))) < 5 / 3 * (z.upper - z.value) < 0.5


def test_an_update_that_goes_too_far_is_undone_and_the_rate_halved() -> None:
    watch, rbm = Watch(), hm.RBM(12, 6)
    history = fit(rbm, far_patterns(), watch, objective=hm.PTT(chains=50, trust=0.05), learning_rate=20.0, epochs=15)
    undone = [after > before for before, after in pairwise([0, *watch.undone])]
    assert 5 <= sum(undone) == history["undone_updates"][-1] < 50
    for (before, after), (w0, w1), bad in zip(
        pairwise([1.0, *watch.rates]), pairwise([None, *watch.weights]), undone, strict=True
    ):
        assert after == pytest.approx(before / 2 if bad else min(1.0, before * 2 ** (1 / 50)))
        assert w0 is None or torch.equal(w0, w1) == bad  # parameters are those from before
    assert history["learning_rate"][-1] == 20.0 * watch.rates[-1]


def test_a_model_is_frozen_as_it_was_and_its_reservoir_follows() -> None:
    rbm, objective, stream = hm.RBM(12, 6), hm.PTT(chains=30), hm.Stream(0)
    state = objective.init_state(rbm, stream)
    assert state["reservoir"].shape == (300, 12) and state["rungs"].shape == (1, 30, 12)
    first = rbm.weights.detach().clone()
    state["acceptance"] = torch.tensor([-1.0]).double()  # below `freeze` after the next exchange, too
    objective.phases(rbm, empty(5), state, stream)
    assert state["rungs"].shape == (2, 30, 12)
    assert torch.equal(state["rungs"][0], state["rungs"][1])
    assert torch.equal(state["frozen.couplings.weights"], torch.stack((first, first)))
    with torch.no_grad():
        rbm.weights.add_(0.1)
    state["log_z"] = torch.zeros(2).double()
    state["acceptance"] = torch.tensor([0.5, -1.0]).double()
    objective.phases(rbm, empty(5), state, stream)
    # The first model now has the reservoir, the second is the live rung.
    assert state["rungs"].shape == (2, 30, 12) and state["reservoir"].shape == (300, 12)
    assert torch.equal(state["frozen.couplings.weights"], torch.stack((first, rbm.weights.detach())))
    assert abs(float(state["log_z"][0])) < 1e-9  # it is the model of the reservoir before


def test_log_z_of_the_next_reservoir() -> None:
    rbm, objective, stream = hm.RBM(12, 6), hm.PTT(chains=50), hm.Stream(0)
    state = objective.init_state(rbm, stream)
    exact = []
    for _ in range(4):
        with torch.no_grad():
            rbm.weights.add_(0.05)
        exact.append(float(exact_log_partition(rbm)))
        for _ in range(5):
            objective.phases(rbm, empty(), state, stream)
        state["acceptance"][-1] = -1.0
        objective.phases(rbm, empty(), state, stream)
    value, variance = state["log_z"].tolist()
    assert exact[2] - exact[0] > 1 and 0 < variance < 0.1
    assert abs(value - exact[2]) < 4 * variance**0.5  # the third model has it, the fourth is the live rung


def with_a_live_rung() -> tuple[hm.RBM, hm.PTT, State]:
    rbm, objective = hm.RBM(12, 6), hm.PTT(chains=30)
    state = objective.init_state(rbm, hm.Stream(0))
    state["acceptance"] = torch.tensor([-1.0]).double()
    objective.phases(rbm, empty(), state, hm.Stream(1))
    assert state["rungs"].shape == (2, 30, 12)
    return rbm, objective, state


def test_chains_draw_from_a_reservoir_that_stays_as_it_is_and_exchange_among_themselves() -> None:
    rbm, objective, state = with_a_live_rung()
    kept, state["rungs"] = state["reservoir"].clone(), torch.ones(2, 30, 12)
    state["count.rounds"] = torch.tensor(101)  # the turn of the reservoir and the live rung
    objective.phases(rbm, empty(), state, hm.Stream(2))
    # All three models are alike, so every exchange is accepted.
    assert torch.equal(state["reservoir"], kept)
    assert bool((state["born"][0] == 101).all()) and bool((state["born"][1] < 101).all())
    objective.phases(rbm, empty(), state, hm.Stream(3))  # the turn of the live rung and the model
    assert bool((state["born"][1] == 101).all()) and bool((state["born"][0] < 101).all())


def test_chains_are_relieved_of_their_weights_by_exchanges_at_the_top_alone() -> None:
    rbm, objective, state = with_a_live_rung()
    work = torch.linspace(0.0, 0.1, 30).double()
    state |= {"work": work, "count.rounds": torch.tensor(101)}
    objective.phases(rbm, empty(), state, hm.Stream(2))
    assert torch.equal(state["work"], work)
    objective.phases(rbm, empty(), state, hm.Stream(3))
    assert not bool(state["work"].any())


@torch.no_grad()
def test_the_weights_of_chains_and_the_change_of_an_update() -> None:
    rbm, objective = hm.RBM(12, 6), hm.PTT(chains=40)
    state = objective.init_state(rbm, hm.Stream(0))
    objective.phases(rbm, empty(), state, hm.Stream(1))
    top = rbm.unpack(state["rungs"][-1])
    state["work"] = torch.linspace(0.0, 0.1, 40).double()
    before, work = rbm.log_weight(top).detach(), state["work"]
    with torch.no_grad():
        rbm.visible.bias.add_(torch.linspace(-0.5, 0.5, 12))
    gain = (rbm.log_weight(top) - before).detach()
    divergence = float(torch.logsumexp(gain, -1) - np.log(40) - gain.mean())  # KL(before || after)
    backwards = float(torch.logsumexp(-gain, -1) - np.log(40) + gain.mean())
    assert divergence > 0.01 and abs(divergence / backwards - 1) > 0.02
    for trust, kept in ((0.99 * divergence, False), (1.01 * divergence, True)):
        then = dict(state)
        assert hm.PTT(chains=40, trust=trust).after_update(rbm, then) == kept
        torch.testing.assert_close(then["work"], work + gain if kept else work)


def test_chains_of_an_earlier_model_owe_nothing_and_count_as_old() -> None:
    _, objective, state = with_a_live_rung()
    state |= {"work": torch.ones(30).double(), "count.renewed_at": torch.tensor(7)}
    objective.on_go_back(state)
    assert not bool(state["work"].any()) and bool((state["born"] == 6).all())


@pytest.mark.parametrize("live", [1, 3])
def test_no_more_rungs_than_asked_for(live: int) -> None:
    rbm, objective, stream = hm.RBM(12, 6), hm.PTT(chains=20, live=live), hm.Stream(0)
    state = objective.init_state(rbm, stream)
    for _ in range(5):
        state["acceptance"][-1] = -1.0
        objective.phases(rbm, empty(), state, stream)
    assert len(state["rungs"]) == live + 1 and len(state["acceptance"]) == live + 1
    assert len(state["frozen.couplings.weights"]) == live + 1


def test_training_pauses_while_the_chains_lag() -> None:
    rbm, objective, stream = hm.RBM(12, 6), hm.PTT(chains=50), hm.Stream(0)
    state = objective.init_state(rbm, stream)
    objective.phases(rbm, empty(), state, stream)
    assert int(state["count.rounds"]) == 1 and int(state["count.pauses"]) == 0
    state["work"] = torch.linspace(-5, 5, 50).double()  # as if updates had favoured some chains by exp(10)
    objective.phases(rbm, empty(), state, stream)
    pauses = int(state["count.pauses"])
    assert 1 <= pauses < 20 and int(state["count.rounds"]) == 2 + pauses
    # Exchanges with a reservoir of the same model are all accepted, and what is exchanged has no debts.
    assert not bool(state["work"].any())


def test_a_batch_of_more_than_all_probability_has_the_reservoir_drawn_anew() -> None:
    rbm, objective, stream = hm.RBM(12, 6), hm.PTT(chains=20), hm.Stream(0)
    state = objective.init_state(rbm, stream)
    batch = Batch(torch.eye(12))
    state["log_z"] = torch.tensor([-3.0, 0.0]).double()  # as if most modes had been lost
    for _ in range(20):
        objective.phases(rbm, batch, state, stream)
    assert int(state["count.redrawn"]) == 1
    assert abs(float(state["log_z"][0]) - float(exact_log_partition(rbm))) < 0.1
    for _ in range(20):
        objective.phases(rbm, batch, state, stream)
    assert int(state["count.redrawn"]) == 1 and float(state["mass"]) < 0


def test_the_mass_counts_equal_cases_once() -> None:
    rbm, objective, stream = hm.RBM(12, 6), hm.PTT(chains=20), hm.Stream(0)
    state = objective.init_state(rbm, stream)
    for _ in range(20):
        objective.phases(rbm, Batch(torch.zeros(500, 12)), state, stream)
    exact = float(-exact_log_partition(rbm) + rbm.log_weight(rbm.visible_only_state(torch.zeros(1, 12))).detach())
    assert float(state["mass"]) == pytest.approx(exact, abs=0.05)  # log Z of an untrained model has hardly any error


def test_a_checkpoint_of_an_earlier_version_gets_a_reservoir() -> None:
    rbm, objective = hm.RBM(12, 6), build({"type": "PTT", "k": 2, "chains": 20, "freeze": 0.4, "reject": 0.1})
    assert objective == hm.PTT(k=2, chains=20, freeze=0.4)
    old = {"chains": torch.zeros(3, 20, 12), "live": torch.ones(()), "rate": torch.tensor(0.25).double()}
    state = objective.restored(rbm, old, hm.Stream(0))
    assert "live" not in state and state["reservoir"].shape == (200, 12)
    assert objective.rate(state) == 0.25
    assert abs(objective.log_partition(rbm, state).value - float(exact_log_partition(rbm))) < 0.1
    assert objective.restored(rbm, state, hm.Stream(1)) is state


def test_the_best_model_may_be_chosen_by_what_is_tracked() -> None:
    rbm, early = hm.RBM(12, 6), hm.training.EarlyStopping("log_likelihood_tracked", patience=None)
    history = fit(
        rbm, far_patterns(), early, objective=hm.PTT(chains=50), validation=far_patterns(), epochs=5, learning_rate=0.5
    )
    assert history.best["log_likelihood_tracked"] == max(row["log_likelihood_tracked"] for row in history.rows)
    assert all(0 < row["log_likelihood_tracked_stderr"] < 1 for row in history.rows)


@pytest.mark.parametrize("stop", [3, 110])
def test_a_resumed_run_is_bit_identical(tmp_path: Path, stop: int) -> None:
    """Stopped while updates are undone, and with several models frozen."""
    objective = hm.PTT(chains=20, trust=0.1, freeze=0.9)

    def run(folder: Path, update: int | None, seconds: float) -> None:
        hm.fit(
            hm.RBM(12, 6), far_patterns(), out=folder, callbacks=[Break(update), Checkpoint(seconds)], optimizer="adam",
            objective=objective, learning_rate=0.5, epochs=30, batch_size=50, seed=4,
        )  # fmt: skip

    run(tmp_path / "whole", None, 60.0)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", stop, 0.0)
    hm.resume(tmp_path / "broken", data=far_patterns(), callbacks=[Break()])
    whole, broken = (read_tensors(tmp_path / name / "checkpoint.safetensors")[0] for name in ("whole", "broken"))
    assert whole.keys() == broken.keys()
    assert len(whole["objective.rungs"]) == 2 and int(whole["objective.count.frozen"]) > 2
    assert float(whole["objective.rate"]) < 1
    assert all(torch.equal(whole[name], broken[name]) for name in whole)


@pytest.mark.parametrize(
    "make",
    [lambda: hm.DBM([12, 4, 3]), lambda: hm.BoltzmannMachine(12, 3), lambda: hm.RBM(12, 6, dtype=torch.float64)],
    ids=["deep", "lateral", "float64"],
)
def test_other_machines_are_trained_and_tracked(make: Any) -> None:
    watch = Watch(every=20)
    history = fit(make(), far_patterns(), watch, objective=hm.PTT(chains=100, freeze=0.9), epochs=40, learning_rate=0.2)
    assert history["frozen_models"][-1] >= 1
    value, stderr, exact = torch.tensor(watch.log_z).double().unbind(-1)
    assert float(((value - exact) / stderr).abs().max()) < 4.5  # of eight


@pytest.mark.filterwarnings("ignore:training went wrong")
def test_real_columns_have_no_mass() -> None:
    rbm, x = hm.RBM(hm.Gaussian(4), 3), np.random.default_rng(0).normal(size=(100, 4))
    history = fit(rbm, x, Watch(), objective=hm.PTT(chains=20), epochs=15)
    assert history["redrawn"][-1] == 0


def test_a_model_too_far_from_the_data_is_an_error() -> None:
    with pytest.raises((DivergedError, ValueError)):
        fit(hm.RBM(12, 6), far_patterns(), Watch(), objective=hm.PTT(chains=20, trust=1e9), learning_rate=1e6, epochs=6)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: hm.PTT(k=0), r"PTT\(k=...\)"),
        (lambda: hm.PTT(chains=True), r"PTT\(chains=...\)"),
        (lambda: hm.PTT(freeze=1.0), r"PTT\(freeze=...\) must lie between 0 and 1"),
        (lambda: hm.PTT(lag=1.0), r"PTT\(lag=...\)"),
        (lambda: hm.PTT(trust=0.0), r"PTT\(trust=...\)"),
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
