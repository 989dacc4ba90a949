"""Draws of some columns of a layer in place, each family by its own formula.

A *column draw* is ``draw(x, start, stop, constant, rest, address)``.  It overwrites the columns from ``start`` to
before ``stop`` of x (rows, units), which hold fields eta_1, with states.  ``rest`` are the other natural parameters
eta_2, ..., each (units,); ``constant`` is that of the family (see `harmonium.kernels.fused`); ``address`` has the
number of the first row, two words of the key, and words 2 and 3 of the counter.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import register_jitable

from harmonium.kernels.compiled import OPTIONS, Scalar, named_after
from harmonium.kernels.fused import at
from harmonium.kernels.groups import draw_groups, exponentials
from harmonium.kernels.philox import fill_words, number_of_row

__all__ = ["choice", "draw_group_columns", "scalar_columns"]


def scalar_columns(draw: Scalar) -> Scalar:
    """Build a column draw around ``draw(eta, constant, word)``, with one random 32-bit word for each column."""
    named = named_after(draw)

    @register_jitable(**OPTIONS)
    @named
    def draw_row(x, r, start, constant, rest, words, count):
        # A matrix and numbers: a view of the row would take time.  Unsigned: not checked for counting from the end.
        for k in range(count):
            j = start + np.uint64(k)
            x[r, j] = draw((x[r, j], *at(rest, j)), constant, words[k])

    @register_jitable(**OPTIONS)
    @named
    def draw_columns(x, start, stop, constant, rest, address):
        first, k0, k1, c2, c3 = address
        words = np.empty(4 * ((stop - start + 3) // 4), np.uint32)
        for r in range(x.shape[0]):
            fill_words(words, number_of_row(first, r), c2, c3, k0, k1)
            draw_row(x, r, np.uint64(start), constant, rest, words, stop - start)

    return draw_columns


@register_jitable(**OPTIONS)
def draw_group_columns(x, start, stop, constant, rest, address):
    """Draw variables of ``constant`` columns, one-hot, with one word for each variable."""
    first, k0, k1, c2, c3 = address
    groups = (stop - start) // constant
    words = np.empty(4 * ((groups + 3) // 4), np.uint32)
    y, highest = np.empty(stop - start, x.dtype), np.empty(groups, x.dtype)
    sums = np.empty(constant, np.float64)
    for r in range(x.shape[0]):
        fill_words(words, number_of_row(first, r), c2, c3, k0, k1)
        row = x[r, start:stop]
        y[:] = row
        exponentials(y, constant, highest)
        draw_groups(row, y, sums, words)


def choice(draw: Scalar, *others: Scalar) -> Scalar:
    """Build a column draw that takes, before all else, the number of one of these column draws."""
    named = named_after(draw, *others)
    following: Any = choice(*others) if others else None

    @register_jitable(**OPTIONS)
    @named
    def only(number, x, start, stop, constant, rest, address):
        draw(x, start, stop, constant, rest, address)

    @register_jitable(**OPTIONS)
    @named
    def chosen(number, x, start, stop, constant, rest, address):
        if number == 0:
            draw(x, start, stop, constant, rest, address)
        else:
            following(number - 1, x, start, stop, constant, rest, address)

    return chosen if others else only
