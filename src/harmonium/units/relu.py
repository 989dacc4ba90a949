"""Rectified units: Gaussian units that cannot be negative."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from numba.extending import register_jitable
from torch import Tensor

from harmonium.kernels import portable, scalar
from harmonium.kernels.fused import mapper, sampler, summer
from harmonium.units.contract import FusedKernels, Natural
from harmonium.units.gaussian import Gaussian

__all__ = ["ReLU"]


@register_jitable
def _draw(eta, constant, word):  # type: ignore[no-untyped-def]
    return scalar.positive_quantile(float(eta[0]), -2.0 * float(eta[1]), scalar.uniform(0.0, word))


@register_jitable
def _mean(eta, constant):  # type: ignore[no-untyped-def]
    return scalar.positive(float(eta[0]), -2.0 * float(eta[1]))[1]


@register_jitable
def _split(eta, constant):  # type: ignore[no-untyped-def]
    return scalar.positive(float(eta[0]), -2.0 * float(eta[1]))[0], 1.0


class ReLU(Gaussian):
    """Real units s >= 0 with energy s^2 / (2 sigma^2) - b s: s | x is a normal distribution truncated at 0.

    These are the rectified units of Tubiana, Cocco & Monasson (2019, section 2.2: energy gamma s^2 / 2 + theta s, with
    gamma = 1 / sigma^2 and theta = -b).  The mode is max(0, sigma^2 (b + x)), the rectifier; the mean is smooth.  The
    noisy rectified unit max(0, normal) of Nair & Hinton (2010) is different: it is not an exponential family.  The
    learned parameter is log sigma^2, within bounds, as for `Gaussian` units.

    Args:
        shape: number of units or a shape.
        log_variance_bounds: bounds of log sigma^2, enforced after each update.
        dtype: float32 or float64.

    >>> import torch, harmonium as hm
    >>> hm.ReLU(2).mode(torch.tensor([[0.5, -1.0]])).tolist()
    [[0.5, 0.0]]
    """

    loops = FusedKernels(sampler(_draw), mapper(_mean), summer(_split))

    def base_rate(self, mean: Tensor, variance: Tensor, cases: float) -> Natural:
        """The truncated normal distribution with this mean and variance, if there is one: variance <= mean^2.

        Otherwise, and if the variance leaves its bounds, only the mean is matched.
        """
        low, high = (math.exp(0.5 * bound) for bound in self.log_variance_bounds)
        mean = mean.double().clamp(min=1e-9)
        # variance / mean^2 of Z - alpha given Z > alpha rises with alpha from 0 to 1, its mean falls to 0.
        alpha = _bisect(_dispersion, variance.double() / mean**2)
        scale = (mean / portable.beyond(alpha)[1]).clamp(low, high)
        alpha = _bisect(lambda alpha: -portable.beyond(alpha)[1], -mean / scale)
        return (-alpha / scale).to(self.bias), (-0.5 / scale**2).to(self.bias)

    def invalid(self, s: Tensor) -> Tensor:
        return ~(torch.isfinite(s) & (s >= 0))

    def invalid_hint(self, value: float) -> str:
        return "ReLU units take non-negative numbers: shift the data, or use Gaussian units"

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


def _bisect(rising: Callable[[Tensor], Tensor], value: Tensor) -> Tensor:
    """Solve rising(x) = value by bisection; the nearer end of -10^6 ... 100 if there is no solution in it."""
    low, high = torch.full_like(value, -1e6), torch.full_like(value, 100.0)
    for _ in range(80):
        middle = 0.5 * (low + high)
        below = rising(middle) < value
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return 0.5 * (low + high)
