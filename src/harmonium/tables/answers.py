"""Answers about one column given others, in the values of the frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from harmonium.data.codecs.categories import Categories
from harmonium.data.codecs.codec import Array, Codec
from harmonium.data.codecs.numbers import Cells, Numbers

__all__ = ["label_table", "mean_numbers", "quantile_numbers", "quantile_table", "without_missing"]


def without_missing(p: Array, codec: Codec, variable: int) -> Array:
    """Probabilities of the states of a variable that values have, (rows, states), given that the cell is not empty."""
    count = codec.states[variable] - codec.missing
    kept = p[:, : min(count, _values(codec, variable))].astype(np.float64)  # without a second state that nothing has
    total = kept.sum(1, keepdims=True)
    return np.asarray(np.where(total > 0, kept / np.maximum(total, 1e-300), 1 / kept.shape[1]))


def _values(codec: Codec, variable: int) -> int:
    if isinstance(codec, Numbers):
        return len(codec.cells)
    if isinstance(codec, Categories):
        return codec.own + codec.pooled
    return codec.states[variable] - codec.missing


def mean_numbers(cells: Cells, p: Array) -> Array:
    """Expected numbers, (rows,), from probabilities of cells; the nearest value where all cells are single values."""
    mean = p @ cells.means()
    if cells.point.all():
        values = cells.low
        right = np.searchsorted(values, mean).clip(1, len(values) - 1)
        lower = mean - values[right - 1] <= values[right] - mean
        return np.asarray(np.where(lower, values[right - 1], values[right]))
    if cells.decimals is not None:
        mean = np.round(mean, cells.decimals) + 0.0
    return np.asarray(np.clip(mean, cells.low[0], cells.high[-1]))


def quantile_numbers(cells: Cells, p: Array, share: float) -> Array:
    """The number below which this share of the probability lies, (rows,)."""
    total = p.cumsum(1)
    cell = (total < share * total[:, -1:]).sum(1).clip(max=len(cells) - 1)
    rows = np.arange(len(p))
    before = np.where(cell > 0, total[rows, cell - 1], 0.0)
    u = (share * total[:, -1] - before) / np.maximum(p[rows, cell], 1e-300)
    return cells.values(cell, np.clip(u, 1e-9, 1 - 1e-9))


def quantile_table(cells: Cells, p: Array, shares: Sequence[float], index: Any) -> Any:
    """Mean and quantiles of numbers, a row for each row of p."""
    columns: dict[Any, Array] = {"mean": p @ cells.means()}
    for share in shares:
        columns[share] = quantile_numbers(cells, p, share)
    return pd.DataFrame(columns, index=index)


def label_table(codec: Categories, p: Array, index: Any) -> Any:
    """Probabilities of labels, a column for each; those of rare labels by their frequencies."""
    own = p[:, : codec.own]
    labels = list(codec.labels)
    if codec.pooled:
        share = codec.counts[codec.own :] / codec.counts[codec.own :].sum()
        own = np.concatenate([own, p[:, codec.own : codec.own + 1] * share], 1)
    return pd.DataFrame(own[:, : len(labels)], index=index, columns=pd.Index(labels, dtype=object))
