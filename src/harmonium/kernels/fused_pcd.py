"""Updates of a binary machine by persistent chains, many in one call.

At the sizes of small machines the time of an update goes into calls, not into sums.  This loop does what one sweep of
persistent chains and the plain gradient do, with the same words: given W (n_visible, n_hidden), cases v and chains u,

    h ~ p(h | u),  u ~ p(u | h),
    W += rate (<v E[h | v]'> - <u E[h | u]'>),  b += rate (<v> - <u>),  c += rate (<E[h | v]> - <E[h | u]>),

each mean over its own number of cases.  Rows of W are added up where a visible unit is on and left out where it is off,
so that the time follows the number of ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import register_jitable

from harmonium.kernels.fused import OPTIONS, Scalar, _named, _stamp, add_row, add_rows, compiled
from harmonium.kernels.philox import fill_words
from harmonium.kernels.scalar import like

__all__ = ["updater"]

_SUMS: dict[str, Any] = OPTIONS | {"fastmath": {"contract", "reassoc"}}


@register_jitable(**OPTIONS)
def _list(states, index, change):
    """Write where states are not zero, and what they are; how many."""
    n = 0
    for i in range(states.shape[0]):  # without a branch: written always, kept where it counts
        index[n] = i
        change[n] = states[i]
        n += states[i] != 0
    return n


@register_jitable(**OPTIONS)
def _send_up(x, states, weights, bias, index, change):
    for r in range(x.shape[0]):
        x[r] = bias
        n = _list(states[r], index, change)
        add_rows(x[r], weights, index[:n], change[:n])


@register_jitable(**_SUMS)
def _send_down(x, states, weights, bias):
    # Half of the hidden units are on, so all are summed: two rows of states by four of W, so that six are loaded for
    # eight products.
    rows, units = x.shape
    zero = like(weights[0, 0], 0.0)
    for i in range(0, units, 4):
        k, m, n = min(i + 1, units - 1), min(i + 2, units - 1), min(i + 3, units - 1)  # the last again: the same sums
        for r in range(0, rows, 2):
            q = min(r + 1, rows - 1)
            ri = rk = rm = rn = qi = qk = qm = qn = zero
            for j in range(weights.shape[1]):
                h, g = states[r, j], states[q, j]
                ri += h * weights[i, j]
                qi += g * weights[i, j]
                rk += h * weights[k, j]
                qk += g * weights[k, j]
                rm += h * weights[m, j]
                qm += g * weights[m, j]
                rn += h * weights[n, j]
                qn += g * weights[n, j]
            x[r, i], x[r, k], x[r, m], x[r, n] = ri + bias[i], rk + bias[k], rm + bias[m], rn + bias[n]
            x[q, i], x[q, k], x[q, m], x[q, n] = qi + bias[i], qk + bias[k], qm + bias[m], qn + bias[n]


@register_jitable(**OPTIONS)
def _scale(x, factor):
    for j in range(x.shape[0]):
        x[j] *= factor


@register_jitable(**OPTIONS)
def _add_sum(x, rows, factor, total):
    total[:] = like(factor, 0.0)
    for r in range(rows.shape[0]):  # first the small numbers, then once into the large ones
        add_row(total, rows[r], like(factor, 1.0))
    add_row(x, total, factor)


@register_jitable(**OPTIONS)
def _climb(weights, visible_bias, hidden_bias, states, means, rate, index, change):
    """Add rate times the mean over rows of every moment; ``means`` is spoilt."""
    share = rate / like(rate, states.shape[0])
    _add_sum(visible_bias, states, share, change[: states.shape[1]])
    _add_sum(hidden_bias, means, share, change[: means.shape[1]])
    for r in range(states.shape[0]):
        _scale(means[r], share)
    for i in range(weights.shape[0]):
        n = _list(states[:, i], index, change)
        add_rows(weights[i], means, index[:n], change[:n])


def updater(draw: Scalar, mean: Scalar) -> Scalar:
    """Loop of updates around the draw and the mean of a binary family (see `harmonium.kernels.fused.sampler`)."""
    stamp = _stamp(draw) ^ _stamp(mean)

    @register_jitable(**OPTIONS)
    @_named(stamp)
    def draw_row(x, words):
        for j in range(x.shape[0]):
            x[j] = draw((x[j],), 0, words[j])

    @register_jitable(**OPTIONS)
    @_named(stamp)
    def mean_row(x):
        for j in range(x.shape[0]):
            x[j] = mean((x[j],), 0)

    @register_jitable(**OPTIONS)
    @_named(stamp)
    def draw_rows(x, first, words, k0, k1, c2, c3):
        for r in range(x.shape[0]):
            fill_words(words, first + r, c2, c3, k0, k1)
            draw_row(x[r], words)

    @compiled
    @_named(stamp)
    def updates(weights, visible_bias, hidden_bias, cases, starts, rates, chains, first, k0, k1, c2, c3v, c3h):
        """Update u learns from ``cases[starts[u] : starts[u + 1]]`` and draws step c2 + u; all else is in place."""
        words = np.empty(4 * ((max(weights.shape) + 3) // 4), np.uint32)
        most = chains.shape[0]
        for u in range(rates.shape[0]):
            most = max(most, starts[u + 1] - starts[u])
        index = np.empty(max(most, max(weights.shape)) + 1, np.int64)
        change = np.empty(index.shape[0], weights.dtype)
        given = np.empty((most, weights.shape[1]), weights.dtype)
        dreamt = np.empty((chains.shape[0], weights.shape[1]), weights.dtype)
        for u in range(rates.shape[0]):
            step = c2 + np.uint64(u)
            v = cases[starts[u] : starts[u + 1]]
            h = given[: v.shape[0]]
            _send_up(h, v, weights, hidden_bias, index, change)
            for r in range(h.shape[0]):
                mean_row(h[r])
            _send_up(dreamt, chains, weights, hidden_bias, index, change)
            draw_rows(dreamt, first, words, k0, k1, step, c3h)
            _send_down(chains, dreamt, weights, visible_bias)
            draw_rows(chains, first, words, k0, k1, step, c3v)
            _send_up(dreamt, chains, weights, hidden_bias, index, change)
            for r in range(dreamt.shape[0]):
                mean_row(dreamt[r])
            _climb(weights, visible_bias, hidden_bias, v, h, rates[u], index, change)
            _climb(weights, visible_bias, hidden_bias, chains, dreamt, -rates[u], index, change)

    return updates
