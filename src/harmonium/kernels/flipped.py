"""Change of free energy when one binary visible unit is flipped, for every unit of every case."""

from __future__ import annotations

import math

import numpy as np
from numba.extending import register_jitable

from harmonium.kernels.compiled import OPTIONS, compiled
from harmonium.kernels.scalar import exp

__all__ = ["flipped"]

_TOGETHER = 32  # factors under one logarithm, at most


@register_jitable(**OPTIONS)
def _factors(on, off, weights, change, out):
    for j in range(weights.shape[0]):
        out[j] = off[j] + on[j] * exp(change * weights[j])


@register_jitable(**OPTIONS)
def _log_of_product(factors, together):
    part = factors.shape[0] // together
    for begin in range(part, factors.shape[0], part):
        for j in range(part):
            factors[j] *= factors[begin + j]
    total = 0.0
    for j in range(part):
        total += math.log(factors[j])
    return total


@compiled
def flipped(v, on, off, weights, bias, largest, out):
    """out[r, i] = F(v_r) - F(v_r with unit i as 1 - v_ri), all float64.

    With d = 1 - 2 v_i, this is d b_i + sum_j log(p(h_j = 0) + p(h_j = 1) e^(d W_ij)): logarithms are taken of products
    of several factors, few enough not to overflow.

    Args:
        v: cases (rows, n_visible), values from 0 to 1.
        on: p(h_j = 1 | v), (rows, n_hidden).
        off: p(h_j = 0 | v).
        weights: W (n_visible, n_hidden).
        bias: b.
        largest: max |W|, below 700.
        out: (rows, n_visible).
    """
    together = _TOGETHER
    while together > 1 and together * largest > 700.0:
        together //= 2
    factors = np.ones((weights.shape[1] + together - 1) // together * together)
    for r in range(v.shape[0]):
        for i in range(v.shape[1]):
            change = 1.0 - 2.0 * v[r, i]
            factors[weights.shape[1] :] = 1.0
            _factors(on[r], off[r], weights[i], change, factors)
            out[r, i] = change * bias[i] + _log_of_product(factors, together)
