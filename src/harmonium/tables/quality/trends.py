"""Trends of pairs: is every pair of columns distributed as in the real table?"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from harmonium.data.raw import Array, Frame
from harmonium.tables.quality.encoding import MOST_LEVELS, Encoded

__all__ = ["trends"]

_BINS = 10


def trends(real: Encoded, other: Encoded) -> Frame:
    """Return 1 minus the total variation distance of every pair of columns, 1 = equal distributions.

    Numbers are binned between the deciles of the real table; a missing value is a bin of its own. The distance is
    half the sum of the absolute differences of both contingency tables. (SDMetrics compares pairs of numbers by
    Pearson's correlation instead, which a wrong shape with the right slope passes.) Small tables score less by chance
    alone: compare with fresh real rows, of the same number.

    Returns:
        a square DataFrame, the columns on both sides, NaN on its diagonal.
    """
    pairs = np.full((len(real.names), len(real.names)), np.nan)
    bins = [_bins(real, other, place) for place in range(len(real.names))]
    for a, b in combinations(range(len(bins)), 2):
        pairs[a, b] = pairs[b, a] = 1 - _distance(bins[a], bins[b])
    names = pd.Index(real.names, tupleize_cols=False)
    return pd.DataFrame(pairs, index=names, columns=names)


def _bins(real: Encoded, other: Encoded, place: int) -> tuple[Array, Array]:
    """Numbers of the bins of one column in both tables."""
    here, there = real.values[:, place], other.values[:, place]
    if not real.number[place]:
        return _codes(here), _codes(there)
    present = here[~np.isnan(here)]
    inner = np.linspace(0, 1, _BINS + 1)[1:-1]
    edges = np.unique(np.quantile(present, inner)) if len(present) else np.empty(0)
    return _binned(here, edges), _binned(there, edges)


def _codes(values: Array) -> Array:
    """Codes of categories, all rare ones as one."""
    return np.minimum(values, MOST_LEVELS).astype(np.int64)


def _binned(values: Array, edges: Array) -> Array:
    """Numbers of bins from 1; 0 for a missing value."""
    return np.where(np.isnan(values), 0, 1 + np.searchsorted(edges, values))


def _distance(a: tuple[Array, Array], b: tuple[Array, Array]) -> float:
    width = 1 + int(max(part.max() for part in b))
    cells = [first * width + second for first, second in zip(a, b, strict=True)]
    most = 1 + int(max(part.max() for part in cells))
    shares = [np.bincount(part, minlength=most) / len(part) for part in cells]
    return 0.5 * float(np.abs(shares[0] - shares[1]).sum())
