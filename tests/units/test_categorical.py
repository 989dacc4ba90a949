"""One-hot variables: groups, codes, rare states."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from harmonium.core.random import RandomAddress, Stream
from harmonium.models import RBM
from harmonium.units import Categorical


@torch.no_grad()
def test_by_hand() -> None:
    units = Categorical(2, 3, dtype=torch.float64)
    units.bias.copy_(torch.tensor([0.0, math.log(2), 0, 1000, 1000, -1000], dtype=torch.float64))
    x = torch.tensor([[0, 0, math.log(3), 0, 0, 0]], dtype=torch.float64)
    assert units.mean(x.clone())[0].numpy() == pytest.approx([1 / 6, 1 / 3, 1 / 2, 0.5, 0.5, 0], abs=1e-15)
    assert float(units.log_normalizer(x.clone())) == pytest.approx(math.log(6) + 1000 + math.log(2), rel=1e-15)
    assert units.mode(x.clone())[0].tolist() == [0, 0, 1, 1, 0, 0]
    assert float(units.energy(units.encode(torch.tensor([[1.0, 2.0]])))) == pytest.approx(1000 - math.log(2))


def test_states_are_counted_with_variable_0_fastest() -> None:
    units = Categorical(2, 3)
    assert units.count == 9 and units.log2_count == pytest.approx(2 * math.log2(3)) and units.radices() == [3, 3]
    assert units.decode(units.states(torch.arange(9))).tolist() == [[n % 3, n // 3] for n in range(9)]


def test_codes_go_in_and_out() -> None:
    units = Categorical(3, 4)
    codes = torch.tensor([[0.0, 3, 1], [2, math.nan, 2]])
    inside = units.encode(codes)
    assert inside[0].tolist() == [1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0]
    assert torch.isnan(inside[1]).tolist() == [False] * 4 + [True] * 4 + [False] * 4
    assert np.array_equal(units.decode(inside).numpy(), codes.numpy(), equal_nan=True)
    assert units.repeat_per_column(torch.tensor([True, False, True])).tolist() == [True] * 4 + [False] * 4 + [True] * 4


@pytest.mark.parametrize("code", [-1.0, 4.0, 1.5, math.inf])
def test_codes_out_of_range_are_refused(code: float) -> None:
    codes = torch.zeros(3, 2)
    codes[1, 1] = code
    where = r"in row 1, column 1"
    with pytest.raises(
        ValueError, match=rf"votes has the value .* {where}.* 0 \.\.\. 3 .* number|votes is not .* {where}"
    ):
        Categorical(2, 4).encode(codes, "votes")
    with pytest.raises(ValueError, match=r"v has the value|v is not finite"):
        RBM(Categorical(2, 4), 2).hidden_mean(np.where(codes == 0, 0.0, code))


def test_states_that_are_not_one_hot_are_refused() -> None:
    s = torch.tensor([[1.0, 0, 0, 1, 1, 0]])
    with pytest.raises(ValueError, match="one-hot groups of 3"):
        Categorical(2, 3).check(s, "s")
    for states in (1, 0, 2.0, True):
        with pytest.raises(ValueError, match="at least 2"):
            Categorical(2, states)  # type: ignore[arg-type]


@pytest.mark.parametrize("portable", [False, True])
def test_rare_states_keep_their_share(portable: bool) -> None:
    """In float32 too, a last state of probability p = 2e-5 comes up as often as it should.

    2 million draws: 40 expected, sqrt(40) = 6.3 the standard error; 5 of them allowed.
    """
    units = Categorical(20, 21)
    with torch.no_grad():
        units.bias.view(20, 21)[:, -1] = math.log(20 * 2e-5)
    x = torch.zeros(100_000, 420).requires_grad_(portable)
    with torch.no_grad():
        s = units.sample_(x, RandomAddress(5, 0)) if portable else units.sample(x, RandomAddress(5, 0))
    assert abs(float(s.view(-1, 21)[:, -1].sum()) - 40) < 5 * math.sqrt(40)
    assert bool((s.view(-1, 21).sum(-1) == 1).all())


def test_an_rbm_takes_codes_and_one_hot_states() -> None:
    rbm = RBM(Categorical(2, 3), 2, dtype=torch.float64)
    codes = [[2, 0], [1, 1]]
    inside = rbm.visible.encode(torch.tensor(codes).double())
    assert torch.equal(rbm.free_energy(codes), rbm.free_energy(inside))
    # row 2 of W belongs to state 2 of variable 0, row 3 to state 0 of variable 1
    expected = torch.sigmoid(rbm.weights[2] + rbm.weights[3])
    assert rbm.hidden_mean(codes)[0].tolist() == pytest.approx(expected.tolist(), rel=1e-12)
    with pytest.raises(ValueError, match=r"expected \(batch, 2\), or \(batch, 6\) encoded"):
        rbm.free_energy([[1, 2, 0]])


def test_clamps_hold_whole_variables() -> None:
    rbm = RBM(Categorical(2, 3), 2)
    codes = rbm.gibbs(torch.zeros(50, 2), 3, Stream(0), clamp=([1, 0], [2, math.nan]))
    assert bool((codes[:, 0] == 2).all()) and len(torch.unique(codes[:, 1])) == 3
    with pytest.raises(ValueError, match="the values of clamp has the value 3"):
        rbm.gibbs(torch.zeros(5, 2), 1, Stream(0), clamp=([1, 0], [3, 0]))
