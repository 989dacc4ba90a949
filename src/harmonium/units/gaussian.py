"""Real-valued units with a learned variance."""

from __future__ import annotations

import math
from typing import Any

import torch
from numba.extending import register_jitable
from torch import Tensor, nn

from harmonium.kernels import scalar
from harmonium.kernels.columns import scalar_columns
from harmonium.kernels.fused import mapper, sampler, summer, walker
from harmonium.units.contract import FusedKernels, Natural
from harmonium.units.layer import Units

__all__ = ["Gaussian", "check_bounds"]

_SQRT_PI = math.sqrt(math.pi)


@register_jitable
def _draw(eta, constant, word):  # type: ignore[no-untyped-def]
    field, curvature = eta
    # The quantile needs all 32 bits: in float32 the upper tail would be coarser than the lower.
    u = scalar.uniform(0.0, word)
    precision = -2.0 * curvature
    return field / precision + scalar.ndtri(u) / math.sqrt(precision)


@register_jitable
def _mean(eta, constant):  # type: ignore[no-untyped-def]
    field, curvature = eta
    return field / (scalar.like(field, -2.0) * curvature)


@register_jitable
def _split(eta, constant):  # type: ignore[no-untyped-def]
    field, curvature = eta
    a = -float(curvature)
    return float(field) * field / (4.0 * a), _SQRT_PI / math.sqrt(a)


def check_bounds(bounds: tuple[float, float]) -> tuple[float, float]:
    """Check the bounds of a log-variance and return them as floats.

    Raises:
        ValueError: unless they increase and lie within -10 ... 10, where float32 squares are safe.
    """
    low, high = bounds
    if not -10 <= low < high <= 10:
        raise ValueError(f"log_variance_bounds must be increasing and within -10 ... 10, found {(low, high)}")
    return float(low), float(high)


class Gaussian(Units):
    """Real units with energy s^2 / (2 sigma^2) - b s: s | x is normal, mean sigma^2 (b + x), variance sigma^2.

    The input x is the plain sum of weights times states: E = -v.W.h + ..., without a division by sigma (in Fischer &
    Igel 2014, W is measured in units of sigma^2).  The learned parameter is the log-variance, kept within
    ``log_variance_bounds``; standardise the data.

    Args:
        shape: number of units or a shape.
        log_variance_bounds: bounds of the log-variance, enforced after each update.
        dtype: float32 or float64.

    >>> import torch, harmonium as hm
    >>> hm.Gaussian(2).mean(torch.tensor([[0.5, -1.0]])).tolist()
    [[0.5, -1.0]]
    """

    uniforms_in = torch.float64
    real_valued = True
    loops = FusedKernels(sampler(_draw), mapper(_mean), summer(_split), walker(_draw), columns=scalar_columns(_draw))

    def __init__(
        self,
        shape: int | tuple[int, ...],
        *,
        log_variance_bounds: tuple[float, float] = (-7.0, 7.0),
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(shape)
        self.log_variance_bounds = check_bounds(log_variance_bounds)
        self.bias = nn.Parameter(torch.zeros(self.size, dtype=dtype))
        self.log_variance = nn.Parameter(torch.zeros(self.size, dtype=dtype))

    def natural(self) -> Natural:
        return self.bias, -0.5 * torch.exp(-self.log_variance)

    def statistics(self, s: Tensor) -> Natural:
        return s, s * s

    def parameter_gradient(self, moments: Natural) -> dict[str, Tensor]:
        # d eta_2 / d log_variance = exp(-log_variance) / 2
        return {"bias": moments[0], "log_variance": moments[1] * (0.5 * torch.exp(-self.log_variance))}

    def base_rate(self, mean: Tensor, variance: Tensor, cases: float) -> Natural:
        low, high = self.log_variance_bounds
        precision = 1 / variance.clamp(math.exp(low), math.exp(high))
        return (mean * precision).to(self.bias), (-0.5 * precision).to(self.bias)

    @torch.no_grad()
    def set_natural(self, natural: Natural) -> None:
        self.bias.copy_(natural[0])
        self.log_variance.copy_(-torch.log(-2 * natural[1]))

    def normalisable(self, natural: Natural) -> bool:
        return super().normalisable(natural) and bool((natural[1] < 0).all())

    @torch.no_grad()
    def constrain(self) -> None:
        self.log_variance.clamp_(*self.log_variance_bounds)

    def invalid(self, s: Tensor) -> Tensor:
        return ~torch.isfinite(s)

    def invalid_hint(self, value: float) -> str:
        return "Gaussian units take any finite number"

    def advice(self, mean: Tensor, variance: Tensor) -> str | None:
        deviation = variance.sqrt()
        odd = (deviation < 0.1) | (deviation > 10) | (mean.abs() > 3 * deviation.clamp(min=1))
        if not bool(odd.any()):
            return None
        j = int(odd.nonzero()[0])
        found = f"column {j} has mean {float(mean[j]):.4g} and standard deviation {float(deviation[j]):.4g}"
        if float(deviation[j]) == 0:
            return f"{found}: drop constant columns, which contain nothing to learn"
        return (
            f"{found}: {type(self).__name__} units need columns of mean 0 and standard deviation 1 (load the data with "
            "standardize=True); otherwise no learning rate suits all columns"
        )

    def _mean(self, eta: Natural) -> Tensor:
        field, curvature = eta
        return field / (-2 * curvature)

    def _variance(self, eta: Natural) -> Tensor:
        field, curvature = eta
        return (-0.5 / curvature).expand_as(field)

    def _mode(self, eta: Natural) -> Tensor:
        return self._mean(eta)

    def _log_normalizer(self, eta: Natural) -> Tensor:
        field, curvature = eta
        return field * field / (-4 * curvature) + 0.5 * torch.log(-math.pi / curvature)

    def _draw(self, eta: Natural, u: Tensor) -> Tensor:
        field, curvature = eta
        noise: Tensor = torch.special.ndtri(u).to(field.dtype)
        return field / (-2 * curvature) + noise * torch.rsqrt(-2 * curvature)

    def config(self) -> dict[str, Any]:
        return super().config() | {"log_variance_bounds": list(self.log_variance_bounds)}
