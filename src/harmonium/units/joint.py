"""log p(s | x) of a whole layer in one pass, and its derivative in another."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from harmonium.kernels.dots import row_dots
from harmonium.units.layer import Units

__all__ = ["joint_log_density"]


def joint_log_density(units: Units, x: Tensor, s: Tensor) -> Tensor:
    """log p(s | x) = x . s + sum_k eta_k . T_k(s) + log m(s) - A(x), (..., batch), float64; differentiable.

    The derivative is that of every exponential family, T_k(s) - E[T_k | x], so the fused loops of the family serve both
    passes and x is the only tensor of size (..., batch, n) that is kept.

    Args:
        units: a layer, conditioned on the totals of s if it has fixed totals.
        x: its input, (..., batch, n).
        s: encoded states, (batch, n); no gradient flows into them.
    """
    parameters = units.parameters_by_name()
    return cast(Tensor, _JointLogDensity.apply(x, s, units, *parameters.values()))


class _JointLogDensity(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, s: Tensor, units: Units, *parameters: Tensor) -> Tensor:
        ctx.save_for_backward(x, s)
        ctx.units = units
        x = x.detach()
        return row_dots(x, s) + units.neg_energy(s) - units.log_normalizer(x)

    @staticmethod
    @torch.no_grad()
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        x, s = ctx.saved_tensors
        units: Units = ctx.units
        slope = slope.unsqueeze(-1).to(x.dtype)
        pulls = [
            torch.sub(T, expected, out=expected).mul_(slope)
            for T, expected in zip(units.statistics(s), units.expected_statistics(x.clone()), strict=True)
        ]
        named = units.parameter_gradient(tuple(pull.flatten(0, -2).sum(0) for pull in pulls))
        of_parameters = [
            named[name] if parameter.requires_grad else None for name, parameter in units.parameters_by_name().items()
        ]
        return pulls[0], None, None, *of_parameters
