"""Binary units."""

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
from harmonium.kernels.nade import ancestral
from harmonium.units.biased import Biased
from harmonium.units.contract import FusedKernels, Natural

__all__ = ["Bernoulli"]


@register_jitable
def _draw(eta, constant, word):  # type: ignore[no-untyped-def]
    field = eta[0]
    u = scalar.uniform(field, word)
    # u < sigmoid(-|x|) multiplied out: no division, and full relative precision however small the probability.
    t = scalar.exp(-abs(field))
    return (u * (scalar.like(field, 1.0) + t) < t) != (field > 0)


@register_jitable
def _mean(eta, constant):  # type: ignore[no-untyped-def]
    field = eta[0]
    t = scalar.exp(-abs(field))
    one = scalar.like(field, 1.0)
    return (t if field < 0 else one) / (one + t)


@register_jitable
def _split(eta, constant):  # type: ignore[no-untyped-def]
    field = eta[0]
    return max(field, scalar.like(field, 0.0)), scalar.like(field, 1.0) + scalar.exp(-abs(field))


_STATES = TwoStates(low=0.0, high=1.0, slope=1.0)


class Bernoulli(Biased):
    """Units with states 0 and 1 and energy -b s (Smolensky 1986; Fischer & Igel 2014).

    Args:
        shape: number of units or a shape.
        dtype: float32 or float64.

    >>> import torch, harmonium as hm
    >>> hm.Bernoulli(3).mean(torch.zeros(1, 3)).tolist()
    [[0.5, 0.5, 0.5]]
    """

    finite = True
    loops = FusedKernels(
        sampler(_draw), mapper(_mean), summer(_split), walker(_draw), ancestral(_draw), scalar_columns(_draw),
        updater(_draw, _mean), graph_walker(_draw), _STATES,
    )  # fmt: skip

    def base_rate(self, mean: Tensor, variance: Tensor, cases: float) -> Natural:
        p = (mean * cases + 0.5) / (cases + 1)
        return (torch.logit(p).to(self.bias),)

    def invalid(self, s: Tensor) -> Tensor:
        return (s != 0) & (s != 1)

    def invalid_hint(self, value: float) -> str:
        remedy = "rescale it"
        if 0 <= value <= 1:
            remedy = "name a binarisation (harmonium.data.load(..., binarize='threshold'); of arrays: x > 0.5)"
        elif 1 < value <= 255 and value == int(value):
            remedy = "rescale it (bytes of pictures: x > 127)"
        return f"Bernoulli units take 0 and 1: {remedy}, or use Gaussian units"

    def unit_states(self) -> Tensor:
        return torch.tensor([0.0, 1.0]).to(self.bias)

    def _mean(self, eta: Natural) -> Tensor:
        return torch.sigmoid(eta[0])

    def _variance(self, eta: Natural) -> Tensor:
        return torch.sigmoid(eta[0]) * torch.sigmoid(-eta[0])

    def _mode(self, eta: Natural) -> Tensor:
        return (eta[0] > 0).to(eta[0].dtype)

    def _log_normalizer(self, eta: Natural) -> Tensor:
        return functional.softplus(eta[0], threshold=40)

    def _draw(self, eta: Natural, u: Tensor) -> Tensor:
        return portable.two_states(eta[0], u, *_STATES)
