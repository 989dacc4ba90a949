"""Sequential Gibbs sampling of units on a graph, colour by colour, with chains side by side in memory.

Each unit is drawn for all chains at once, given the present states of its neighbours.  Units of one colour are not
neighbours: the order among them changes nothing, and neither does a division of chains or of a colour's units among
threads.  A draw takes the random word of its (unit, row, step, site), as in every other loop.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import register_jitable

from harmonium.kernels.chain_lanes import LANES, add_four, copy_lanes, put_lanes, set_four, unpack_words, words_of_block
from harmonium.kernels.compiled import INLINE, Scalar, compiled, named_after
from harmonium.kernels.fused import at, eta_of_unit

__all__ = [
    "LANES",
    "fill_lanes",
    "global_rows",
    "graph_walker",
    "padded",
    "padded_row",
    "receive",
    "unpack",
    "word_lanes",
]

_LOW = np.uint64(0xFFFFFFFF)


_HALF = np.uint64(32)


def word_lanes(units: int, chains: int) -> Any:
    """Room for the words of a sweep: four units in two rows of 64 bits, (2 * blocks of four units, chains)."""
    return np.empty((2 * ((units + 3) // 4), chains), np.uint64)


@compiled
def fill_lanes(words, first, last, rows, key, step, site):
    """Fill the blocks ``first`` ... ``last`` - 1 of `word_lanes`; ``rows`` are global indices of the chains, uint64."""
    k0, k1 = key & _LOW, key >> _HALF
    c2 = np.uint64(step) & _LOW
    c3 = (np.uint64(step) >> _HALF & np.uint64(0xFFFF)) << np.uint64(16) | np.uint64(site & 0xFF) << np.uint64(8)
    for block in range(first, last):
        for lane in range(0, rows.shape[0], LANES):
            words_of_block(words, np.uint64(block), rows, np.uint64(lane), c2, c3, k0, k1)


@register_jitable(**INLINE)
def unpack(out, words, j):
    """The words of unit j, uint32 (chains,)."""
    row, shift = j >> np.uint64(1), (j & np.uint64(1)) << np.uint64(5)
    for r in range(out.shape[0]):
        out[r] = np.uint32(words[row, r] >> shift)


@register_jitable(**INLINE)
def receive(field, x, i, low):
    """The input of unit i from other layers."""
    for r in range(field.shape[0]):
        field[r] = x[i, low + np.uint64(r)]


@register_jitable(**INLINE)
def _put_free(s, i, low, new, held):
    for r in range(LANES):
        c = low + np.uint64(r)
        s[i, c] = s[i, c] if held[i, c] else new[r]


def graph_walker(draw: Scalar) -> Scalar:
    """Build a loop that draws units of a graph in place, with ``draw(eta, constant, word)`` for each.

    s (units, chains) are the states, x likewise the input from other layers, or empty; the graph is an `Adjacency`
    and its weights.  The units of the places ``first`` ... ``last`` - 1 of its order are drawn, from the last one if
    ``reverse``; unit j has the parameters and words of number j - ``offset``.  ``held`` (units, chains or 1), or empty,
    marks units that keep their state.  Each of the ``sweeps`` fills ``words`` (see `word_lanes`) with those of its
    own step, unless ``rows`` is empty.

    Chains are drawn by `LANES`, of which all numbers are multiples (see `harmonium.kernels.chain_lanes`).
    """
    named = named_after(draw)

    @register_jitable(**INLINE)
    @named
    def lanes(new, x, t, low, slope, start, constant, words):
        for r in range(LANES):
            new[r] = draw(eta_of_unit(x[r], t[low + np.uint64(r)], slope, start), constant, words[r])

    @compiled
    @named
    def walk(
        s, x, weights, order, starts, neighbours, entries, held, t, slope, start, constant, offset, words, rows, key,
        step, site, sweeps, first, last, reverse,
    ):  # fmt: skip
        field, new, own = np.zeros(LANES, s.dtype), np.zeros(LANES, s.dtype), np.zeros(LANES, np.uint32)
        slopes, starting, zero = at(slope, 0), at(start, 0), np.zeros(1, weights.dtype)[0]
        for k in range(sweeps):
            if rows.shape[0] > 0:
                fill_lanes(words, 0, words.shape[0] // 2, rows, key, step + k, site)
            for place in range(first, last):
                p = first + last - 1 - place if reverse else place
                i = np.uint64(order[p])
                if held.shape[1] == 1 and held[i, 0]:
                    continue
                begin, end = starts[p], starts[p + 1]
                j = i - np.uint64(offset)
                row, shift = j >> np.uint64(1), (j & np.uint64(1)) << np.uint64(5)
                up, down = at(slopes, j), at(starting, j)
                left, to = np.uint64(0), np.uint64(s.shape[1])
                while left < to:
                    e = begin
                    if x.shape[0] > 0:
                        copy_lanes(field, x, i, left)
                    elif e + 4 <= end:
                        set_four(
                            field, s, np.uint64(neighbours[e]), np.uint64(neighbours[e + 1]),
                            np.uint64(neighbours[e + 2]), np.uint64(neighbours[e + 3]), left, weights[entries[e]],
                            weights[entries[e + 1]], weights[entries[e + 2]], weights[entries[e + 3]],
                        )  # fmt: skip
                        e += 4
                    else:
                        set_four(field, s, i, i, i, i, left, zero, zero, zero, zero)
                    while e + 4 <= end:
                        add_four(
                            field, s, np.uint64(neighbours[e]), np.uint64(neighbours[e + 1]),
                            np.uint64(neighbours[e + 2]), np.uint64(neighbours[e + 3]), left, weights[entries[e]],
                            weights[entries[e + 1]], weights[entries[e + 2]], weights[entries[e + 3]],
                        )  # fmt: skip
                        e += 4
                    if e < end:  # one to three more: the missing ones are the unit itself, with a weight of 0
                        two, three = e + 1 < end, e + 2 < end
                        add_four(
                            field, s, np.uint64(neighbours[e]), np.uint64(neighbours[e + 1]) if two else i,
                            np.uint64(neighbours[e + 2]) if three else i, i, left, weights[entries[e]],
                            weights[entries[e + 1]] if two else zero, weights[entries[e + 2]] if three else zero, zero,
                        )  # fmt: skip
                    unpack_words(own, words, row, left, shift)
                    lanes(new, field, t, left, up, down, constant, own)
                    if held.shape[1] > 1:
                        _put_free(s, i, left, new, held)
                    else:
                        put_lanes(s, i, left, new)
                    left += np.uint64(LANES)

    return walk


def global_rows(first: Any, low: int, high: int, lanes: int) -> Any:
    """Global indices of the rows ``low`` ... ``high`` - 1, uint64 (lanes,), the rest 0.

    ``first`` is the index of row 0, or of each (see `core.random.RandomAddress`).
    """
    index = np.zeros(lanes, np.uint64)
    index[: high - low] = first + np.arange(low, high) if isinstance(first, int) else np.asarray(first)[low:high]
    return index


def padded_row(values: Any) -> Any:
    """Values of rows, (rows,), as many as there are lanes."""
    out = np.zeros(-(-len(values) // LANES) * LANES, values.dtype)
    out[: len(values)] = values
    return out


def padded(s: Any) -> Any:
    """States (rows, units) of any layout, NumPy, as (units, rows rounded up to `LANES`), a copy; the rest is 0."""
    rows, units = s.shape
    out = np.zeros((units, -(-rows // LANES) * LANES), s.dtype)
    if s.flags.c_contiguous:
        _turn(out, s)
    else:
        out[:, :rows] = s.T
    return out


@compiled
def _turn(out, s):
    for first in range(0, s.shape[1], LANES):  # tiles that fit into the cache
        for start in range(0, s.shape[0], LANES):
            for r in range(start, min(start + LANES, s.shape[0])):
                for i in range(first, min(first + LANES, s.shape[1])):
                    out[i, r] = s[r, i]
