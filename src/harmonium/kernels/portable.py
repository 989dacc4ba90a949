"""The same random words in plain torch, on any device."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from harmonium.core.random import RandomAddress
from harmonium.kernels.counts import FEW_TRIALS
from harmonium.kernels.philox import parts

__all__ = [
    "beyond", "binomial", "poisson", "positive", "positive_quantile", "rows_of", "two_states", "uniform", "walk",
    "words", "words_at",
]  # fmt: skip

Word = int | Tensor
_LOW = 0xFFFFFFFF


def rows_of(draw: RandomAddress, count: int, device: torch.device) -> Tensor:
    """Global indices of the rows of a draw, int64 (count,)."""
    if isinstance(draw.first, int):
        return torch.arange(draw.first, draw.first + count, device=device)
    return torch.as_tensor(draw.first, device=device)


def words(draw: RandomAddress, rows: Tensor, units: int) -> Tensor:
    """The 32-bit words of a draw as int64, shape (len(rows), units); ``rows`` are global row indices."""
    return words_at(rows, units, *parts(draw.key, draw.step, draw.site))


def words_at(rows: Tensor, units: int, k0: Word, k1: Word, c2: Word, c3: Word) -> Tensor:
    """`words` of a key and a counter: ints, or int64 tensors without dimensions on the device of the rows."""
    blocks = (units + 3) // 4
    # What the first rounds compute depends on the block alone or on the row alone: broadcasting saves most of them.
    counter = [torch.arange(blocks, device=rows.device), (rows & _LOW)[:, None], c2, c3]
    for _ in range(10):
        # int64 products wrap modulo 2^64, and the mask repairs the sign of the shift.
        p0 = 0xD2511F53 * counter[0]
        p1 = 0xCD9E8D57 * counter[2]
        counter = [
            ((p1 >> 32) & _LOW) ^ counter[1] ^ k0,
            p1 & _LOW,
            ((p0 >> 32) & _LOW) ^ counter[3] ^ k1,
            p0 & _LOW,
        ]
        k0 = (k0 + 0x9E3779B9) & _LOW
        k1 = (k1 + 0xBB67AE85) & _LOW
    return torch.stack(counter, -1).reshape(len(rows), 4 * blocks)[:, :units]  # type: ignore[arg-type]  # all tensors


def uniform(bits: Tensor, dtype: torch.dtype) -> Tensor:
    """(word + 0.5) / 2^32 in ``dtype``, rounded below 1."""
    u = (bits.to(dtype) + 0.5) * 2.0**-32
    return u.clamp_(max=1 - 2.0**-24) if dtype == torch.float32 else u


def two_states(field: Tensor, u: Tensor, low: float, high: float, slope: float) -> Tensor:
    """Draw one of two states by uniforms u: ``high`` with log-odds slope * field."""
    # u < sigmoid(-|x|) multiplied out: no division, and full relative precision however small the probability.
    t = torch.exp(-slope * field.abs())
    return torch.where((u * (1 + t) < t) ^ (field > 0), high, low).to(t)


def walk(u: Tensor, k: Tensor, p: Tensor, scale: Tensor, a: float, b: float) -> Tensor:
    """`harmonium.kernels.scalar.walk` for float64 tensors of one shape."""
    above, below, up, down, u = k, k, p, p, u - p
    out = k
    while bool((going := (u >= 0) & (up + down > 1e-18)).any()):
        up = up * (scale * (a - b * above) / (above + 1))
        above = above + 1
        u = u - up
        found = going & (u < 0)
        out = torch.where(found, above, out)
        down = down * (below / (scale * (a - b * (below - 1))))
        below = below - 1
        u = torch.where(found, u, u - down)
        out = torch.where(going & ~found & (u < 0), below, out)
    return out


def binomial(field: Tensor, trials: int, u: Tensor) -> Tensor:
    """`harmonium.kernels.counts.sample_binomial` for float64 tensors of one shape."""
    n = float(trials)
    t = torch.exp(-field.abs().clamp(max=708))
    q = 1 / (1 + t)
    if trials <= FEW_TRIALS:
        p = q**n
        k = torch.zeros_like(u)
        for j in range(trials):
            u = u - p
            k = k + (u >= 0)
            p = p * (t * ((n - j) / (j + 1)))
    else:
        mode = torch.floor((n + 1) * t * q)
        log_p = mode * torch.log(t) + n * torch.log(q)
        log_p = log_p + math.lgamma(n + 1) - torch.lgamma(mode + 1) - torch.lgamma(n - mode + 1)
        k = walk(u, mode, torch.exp(log_p), t, n, 1.0)
    return torch.where(field > 0, n - k, k)


def poisson(field: Tensor, u: Tensor) -> Tensor:
    """`harmonium.kernels.scalar.poisson` for float64 tensors of one shape."""
    rate = torch.exp(field)
    mode = torch.floor(rate)
    return walk(u, mode, torch.exp(mode * field - rate - torch.lgamma(mode + 1)), rate, 1.0, 0.0)


def beyond(alpha: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`harmonium.kernels.scalar.beyond` for float64 tensors; differentiable."""
    far, near = alpha.clamp(min=4), alpha.clamp(max=4)
    fraction = torch.zeros_like(far)
    for k in range(30, 1, -1):
        fraction = k / (far + fraction)
    far_mean = 1 / (far + fraction)
    log_ratio = 0.5 * near * near + torch.special.log_ndtr(-near) + 0.5 * math.log(2 * math.pi)
    hazard = torch.exp(-log_ratio)
    near_mean = hazard - near
    is_far = alpha > 4
    return (
        torch.where(is_far, -torch.log(far + far_mean), log_ratio),
        torch.where(is_far, far_mean, near_mean),
        torch.where(is_far, (fraction - far_mean) * far_mean, 1 - hazard * near_mean),
    )


def positive(field: Tensor, precision: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`harmonium.kernels.scalar.positive` for float64 tensors of one shape; differentiable."""
    scale = torch.rsqrt(precision)
    log_ratio, mean, variance = beyond(-field * scale)
    return log_ratio + torch.log(scale), mean * scale, variance * scale * scale


def positive_quantile(field: Tensor, precision: Tensor, u: Tensor) -> Tensor:
    """`harmonium.kernels.scalar.positive_quantile` for float64 tensors of one shape."""
    scale = torch.rsqrt(precision)
    alpha = -field * scale
    near = -torch.special.ndtri(u * 0.5 * torch.special.erfc(alpha.clamp(max=4) * math.sqrt(0.5))) - alpha
    far, log_u = alpha.clamp(min=4), torch.log(u)
    start = beyond(far)[0]
    d = -2 * log_u / (far + torch.sqrt(far * far - 2 * log_u))
    for _ in range(4):
        log_ratio, mean, _ = beyond(far + d)
        d = d + (log_ratio - start - (far + 0.5 * d) * d - log_u) / (far + d + mean)
    return torch.where(alpha > 4, d, near).clamp(min=0) * scale
