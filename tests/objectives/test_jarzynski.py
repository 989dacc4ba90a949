"""Weighted persistent chains: unbiased along any path of parameters, by enumeration."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.core.random import Stream
from harmonium.likelihood.exact import exact_log_partition, exact_moments
from harmonium.models import RBM
from harmonium.objectives import Batch, Hybrid, Jarzynski
from harmonium.objectives.jarzynski import _systematic, effective_share
from harmonium.testing.compare import assert_mean

Make = Callable[..., RBM]
Tensors = dict[str, torch.Tensor]
V = torch.zeros(1, 4, dtype=torch.float64)


def follow(target: RBM, objective: Jarzynski, seed: int, steps: int = 12) -> tuple[RBM, Tensors, Tensors]:
    """Chains along a straight line of parameters from small ones to the target, whatever the chains do."""
    end = {name: p.detach().clone() for name, p in target.parameters_by_name().items()}
    rbm = RBM.from_arrays(*[0.01 * a for a in target.to_arrays()])
    state, stream = objective.init_state(rbm, Stream(seed, "begin")), Stream(seed)
    for step in range(1, steps + 1):
        objective.gradient(rbm, Batch(V), state, stream)
        with torch.no_grad():
            for name, p in rbm.parameters_by_name().items():
                p.copy_(end[name] * step / steps)
        assert objective.after_update(rbm, state)
    return rbm, state, rbm.moments(objective.phases(rbm, Batch(V), state, stream).negative)


@pytest.mark.parametrize("resample_below", [0.0, 0.5, 1.0])
def test_mean_weights_are_the_partition_function(make_rbm: Make, resample_below: float) -> None:
    """Over seeds the mean of Z_estimate / Z is 1 within 5 standard errors, and so it is for Z_estimate E[phi]."""
    target = make_rbm(4, 3, scale=1.5, seed=2)
    log_z, moments = exact_log_partition(target), exact_moments(target)
    objective = Jarzynski(k=1, chains=40, resample_below=resample_below)
    ratios, phases = [], []
    for seed in range(60):
        _, state, negative = follow(target, objective, seed)
        ratio = torch.exp(objective.log_mean_weight(state) - log_z)
        ratios.append(ratio)
        phases.append({name: ratio * value for name, value in negative.items()})
    assert 0.01 < float(torch.stack(ratios).std()) < 1
    assert_mean("Z", torch.stack(ratios), torch.ones((), dtype=torch.float64))
    for name, value in moments.items():
        assert_mean(name, torch.stack([phase[name] for phase in phases]), value)


def test_weights_mend_what_persistent_chains_miss(make_rbm: Make) -> None:
    """Two modes whose shares change faster than chains can follow: unweighted chains stay at the old shares."""
    target = RBM.from_arrays(np.full((4, 3), 3.0), np.full(4, -3.5), np.full(3, -6.5))
    moments = exact_moments(target)
    weighted, plain = [], []
    for seed in range(20):
        rbm, state, negative = follow(target, Jarzynski(k=1, chains=400, resample_below=0.0), seed)
        weighted.append(negative["visible_bias"])
        plain.append(rbm.moments(rbm.infer(state["chains"]))["visible_bias"])
    assert_mean("weighted", torch.stack(weighted), moments["visible_bias"])
    bias = torch.stack(plain).mean(0) - moments["visible_bias"]
    assert float(bias.abs().min()) > 0.05


def test_log_z_is_tracked_through_training() -> None:
    """200 updates of fit: log Z lags by the drift that the docstring of `Jarzynski` states, which falls as 1 / chains.

    Where the drift is 0.03 nats (4,000 chains), the noise is about as much, so 0.15 is beyond five of either.
    """
    bars, errors = hm.data.load("bars-and-stripes").train, {}
    for chains in (250, 4000):
        seen: list[tuple[float, float, float]] = []

        class Track(hm.training.Callback):
            def on_update(self, training: Any) -> None:
                if training.position.update % 10:
                    return
                v = training.objective_state["chains"]
                h = model.hidden_mean(v).detach()  # noqa: B023
                pairs = (v.unsqueeze(-1) * h.unsqueeze(-2)).flatten(1)
                trace = float(torch.cat((v, h, pairs), 1).var(0).sum())
                estimate = float(training.plan.objective.log_mean_weight(training.objective_state))
                seen.append((estimate, float(exact_log_partition(model)), trace))  # noqa: B023

        model = hm.RBM(16, 6, dtype=torch.float64)
        hm.fit(
            model, bars, objective=Jarzynski(k=2, chains=chains), metric="plain", epochs=200, batch_size=32,
            learning_rate=0.2, callbacks=[Track()],
        )  # fmt: skip
        assert model.chains is not None and model.chains.shape == (chains, 16)
        estimates, exact, traces = zip(*seen, strict=True)
        assert max(exact) - min(exact) > 1
        errors[chains] = estimates[-1] - exact[-1]
        drift = -0.2 * 10 * sum(traces) / chains
        assert errors[chains] == pytest.approx(drift, rel=0.25, abs=0.1)
    assert errors[250] < -0.4 and abs(errors[4000]) < 0.15


def test_weights_telescope(make_rbm: Make) -> None:
    """One chain without a sweep between: the log-weight is the log ratio of the ends, step by step."""
    rbm = make_rbm(4, 3)
    objective = Jarzynski(chains=6)
    state = objective.init_state(rbm, Stream(0))
    start, base = state["log_weight"].clone(), rbm.base_rate()
    v = state["chains"]
    uniform = v @ base[0][0] - torch.log1p(torch.exp(base[0][0])).sum()
    assert start.numpy() == pytest.approx((-rbm.free_energy(v) - uniform - state["log_partition"]).detach().numpy())
    first = -rbm.free_energy(v)
    for _ in range(3):
        with torch.no_grad():
            for p in rbm.parameters():
                p.mul_(1.3)
        objective.after_update(rbm, state)
    expected = start - first - rbm.free_energy(v)
    assert state["log_weight"].numpy() == pytest.approx(expected.detach().numpy(), rel=1e-12)


def test_systematic_resampling() -> None:
    rng = np.random.default_rng(0)
    log_weight = torch.as_tensor(2 * rng.standard_normal(30)) - 700  # no underflow
    weight = torch.softmax(log_weight, 0)
    counts = []
    for offset in (np.arange(2000) + 0.5) / 2000:
        count = torch.bincount(_systematic(log_weight, offset), minlength=30)
        assert bool(((count - 30 * weight).abs() < 1).all()) and int(count.sum()) == 30
        counts.append(count.double())
    # a mean over a grid of offsets integrates each count but for its two jumps
    assert torch.stack(counts).mean(0).numpy() == pytest.approx(30 * weight.numpy(), abs=2 / 2000)
    assert effective_share(torch.zeros(7)) == pytest.approx(1)
    assert effective_share(torch.tensor([0.0, -1e4, -1e4, -1e4])) == pytest.approx(0.25)


def test_chains_are_drawn_anew_where_few_are_effective(make_rbm: Make) -> None:
    rbm = make_rbm(4, 3, scale=0.1)
    for weights, drawn in ((np.linspace(0, 1, 50), False), (np.linspace(0, 9, 50), True)):
        objective = Jarzynski(chains=50, resample_below=0.5)
        state = objective.init_state(rbm, Stream(0))
        state["log_weight"] = torch.as_tensor(weights)
        before = float(objective.log_mean_weight(state))
        stream = Stream(1)
        objective.phases(rbm, Batch(V), state, stream)
        assert bool((state["log_weight"] == 0).all()) == drawn and stream.step == 1 + drawn
        assert float(objective.log_mean_weight(state)) == pytest.approx(before, abs=1e-12)


def test_the_model_gets_chains_of_equal_weight(make_rbm: Make) -> None:
    objective = Jarzynski(chains=400)
    state = objective.init_state(make_rbm(4, 3, scale=2.0), Stream(0))
    state["chains"] = torch.arange(400).unsqueeze(-1)  # named, to be counted
    count = torch.bincount(objective.model_chains(state)[:, 0], minlength=400)
    expected = 400 * torch.softmax(state["log_weight"], 0)
    assert float(expected.max()) > 2 and bool(((count - expected).abs() < 1).all())
    state["log_weight"] = torch.zeros(400, dtype=torch.float64)
    assert objective.model_chains(state) is state["chains"]


@pytest.mark.parametrize("keep_best", [False, True])
def test_fit_leaves_such_chains_in_the_model(keep_best: bool) -> None:
    """Never drawn anew in training, so that weights end uneven; the last model, or the best one, gets equal chains."""
    v, objective, ends = np.repeat([[0], [1], [1]], 5, 1), Jarzynski(chains=60, resample_below=0.0), []

    class Track(hm.training.Callback):
        def on_update(self, training: Any) -> None:
            state = {name: tensor.clone() for name, tensor in training.objective_state.items()}
            ends.append((state["chains"], objective.model_chains(state)))
            if keep_best:
                training.keep_best({"update": len(ends)})

    rbm = hm.RBM(5, 3, dtype=torch.float64)
    hm.fit(rbm, v, objective=objective, epochs=60, learning_rate=0.5, callbacks=[Track()])
    weighted, equal = ends[-1]
    assert rbm.chains is not None and torch.equal(rbm.chains, equal) and not torch.equal(weighted, equal)


def test_a_trained_model_goes_on_from_its_chains(make_rbm: Make) -> None:
    rbm, objective = make_rbm(4, 3), Jarzynski(chains=5)
    rbm.chains = torch.eye(4, dtype=torch.float64)
    state = objective.init_state(rbm, Stream(0))
    assert bool((state["chains"].sum(-1) == 1).all()) and bool((state["log_weight"] == 0).all())
    assert math.isnan(float(objective.log_mean_weight(state)))


def test_it_learns_inside_a_hybrid() -> None:
    """The hybrid passes settling on: weights follow a model that moves by both parts."""
    v = np.repeat(np.random.default_rng(0).integers(0, 2, (40, 1)), 5, 1)
    objective = Hybrid(0.5, Jarzynski(k=1, chains=1000))
    seen = []

    class Track(hm.training.Callback):
        def on_update(self, training: Any) -> None:
            seen.append(float(objective.generative.log_mean_weight(training.objective_state)))  # type: ignore[attr-defined]

    rbm = hm.RBM(5, 3, dtype=torch.float64)
    hm.fit(rbm, v, objective=objective, epochs=100, batch_size=40, learning_rate=0.5, callbacks=[Track()])
    assert seen[-1] == pytest.approx(float(exact_log_partition(rbm)), abs=0.15)
    assert abs(seen[-1] - seen[0]) > 0.3
    assert not objective.can_reject and hm.CD().can_reject is False


def test_what_is_refused(make_rbm: Make) -> None:
    with pytest.raises(ValueError, match=r"Jarzynski\(k=...\) must be "):
        Jarzynski(k=0)
    with pytest.raises(ValueError, match=r"Jarzynski\(resample_below=...\) must be between 0 and 1, found 1.5"):
        Jarzynski(resample_below=1.5)
    stack = RBM.from_arrays(np.zeros((2, 3, 2)), np.zeros((2, 3)), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="Jarzynski takes one model at a time"):
        Jarzynski().init_state(stack, Stream(0))
