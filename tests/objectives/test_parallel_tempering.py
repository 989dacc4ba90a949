"""Parallel tempering as the negative phase."""

from __future__ import annotations

import pytest
import torch

import harmonium as hm
from harmonium.likelihood.exact import exact_moments
from harmonium.objectives import Batch


@pytest.mark.parametrize("adapt", [False, True])
def test_the_negative_phase_is_that_of_the_model_with_two_far_modes(adapt: bool) -> None:
    W = torch.full((6, 5), 2.0, dtype=torch.float64)
    rbm = hm.RBM.from_arrays(W, -W.sum(1) / 2 + 0.05, -W.sum(0) / 2 + 0.05)  # all on, a little likelier, or all off
    objective, stream = hm.PT(rungs=5, chains=500, adapt=adapt), hm.Stream(0)
    state, batch = objective.init_state(rbm, hm.Stream(1)), Batch(torch.ones(1, 6, dtype=torch.float64))
    for _ in range(150):
        negative = rbm.moments(objective.phases(rbm, batch, state, stream).negative)
    exact = exact_moments(rbm)
    for name, found in negative.items():
        # Moments of 500 independent replicas, each unit's variance at most 1/4.
        assert float((found - exact[name]).abs().max()) < 5 * (0.25 / 500) ** 0.5, name
    top = objective.model_chains(state)
    assert top is not None and top.shape == (500, 6)
    assert torch.equal(rbm.hidden_mean(top).mean(0), negative["hidden_bias"])
    t = state["t"]
    assert float(t[0]) == 0 and float(t[-1]) == 1 and bool((t.diff() > 0).all())
    assert torch.allclose(t, torch.linspace(0, 1, 5, dtype=torch.float64)) != adapt


def test_a_resumed_objective_goes_on_bit_for_bit() -> None:
    rbm, objective, batch = hm.RBM(5, 3), hm.PT(rungs=4, chains=6), Batch(torch.ones(2, 5))
    state, stream = objective.init_state(rbm, hm.Stream(1)), hm.Stream(0)
    for _ in range(3):
        objective.phases(rbm, batch, state, stream)
    kept = {name: tensor.clone() for name, tensor in state.items()}
    again = hm.Stream(0, step=stream.step)
    for _ in range(3):
        objective.phases(rbm, batch, state, stream)
        objective.phases(rbm, batch, kept, again)
    assert all(torch.equal(state[name], kept[name]) for name in state)


def test_a_trained_model_goes_on_from_its_chains() -> None:
    rbm, objective = hm.RBM(5, 3), hm.PT(rungs=4, chains=6)
    rbm.chains = torch.ones(6, 5)
    assert torch.equal(objective.model_chains(objective.init_state(rbm, hm.Stream(0))), rbm.chains)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"rungs": 1}, {"k": 0}, {"chains": 0}, {"rungs": 2.5}])
def test_options_out_of_range_are_named(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=rf"PT\({next(iter(options))}=\.\.\.\)"):
        hm.PT(**options)
