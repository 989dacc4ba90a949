"""Draws of binomial units for the fused loops (see `harmonium.kernels.fused` for their arguments)."""

from __future__ import annotations

import numpy as np
from numba.extending import register_jitable

from harmonium.kernels.compiled import OPTIONS, compiled
from harmonium.kernels.philox import fill_words, number_of_row
from harmonium.kernels.scalar import binomial, exp, uniform

__all__ = ["FEW_TRIALS", "draw_binomial", "sample_binomial"]

FEW_TRIALS = 32
"""Up to this number, counts are found from the likelier end, without factorials, in loops that vectorise."""


@register_jitable
def draw_binomial(eta, trials, word):
    """A number of successes by inversion: one unit of `sample_binomial`."""
    field, u = np.float64(eta[0]), uniform(0.0, word)
    if trials > FEW_TRIALS:
        return binomial(field, trials, u)
    odds = exp(-abs(field))
    q = 1.0 / (1.0 + odds)
    p, k = 1.0, 0.0
    for _ in range(trials):
        p *= q
    for j in range(trials):
        u -= p
        k += u >= 0.0
        p *= odds * ((trials - j) / (j + 1.0))
    return trials - k if field > 0 else k


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
        fill_words(words, number_of_row(first, r), c2, c3, k0, k1)
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
