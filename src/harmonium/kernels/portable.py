"""The same random words in plain torch, on any device."""

from __future__ import annotations

import torch
from torch import Tensor

from harmonium.kernels.philox import split
from harmonium.random import Draw

__all__ = ["uniform", "words"]

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
