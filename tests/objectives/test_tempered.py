"""Reservoirs of trained machines, drawn by parallel tempering."""

from __future__ import annotations

import torch

import harmonium as hm
from harmonium.likelihood.exact import exact_log_partition, exact_moments
from harmonium.objectives.tempered import tempered_reservoir


def test_states_and_log_z_are_those_of_the_machine() -> None:
    strength = torch.full((6, 5), 2.0, dtype=torch.float64)
    rbm = hm.RBM.from_arrays(strength, -strength.sum(1) / 2 + 0.05, -strength.sum(0) / 2)
    states, log_z, variance = tempered_reservoir(rbm, 1000, 200, hm.Stream(0))
    assert states.shape == (1000, 6)
    exact = exact_moments(rbm)["visible_bias"]
    assert 0.5 < float(exact[0]) < 0.8
    # 200 independent replicas, looked at five times; five standard errors of their share.
    assert float((states.mean(0) - exact).abs().max()) < 5 * 0.5 / 200**0.5
    assert 0 < variance < 0.1**2
    assert abs(log_z - float(exact_log_partition(rbm))) < 4 * variance**0.5  # four standard errors
