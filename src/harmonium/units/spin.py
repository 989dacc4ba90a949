"""Binary units with states -1 and +1."""

from __future__ import annotations

import torch
from numba.extending import register_jitable
from torch import Tensor
from torch.nn import functional

from harmonium.kernels import TwoStates, portable, scalar
from harmonium.kernels.columns import scalar_columns
from harmonium.kernels.fused import mapper, sampler, summer, walker
from harmonium.kernels.fused_updates import updater
from harmonium.kernels.graph_walk import graph_walker
from harmonium.units.biased import Biased
from harmonium.units.contract import FusedKernels, Natural

__all__ = ["Spin"]


@register_jitable
def _draw(eta, constant, word):  # type: ignore[no-untyped-def]
    x = eta[0]
    one = scalar.like(x, 1.0)
    t = scalar.exp(scalar.like(x, -2.0) * abs(x))
    return one if (scalar.uniform(x, word) * (one + t) < t) != (x > 0) else -one


@register_jitable
def _mean(eta, constant):  # type: ignore[no-untyped-def]
    # tanh(|x|) = (1 - t) / (1 + t) cancels near 0, where its error is that of the sum s - (-s): absolute 1 ulp of 1.
    x = eta[0]
    one = scalar.like(x, 1.0)
    t = scalar.exp(scalar.like(x, -2.0) * abs(x))
    size = (one - t) / (one + t)
    return size if x > 0 else -size


@register_jitable
def _split(eta, constant):  # type: ignore[no-untyped-def]
    x = eta[0]
    return abs(x), scalar.like(x, 1.0) + scalar.exp(scalar.like(x, -2.0) * abs(x))


_STATES = TwoStates(low=-1.0, high=1.0, slope=2.0)


class Spin(Biased):
    """Units with states -1 and +1 and energy -b s: the Ising spins of physics (Hinton & Sejnowski 1983).

    A machine of spins has the same distribution as one of Bernoulli units s' = (s + 1) / 2 with four times the weights,
    but its learning dynamics differ, because spins are centred when biases are 0.

    Args:
        shape: number of units or a shape.
        dtype: float32 or float64.

    >>> import torch, harmonium as hm
    >>> [round(m, 4) for m in hm.Spin(2).mean(torch.tensor([[0.0, 1.0]]))[0].tolist()]
    [0.0, 0.7616]
    """

    finite = True
    loops = FusedKernels(
        sampler(_draw), mapper(_mean), summer(_split), walker(_draw),
        columns=scalar_columns(_draw), updates=updater(_draw, _mean), graph=graph_walker(_draw), two_states=_STATES,
    )  # fmt: skip

    def base_rate(self, mean: Tensor, variance: Tensor, cases: float) -> Natural:
        p = (0.5 * (1 + mean) * cases + 0.5) / (cases + 1)
        return (0.5 * torch.logit(p).to(self.bias),)

    def invalid(self, s: Tensor) -> Tensor:
        return s.abs() != 1

    def invalid_hint(self, value: float) -> str:
        return "Spin units take -1 and +1: " + (
            "pass 2 x - 1 for values of 0 and 1, or use Bernoulli units" if value == 0 else "rescale it"
        )

    def unit_states(self) -> Tensor:
        return torch.tensor([-1.0, 1.0]).to(self.bias)

    def _mean(self, eta: Natural) -> Tensor:
        return torch.tanh(eta[0])

    def _variance(self, eta: Natural) -> Tensor:
        return 4 * torch.sigmoid(2 * eta[0]) * torch.sigmoid(-2 * eta[0])

    def _mode(self, eta: Natural) -> Tensor:
        return torch.where(eta[0] > 0, 1.0, -1.0).to(eta[0])

    def _log_normalizer(self, eta: Natural) -> Tensor:
        return eta[0].abs() + functional.softplus(-2 * eta[0].abs())

    def _draw(self, eta: Natural, u: Tensor) -> Tensor:
        return portable.two_states(eta[0], u, *_STATES)
