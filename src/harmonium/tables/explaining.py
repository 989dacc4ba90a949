"""How surprising each cell of a row is given the others."""

from __future__ import annotations

import numpy as np

from harmonium.core.random import Stream
from harmonium.data.codecs.codec import Array
from harmonium.data.codecs.numbers import Numbers
from harmonium.data.codecs.table import TableCodec
from harmonium.data.raw import Frame
from harmonium.models.model import Model
from harmonium.tables.asking import probabilities

__all__ = ["surprise"]

LEAST = 1e-30  # a probability whose logarithm is taken


def surprise(model: Model, codec: TableCodec, matched: Frame, states: Array, stream: Stream) -> Array:
    """-log p(cell | rest of the row) less its expectation, in nats, (rows, columns).

    Of a column with several variables (dates) it is the sum over them, each given the other columns.

    Args:
        model: of the states.
        codec: of the table.
        matched: rows (see `TableCodec.matched`).
        states: theirs, NaN where they are missing at random.
        stream: of chains, for models that need them.

    Returns:
        NaN for cells that are missing at random and columns that were left out; inf for labels never seen.
    """
    density = codec.log_density(matched, states)
    found = np.full(matched.shape, np.nan)
    for place, each in enumerate(codec.codecs):
        if not each.states:
            continue
        own = codec.variables[place]
        hidden = states.copy()
        hidden[:, own] = np.nan
        p = probabilities(model, codec, hidden, stream.child(place))
        total = np.zeros(len(states))
        for variable in range(own.start, own.stop):
            share = np.maximum(p[variable], LEAST)
            at = share[np.arange(len(share)), np.nan_to_num(states[:, variable]).astype(int)]
            total += np.where(np.isnan(states[:, variable]), np.nan, -np.log(at)) + (share * np.log(share)).sum(1)
        if isinstance(each, Numbers):  # how far out in a cell, or beyond
            total += np.maximum(0.0, each.cells.evenly(states[:, own.start]) - density[:, place])
        found[:, place] = total
    found[codec.unseen(matched)] = np.inf
    return found
