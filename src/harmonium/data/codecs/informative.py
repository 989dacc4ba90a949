"""Does it mean something that a cell is empty?  Asked of rows that were not used to find out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pandas.api import types

from harmonium.data.codecs.codec import Array
from harmonium.data.raw import Frame

__all__ = ["missing_means_something"]

LEAST = 20  # empty cells, and full ones, for a test
MOST_ROWS = 4000
FOLDS = 3
ERRORS = 2.0  # standard errors that the gain must exceed


def missing_means_something(frame: Frame, said: Sequence[bool | None]) -> list[bool]:
    """For each column, whether an empty cell depends on the other columns, so that it should be a value of its own.

    A classifier by gradient boosting predicts from the other columns whether the cell is empty.  If its log-likelihood
    of held-out rows is better than that of the share of empty cells, by two standard errors, emptiness is a value.

    Args:
        frame: the table.
        said: what the user says of each column, None if nothing.

    Returns:
        one bool for each column; False for columns without empty cells.
    """
    gaps = frame.isna().to_numpy()
    means = []
    features: Array | None = None
    for place, answer in enumerate(said):
        empty = gaps[:, place]
        count = int(empty.sum())
        if answer is not None or count < LEAST or len(frame) - count < LEAST:
            means.append(bool(answer))
            continue
        if features is None:
            rows = np.random.default_rng(0).permutation(len(frame))[:MOST_ROWS]
            features = np.stack([_as_numbers(frame.iloc[rows, each]) for each in range(frame.shape[1])], 1)
        means.append(_depends(np.delete(features, place, 1), empty[rows]))
    return means


def _depends(features: Array, empty: Array) -> bool:
    from sklearn.ensemble import HistGradientBoostingClassifier  # loads slowly
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    least = min(int(empty.sum()), int((~empty).sum()))
    low, high = np.fmin.reduce(features, 0), np.fmax.reduce(features, 0)
    features = features[:, low < high]  # neither empty nor constant
    if least < FOLDS or not features.shape[1]:
        return False
    model = HistGradientBoostingClassifier(max_iter=30, max_leaf_nodes=8, min_samples_leaf=10, random_state=0)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    p = cross_val_predict(model, features, empty, cv=folds, method="predict_proba")[:, 1].clip(1e-4, 1 - 1e-4)
    share = empty.mean()
    gain = np.where(empty, np.log(p / share), np.log((1 - p) / (1 - share)))
    return bool(gain.mean() > ERRORS * gain.std() / np.sqrt(len(gain)))


def _as_numbers(values: Any) -> Array:
    """A column as numbers, NaN where it is empty: labels by their place."""
    if types.is_numeric_dtype(values.dtype) and not types.is_complex_dtype(values.dtype):
        return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))
    codes = values.astype(str).astype("category").cat.codes.to_numpy().astype(np.float64)
    codes[values.isna().to_numpy()] = np.nan
    return np.asarray(codes)
