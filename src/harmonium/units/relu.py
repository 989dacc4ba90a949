"""Rectified units: Gaussian ones that cannot be negative."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from numba.extending import register_jitable
from torch import Tensor

from harmonium.kernels import portable, scalar
from harmonium.kernels.fused import mapper, sampler, summer
from harmonium.units.base import FusedKernels, Natural
from harmonium.units.gaussian import Gaussian

__all__ = ["ReLU"]


@register_jitable
def _draw(eta, known, word):  # type: ignore[no-untyped-def]
    return scalar.positive_quantile(float(eta[0]), -2.0 * float(eta[1]), scalar.uniform(0.0, word))


@register_jitable
def _mean(eta, known):  # type: ignore[no-untyped-def]
    return scalar.positive(float(eta[0]), -2.0 * float(eta[1]))[1]


@register_jitable
def _split(eta, known):  # type: ignore[no-untyped-def]
    return scalar.positive(float(eta[0]), -2.0 * float(eta[1]))[0], 1.0


class ReLU(Gaussian):
    """Real units s >= 0 with energy s^2 / (2 sigma^2) - b s: s | x is normal, cut off below 0.

    The conditional density is exp(x s) times that of the energy on s >= 0 (Tubiana, Cocco & Monasson 2019, section 2.2:
    energy gamma s^2 / 2 + theta s, with gamma = 1 / sigma^2 and theta = -b); the mode is max(0, sigma^2 (b + x)), the
    rectifier, while the mean is smooth.  Nair & Hinton's (2010) noisy rectified unit max(0, normal) is another: it is
    no exponential family.  log sigma^2 is the learned parameter, within bounds, as of `Gaussian` units.

    Args:
        shape: number of units or a shape.
        log_variance_bounds: where log sigma^2 is kept after each update.
        dtype: float32 or float64.

    >>> import torch, harmonium as hm
    >>> hm.ReLU(2).mode(torch.tensor([[0.5, -1.0]])).tolist()
    [[0.5, 0.0]]
    """

    loops = FusedKernels(sampler(_draw), mapper(_mean), summer(_split))

    def base_rate(self, mean: Tensor, variance: Tensor, cases: float) -> Natural:
        """The cut-off normal distribution of this mean and variance, where there is one: variance <= mean^2.

        Beyond that, and where the variance leaves its bounds, the mean is kept.
        """
        low, high = (math.exp(0.5 * bound) for bound in self.log_variance_bounds)
        mean = mean.double().clamp(min=1e-9)
        # variance / mean^2 of Z - alpha given Z > alpha rises with alpha from 0 to 1, its mean falls to 0.
        alpha = _bisect(_dispersion, variance.double() / mean**2)
        scale = (mean / portable.beyond(alpha)[1]).clamp(low, high)
        alpha = _bisect(_shortfall, -mean / scale)
        return (-alpha / scale).to(self.bias), (-0.5 / scale**2).to(self.bias)

    def invalid(self, s: Tensor) -> Tensor:
        return ~(torch.isfinite(s) & (s >= 0))

    def invalid_hint(self, value: float) -> str:
        return "ReLU units take numbers from 0 up: shift the data, or use Gaussian units"

    def _mean(self, eta: Natural) -> Tensor:
        return self._positive(eta)[1].to(eta[0].dtype)

    def _variance(self, eta: Natural) -> Tensor:
        return self._positive(eta)[2].to(eta[0].dtype)

    def _mode(self, eta: Natural) -> Tensor:
        return super()._mean(eta).clamp(min=0)

    def _log_normalizer(self, eta: Natural) -> Tensor:
        return self._positive(eta)[0]

    def _draw(self, eta: Natural, u: Tensor) -> Tensor:
        field, curvature = (part.detach().double() for part in eta)
        return portable.positive_quantile(field, -2 * curvature.expand_as(field), u).to(eta[0].dtype)

    def _positive(self, eta: Natural) -> tuple[Tensor, Tensor, Tensor]:
        field, curvature = (part.double() for part in eta)
        return portable.positive(field, -2 * curvature.expand_as(field))


def _dispersion(alpha: Tensor) -> Tensor:
    _, mean, variance = portable.beyond(alpha)
    return variance / mean**2


def _shortfall(alpha: Tensor) -> Tensor:
    return -portable.beyond(alpha)[1]


def _bisect(rising: Callable[[Tensor], Tensor], value: Tensor) -> Tensor:
    """Where a rising function takes a value, or the nearer end of -10^6 ... 100."""
    low, high = torch.full_like(value, -1e6), torch.full_like(value, 100.0)
    for _ in range(80):
        middle = 0.5 * (low + high)
        below = rising(middle) < value
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return 0.5 * (low + high)
