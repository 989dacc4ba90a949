"""Loops over the edges of a graph, with chains side by side in memory: states are (units, chains).

The loop over chains is the inner one, contiguous, and vectorises whatever the graph looks like.
"""

from __future__ import annotations

import numpy as np
from numba.extending import register_jitable

from harmonium.kernels.compiled import INLINE, OPTIONS, compiled

__all__ = ["add_pairs", "energies", "gather", "send", "set_zero"]

# Matrices and unsigned numbers: views of rows would take longer than the arithmetic on a few chains, and signed numbers
# are checked for counting from the end (a sum of a signed and an unsigned one is signed).


@register_jitable(**INLINE)
def _add_one(x, s, i, weight, low):
    for r in range(x.shape[0]):
        x[r] += weight * s[i, low + np.uint64(r)]


@register_jitable(**INLINE)
def _add_four(x, s, i0, i1, i2, i3, weight0, weight1, weight2, weight3, low):
    for r in range(x.shape[0]):
        c = low + np.uint64(r)
        x[r] += weight0 * s[i0, c] + weight1 * s[i1, c] + weight2 * s[i2, c] + weight3 * s[i3, c]


@register_jitable(**INLINE)
def gather(x, s, weights, neighbours, entries, first, last, low):
    """x (chains) += the sum of rows of s (units, chains) from column ``low`` on, each times its weight."""
    four = first + (last - first) // 4 * 4
    for k in range(first, four, 4):
        _add_four(
            x, s, np.uint64(neighbours[k]), np.uint64(neighbours[k + 1]), np.uint64(neighbours[k + 2]),
            np.uint64(neighbours[k + 3]), weights[entries[k]], weights[entries[k + 1]], weights[entries[k + 2]],
            weights[entries[k + 3]], low,
        )  # fmt: skip
    for k in range(four, last):
        _add_one(x, s, np.uint64(neighbours[k]), weights[entries[k]], low)


@register_jitable(**INLINE)
def set_zero(x):
    """x = 0."""
    for r in range(x.shape[0]):
        x[r] = 0


@register_jitable(**INLINE)
def _copy_to(out, i, x):
    for r in range(x.shape[0]):
        out[i, r] = x[r]


@compiled
def send(out, s, weights, order, starts, neighbours, entries):
    """Write what every unit receives from states s (units, chains) into out (units that receive, chains)."""
    x = np.empty(s.shape[1], s.dtype)
    for p in range(order.shape[0]):
        set_zero(x)
        gather(x, s, weights, neighbours, entries, starts[p], starts[p + 1], np.uint64(0))
        _copy_to(out, np.uint64(order[p]), x)


@register_jitable(**(OPTIONS | {"fastmath": {"contract", "reassoc"}}))
def _dot(left, i, right, j):
    total = left[i, 0] * 0
    for r in range(left.shape[1]):
        total += left[i, r] * right[j, r]
    return total


@compiled
def add_pairs(out, rows, columns, left, right, scale, keep):
    """out = keep * out + scale * sum over chains of left_i right_j, for every pair (i, j) of rows and columns."""
    for e in range(rows.shape[0]):
        total = scale * _dot(left, np.uint64(rows[e]), right, np.uint64(columns[e]))
        out[e] = total if keep == 0 else keep * out[e] + total


@register_jitable(**INLINE)
def _add_energy(out, left, i, right, j, weight):
    for r in range(out.shape[0]):
        out[r] += weight * np.float64(left[i, r]) * np.float64(right[j, r])


@compiled
def energies(left, right, weights, rows, columns, out):
    """out (chains), float64, += the sum over pairs (i, j) of weight left_i right_j."""
    for e in range(rows.shape[0]):
        _add_energy(out, left, np.uint64(rows[e]), right, np.uint64(columns[e]), np.float64(weights[e]))
