"""Fused loops over a layer, compiled around a unit's own scalar functions.

A unit type supplies scalar functions of its natural parameters; the factories here build the loops.  Loops are
single-threaded and release the GIL: the cores are left to matrix products, and Python threads and forks are safe.

Every loop sees a layer on a line of natural parameters (`harmonium.units.Interpolation`): in row r, at t[r], unit j of
model g = r // per has

    eta_1 = t[r] * (x[r, j] + slope[0][g, j]) + start[0][g, j]
    eta_k = t[r] * slope[k - 1][g, j] + start[k - 1][g, j]

where x is the input from the couplings.  An ordinary model has t = 1, start = 0.  ``slope`` and ``start`` are tuples
with one array for each natural parameter of the family.  ``constant`` is an integer that the family needs besides
them: the trials of a binomial unit, the states of a categorical one.

The body of each row is a separate function because LLVM can then prove that its arrays do not overlap, and vectorises.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba.extending import overload, register_jitable

from harmonium.kernels.compiled import OPTIONS, Scalar, compiled, named_after
from harmonium.kernels.philox import fill_words, number_of_row
from harmonium.kernels.rows import add_rows

__all__ = ["at", "eta_of_unit", "mapper", "sampler", "summer", "walker"]


def at(parts: Any, g: Any) -> Any:
    """Entry or row g of each array of a tuple."""
    raise NotImplementedError


@overload(at)
def _at_of_tuple(parts, g):
    if len(parts) == 0:
        return lambda parts, g: ()
    return lambda parts, g: (parts[0][g], *at(parts[1:], g))


def _rest(t: float, slope: Any, start: Any) -> Any:
    """eta_2, eta_3, ... of one unit."""
    raise NotImplementedError


@overload(_rest)
def _rest_of_tuple(t, slope, start):
    if len(slope) == 0:
        return lambda t, slope, start: ()
    return lambda t, slope, start: (t * slope[0] + start[0], *_rest(t, slope[1:], start[1:]))


@register_jitable(**OPTIONS)
def eta_of_unit(x, t, slope, start):
    """eta_1, eta_2, ... of one unit that gets the input x."""
    return (t * (x + slope[0]) + start[0], *_rest(t, slope[1:], start[1:]))


@register_jitable(**OPTIONS)
def _eta(x, t, slope, start, j):
    return eta_of_unit(x[j], t, at(slope, j), at(start, j))


def sampler(draw: Scalar) -> Scalar:
    """Build a loop that overwrites x with ``draw(eta, constant, word)``, one random 32-bit word per unit."""
    named = named_after(draw)

    @register_jitable(**OPTIONS)
    @named
    def row(x, t, slope, start, constant, words):
        for j in range(x.shape[0]):
            x[j] = draw(_eta(x, t, slope, start, j), constant, words[j])

    @compiled
    @named
    def sample(x, t, slope, start, constant, first, k0, k1, c2, c3):
        rows, units = x.shape
        words = np.empty(4 * ((units + 3) // 4), np.uint32)
        per = rows // slope[0].shape[0]
        for r in range(rows):
            g = r // per
            fill_words(words, number_of_row(first, r), c2, c3, k0, k1)
            row(x[r], t[r], at(slope, g), at(start, g), constant, words)

    return sample


_BLOCK = 32  # units drawn before their changes are sent to all others
_APART = 16  # padding of the rows of a block: rows a power of two apart would share few lines of the cache


def walker(draw: Scalar) -> Scalar:
    """Build a loop that draws units one after the other, each given the new states of those before it.

    x (chains, units) is the input from other layers, ``sent`` (chains, units) the input that the states s (chains,
    units) send each other through ``weights`` (units, units), symmetric.  The units ``columns`` are drawn in this order
    into s; ``sent`` is updated by those that changed.  ``held`` (chains or 1, units) marks units that keep their state;
    ``words`` (chains, units) are random.

    Within a block of units the arrays have one row per unit, so that all chains are drawn at once; between blocks one
    row per chain, whose changes are added up.
    """
    named = named_after(draw)

    # Few arrays each, and scalars for the parameters of a unit: LLVM does not vectorise loops with many outputs.

    @register_jitable(**OPTIONS)
    @named
    def unit(x, t, slope, start, constant, words):
        for r in range(x.shape[0]):
            x[r] = draw(eta_of_unit(x[r], t[r], slope, start), constant, words[r])

    @register_jitable(**OPTIONS)
    @named
    def move(s, new, change, free):
        for r in range(s.shape[0]):
            change[r] = free[r] * (new[r] - s[r])
            s[r] += change[r]

    @register_jitable(**OPTIONS)
    @named
    def through(x, s, change, weights, columns, held, words, t, slope, start, constant):
        chains = t.shape[0]
        free = np.ones(chains, x.dtype)
        index = np.empty(columns.shape[0], np.int64)
        factors = np.empty(columns.shape[0], x.dtype)
        for k in range(columns.shape[0]):
            j = columns[k]
            n = 0
            for i in range(k):
                index[n] = i
                factors[n] = weights[j, columns[i]]
                n += factors[n] != 0
            add_rows(x[k][:chains], change, index[:n], factors[:n])
            if held.shape[0] > 1:
                for r in range(chains):
                    free[r] = not held[r, j]
            else:
                free[:] = not held[0, j]
            unit(x[k][:chains], t, at(at(slope, 0), j), at(at(start, 0), j), constant, words[k][:chains])
            move(s[k][:chains], x[k][:chains], change[k][:chains], free)

    @compiled
    @named
    def walk(x, sent, s, weights, columns, held, words, t, slope, start, constant):
        chains = x.shape[0]
        # Not unpacked from one array: loops over the rows would not vectorise.
        received = np.empty((_BLOCK, chains + _APART), x.dtype)
        own = np.empty((_BLOCK, chains + _APART), x.dtype)
        change = np.empty((_BLOCK, chains + _APART), x.dtype)
        word = np.empty((_BLOCK, chains + _APART), np.uint32)
        index = np.empty(_BLOCK + 1, np.int64)
        moves = np.empty(_BLOCK + 1, x.dtype)
        for first in range(0, columns.shape[0], _BLOCK):
            here = columns[first : first + _BLOCK]
            for r in range(chains):
                for k in range(here.shape[0]):
                    j = here[k]
                    received[k, r] = x[r, j] + sent[r, j]
                    own[k, r] = s[r, j]
                    word[k, r] = words[r, j]
            through(received, own, change, weights, here, held, word, t, slope, start, constant)
            for r in range(chains):
                n = 0
                for k in range(here.shape[0]):
                    s[r, here[k]] = own[k, r]
                    index[n] = here[k]
                    moves[n] = change[k, r]
                    n += change[k, r] != 0
                add_rows(sent[r], weights, index[:n], moves[:n])

    return walk


def mapper(function: Scalar) -> Scalar:
    """Build a loop that overwrites x with ``function(eta, constant)``: a conditional mean, variance or mode."""
    named = named_after(function)

    @register_jitable(**OPTIONS)
    @named
    def row(x, t, slope, start, constant):
        for j in range(x.shape[0]):
            x[j] = function(_eta(x, t, slope, start, j), constant)

    @compiled
    @named
    def apply(x, t, slope, start, constant):
        per = x.shape[0] // slope[0].shape[0]
        for r in range(x.shape[0]):
            g = r // per
            row(x[r], t[r], at(slope, g), at(start, g), constant)

    return apply


_CHUNK = 112  # a product of 112 factors within 2^-9 ... 2^9 neither overflows nor underflows in float64


@register_jitable(**(OPTIONS | {"fastmath": {"contract", "reassoc"}}))
def _chunk(summands, factors):
    total = 0.0
    product = 1.0
    for j in range(summands.shape[0]):  # from 0 over a whole slice: only then does LLVM vectorise the reductions
        total += np.float64(summands[j])
        product *= np.float64(factors[j])
    if 1e-290 < product < 1e290:
        return total + math.log(product)
    for j in range(summands.shape[0]):  # the product under- or overflowed: sum the logarithms
        total += math.log(np.float64(factors[j]))
    return total


@register_jitable(**OPTIONS)
def _sum_and_log(summands, factors):
    result = 0.0
    for first in range(0, summands.shape[0], _CHUNK):
        result += _chunk(summands[first : first + _CHUNK], factors[first : first + _CHUNK])
    return result


def summer(split: Scalar) -> Scalar:
    """Build a loop that sums the log-normalizers of the units of a layer, at several t for each row.

    ``split(eta, constant)`` returns (summand, factor) with log-normalizer = summand + log(factor) and the factor within
    2^-9 ... 2^9: one logarithm of a product of many factors replaces many logarithms.
    """
    named = named_after(split)

    @register_jitable(**OPTIONS)
    @named
    def row(x, t, slope, start, constant, summands, factors):
        for j in range(x.shape[0]):
            summand, factor = split(_eta(x, t, slope, start, j), constant)
            summands[j] = summand
            factors[j] = factor

    @compiled
    @named
    def log_normalizers(x, t, slope, start, constant, out):
        summands = np.empty(x.shape[1], x.dtype)
        factors = np.empty(x.shape[1], x.dtype)
        per = x.shape[0] // slope[0].shape[0]
        for r in range(x.shape[0]):
            g = r // per
            for k in range(t.shape[1]):
                row(x[r], t[r, k], at(slope, g), at(start, g), constant, summands, factors)
                out[r, k] = _sum_and_log(summands, factors)

    return log_normalizers
