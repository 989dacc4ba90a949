"""Loops over groups: variables of ``states`` columns, one of which is 1 (see `harmonium.kernels.fused`).

Exponentials are taken of whole rows, so that they vectorise for any number of states; running sums are float64, so that
rare states keep their probability.
"""

from __future__ import annotations

import math

import numpy as np
from numba.extending import register_jitable

from harmonium.kernels.compiled import OPTIONS, compiled
from harmonium.kernels.philox import fill_words, number_of_row
from harmonium.kernels.scalar import exp, uniform

__all__ = ["draw_groups", "exponentials", "log_normalizer_groups", "mean_groups", "sample_groups", "sample_words"]


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
def exponentials(y, states, highest):
    """y = exp(field - the group's highest field), from the fields in y."""
    for i in range(highest.shape[0]):
        group = y[i * states : (i + 1) * states]
        highest[i] = _highest(group)
        _shift(group, highest[i])
    _exp_row(y)


@register_jitable(**OPTIONS)
def draw_groups(x, y, sums, words):
    """Overwrite the row x with one-hot draws by inversion, given `exponentials` y; ``sums`` (states,) is scratch."""
    states = sums.shape[0]
    x[:] = 0
    for i in range(x.shape[0] // states):
        total = _running_sum(y[i * states : (i + 1) * states], sums)
        x[i * states + _count_below(sums, uniform(0.0, words[i]) * total)] = 1


@register_jitable(**OPTIONS)
def _exponentials(x, t, slope, start, states, y, highest):
    _field_row(x, t, slope, start, y)
    exponentials(y, states, highest)


@compiled
def sample_groups(x, t, slope, start, states, first, k0, k1, c2, c3):
    """Overwrite x with one-hot draws, one word per group."""
    rows, units = x.shape
    groups = units // states
    words = np.empty(4 * ((groups + 3) // 4), np.uint32)
    y, highest, sums = np.empty(units, x.dtype), np.empty(groups, x.dtype), np.empty(states, np.float64)
    per = rows // slope[0].shape[0]
    for r in range(rows):
        fill_words(words, number_of_row(first, r), c2, c3, k0, k1)
        _exponentials(x[r], t[r], slope[0][r // per], start[0][r // per], states, y, highest)
        draw_groups(x[r], y, sums, words)


@compiled
def sample_words(x, t, slope, start, constant, totals, first, k0, k1, c2, c3):
    """Overwrite row r of x with counts of ``totals[r]`` draws from the softmax of its fields, a word for each."""
    rows, units = x.shape
    y, highest, sums = np.empty(units, x.dtype), np.empty(1, x.dtype), np.empty(units, np.float64)
    words = np.empty(4 * ((np.max(totals) + 3) // 4), np.uint32)
    per = rows // slope[0].shape[0]
    for r in range(rows):
        fill_words(words[: 4 * ((totals[r] + 3) // 4)], number_of_row(first, r), c2, c3, k0, k1)
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
