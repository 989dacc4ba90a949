"""Random choices of rows, and seeds of scikit-learn, from a stream."""

from __future__ import annotations

import numpy as np

from harmonium.core.random import Stream
from harmonium.tables.quality.encoding import Encoded

__all__ = ["draw", "seed_of"]


def draw(table: Encoded, count: int, stream: Stream) -> Encoded:
    """Return ``count`` rows, each at most once, in their order; all if there are no more."""
    if count >= len(table):
        return table
    return table.take(np.sort(np.random.default_rng(stream.key).permutation(len(table))[:count]))


def seed_of(stream: Stream) -> int:
    """Return a seed that scikit-learn accepts.

    >>> 0 <= seed_of(Stream(0)) < 2**32
    True
    """
    return stream.key % 2**32
