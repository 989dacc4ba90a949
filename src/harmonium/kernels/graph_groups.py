"""Sequential Gibbs sampling of categorical variables on a graph (see `harmonium.kernels.graph_walk`)."""

from __future__ import annotations

import numpy as np
from numba.extending import register_jitable

from harmonium.kernels.compiled import OPTIONS, compiled
from harmonium.kernels.edge_loops import gather, set_zero
from harmonium.kernels.graph_walk import fill_lanes, receive, unpack
from harmonium.kernels.scalar import exp, uniform

__all__ = ["walk_groups"]


@register_jitable(**OPTIONS)
def _field(x, t, slope, start):
    for r in range(x.shape[0]):
        x[r] = t[r] * (x[r] + slope) + start


@register_jitable(**OPTIONS)
def _raise_to(highest, x):
    for r in range(x.shape[0]):
        highest[r] = max(highest[r], x[r])


@register_jitable(**OPTIONS)
def _exponentials(total, x, highest):
    for r in range(x.shape[0]):
        x[r] = exp(x[r] - highest[r])
        total[r] += np.float64(x[r])


@register_jitable(**OPTIONS)
def _thresholds(total, words):
    for r in range(total.shape[0]):
        total[r] *= uniform(0.0, words[r])


@register_jitable(**OPTIONS)
def _count(below, total, x, threshold):
    for r in range(x.shape[0]):
        total[r] += np.float64(x[r])
        below[r] += total[r] <= threshold[r]


@register_jitable(**OPTIONS)
def _mark(s, i, low, state, below, last):
    for r in range(below.shape[0]):
        s[i, low + np.uint64(r)] = min(below[r], last) == state


@register_jitable(**OPTIONS)
def _mark_free(s, i, low, state, below, last, held):
    for r in range(below.shape[0]):
        c = low + np.uint64(r)
        s[i, c] = s[i, c] if held[i, c] else min(below[r], last) == state


@compiled
def walk_groups(
    s, x, weights, order, starts, neighbours, entries, held, t, slope, start, states, offset, words, rows, key,
    step, site, sweeps, first, last, reverse,
):  # fmt: skip
    """Draw variables of ``states`` units, one of which is 1, by inversion; the places of a variable follow each other.

    The arguments are those of `harmonium.kernels.graph_walk.graph_walker`; a variable takes the word of its number.
    """
    chains = s.shape[1]
    fields = np.empty((states, chains), s.dtype)
    highest = np.empty(chains, s.dtype)
    total, threshold = np.empty(chains), np.empty(chains)
    below = np.empty(chains, np.int64)
    own = np.empty(chains, np.uint32)
    left = np.uint64(0)
    for k in range(sweeps):
        if rows.shape[0] > 0:
            fill_lanes(words, 0, words.shape[0] // 2, rows, key, step + k, site)
        for place in range(0, last - first, states):
            p = last - states - place if reverse else first + place
            if held.shape[1] == 1 and held[order[p], 0]:
                continue
            for q in range(states):
                field, i = fields[q], np.uint64(order[p + q])
                if x.shape[0] > 0:
                    receive(field, x, i, left)
                else:
                    set_zero(field)
                gather(field, s, weights, neighbours, entries, starts[p + q], starts[p + q + 1], left)
                j = i - np.uint64(offset)
                _field(field, t, slope[0][0, j], start[0][0, j])
                if q == 0:
                    highest[:] = field
                else:
                    _raise_to(highest, field)
            set_zero(threshold)
            for q in range(states):
                _exponentials(threshold, fields[q], highest)
            unpack(own, words, np.uint64((order[p] - offset) // states))
            _thresholds(threshold, own)
            set_zero(total)
            below[:] = 0
            for q in range(states):
                _count(below, total, fields[q], threshold)
            for q in range(states):
                i = np.uint64(order[p + q])
                if held.shape[1] > 1:
                    _mark_free(s, i, left, q, below, states - 1, held)
                else:
                    _mark(s, i, left, q, below, states - 1)
