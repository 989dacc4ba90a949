"""What is wrong with chains is found and named; nothing is found at equilibrium."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from harmonium.core.random import Stream
from harmonium.diagnostics.equilibrium import equilibrium_test
from harmonium.models import RBM
from harmonium.testing.joint import Joint, start_at

from .helpers import far_modes, in_modes, knowing, strong

Make = Callable[..., RBM]


def names(rbm: RBM, chains: torch.Tensor) -> list[str]:
    before = chains.clone()
    test = equilibrium_test(rbm, chains, Stream(5), temperatures=200)
    assert torch.equal(chains, before)
    assert test.passed is (False if test.findings else test.missing_modes.passed)
    return [finding.name for finding in test.findings]


def test_nothing_at_equilibrium(make_rbm: Make) -> None:
    """30 machines, twice ten statistics each at 4.5 standard errors: a false alarm in 1 of 250 such tests."""
    for seed in range(30):
        rbm = make_rbm(6, 4, scale=(0.5, 1.0, 2.0)[seed % 3], seed=seed)
        v = start_at(Joint(rbm), 500, Stream(seed))[0]
        assert v is not None
        assert names(knowing(rbm, v[200:]), v[:200]) == []


def test_a_drift_is_told_in_nats() -> None:
    rbm = strong()
    ones = torch.ones(200, 10, dtype=torch.float64)
    test = equilibrium_test(rbm, ones, Stream(5), temperatures=200)
    truth = start_at(Joint(rbm), 20000, Stream(0))[0]
    change = float((rbm.free_energy(truth).mean() - rbm.free_energy(ones).mean()).detach())
    assert test.free_energy == pytest.approx(change, abs=0.5)  # 200 chains of a standard deviation of about 1
    assert test.findings[0].name == "drift" and f"{test.free_energy:+.2f} nats" in test.findings[0].what
    assert str(test.findings[0]).endswith("Use more sweeps per update, PCD(k=10), a lower learning rate, or tempered "
                                          "chains (PT, PTT)")  # fmt: skip


def test_huge_weights_freeze() -> None:
    rng = np.random.default_rng(0)
    rbm = RBM.from_arrays(60 * rng.standard_normal((12, 8)), np.zeros(12), np.zeros(8))
    v = rbm.gibbs(torch.as_tensor(rng.integers(0, 2, (100, 12)).astype(float)), 50, Stream(0))
    assert len(torch.unique(v, dim=0)) > 3
    assert "frozen" in names(rbm, v)


def test_one_likely_state_is_no_standstill() -> None:
    """Nine in ten chains are where they were before, as independent draws would be."""
    rbm = RBM.from_arrays(np.zeros((3, 1)), np.full(3, -3.4), np.zeros(1))
    v = start_at(Joint(rbm), 200, Stream(0))[0]
    assert v is not None
    test = equilibrium_test(rbm, v, Stream(5), temperatures=50)
    assert test.moved == pytest.approx(1, abs=0.5) and not test.findings


def test_all_chains_in_one_state_have_collapsed() -> None:
    rbm = far_modes()
    with torch.no_grad():
        for parameter in rbm.parameters():
            parameter.mul_(30)
    v = torch.zeros(100, 20, dtype=torch.float64)
    test = equilibrium_test(rbm, v, Stream(5), temperatures=200)
    assert "collapsed" in [finding.name for finding in test.findings] and test.spread == 0
    assert equilibrium_test(far_modes(), in_modes(500, 0.5), Stream(5)).spread == pytest.approx(1, abs=0.1)


def test_all_chains_in_one_of_two_modes() -> None:
    assert names(far_modes(), in_modes(256, 0.0)) == ["missing_mode"]
    assert names(far_modes(), in_modes(256, 0.5)) == []


def test_few_chains_cannot_be_judged(make_rbm: Make) -> None:
    rbm = make_rbm(6, 4)
    v = start_at(Joint(rbm), 10, Stream(0))[0]
    assert v is not None
    assert equilibrium_test(rbm, v, Stream(5)).passed is None
