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

import hashlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numba.extending import overload, register_jitable

from harmonium.kernels import cache
from harmonium.kernels.philox import fill_words
from harmonium.kernels.scalar import binomial, exp, uniform

__all__ = [
    "add_rows",
    "binarise",
    "log_normalizer_groups",
    "fill_row",
    "fill_rows",
    "mapper",
    "mean_groups",
    "sample_binomial",
    "sample_groups",
    "sample_words",
    "sampler",
    "summer",
    "walker",
]

OPTIONS: dict[str, Any] = {"nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}

Scalar = Callable[..., Any]

compiled = cache.compiled(**OPTIONS)  # whole loops only, never the pieces that they inline: see `_stamp`


def _stamp(function: Scalar) -> int:
    """Hash the name and source of a scalar function, and the sources of this package.

    Numba's cache checks only the file of the loop itself, and must not return machine code of an older formula.  The
    stamp is in the name of the loop, which is part of the cache's key.
    """
    digest = hashlib.blake2b(f"{function.__module__}.{function.__qualname__}".encode(), digest_size=7)
    own = function.__code__.co_filename
    for path in (own, *(str(Path(__file__).parent / name) for name in ("fused.py", "philox.py", "scalar.py"))):
        digest.update(Path(path).read_bytes())
    return int.from_bytes(digest.digest(), "little")


def _named(stamp: int) -> Callable[[Scalar], Scalar]:
    """Make a decorator that gives a function from a factory a unique name.

    Numba names machine code by the function's name, its argument types and a number that counts the functions of one
    process.  Code cached by processes that compiled in another order can then have the same name, and the linker takes
    the first for both.
    """

    def rename(function: Scalar) -> Scalar:
        function.__qualname__ += f"_{stamp:x}"
        return function

    return rename


def _at(parts: Any, g: int) -> Any:
    """Entry or row g of each array of a tuple."""
    raise NotImplementedError


@overload(_at)
def _at_of_tuple(parts, g):
    if len(parts) == 0:
        return lambda parts, g: ()
    return lambda parts, g: (parts[0][g], *_at(parts[1:], g))


def _rest(t: float, slope: Any, start: Any) -> Any:
    """eta_2, eta_3, ... of one unit."""
    raise NotImplementedError


@overload(_rest)
def _rest_of_tuple(t, slope, start):
    if len(slope) == 0:
        return lambda t, slope, start: ()
    return lambda t, slope, start: (t * slope[0] + start[0], *_rest(t, slope[1:], start[1:]))


@register_jitable(**OPTIONS)
def _eta_of_unit(x, t, slope, start):
    return (t * (x + slope[0]) + start[0], *_rest(t, slope[1:], start[1:]))


@register_jitable(**OPTIONS)
def _eta(x, t, slope, start, j):
    return _eta_of_unit(x[j], t, _at(slope, j), _at(start, j))


def sampler(draw: Scalar) -> Scalar:
    """Build a loop that overwrites x with ``draw(eta, constant, word)``, one random 32-bit word per unit."""
    stamp = _stamp(draw)

    @register_jitable(**OPTIONS)
    @_named(stamp)
    def row(x, t, slope, start, constant, words):
        for j in range(x.shape[0]):
            x[j] = draw(_eta(x, t, slope, start, j), constant, words[j])

    @compiled
    @_named(stamp)
    def sample(x, t, slope, start, constant, first, k0, k1, c2, c3):
        rows, units = x.shape
        words = np.empty(4 * ((units + 3) // 4), np.uint32)
        per = rows // slope[0].shape[0]
        for r in range(rows):
            g = r // per
            fill_words(words, first + r, c2, c3, k0, k1)
            row(x[r], t[r], _at(slope, g), _at(start, g), constant, words)

    return sample


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


_BLOCK = 32  # units drawn before their changes are sent to all others
_APART = 16  # padding of the rows of a block: rows a power of two apart would share few lines of the cache


def walker(draw: Scalar) -> Scalar:
    """Build a loop that draws units one after the other, each given the new states of those before it.

    x (chains, units) is the input from other layers, ``sent`` (chains, units) the input that the states s (chains,
    units) send each other through ``weights`` (units, units), symmetric.  The units
    ``columns`` are drawn in this order into s; ``sent``
    is updated by those that changed.  ``held`` (chains or 1, units) marks units that keep their state;
    ``words`` (chains, units) are random.

    Within a block of units the arrays have one row per unit, so that all chains are drawn at once; between blocks one
    row per chain, whose changes are added up.
    """
    stamp = _stamp(draw)

    # Few arrays each, and scalars for the parameters of a unit: LLVM does not vectorise loops with many outputs.

    @register_jitable(**OPTIONS)
    @_named(stamp)
    def unit(x, t, slope, start, constant, words):
        for r in range(x.shape[0]):
            x[r] = draw(_eta_of_unit(x[r], t[r], slope, start), constant, words[r])

    @register_jitable(**OPTIONS)
    @_named(stamp)
    def move(s, new, change, free):
        for r in range(s.shape[0]):
            change[r] = free[r] * (new[r] - s[r])
            s[r] += change[r]

    @register_jitable(**OPTIONS)
    @_named(stamp)
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
            unit(x[k][:chains], t, _at(_at(slope, 0), j), _at(_at(start, 0), j), constant, words[k][:chains])
            move(s[k][:chains], x[k][:chains], change[k][:chains], free)

    @compiled
    @_named(stamp)
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
    stamp = _stamp(function)

    @register_jitable(**OPTIONS)
    @_named(stamp)
    def row(x, t, slope, start, constant):
        for j in range(x.shape[0]):
            x[j] = function(_eta(x, t, slope, start, j), constant)

    @compiled
    @_named(stamp)
    def apply(x, t, slope, start, constant):
        per = x.shape[0] // slope[0].shape[0]
        for r in range(x.shape[0]):
            g = r // per
            row(x[r], t[r], _at(slope, g), _at(start, g), constant)

    return apply


_CHUNK = 112  # a product of 112 factors within 2^-9 ... 2^9 neither overflows nor underflows in float64


def summer(split: Scalar) -> Scalar:
    """Build a loop that sums the log-normalizers of the units of a layer, at several t for each row.

    ``split(eta, constant)`` returns (summand, factor) with log-normalizer = summand + log(factor) and the factor within
    2^-9 ... 2^9: one logarithm of a product of many factors replaces many logarithms.
    """
    stamp = _stamp(split)

    @register_jitable(**OPTIONS)
    @_named(stamp)
    def row(x, t, slope, start, constant, summands, factors):
        for j in range(x.shape[0]):
            summand, factor = split(_eta(x, t, slope, start, j), constant)
            summands[j] = summand
            factors[j] = factor

    @compiled
    @_named(stamp)
    def log_normalizers(x, t, slope, start, constant, out):
        summands = np.empty(x.shape[1], x.dtype)
        factors = np.empty(x.shape[1], x.dtype)
        per = x.shape[0] // slope[0].shape[0]
        for r in range(x.shape[0]):
            g = r // per
            for k in range(t.shape[1]):
                row(x[r], t[r, k], _at(slope, g), _at(start, g), constant, summands, factors)
                out[r, k] = _sum_and_log(summands, factors)

    return log_normalizers


FEW_TRIALS = 32
"""Up to this number, counts are found from the likelier end, without factorials, in loops that vectorise."""


@register_jitable(**OPTIONS)
def _binomial_start(x, t, slope, start, words, odds, q, p, u):
    for j in range(x.shape[0]):
        field = np.float64(t * (x[j] + slope[j]) + start[j])
        odds[j] = exp(-abs(field))
        q[j] = 1.0 / (1.0 + odds[j])  # of the likelier outcome
        p[j] = 1.0
        u[j] = uniform(0.0, words[j])


@register_jitable(**OPTIONS)
def _multiply(p, q):
    for j in range(p.shape[0]):
        p[j] *= q[j]


@register_jitable(**OPTIONS)
def _binomial_step(p, odds, factor, u, k):
    for j in range(p.shape[0]):
        u[j] -= p[j]
        k[j] += u[j] >= 0.0
        p[j] *= odds[j] * factor


@register_jitable(**OPTIONS)
def _binomial_end(x, t, slope, start, trials, k):
    for j in range(x.shape[0]):
        x[j] = trials - k[j] if t * (x[j] + slope[j]) + start[j] > 0 else k[j]


@register_jitable(**OPTIONS)
def _binomial_row(x, t, slope, start, trials, words):
    for j in range(x.shape[0]):
        x[j] = binomial(np.float64(t * (x[j] + slope[j]) + start[j]), trials, uniform(0.0, words[j]))


@compiled
def sample_binomial(x, t, slope, start, trials, first, k0, k1, c2, c3):
    """Overwrite x with numbers of successes in ``trials``, one word per unit, by inversion."""
    rows, units = x.shape
    words = np.empty(4 * ((units + 3) // 4), np.uint32)
    odds, q, p, u, k = np.empty((5, units))
    per = rows // slope[0].shape[0]
    for r in range(rows):
        g = r // per
        fill_words(words, first + r, c2, c3, k0, k1)
        if trials > FEW_TRIALS:
            _binomial_row(x[r], t[r], slope[0][g], start[0][g], trials, words)
            continue
        _binomial_start(x[r], t[r], slope[0][g], start[0][g], words, odds, q, p, u)
        for _ in range(trials):
            _multiply(p, q)
        k[:] = 0.0
        for j in range(trials):
            _binomial_step(p, odds, (trials - j) / (j + 1.0), u, k)
        _binomial_end(x[r], t[r], slope[0][g], start[0][g], trials, k)


# Groups: variables of ``states`` columns, one of which is 1.  Exponentials are taken of whole rows, so that they
# vectorise for any number of states; running sums are float64, so that rare states keep their probability.


@register_jitable(**OPTIONS)
def _field_row(x, t, slope, start, y):
    for j in range(x.shape[0]):
        y[j] = t * (x[j] + slope[j]) + start[j]


@register_jitable(**(OPTIONS | {"fastmath": {"contract", "nnan", "nsz"}}))
def _highest(y):
    highest = y[0]
    for k in range(y.shape[0]):
        highest = max(highest, y[k])
    return highest


@register_jitable(**OPTIONS)
def _exp_row(y):
    for j in range(y.shape[0]):
        y[j] = exp(y[j])


@register_jitable(**OPTIONS)
def _shift(y, highest):
    for k in range(y.shape[0]):
        y[k] -= highest


@register_jitable(**OPTIONS)
def _running_sum(y, sums):
    total = 0.0
    for k in range(y.shape[0]):
        total += np.float64(y[k])
        sums[k] = total
    return total


@register_jitable(**OPTIONS)
def _count_below(sums, threshold):
    count = 0
    for k in range(sums.shape[0]):
        count += sums[k] <= threshold
    return min(count, sums.shape[0] - 1)


@register_jitable(**OPTIONS)
def _exponentials(x, t, slope, start, states, y, highest):
    """y = exp(field - the group's highest field)."""
    _field_row(x, t, slope, start, y)
    for i in range(highest.shape[0]):
        group = y[i * states : (i + 1) * states]
        highest[i] = _highest(group)
        _shift(group, highest[i])
    _exp_row(y)


@compiled
def sample_groups(x, t, slope, start, states, first, k0, k1, c2, c3):
    """Overwrite x with one-hot draws by inversion, one word per group."""
    rows, units = x.shape
    groups = units // states
    words = np.empty(4 * ((groups + 3) // 4), np.uint32)
    y, highest, sums = np.empty(units, x.dtype), np.empty(groups, x.dtype), np.empty(states, np.float64)
    per = rows // slope[0].shape[0]
    for r in range(rows):
        fill_words(words, first + r, c2, c3, k0, k1)
        _exponentials(x[r], t[r], slope[0][r // per], start[0][r // per], states, y, highest)
        x[r, :] = 0
        for i in range(groups):
            total = _running_sum(y[i * states : (i + 1) * states], sums)
            x[r, i * states + _count_below(sums, uniform(0.0, words[i]) * total)] = 1


@compiled
def sample_words(x, t, slope, start, constant, totals, first, k0, k1, c2, c3):
    """Overwrite row r of x with counts of ``totals[r]`` draws from the softmax of its fields, a word for each."""
    rows, units = x.shape
    y, highest, sums = np.empty(units, x.dtype), np.empty(1, x.dtype), np.empty(units, np.float64)
    words = np.empty(4 * ((np.max(totals) + 3) // 4), np.uint32)
    per = rows // slope[0].shape[0]
    for r in range(rows):
        fill_words(words[: 4 * ((totals[r] + 3) // 4)], first + r, c2, c3, k0, k1)
        _exponentials(x[r], t[r], slope[0][r // per], start[0][r // per], units, y, highest)
        total = _running_sum(y, sums)
        x[r, :] = 0
        for i in range(totals[r]):
            drawn = np.searchsorted(sums, uniform(0.0, words[i]) * total, side="right")
            x[r, min(drawn, units - 1)] += 1


@compiled
def mean_groups(x, t, slope, start, states):
    """Overwrite x with the softmax of each group."""
    units = x.shape[1]
    y, highest, sums = np.empty(units, x.dtype), np.empty(units // states, x.dtype), np.empty(states, np.float64)
    per = x.shape[0] // slope[0].shape[0]
    for r in range(x.shape[0]):
        _exponentials(x[r], t[r], slope[0][r // per], start[0][r // per], states, y, highest)
        for i in range(units // states):
            total = _running_sum(y[i * states : (i + 1) * states], sums)
            for j in range(i * states, (i + 1) * states):
                x[r, j] = y[j] / total


@compiled
def log_normalizer_groups(x, t, slope, start, states, out):
    """Write the sum over groups of log sum exp, at several t for each row."""
    units = x.shape[1]
    y, highest, sums = np.empty(units, x.dtype), np.empty(units // states, x.dtype), np.empty(states, np.float64)
    per = x.shape[0] // slope[0].shape[0]
    for r in range(x.shape[0]):
        for k in range(t.shape[1]):
            _exponentials(x[r], t[r, k], slope[0][r // per], start[0][r // per], states, y, highest)
            total = 0.0
            for i in range(units // states):
                total += highest[i] + math.log(_running_sum(y[i * states : (i + 1) * states], sums))
            out[r, k] = total


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


@compiled
def binarise(p, rows, k0, k1, c2, c3):
    """Overwrite probabilities p (rows, units) with draws; row r uses the words of global row ``rows[r]``."""
    words = np.empty(4 * ((p.shape[1] + 3) // 4), np.uint32)
    for r in range(p.shape[0]):
        fill_words(words, rows[r], c2, c3, k0, k1)
        _binarise_row(p[r], words)


@register_jitable(**OPTIONS)
def _binarise_row(p, words):
    for j in range(p.shape[0]):
        p[j] = uniform(p[j], words[j]) < p[j]


@compiled
def fill_row(words, row, k0, k1, c2, c3):
    """Fill the words of one row (see `fill_words`)."""
    fill_words(words, row, c2, c3, k0, k1)


@compiled
def fill_rows(words, first, k0, k1, c2, c3):
    """Fill the words of several rows; the first has the global index ``first``."""
    for r in range(words.shape[0]):
        fill_words(words[r], first + r, c2, c3, k0, k1)
