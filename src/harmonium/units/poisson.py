"""Counts without an upper bound."""

from __future__ import annotations

import torch
from numba.extending import register_jitable
from torch import Tensor

from harmonium.kernels import portable, scalar
from harmonium.kernels.fused import mapper, sampler, summer
from harmonium.units.biased import Biased
from harmonium.units.contract import FusedKernels, Natural

__all__ = ["Poisson"]

_HIGHEST = 16.0  # field: counts of rate e^16 = 8.9 million are still exact in float32


@register_jitable
def _draw(eta, constant, word):  # type: ignore[no-untyped-def]
    return scalar.poisson(max(min(float(eta[0]), _HIGHEST), -700.0), scalar.uniform(0.0, word))


@register_jitable
def _mean(eta, constant):  # type: ignore[no-untyped-def]
    return scalar.exp(min(eta[0], scalar.like(eta[0], _HIGHEST)))


@register_jitable
def _split(eta, constant):  # type: ignore[no-untyped-def]
    field = float(eta[0])
    return scalar.exp(min(field, _HIGHEST)) * (1.0 + max(field - _HIGHEST, 0.0)), 1.0


class Poisson(Biased):
    """Counts 0, 1, 2, ... with p(s | x) = exp(s (b + x) - e^(b + x)) / s!: Poisson of rate e^(b + x).

    A machine with Poisson units is normalisable for all weights if their neighbours have finitely many states; with
    Poisson or real neighbours the sum over states diverges for positive weights.

    Rates are capped at e^16 (8.9 million): beyond it the mean and the draws stay constant and the log-normaliser
    continues as a straight line, so that a diverging chain stays finite.  Nothing about a model with such rates is
    exact.

    Draws invert the distribution function starting from the mode, in about two steps per standard deviation: a few at
    small rates, some thousands at the highest.

    Args:
        shape: number of units or a shape.
        dtype: float32 or float64.

    >>> import torch, harmonium as hm
    >>> hm.Poisson(2).mean(torch.zeros(1, 2)).tolist()
    [[1.0, 1.0]]
    """

    uniforms_in = torch.float64
    loops = FusedKernels(sampler(_draw), mapper(_mean), summer(_split))

    def base_rate(self, mean: Tensor, variance: Tensor, cases: float) -> Natural:
        return (torch.log((mean * cases + 0.5) / (cases + 0.5)).clamp(max=_HIGHEST).to(self.bias),)

    def invalid(self, s: Tensor) -> Tensor:
        return ~(torch.isfinite(s) & (s >= 0) & (s == s.floor()))

    def invalid_hint(self, value: float) -> str:
        return "Poisson units take the counts 0, 1, 2, ...: round it, or use ReLU units for non-negative numbers"

    def log_measure(self, s: Tensor) -> Tensor:
        return -torch.lgamma(s.double() + 1)

    def _mean(self, eta: Natural) -> Tensor:
        return torch.exp(eta[0].clamp(max=_HIGHEST))

    def _variance(self, eta: Natural) -> Tensor:
        return self._mean(eta)

    def _mode(self, eta: Natural) -> Tensor:
        return torch.floor(self._mean(eta))

    def _log_normalizer(self, eta: Natural) -> Tensor:
        return self._mean(eta) * (1 + (eta[0] - _HIGHEST).clamp(min=0))

    def _draw(self, eta: Natural, u: Tensor) -> Tensor:
        return portable.poisson(eta[0].detach().double().clamp(-700, _HIGHEST), u).to(eta[0].dtype)
