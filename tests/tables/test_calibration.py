"""Offsets make the margins of a network right, and nothing else is wrong for them."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch

import harmonium as hm
from harmonium.tables.calibration import LEAST_ROWS, calibrated

ORDERINGS = [[2, 0, 1], [1, 2, 0]]


@pytest.fixture
def model() -> hm.OrderlessNADE:
    """A network with random weights: its margins are wrong."""
    model = hm.OrderlessNADE(hm.Categorical(3, 3), hidden=(6,), dtype=torch.float64, seed=1)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return model.under(ORDERINGS)


@pytest.fixture
def cases(model: hm.OrderlessNADE) -> torch.Tensor:
    """2,000 rows in which all states are frequent."""
    return model.visible.encode(torch.randint(3, (2000, 3), generator=torch.Generator().manual_seed(1)).double())


@torch.no_grad()
def test_the_mean_of_the_probabilities_is_that_of_the_cases(model: hm.OrderlessNADE, cases: torch.Tensor) -> None:
    """Within 0.01 of a third: 1.5 % of logarithmic ratios up to 2 are not believed, with 670 cases of a state."""
    found = calibrated(model, cases)
    for ordering, k in itertools.product(range(2), range(3)):
        own = ORDERINGS[ordering]
        given = torch.zeros(len(cases), 3, dtype=torch.bool)
        given[:, own[:k]] = True
        errors = []
        for each in (model.under(own), found.under(own, None if found.offsets is None else found.offsets[[ordering]])):
            share = torch.zeros(3, dtype=torch.float64)
            for state in range(3):
                v = cases.clone().view(-1, 3, 3)
                v[:, own[k]] = torch.eye(3, dtype=torch.float64)[state]
                through = each.log_conditional(v.flatten(1), given | (torch.arange(3) == own[k]), given & False)
                before = each.log_conditional(cases, given, given & False)
                share[state] = (through - before).exp().mean()
            errors.append(float((share - cases.view(-1, 3, 3)[:, own[k]].mean(0)).abs().max()))
        assert errors[1] < 0.01 < errors[0]


@torch.no_grad()
def test_probabilities_still_sum_to_one_and_draws_follow_them(model: hm.OrderlessNADE, cases: torch.Tensor) -> None:
    """30,000 draws against the probabilities of 27 states: chi squared with 26 degrees of freedom below 58 (p 3e-4)."""
    found = calibrated(model, cases)
    states = found.visible.states(torch.arange(27))
    log_p = found.log_prob(states)
    assert float(log_p.exp().sum()) == pytest.approx(1, abs=1e-12) and found.offsets is not None
    each = [found.under(ORDERINGS[k], found.offsets[[k]]).log_prob(states).exp() for k in range(2)]
    torch.testing.assert_close(log_p.exp(), (each[0] + each[1]) / 2, rtol=0, atol=1e-12)
    assert float((log_p - model.log_prob(states)).abs().max()) > 0.1
    drawn = hm.sample(found, 30_000, seed=3).long() @ torch.tensor([9, 3, 1])
    codes = found.visible.decode(states).long() @ torch.tensor([9, 3, 1])
    expected = 30_000 * log_p.exp()[codes.argsort()]
    count = torch.bincount(drawn, minlength=27)
    assert float(((count - expected) ** 2 / expected).sum()) < 58


@torch.no_grad()
def test_offsets_are_for_the_beginnings_of_the_orderings_alone(
    model: hm.OrderlessNADE, cases: torch.Tensor, tmp_path: Path
) -> None:
    """Given the beginning of an ordering the chain rule holds; elsewhere the network is asked as it is."""
    found, few = calibrated(model, cases), cases[:20]
    assert found.offsets is not None
    one = found.under(ORDERINGS[1:], found.offsets[1:])
    nothing, whole = torch.zeros(20, 3, dtype=torch.bool), torch.ones(20, 3, dtype=torch.bool)
    for given in ([False, True, False], [False, True, True]):  # 1, then 2, then 0
        before = torch.tensor(given).expand(20, -1)
        parts = one.log_conditional(few, before, nothing) + one.log_conditional(few, ~before, before)
        torch.testing.assert_close(parts, one.log_conditional(few, whole, nothing), rtol=0, atol=1e-12)
    first = torch.tensor([True, False, False]).expand(20, -1)
    asked = torch.tensor([False, True, False]).expand(20, -1)
    assert torch.equal(one.log_conditional(few, asked, first), model.log_conditional(few, asked, first))
    clamp = ([True, True, False], model.visible.decode(few))
    drawn = hm.sample(one, 20, clamp=clamp, seed=5)  # of 2, given 0 and 1: no beginning
    assert torch.equal(drawn, hm.sample(model.under(ORDERINGS[1]), 20, clamp=clamp, seed=5))
    last = torch.tensor([True, False, True]).expand(20, -1)
    without = one.log_conditional(few, last, last & False)  # 1 is not there, so nothing is the beginning of 1, 2, 0
    assert torch.equal(without, model.under(ORDERINGS[1]).log_conditional(few, last, last & False))
    hm.save(found, tmp_path / "m")
    assert torch.equal(hm.load(tmp_path / "m").log_prob(few), found.log_prob(few))
    assert found.under(ORDERINGS).offsets is None and found.offsets.shape == (2, 9)
    assert calibrated(model, cases[: LEAST_ROWS - 1]) is model
    with pytest.raises(ValueError, match=r"offsets must have the shape \(2, 9\), found \(1, 9\)"):
        model.under(ORDERINGS, found.offsets[:1])
