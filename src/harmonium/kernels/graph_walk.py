"""Sequential Gibbs sampling of units on a graph, colour by colour, with chains side by side in memory.

Each unit is drawn for all chains at once, given the present states of its neighbours.  Units of one colour are not
neighbours: the order among them changes nothing, and neither does a division of chains or of a colour's units among
threads.  A draw takes the random word of its (unit, row, step, site), as in every other loop.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import register_jitable

from harmonium.kernels.compiled import OPTIONS, Scalar, compiled, named_after
from harmonium.kernels.edge_loops import gather, set_zero
from harmonium.kernels.fused import at, eta_of_unit
from harmonium.kernels.philox import philox

__all__ = ["fill_lanes", "global_rows", "graph_walker", "receive", "unpack", "word_lanes"]

_LOW = np.uint64(0xFFFFFFFF)


_HALF = np.uint64(32)


def word_lanes(units: int, chains: int) -> Any:
    """Room for the words of a sweep: four units in two rows of 64 bits, (2 * blocks of four units, chains)."""
    return np.empty((2 * ((units + 3) // 4), chains), np.uint64)


@register_jitable(**OPTIONS)
def _fill_block(words, block, rows, c2, c3, k0, k1):
    for r in range(rows.shape[0]):
        w0, w1, w2, w3 = philox(block, rows[r], c2, c3, k0, k1)
        words[np.uint64(2) * block, r] = np.uint64(w0) | np.uint64(w1) << _HALF
        words[np.uint64(2) * block + np.uint64(1), r] = np.uint64(w2) | np.uint64(w3) << _HALF


@compiled
def fill_lanes(words, first, last, rows, key, step, site):
    """Fill the blocks ``first`` ... ``last`` - 1 of `word_lanes`; ``rows`` are global indices of the chains, uint64."""
    k0, k1 = key & _LOW, key >> _HALF
    c2 = np.uint64(step) & _LOW
    c3 = (np.uint64(step) >> _HALF & np.uint64(0xFFFF)) << np.uint64(16) | np.uint64(site & 0xFF) << np.uint64(8)
    for block in range(first, last):
        _fill_block(words, np.uint64(block), rows, c2, c3, k0, k1)


@register_jitable(**OPTIONS)
def unpack(out, words, j):
    """The words of unit j, uint32 (chains,)."""
    row, shift = j >> np.uint64(1), (j & np.uint64(1)) << np.uint64(5)
    for r in range(out.shape[0]):
        out[r] = np.uint32(words[row, r] >> shift)


@register_jitable(**OPTIONS)
def receive(field, x, i, low):
    """The input of unit i from other layers."""
    for r in range(field.shape[0]):
        field[r] = x[i, low + r]


def graph_walker(draw: Scalar) -> Scalar:
    """Build a loop that draws units of a graph in place, with ``draw(eta, constant, word)`` for each.

    s (units, chains) are the states, x likewise the input from other layers, or empty; the graph is an `Adjacency`
    and its weights.  The units of the places ``first`` ... ``last`` - 1 of its order are drawn, from the last one if
    ``reverse``; unit j has the parameters and words of number j - ``offset``.  ``held`` (units, chains or 1), or empty,
    marks units that keep their state.  Only the chains ``low`` ... ``high`` - 1 move, at t (high - low); their
    ``words`` (see `word_lanes`) are filled anew for each of the ``sweeps``, one step after the other, unless ``rows``
    is empty.
    """
    named = named_after(draw)

    @register_jitable(**OPTIONS)
    @named
    def unit(s, i, low, x, t, slope, start, constant, words):
        for r in range(x.shape[0]):
            s[i, low + r] = draw(eta_of_unit(x[r], t[r], slope, start), constant, words[r])

    @register_jitable(**OPTIONS)
    @named
    def free_ones(s, i, low, x, t, slope, start, constant, words, held):
        for r in range(x.shape[0]):
            new = draw(eta_of_unit(x[r], t[r], slope, start), constant, words[r])
            s[i, low + r] = s[i, low + r] if held[i, low + r] else new

    @compiled
    @named
    def walk(
        s, x, weights, order, starts, neighbours, entries, held, t, slope, start, constant, offset, words, rows, key,
        step, site, sweeps, first, last, reverse, low, high,
    ):  # fmt: skip
        field = np.empty(high - low, s.dtype)
        own = np.empty(high - low, np.uint32)
        slopes, starting, left = at(slope, 0), at(start, 0), np.uint64(low)
        for k in range(sweeps):
            if rows.shape[0] > 0:
                fill_lanes(words, 0, words.shape[0] // 2, rows, key, step + k, site)
            for place in range(first, last):
                p = first + last - 1 - place if reverse else place
                i = np.uint64(order[p])
                if held.shape[1] == 1 and held[i, 0]:
                    continue
                if x.shape[0] > 0:
                    receive(field, x, i, left)
                else:
                    set_zero(field)
                gather(field, s, weights, neighbours, entries, starts[p], starts[p + 1], left)
                j = i - np.uint64(offset)
                unpack(own, words, j)
                if held.shape[1] > 1:
                    free_ones(s, i, left, field, t, at(slopes, j), at(starting, j), constant, own, held)
                else:
                    unit(s, i, left, field, t, at(slopes, j), at(starting, j), constant, own)

    return walk


def global_rows(first: Any, rows: int) -> Any:
    """Global indices of the rows, uint64, from the index of the first or of all (see `core.random.RandomAddress`)."""
    return (first + np.arange(rows) if isinstance(first, int) else np.asarray(first)).astype(np.uint64)
