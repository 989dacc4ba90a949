"""Several types in one layer."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from harmonium.core.random import RandomAddress
from harmonium.models import RBM
from harmonium.units import Bernoulli, Categorical, Gaussian, Mixed, Spin


def test_parts_stand_side_by_side() -> None:
    units = Mixed([Bernoulli(1), Categorical(2, 3), Gaussian(1)])
    assert (units.columns, units.size) == (4, 8)
    outside = torch.tensor([[1.0, 2, 0, -0.7]])
    inside = units.encode(outside)
    assert inside.tolist() == [[1.0, 0, 0, 1, 1, 0, 0, pytest.approx(-0.7)]]
    assert torch.equal(units.decode(inside), outside)
    x = torch.linspace(-1, 1, 8).expand(5, 8)
    for k, part in enumerate(units.parts):
        columns = units._encoded[k]
        assert torch.equal(units.mean(x)[:, columns], part.mean(x[:, columns]))
    assert torch.equal(units.log_normalizer(x), sum(part.log_normalizer(x[:, at]) for part, at in units.by_type()))
    assert [tuple(eta.shape) for eta in units.natural()] == [(8,), (8,)]
    assert units.natural()[1].tolist() == [0.0] * 7 + [-0.5]


def test_equal_parts_draw_different_words() -> None:
    s = Mixed([Bernoulli(50), Bernoulli(50)]).sample(torch.zeros(100, 100), RandomAddress(3, 0))
    same = float((s[:, :50] == s[:, 50:]).double().mean())
    assert same == pytest.approx(0.5, abs=5 * 0.5 / math.sqrt(5000))  # 5 standard errors


def test_joint_states_of_finite_parts() -> None:
    units = Mixed([Spin(1), Categorical(1, 3)])
    assert units.finite and units.count == 6 and units.radices() == [2, 3]
    assert units.states(torch.arange(6)).tolist()[3] == [1, 0, 1, 0]
    assert not Mixed([Spin(1), Gaussian(1)]).finite


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ([0.5, 0, 0.0], r"column 0, but Bernoulli"), ([1, 3, 0.0], r"column 1, but Categorical .*0 \.\.\. 2"),
        ([1, 2, math.inf], r"infinite\) in row 1, column 4"),
    ],
)  # fmt: skip
def test_refusals_name_the_column_and_the_type(row: list[float], words: str) -> None:
    units = Mixed([Bernoulli(1), Categorical(1, 3), Gaussian(1)])
    outside = torch.tensor([[1, 1, 0.0], row])
    with pytest.raises(ValueError, match=words):
        units.check(units.encode(outside, "v"), "v")


def test_only_single_types_are_mixed() -> None:
    with pytest.raises(ValueError, match="at least one layer"):
        Mixed([])
    for wrong in (3, Mixed([Spin(1)])):
        with pytest.raises(TypeError, match="layers of one type each"):
            Mixed([wrong])  # type: ignore[list-item]


@torch.no_grad()
def test_energy_of_an_rbm_is_the_sum_over_parts() -> None:
    units = Mixed([Bernoulli(2), Gaussian(1)])
    rbm = RBM(units, 2, dtype=torch.float64)
    v, h = np.array([[1, 0, 0.5]]), np.array([[1, 1]])
    W = rbm.weights.detach().numpy()
    assert float(rbm.energy(v, h)) == pytest.approx(0.5 * 0.25 - float((v @ W @ h.T)[0, 0]), rel=1e-12)
    advice = units.advice(torch.tensor([0.5, 0.5, 80.0]), torch.tensor([0.25, 0.25, 1.0]))
    assert advice is not None and "Gaussian(1)" in advice
