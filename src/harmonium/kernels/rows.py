"""Rows of a matrix added to a vector, each times a factor."""

from __future__ import annotations

from numba.extending import register_jitable

from harmonium.kernels.compiled import OPTIONS

__all__ = ["add_four_rows", "add_row", "add_rows"]


@register_jitable(**OPTIONS)
def add_row(x, row, change):
    """x += change * row."""
    for i in range(x.shape[0]):
        x[i] += change * row[i]


@register_jitable(**OPTIONS)
def add_four_rows(x, row0, row1, row2, row3, change0, change1, change2, change3):
    """x += the sum of four rows, each times its change: x is loaded and stored once."""
    for i in range(x.shape[0]):
        x[i] += change0 * row0[i] + change1 * row1[i] + change2 * row2[i] + change3 * row3[i]


@register_jitable(**OPTIONS)
def add_rows(x, weights, index, change):
    """x += sum_k change_k times row index_k of weights."""
    four = index.shape[0] // 4 * 4
    for k in range(0, four, 4):
        add_four_rows(
            x, weights[index[k]], weights[index[k + 1]], weights[index[k + 2]], weights[index[k + 3]],
            change[k], change[k + 1], change[k + 2], change[k + 3],
        )  # fmt: skip
    for k in range(four, index.shape[0]):
        add_row(x, weights[index[k]], change[k])
