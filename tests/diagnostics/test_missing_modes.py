"""Annealed chains find what others miss, and raise no alarm where nothing is missed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from harmonium.core.random import Stream
from harmonium.diagnostics.drift import drift_test
from harmonium.diagnostics.missing_modes import missing_mode_test
from harmonium.models import RBM
from harmonium.testing.joint import Joint, start_at

from .helpers import far_modes, in_modes, knowing

Make = Callable[..., RBM]


def test_passes_at_equilibrium(make_rbm: Make) -> None:
    """30 tests at a false alarm rate of about 1 in 15,000 each, on weak and on strong weights."""
    for seed in range(30):
        rbm = make_rbm(6, 4, scale=(0.5, 1.0, 2.0)[seed % 3], seed=seed)
        v = start_at(Joint(rbm), 556, Stream(seed))[0]
        assert v is not None
        rbm = knowing(rbm, v[256:])
        found = missing_mode_test(rbm, v[: (30, 256)[seed % 2]], Stream(seed, "unseen"), temperatures=200)
        assert found.passed and found.ess > 100, found


def test_finds_the_mode_that_no_chain_visits() -> None:
    """The lag test passes, as it must: nothing drifts."""
    rbm = far_modes()
    trapped = in_modes(256, 0.0)
    assert drift_test(rbm, trapped, Stream(0)).passed
    found = missing_mode_test(rbm, trapped, Stream(1))
    assert found.passed is False and found.difference > 8
    # Half of the model is there; 5 standard errors of 150 effective draws are 20 %.
    share = int(found.why.split("errors: ")[1].split("%")[0])
    assert 30 <= share <= 70 and "lies where 0% of the chains are; the chains miss a part of the model" in found.why
    assert missing_mode_test(rbm, in_modes(256, 0.5), Stream(1)).passed


def test_wrong_shares_are_seen_too() -> None:
    found = missing_mode_test(far_modes(), in_modes(256, 0.05), Stream(1))
    assert found.passed is False and "the probabilities of the modes differ" in found.why


def test_what_annealing_does_not_find_cannot_be_judged() -> None:
    """From the means of the first mode the path leads there alone, and all weights look well."""
    rbm = far_modes()
    rbm.data_mean = torch.full((20,), 0.02, dtype=torch.float64)
    found = missing_mode_test(rbm, in_modes(256, 0.5), Stream(1))
    assert found.passed is None and found.ess > 100 and "either annealing misses" in found.why


def test_a_mean_field_may_know_one_mode_alone() -> None:
    """Without the means of the data annealing begins, and ends, in one mode, and all its weights are alike."""
    rbm = far_modes()
    base = rbm.base_rate()
    rbm.data_mean = rbm.data_variance = rbm.data_cases = None
    found = missing_mode_test(rbm, in_modes(256, 0.0), Stream(1))
    assert found.passed is None and found.ess > 150 and "may cover a single mode" in found.why
    assert missing_mode_test(rbm, in_modes(256, 0.0), Stream(1), base=base).passed is False
    assert missing_mode_test(rbm, in_modes(256, 0.5), Stream(1), base=base).passed is True


def test_the_weights_count(make_rbm: Make) -> None:
    """Two temperatures: fair coins, which agree with the model by their weights alone."""
    rbm = make_rbm(6, 3)
    rbm.data_mean = torch.full((6,), 0.5, dtype=torch.float64)
    rbm.data_variance, rbm.data_cases = rbm.data_mean / 2, torch.tensor(1e6)
    v = start_at(Joint(rbm), 2000, Stream(0))[0]
    assert v is not None
    found = missing_mode_test(rbm, v, Stream(1), annealed=2000, temperatures=2)
    assert found.passed and 200 < found.ess < 1800


def one_unit(probability: float) -> RBM:
    """A visible unit that is on with this probability, and a hidden one that does nothing."""
    return RBM.from_arrays(np.zeros((1, 1)), np.array([np.log(probability / (1 - probability))]), np.zeros(1))


def test_one_heavy_weight_is_no_evidence() -> None:
    """One annealed chain of 200 is on, with a weight of 0.16, where 1 of 256 chains is: that is luck, and no alarm.

    Both samples taken for draws of one distribution would differ by 6 standard errors.  Seed 119 has such a chain.
    """
    rbm, rare = one_unit(0.004), torch.logit(torch.tensor([0.0001], dtype=torch.float64))
    base = ((rare,), (torch.zeros(1, dtype=torch.float64),))
    chains = (torch.arange(256).unsqueeze(-1) == 0).double()
    found = missing_mode_test(rbm, chains, Stream(119), temperatures=2, base=base)
    assert found.ess == pytest.approx(240**2 / (199 + 40**2), rel=0.02)  # one weight of 40, 199 of 1
    assert found.passed and found.difference < 2


def test_few_chains_may_miss_something_by_luck() -> None:
    """20 draws of a unit that is on once in ten are all off with probability 0.12.

    By the spread of the annealed chains alone, the 20 having none, they would differ by 5 standard errors.
    """
    rbm = one_unit(0.1)
    found = missing_mode_test(
        rbm, torch.zeros(20, 1, dtype=torch.float64), Stream(0), temperatures=2, base=rbm.base_rate()
    )
    assert found.passed and found.difference < 2.5


def test_too_few_cannot_be_judged(make_rbm: Make) -> None:
    rbm = make_rbm(6, 4)
    v = start_at(Joint(rbm), 256, Stream(0))[0]
    assert v is not None
    few = missing_mode_test(rbm, v[:19], Stream(1))
    assert few.passed is None and few.why.endswith("19 chains are too few (at least 20)")
    light = missing_mode_test(rbm, v, Stream(1), annealed=25)
    assert light.passed is None and light.ess == pytest.approx(25, abs=1) and "use more temperatures" in light.why


def test_the_smallest_mode_that_would_be_seen() -> None:
    """Chains miss a mode of probability p: sqrt(p ESS / (1 - p)) standard errors, 4.5 of them at `visible`."""
    found = missing_mode_test(far_modes(), in_modes(256, 0.0), Stream(1))
    p, k = found.visible, found.ess
    assert (p * k / (1 - p)) ** 0.5 == pytest.approx(4.5)
