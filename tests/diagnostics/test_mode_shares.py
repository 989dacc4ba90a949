"""Shares of modes by tempered chains, against enumeration."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import harmonium as hm
from harmonium.diagnostics.mode_shares import shares_with_errors


def planted() -> hm.RBM:
    """Two modes, all units on or all off, which Gibbs chains do not leave."""
    weights = torch.full((10, 4), 2.5, dtype=torch.float64)
    return hm.RBM.from_arrays(weights, -weights.sum(1) / 2 - 0.12, -weights.sum(0) / 2)


def mostly_on(v: torch.Tensor) -> torch.Tensor:
    return (v.sum(-1) > 5).long()


def test_shares_of_far_modes_are_those_of_the_model() -> None:
    rbm = planted()
    v = rbm.visible.states(torch.arange(2**10)).double()
    p = torch.softmax(rbm.log_weight(rbm.visible_only_state(v)).detach(), 0)
    exact = float(p[mostly_on(v) == 1].sum())
    found = hm.diagnostics.mode_shares(rbm, mostly_on, replicas=50, rounds=300)
    assert 0.1 < exact < 0.4 and found.reliable and found.renewals > 200
    assert 0 < float(found.stderr[1]) < 0.03
    assert abs(float(found.shares[1]) - exact) < 4 * float(found.stderr[1])  # four standard errors
    assert float(found.shares.sum()) == pytest.approx(1.0)
    assert "renewals in 50 replicas" in repr(found)


def test_few_renewals_make_the_error_large() -> None:
    sampler = hm.sampling.Tempering(rungs=2, adapt=False)  # independent units, and the model: nothing is exchanged
    found = hm.diagnostics.mode_shares(planted(), mostly_on, sampler=sampler, replicas=20, rounds=20)
    assert not found.reliable and "NOT reliable" in repr(found)
    share = float(found.shares[1].clamp(0.25, 0.75))
    assert float(found.stderr[1]) >= 0.9 * (share * (1 - share) / max(1, found.renewals)) ** 0.5


def test_the_error_is_the_larger_of_two() -> None:
    each = torch.tensor([[0.2, 0.8], [0.4, 0.6], [0.3, 0.7], [0.3, 0.7]]).double()
    shares, stderr = shares_with_errors(each, 100_000)  # the spread of four replicas
    torch.testing.assert_close(shares, torch.tensor([0.3, 0.7]).double())
    torch.testing.assert_close(stderr, torch.full((2,), (0.02 / 3) ** 0.5 / 2).double())
    _, stderr = shares_with_errors(each, 30)  # as many independent draws as renewals
    torch.testing.assert_close(stderr, torch.full((2,), (0.3 * 0.7 / 30) ** 0.5).double())
    _, stderr = shares_with_errors(torch.zeros(4, 1).double(), 10)  # nothing seen is not nothing there
    assert float(stderr) == pytest.approx((0.05 * 0.95 / 10) ** 0.5)
    _, stderr = shares_with_errors(torch.zeros(4, 1).double(), 0)
    assert float(stderr) == 0.5


def test_states_of_no_mode_count_for_none() -> None:
    found = hm.diagnostics.mode_shares(
        hm.RBM(4, 2), lambda v: torch.where(v[:, 0] == 1, 0, -1), 1, replicas=20, rounds=100
    )
    assert abs(float(found.shares[0]) - 0.5) < 5 * float(found.stderr[0])  # an untrained model; five standard errors


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"replicas": 1}, "replicas"),
        ({"rounds": 3}, "rounds"),
        ({"modes": 0}, "modes"),
        ({"mode_of": lambda v: v}, r"mode_of returned shape \(50, 10\) for 50 states; expected \(50,\)"),
        ({"mode_of": lambda v: torch.full((len(v),), 2)}, "mode_of returned 2; expected numbers below modes=2"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        hm.diagnostics.mode_shares(planted(), **({"mode_of": mostly_on} | options))
