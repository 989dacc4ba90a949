"""The fused NADE: the inputs and gradients of the loop in torch, and of finite differences."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from harmonium.kernels.nade import Steps, nade_inputs, portable_inputs

GROUPS = {
    "binary": (torch.arange(20), torch.arange(20)),
    "categorical": (torch.arange(20).repeat_interleave(3), torch.arange(20).repeat_interleave(3)),
    "mixed, several outputs": (torch.arange(20).repeat_interleave(torch.arange(20) % 3 + 1), torch.arange(40) // 2),
}


def problem(kind: str, dtype: torch.dtype, rows: int = 13, hidden: int = 37) -> tuple[Tensor, list[Tensor], Steps]:
    """States, parameters and a random ordering; 13 rows are a whole group of cases and a part of one."""
    generator = torch.Generator().manual_seed(0)
    variable_of_column = GROUPS[kind]
    s = (torch.rand(rows, len(variable_of_column[0]), generator=generator) < 0.3).to(dtype)
    if kind.startswith("mixed"):  # real values and zeros
        s *= torch.randn(s.shape, generator=generator).to(dtype)
    shapes = [(len(variable_of_column[0]), hidden), (hidden,), (len(variable_of_column[1]), hidden)]
    parameters = [torch.randn(shape, generator=generator).to(dtype).requires_grad_() for shape in shapes]
    return s, parameters, Steps.of(torch.randperm(20, generator=generator), *variable_of_column)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", GROUPS)
def test_inputs_and_gradients_are_those_of_the_loop_in_torch(kind: str, dtype: torch.dtype) -> None:
    s, parameters, steps = problem(kind, dtype)
    weight = torch.randn(len(s), len(GROUPS[kind][1]), generator=torch.Generator().manual_seed(1)).to(dtype)
    fused, plain = nade_inputs(s, *parameters, steps), portable_inputs(s, *parameters, steps)
    # Sums of 37 to some hundred terms of order 1 in another order: below a hundred units in the last place.
    close = {"rtol": 0.0, "atol": 200 * torch.finfo(dtype).eps}
    torch.testing.assert_close(fused, plain, **close)
    gradients = [torch.autograd.grad((weight * x).sum(), parameters) for x in (fused, plain)]
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, **close)


@pytest.mark.parametrize("kind", GROUPS)
def test_gradients_are_finite_differences(kind: str) -> None:
    s, parameters, steps = problem(kind, torch.float64, rows=9, hidden=3)
    assert torch.autograd.gradcheck(lambda *of: nade_inputs(s, *of, steps), parameters)


def test_an_input_does_not_depend_on_what_comes_later() -> None:
    s, parameters, steps = problem("binary", torch.float64)
    x = nade_inputs(s, *parameters, steps)
    for t, i in enumerate(steps.inputs):
        other = s.clone()
        other[:, i] = 1 - other[:, i]
        changed = (nade_inputs(other, *parameters, steps) != x).any(0)
        assert not bool(changed[steps.outputs[: t + 1]].any())
        assert bool(changed[steps.outputs[t + 1 :]].all())


def test_the_way_back_sees_the_hidden_units_of_the_way_there() -> None:
    """In float32 sums alone, taking off again what was added to sums of 1e4 would leave errors of 1e-3 in a."""
    s, parameters, steps = problem("binary", torch.float32, rows=8)
    s.fill_(1.0)
    W, c, V = (parameter.detach() for parameter in parameters)
    W[steps.inputs[5]], W[steps.inputs[6]] = 12345.678, -12345.678
    wide = [part.double().requires_grad_() for part in (W, c, V)]
    narrow = [part.clone().requires_grad_() for part in (W, c, V)]
    expected = torch.autograd.grad(portable_inputs(s.double(), *wide, steps).sum(), wide)
    found = torch.autograd.grad(nade_inputs(s, *narrow, steps).sum(), narrow)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-5, atol=1e-4)


def test_memory_does_not_grow_with_variables_times_hidden() -> None:
    s, parameters, steps = problem("binary", torch.float32)
    x = nade_inputs(s, *parameters, steps)
    kept = sum(tensor.numel() for tensor in x.grad_fn.saved_tensors)
    assert kept == s.numel() + parameters[0].numel() + parameters[2].numel() + 13 * 37
