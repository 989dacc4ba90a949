"""Exchanges between two machines, and reservoirs made by them, against enumeration."""

from __future__ import annotations

import torch

import harmonium as hm
from harmonium.likelihood.bridge import bennett_ladder, standard_error
from harmonium.likelihood.exact import exact_log_partition
from harmonium.sampling.reservoir import exchange_states, refilled


def machine(strength: float, tilt: float) -> hm.RBM:
    """Two modes, all units on or all off, the more separate the stronger the weights; (6 visible, 3 hidden)."""
    weights = torch.full((6, 3), strength, dtype=torch.float64)
    return hm.RBM.from_arrays(weights, -weights.sum(1) / 2 + tilt, -weights.sum(0) / 2)


def distribution(rbm: hm.RBM) -> torch.Tensor:
    """Probabilities of all visible states, (64,)."""
    v = rbm.visible.states(torch.arange(64)).double()
    return torch.softmax(rbm.log_weight(rbm.visible_only_state(v)).detach(), 0)


def exact_draws(rbm: hm.RBM, count: int, seed: int) -> torch.Tensor:
    index = torch.multinomial(distribution(rbm), count, True, generator=torch.Generator().manual_seed(seed))
    return rbm.visible.states(index).double()


def frequencies(rbm: hm.RBM, states: torch.Tensor) -> torch.Tensor:
    index = (states @ (2.0 ** torch.arange(6)).double()).long()
    order = (rbm.visible.states(torch.arange(64)).double() @ (2.0 ** torch.arange(6)).double()).long()
    return torch.bincount(index, minlength=64)[order] / len(states)


def largest_score(found: torch.Tensor, p: torch.Tensor, count: int) -> float:
    return float(((found - p) / (p * (1 - p) / count).sqrt()).abs().max())


def test_exchanges_leave_both_distributions_as_they_are() -> None:
    lower, upper, count = machine(0.3, 0.1), machine(0.9, -0.2), 100_000
    low, high = exact_draws(lower, count, 0), exact_draws(upper, count, 1)
    pair = exchange_states(lower, upper, low, high, hm.Stream(2))
    assert 0.1 < float(pair.accepted.double().mean()) < 0.9
    # The largest of 64 scores; independent draws exceed 4.5 in one of 2,000 tests.
    assert largest_score(frequencies(lower, pair.low), distribution(lower), count) < 4.5
    assert largest_score(frequencies(upper, pair.high), distribution(upper), count) < 4.5
    moved = pair.accepted.unsqueeze(-1)
    assert torch.equal(pair.low, torch.where(moved, high, low))
    assert torch.equal(pair.high, torch.where(moved, low, high))


def test_a_reservoir_follows_the_upper_machine_though_its_chains_began_in_one_mode() -> None:
    lower, upper, count = machine(0.5, 0.0), machine(1.2, 0.1), 20_000
    filled = refilled(lower, upper, exact_draws(lower, count, 0), torch.zeros(50, 6).double(), hm.Stream(1))
    assert filled.renewed > 0.95
    assert filled.up.shape == filled.down.shape == (len(filled.up), count)
    assert largest_score(frequencies(upper, filled.states), distribution(upper), count) < 4.5
    value, influence = bennett_ladder([filled.up], [filled.down])
    exact = float(exact_log_partition(upper) - exact_log_partition(lower))
    assert 0 < standard_error(influence) < 0.02
    assert abs(value - exact) < 4 * standard_error(influence)  # four standard errors


def test_a_reservoir_has_the_shares_of_modes_that_sweeps_do_not_change() -> None:
    """Far modes: only exchanges can bring the share of the states that are on from 0.5 to that of the upper machine."""
    lower, upper, count = machine(2.0, 0.0), machine(2.6, 0.15), 20_000
    on = (upper.visible.states(torch.arange(64)).sum(-1) > 3).double()
    exact = float(distribution(upper) @ on)
    kept = upper.gibbs(torch.zeros(1000, 6).double(), 10, hm.Stream(0))
    assert float((kept.sum(-1) > 3).double().mean()) < 0.1 and 0.6 < exact < 0.9
    filled = refilled(lower, upper, exact_draws(lower, count, 0), torch.zeros(50, 6).double(), hm.Stream(1))
    share = float((filled.states.sum(-1) > 3).double().mean())
    assert abs(share - exact) < 5 * (exact * (1 - exact) / count) ** 0.5  # five standard errors of independent states


def test_states_that_never_pass_are_counted() -> None:
    lower, upper = machine(0.0, 30.0), machine(0.0, -30.0)  # all on, all off
    on, off = torch.ones(20, 6).double(), torch.zeros(5, 6).double()
    filled = refilled(lower, upper, on, off, hm.Stream(0))
    assert filled.renewed == 0.0 and not bool(filled.states.any())
    assert len(filled.states) == 20
