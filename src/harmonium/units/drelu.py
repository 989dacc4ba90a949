"""Double rectified units: a truncated Gaussian on either side of 0."""

from __future__ import annotations

import math
from typing import Any

import torch
from numba.extending import register_jitable
from torch import Tensor, nn

from harmonium.kernels import portable, scalar
from harmonium.kernels.fused import mapper, sampler, summer
from harmonium.units.contract import FusedKernels, Natural
from harmonium.units.gaussian import check_bounds
from harmonium.units.layer import Interpolation, Units

__all__ = ["DReLU"]


@register_jitable
def _sides(eta):  # type: ignore[no-untyped-def]
    """(field, precision) of s on the positive side, of -s on the negative one."""
    field, curvature, kink, skew = float(eta[0]), float(eta[1]), float(eta[2]), float(eta[3])
    return kink + field, -2.0 * (curvature + skew), kink - field, -2.0 * (curvature - skew)


@register_jitable
def _draw(eta, constant, word):  # type: ignore[no-untyped-def]
    up, up_precision, down, down_precision = _sides(eta)
    log_odds = scalar.positive(up, up_precision)[0] - scalar.positive(down, down_precision)[0]
    share = 1.0 / (1.0 + math.exp(min(log_odds, 700.0)))
    u = scalar.uniform(0.0, word)
    if u < share:
        return -scalar.positive_quantile(down, down_precision, u / share)
    rest = 1.0 / (1.0 + math.exp(min(-log_odds, 700.0)))
    return scalar.positive_quantile(up, up_precision, min((1.0 - u) / rest, 1.0))


@register_jitable
def _mean(eta, constant):  # type: ignore[no-untyped-def]
    up, up_precision, down, down_precision = _sides(eta)
    log_up, mean_up, _ = scalar.positive(up, up_precision)
    log_down, mean_down, _ = scalar.positive(down, down_precision)
    share = 1.0 / (1.0 + math.exp(min(log_up - log_down, 700.0)))
    rest = 1.0 / (1.0 + math.exp(min(log_down - log_up, 700.0)))
    return rest * mean_up - share * mean_down


@register_jitable
def _split(eta, constant):  # type: ignore[no-untyped-def]
    up, up_precision, down, down_precision = _sides(eta)
    log_up, log_down = scalar.positive(up, up_precision)[0], scalar.positive(down, down_precision)[0]
    return max(log_up, log_down) + math.log1p(math.exp(-abs(log_up - log_down))), 1.0


class DReLU(Units):
    """Double rectified linear units (Tubiana, Cocco & Monasson 2019, equation 5).

    The energy is s^2 / (2 sigma_+^2) - b s - k |s| for s > 0, and the same with sigma_- for s < 0.  The paper writes it
    as gamma_+ s_+^2 / 2 + gamma_- s_-^2 / 2 + theta_+ s_+ + theta_- s_-, with s_+ = max(s, 0) and s_- = min(s, 0):
    gamma_+- = 1 / sigma_+-^2, theta_+ = -(k + b), theta_- = k - b.  The *kink* k < 0 is a threshold, which makes s
    sparse; k > 0 makes two peaks.  With k = 0 and equal variances the unit is Gaussian.

    Natural parameters belong to s, s^2, |s| and s |s|.

    Args:
        shape: number of units or a shape.
        log_variance_bounds: bounds of both log-variances, enforced after each update.
        dtype: float32 or float64.

    >>> import torch, harmonium as hm
    >>> hm.DReLU(2).mean(torch.tensor([[0.5, -1.0]])).tolist()
    [[0.5, -1.0]]
    """

    uniforms_in = torch.float64
    real_valued = True
    loops = FusedKernels(sampler(_draw), mapper(_mean), summer(_split))

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
        self.kink = nn.Parameter(torch.zeros(self.size, dtype=dtype))
        self.log_variance_up = nn.Parameter(torch.zeros(self.size, dtype=dtype))
        self.log_variance_down = nn.Parameter(torch.zeros(self.size, dtype=dtype))

    def natural(self) -> Natural:
        up, down = torch.exp(-self.log_variance_up), torch.exp(-self.log_variance_down)
        return self.bias, -0.25 * (up + down), self.kink, -0.25 * (up - down)

    def statistics(self, s: Tensor) -> Natural:
        return s, s * s, s.abs(), s * s.abs()

    def parameter_gradient(self, moments: Natural) -> dict[str, Tensor]:
        return {
            "bias": moments[0],
            "kink": moments[2],
            "log_variance_up": 0.25 * torch.exp(-self.log_variance_up) * (moments[1] + moments[3]),
            "log_variance_down": 0.25 * torch.exp(-self.log_variance_down) * (moments[1] - moments[3]),
        }

    def base_rate(self, mean: Tensor, variance: Tensor, cases: float) -> Natural:
        """The Gaussian distribution with these moments."""
        low, high = self.log_variance_bounds
        precision = 1 / variance.clamp(math.exp(low), math.exp(high))
        nothing = torch.zeros_like(self.bias)
        return (mean * precision).to(self.bias), (-0.5 * precision).to(self.bias), nothing, nothing

    @torch.no_grad()
    def set_natural(self, natural: Natural) -> None:
        field, curvature, kink, skew = natural
        self.bias.copy_(field)
        self.kink.copy_(kink)
        self.log_variance_up.copy_(-torch.log(-2 * (curvature + skew)))
        self.log_variance_down.copy_(-torch.log(-2 * (curvature - skew)))

    def normalisable(self, natural: Natural) -> bool:
        return super().normalisable(natural) and bool((natural[1] + natural[3].abs() < 0).all())

    @torch.no_grad()
    def constrain(self) -> None:
        self.log_variance_up.clamp_(*self.log_variance_bounds)
        self.log_variance_down.clamp_(*self.log_variance_bounds)

    def invalid(self, s: Tensor) -> Tensor:
        return ~torch.isfinite(s)

    def invalid_hint(self, value: float) -> str:
        return "DReLU units take any finite number"

    def expected_statistics(self, x: Tensor, line: Interpolation | None = None) -> Natural:
        eta = self._eta(x, line)
        rest, mean_up, square_up, share, mean_down, square_down = self._moments(eta)
        pairs = (
            rest * mean_up - share * mean_down,
            rest * square_up + share * square_down,
            rest * mean_up + share * mean_down,
            rest * square_up - share * square_down,
        )
        return tuple(part.to(eta[0].dtype) for part in pairs)

    def _mean(self, eta: Natural) -> Tensor:
        rest, mean_up, _, share, mean_down, _ = self._moments(eta)
        return (rest * mean_up - share * mean_down).to(eta[0].dtype)

    def _variance(self, eta: Natural) -> Tensor:
        rest, mean_up, square_up, share, mean_down, square_down = self._moments(eta)
        within = rest * (square_up - mean_up**2) + share * (square_down - mean_down**2)
        return (within + rest * share * (mean_up + mean_down) ** 2).to(eta[0].dtype)

    def _mode(self, eta: Natural) -> Tensor:
        up, up_precision, down, down_precision = self._sides(eta)
        peaks = (up.clamp(min=0) / up_precision, down.clamp(min=0) / down_precision)
        is_up = peaks[0] ** 2 * up_precision >= peaks[1] ** 2 * down_precision
        return torch.where(is_up, peaks[0], -peaks[1]).to(eta[0].dtype)

    def _log_normalizer(self, eta: Natural) -> Tensor:
        up, up_precision, down, down_precision = self._sides(eta)
        return torch.logaddexp(portable.positive(up, up_precision)[0], portable.positive(down, down_precision)[0])

    def _draw(self, eta: Natural, u: Tensor) -> Tensor:
        up, up_precision, down, down_precision = self._sides(tuple(part.detach() for part in eta))
        log_odds = portable.positive(up, up_precision)[0] - portable.positive(down, down_precision)[0]
        share = 1 / (1 + torch.exp(log_odds.clamp(max=700)))
        rest = 1 / (1 + torch.exp((-log_odds).clamp(max=700)))
        below = portable.positive_quantile(down, down_precision, (u / share).clamp(max=1))
        above = portable.positive_quantile(up, up_precision, ((1 - u) / rest).clamp(max=1))
        return torch.where(u < share, -below, above).to(eta[0].dtype)

    def _sides(self, eta: Natural) -> Natural:
        """(field, precision) of s on the positive side, of -s on the negative one, float64."""
        field, curvature, kink, skew = (part.double().expand_as(eta[0]) for part in eta)
        return kink + field, -2 * (curvature + skew), kink - field, -2 * (curvature - skew)

    def _moments(self, eta: Natural) -> Natural:
        """Probability, mean and mean square of s on the positive side, of -s on the negative one, float64."""
        up, up_precision, down, down_precision = self._sides(eta)
        log_up, mean_up, variance_up = portable.positive(up, up_precision)
        log_down, mean_down, variance_down = portable.positive(down, down_precision)
        rest, share = torch.sigmoid(log_up - log_down), torch.sigmoid(log_down - log_up)
        return rest, mean_up, variance_up + mean_up**2, share, mean_down, variance_down + mean_down**2

    def config(self) -> dict[str, Any]:
        return super().config() | {"log_variance_bounds": list(self.log_variance_bounds)}
