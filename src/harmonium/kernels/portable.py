"""The same random words in plain torch, on any device."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from harmonium.kernels.philox import split
from harmonium.kernels.scalar import FEW_TRIALS
from harmonium.random import Draw

__all__ = ["binomial", "uniform", "walk", "words"]

_LOW = 0xFFFFFFFF


def words(draw: Draw, rows: Tensor, units: int) -> Tensor:
    """The 32-bit words of a draw as int64, shape (len(rows), units); ``rows`` are global row indices."""
    k0, k1, c2, c3 = (int(word) for word in split(draw.key, draw.step, draw.site))
    blocks = (units + 3) // 4
    device = rows.device
    counter = [
        torch.arange(blocks, device=device).expand(len(rows), blocks),
        (rows & _LOW)[:, None].expand(len(rows), blocks),
        torch.full((len(rows), blocks), c2, device=device),
        torch.full((len(rows), blocks), c3, device=device),
    ]
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
    return torch.stack(counter, -1).reshape(len(rows), 4 * blocks)[:, :units]


def uniform(bits: Tensor, dtype: torch.dtype) -> Tensor:
    """(word + 0.5) / 2^32 in ``dtype``, rounded below 1."""
    u = (bits.to(dtype) + 0.5) * 2.0**-32
    return u.clamp_(max=1 - 2.0**-24) if dtype == torch.float32 else u


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
    """`harmonium.kernels.scalar.binomial` for float64 tensors of one shape."""
    n = float(trials)
    t = torch.exp(-field.abs().clamp(max=708))
    q = 1 / (1 + t)
    if trials <= FEW_TRIALS:
        p = q**n
        k, u = torch.zeros_like(u), u - p
        for j in range(trials):
            p = p * (t * (n - j) / (j + 1))
            k = k + (u >= 0)
            u = torch.where(u >= 0, u - p, u)
    else:
        mode = torch.floor((n + 1) * t * q)
        log_p = mode * torch.log(t) + n * torch.log(q)
        log_p = log_p + math.lgamma(n + 1) - torch.lgamma(mode + 1) - torch.lgamma(n - mode + 1)
        k = walk(u, mode, torch.exp(log_p), t, n, 1.0)
    return torch.where(field > 0, n - k, k)
