"""Inner products of rows, accumulated in float64."""

from __future__ import annotations

import numpy as np
from numba.extending import register_jitable
from torch import Tensor

from harmonium.kernels.compiled import OPTIONS, compiled

__all__ = ["row_dots"]


def row_dots(x: Tensor, s: Tensor) -> Tensor:
    """Compute sum_j x_rj s_rj, (..., batch), float64, for x (..., batch, n) and s (batch, n) of one precision."""
    if x.device.type != "cpu":
        return (x.detach().double() * s).sum(-1)
    rows, pattern = x.detach().reshape(-1, x.shape[-1]), s.detach().contiguous()
    out = x.new_empty(x.shape[:-1], dtype=x.dtype).double()
    _dots(rows.numpy(), pattern.numpy(), out.view(-1).numpy())
    return out


@register_jitable(**(OPTIONS | {"fastmath": {"contract", "reassoc"}}))
def _dot(x, s):
    total = np.float64(0.0)
    for j in range(x.shape[0]):
        total += np.float64(x[j]) * np.float64(s[j])
    return total


@compiled
def _dots(x, s, out):
    batch = s.shape[0]
    for r in range(x.shape[0]):
        out[r] = _dot(x[r], s[r % batch])
