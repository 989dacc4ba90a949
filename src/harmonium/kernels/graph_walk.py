"""Sequential Gibbs sampling of units on a graph, colour by colour, with chains side by side in memory.

Each unit is drawn for all chains at once, given the present states of its neighbours.  Units of one colour are not
neighbours: the order among them changes nothing, and neither does a division of chains or of a colour's units among
threads.  A draw takes the random word of its (unit, row, step, site), as in every other loop.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import register_jitable

from harmonium.kernels.compiled import INLINE, Scalar, compiled, named_after
from harmonium.kernels.edge_loops import gather, set_zero
from harmonium.kernels.fused import at, eta_of_unit
from harmonium.kernels.philox import philox

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

LANES = 16
"""Chains that are drawn at once."""

_LOW = np.uint64(0xFFFFFFFF)


_HALF = np.uint64(32)


def word_lanes(units: int, chains: int) -> Any:
    """Room for the words of a sweep: four units in two rows of 64 bits, (2 * blocks of four units, chains)."""
    return np.empty((2 * ((units + 3) // 4), chains), np.uint64)


@register_jitable(**INLINE)
def _fill_block(words, block, rows, first, c2, c3, k0, k1):
    top, bottom = np.uint64(2) * block, np.uint64(2) * block + np.uint64(1)
    for r in range(LANES):
        c = first + np.uint64(r)
        w0, w1, w2, w3 = philox(block, rows[c], c2, c3, k0, k1)
        words[top, c] = np.uint64(w0) | np.uint64(w1) << _HALF
        words[bottom, c] = np.uint64(w2) | np.uint64(w3) << _HALF


@compiled
def fill_lanes(words, first, last, rows, key, step, site):
    """Fill the blocks ``first`` ... ``last`` - 1 of `word_lanes`; ``rows`` are global indices of the chains, uint64."""
    k0, k1 = key & _LOW, key >> _HALF
    c2 = np.uint64(step) & _LOW
    c3 = (np.uint64(step) >> _HALF & np.uint64(0xFFFF)) << np.uint64(16) | np.uint64(site & 0xFF) << np.uint64(8)
    for block in range(first, last):
        for lane in range(0, rows.shape[0], LANES):
            _fill_block(words, np.uint64(block), rows, np.uint64(lane), c2, c3, k0, k1)


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
def _keep(kept, s, i, low):
    for r in range(LANES):
        kept[r] = s[i, low + np.uint64(r)]


@register_jitable(**INLINE)
def _restore(s, i, low, kept, held):
    for r in range(LANES):
        c = low + np.uint64(r)
        if held[i, c]:
            s[i, c] = kept[r]


def graph_walker(draw: Scalar) -> Scalar:
    """Build a loop that draws units of a graph in place, with ``draw(eta, constant, word)`` for each.

    s (units, chains) are the states, x likewise the input from other layers, or empty; the graph is an `Adjacency`
    and its weights.  The units of the places ``first`` ... ``last`` - 1 of its order are drawn, from the last one if
    ``reverse``; unit j has the parameters and words of number j - ``offset``.  ``held`` (units, chains or 1), or empty,
    marks units that keep their state.  Only the chains ``low`` ... ``high`` - 1 move; their ``words`` (see
    `word_lanes`) are filled anew for each of the ``sweeps``, one step after the other, unless ``rows`` is empty.

    Chains are drawn by `LANES`, of which all numbers are multiples: loops of a known length have no remainders.  The
    last four neighbours are added up where the draw is, without a way through memory.
    """
    named = named_after(draw)

    @register_jitable(**INLINE)
    @named
    def lanes(s, i, low, x, i0, i1, i2, i3, w0, w1, w2, w3, t, slope, start, constant, words, row, shift, at_words):
        for r in range(LANES):
            c = low + np.uint64(r)
            field = x[r] + (w0 * s[i0, c] + w1 * s[i1, c] + w2 * s[i2, c] + w3 * s[i3, c])
            word = np.uint32(words[row, at_words + np.uint64(r)] >> shift)
            s[i, c] = draw(eta_of_unit(field, t[c], slope, start), constant, word)

    @compiled
    @named
    def walk(
        s, x, weights, order, starts, neighbours, entries, held, t, slope, start, constant, offset, words, rows, key,
        step, site, sweeps, first, last, reverse, low, high,
    ):  # fmt: skip
        field, kept = np.zeros(LANES, s.dtype), np.zeros(LANES, s.dtype)
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
                rest = max(begin, end - 4)
                # Of fewer than four neighbours, the missing ones are the unit itself, with a weight of 0.
                i0 = np.uint64(neighbours[rest]) if rest < end else i
                i1 = np.uint64(neighbours[rest + 1]) if rest + 1 < end else i
                i2 = np.uint64(neighbours[rest + 2]) if rest + 2 < end else i
                i3 = np.uint64(neighbours[rest + 3]) if rest + 3 < end else i
                w0 = weights[entries[rest]] if rest < end else zero
                w1 = weights[entries[rest + 1]] if rest + 1 < end else zero
                w2 = weights[entries[rest + 2]] if rest + 2 < end else zero
                w3 = weights[entries[rest + 3]] if rest + 3 < end else zero
                j = i - np.uint64(offset)
                row, shift = j >> np.uint64(1), (j & np.uint64(1)) << np.uint64(5)
                up, down = at(slopes, j), at(starting, j)
                left, to = np.uint64(low), np.uint64(high)
                while left < to:
                    if x.shape[0] > 0:
                        receive(field, x, i, left)
                    elif begin < rest:
                        set_zero(field)
                    if begin < rest:
                        gather(field, s, weights, neighbours, entries, begin, rest, left)
                    if held.shape[1] > 1:
                        _keep(kept, s, i, left)
                    lanes(
                        s, i, left, field, i0, i1, i2, i3, w0, w1, w2, w3, t, up, down, constant, words, row, shift,
                        left - np.uint64(low),
                    )  # fmt: skip
                    if held.shape[1] > 1:
                        _restore(s, i, left, kept, held)
                    left += np.uint64(LANES)
                if begin < rest:
                    set_zero(field)

    return walk


def global_rows(first: Any, rows: int, low: int, high: int) -> Any:
    """Global indices of the lanes ``low`` ... ``high`` - 1, uint64; those past the last row are 0.

    ``first`` is the index of the first of ``rows``, or of each (see `core.random.RandomAddress`).
    """
    index = np.zeros(high - low, np.uint64)
    index[: rows - low] = (first + np.arange(rows) if isinstance(first, int) else np.asarray(first))[low:high]
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
