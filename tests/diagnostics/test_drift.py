"""The lag test passes at equilibrium and fails away from it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from harmonium.core.random import Stream
from harmonium.diagnostics.drift import drift_test
from harmonium.models import RBM
from harmonium.testing.joint import Joint, start_at

Make = Callable[..., RBM]


def test_passes_at_equilibrium(make_rbm: Make) -> None:
    """60 tests at a false alarm rate of 1 in 15,000 each (with few chains a little more)."""
    failures = []
    for seed in range(20):
        rbm = make_rbm(6, 4, seed=seed)
        joint = Joint(rbm)
        for chains, sweeps in ((30, 3), (100, 20), (400, 1)):
            v = start_at(joint, chains, Stream(seed, chains))[0]
            assert v is not None
            result = drift_test(rbm, v, Stream(seed, "lag"), sweeps)
            if not result.passed:
                failures.append(result.why)
            assert torch.equal(result.chains, rbm.gibbs(v, sweeps, Stream(seed, "lag")))
    assert not failures


def test_fails_far_away(make_rbm: Make) -> None:
    """All ones on a strongly coupled model whose mass lies elsewhere."""
    rng = np.random.default_rng(0)
    rbm = RBM.from_arrays(2 * rng.standard_normal((10, 8)), np.full(10, -1.0), np.full(8, -1.0))
    for chains in (20, 100):
        result = drift_test(rbm, torch.ones(chains, 10, dtype=torch.float64), Stream(1), 50)
        assert not result.passed and "drift" in result.why and "run them longer" in result.why


def test_fails_where_every_chain_makes_the_same_step() -> None:
    """All chains fall from all zeros to all ones: the step has no spread, and no smaller meaning for that."""
    rbm = RBM.from_arrays(np.zeros((6, 3)), np.full(6, 60.0), np.zeros(3))
    result = drift_test(rbm, torch.zeros(50, 6, dtype=torch.float64), Stream(1), 5)
    assert bool((result.chains == 1).all())
    assert not result.passed and "drift" in result.why


def test_few_or_frozen_chains_do_not_pass(make_rbm: Make) -> None:
    rbm = make_rbm(6, 4)
    v = start_at(Joint(rbm), 19, Stream(0))[0]
    assert v is not None
    assert drift_test(rbm, v, Stream(1)).why == "only 19 chains: at least 20 are needed to detect a drift"
    frozen = RBM.from_arrays(np.zeros((6, 3)), np.full(6, 60.0), np.zeros(3))
    result = drift_test(frozen, torch.ones(50, 6, dtype=torch.float64), Stream(1), 5)
    assert not result.passed and result.why == "the chains did not move at all in 5 sweeps"


def test_units_that_never_move_do_not_matter(make_rbm: Make) -> None:
    W, b, c = make_rbm(6, 4).to_arrays()
    W[0], b[0] = 0, 60
    rbm = RBM.from_arrays(W, b, c)
    v = start_at(Joint(rbm), 100, Stream(0))[0]
    assert v is not None
    assert drift_test(rbm, v, Stream(1), 20).passed
