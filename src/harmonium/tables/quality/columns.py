"""Columns one by one: is each distributed as in the real table?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from harmonium.data.raw import Array, Frame
from harmonium.tables.quality.encoding import Encoded

__all__ = ["columns"]


def columns(real: Encoded, other: Encoded) -> Frame:
    """Return 1 minus the distance of every column to the real one, a Series by column; 1 = equal distributions.

    The distance is that of Kolmogorov and Smirnov for numbers and dates, and the total variation for categories.
    Missing values count: as a category, and as a number below all others.
    """
    found = [
        1 - (_kolmogorov_smirnov if number else _total_variation)(real.values[:, place], other.values[:, place])
        for place, number in enumerate(real.number)
    ]
    return pd.Series(found, index=pd.Index(real.names, tupleize_cols=False), dtype="float64")


def _kolmogorov_smirnov(a: Array, b: Array) -> float:
    a, b = (np.sort(np.where(np.isnan(values), -np.inf, values)) for values in (a, b))
    at = np.concatenate([a, b])
    below = [np.searchsorted(values, at, "right") / len(values) for values in (a, b)]
    return float(np.abs(below[0] - below[1]).max())


def _total_variation(a: Array, b: Array) -> float:
    most = 1 + int(max(a.max(), b.max()))
    shares = [np.bincount(codes.astype(np.int64), minlength=most) / len(codes) for codes in (a, b)]
    return 0.5 * float(np.abs(shares[0] - shares[1]).sum())
