"""Counts of successes."""

from __future__ import annotations

import math
from typing import Any

import torch
from numba.extending import register_jitable
from torch import Tensor

from harmonium.core.checks import check_int
from harmonium.kernels import portable, scalar
from harmonium.kernels.counts import draw_binomial, sample_binomial
from harmonium.kernels.fused import mapper, summer
from harmonium.kernels.graph_walk import graph_walker
from harmonium.units.bernoulli import Bernoulli
from harmonium.units.contract import FusedKernels, Natural

__all__ = ["Binomial"]


@register_jitable
def _mean(eta, trials):  # type: ignore[no-untyped-def]
    field = eta[0]
    t = scalar.exp(-abs(field))
    one = scalar.like(field, 1.0)
    return scalar.like(field, trials) * (t if field < 0 else one) / (one + t)


@register_jitable
def _split(eta, trials):  # type: ignore[no-untyped-def]
    field = eta[0]
    n = float(trials)
    return n * max(float(field), 0.0) + n * math.log1p(math.exp(-abs(float(field)))), 1.0


class Binomial(Bernoulli):
    """Counts 0 ... N of successes in N trials: p(s | x) = C(N, s) exp(s (b + x)) / (1 + exp(b + x))^N.

    A unit is the sum of N copies of a Bernoulli unit that share bias and weights (Teh & Hinton 2001): an RBM with a
    layer of such copies, summed over them, is the RBM with `Binomial`.  N = 2 is the layer with two tied copies that
    pretrains a deep Boltzmann machine (Salakhutdinov & Hinton 2009): its visible states are twice the data.

    Args:
        shape: number of units or a shape.
        trials: N, at least 1.
        dtype: float32 or float64.

    Raises:
        ValueError: if there are no trials, or more than 2^20.

    >>> import torch, harmonium as hm
    >>> hm.Binomial(2, trials=10).mean(torch.zeros(1, 2)).tolist()
    [[5.0, 5.0]]
    """

    uniforms_in = torch.float64
    loops = FusedKernels(sample_binomial, mapper(_mean), summer(_split), graph=graph_walker(draw_binomial))

    def __init__(self, shape: int | tuple[int, ...], trials: int, *, dtype: torch.dtype = torch.float32) -> None:
        trials = check_int("Binomial(trials=...)", trials, most=1 << 20)
        super().__init__(shape, dtype=dtype)
        self.constant = trials

    def base_rate(self, mean: Tensor, variance: Tensor, cases: float) -> Natural:
        return super().base_rate(mean / self.constant, variance, cases * self.constant)

    def invalid(self, s: Tensor) -> Tensor:
        return ~((s >= 0) & (s <= self.constant) & (s == s.floor()))

    def invalid_hint(self, value: float) -> str:
        return f"Binomial units take the counts 0 ... {self.constant}: round it, or give the layer more trials"

    def unit_states(self) -> Tensor:
        return torch.arange(self.constant + 1).to(self.bias)

    def log_measure(self, s: Tensor) -> Tensor:
        s, n = s.double(), float(self.constant)
        return math.lgamma(n + 1) - torch.lgamma(s + 1) - torch.lgamma(n - s + 1)

    def _mean(self, eta: Natural) -> Tensor:
        return self.constant * super()._mean(eta)

    def _variance(self, eta: Natural) -> Tensor:
        return self.constant * super()._variance(eta)

    def _mode(self, eta: Natural) -> Tensor:
        return torch.floor((self.constant + 1) * super()._mean(eta)).clamp(max=self.constant)

    def _log_normalizer(self, eta: Natural) -> Tensor:
        return self.constant * super()._log_normalizer(eta)

    def _draw(self, eta: Natural, u: Tensor) -> Tensor:
        return portable.binomial(eta[0].detach().double(), self.constant, u.double()).to(eta[0].dtype)

    def config(self) -> dict[str, Any]:
        return super().config() | {"trials": self.constant}

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, trials={self.constant}"
