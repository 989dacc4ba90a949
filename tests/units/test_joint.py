"""log p(s | x) of a layer and its derivative, against the sum over variables and finite differences."""

from __future__ import annotations

import pytest
import torch

import harmonium as hm
from harmonium.units.joint import joint_log_density

D = torch.float64
LAYERS = [
    hm.Bernoulli(4, dtype=D),
    hm.Spin(4, dtype=D),
    hm.Categorical(2, 3, dtype=D),
    hm.Binomial(4, 5, dtype=D),
    hm.Poisson(4, dtype=D),
    hm.Gaussian(4, dtype=D),
    hm.ReLU(4, dtype=D),
]


@pytest.mark.parametrize("units", LAYERS, ids=lambda units: type(units).__name__)
def test_value_and_derivative(units: hm.units.Units) -> None:
    generator = torch.Generator().manual_seed(0)
    for parameter in units.parameters():
        parameter.data.copy_(0.5 * torch.randn(parameter.shape, generator=generator, dtype=D))
    x = torch.randn(3, 5, units.size, generator=generator, dtype=D).requires_grad_()
    s = units.sample(torch.randn(5, units.size, generator=generator, dtype=D), hm.Stream(0).advance())
    found = joint_log_density(units, x, s)
    assert found.shape == (3, 5)
    assert torch.allclose(found, units.log_density(x, s).sum(-1), rtol=0, atol=1e-12)
    inputs = (x, *units.parameters_by_name().values())
    assert torch.autograd.gradcheck(lambda x, *_: joint_log_density(units, x, s), inputs)


def test_parameters_that_are_held_get_no_gradient() -> None:
    units = hm.Bernoulli(3).requires_grad_(False)
    x = torch.zeros(2, 3, requires_grad=True)
    joint_log_density(units, x, torch.ones(2, 3)).sum().backward()
    assert units.bias.grad is None
    assert torch.equal(x.grad, torch.full((2, 3), 0.5))  # type: ignore[arg-type]
