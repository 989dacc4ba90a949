"""Random parts of a set: splits, gaps, and columns that still vary."""

from __future__ import annotations

import zlib

import numpy as np
import pandas as pd

from by_default.sources import Features

__all__ = ["generator", "rows", "varying"]


def generator(name: str, seed: int) -> np.random.Generator:
    """A generator of a set and a seed, the same for all methods."""
    return np.random.default_rng([zlib.crc32(name.encode()), seed])


def rows(features: Features, chosen: np.ndarray) -> Features:
    """Some rows, numbered from 0."""
    if isinstance(features, pd.DataFrame):
        return features.iloc[chosen].reset_index(drop=True)
    return features[chosen]


def varying(train: Features, *others: Features) -> list[Features]:
    """Parts of a table without the columns that are constant in the first part, and with the categories it has.

    Arrays keep all columns: pixels that are always off are part of a picture.
    """
    if not isinstance(train, pd.DataFrame):
        return [train, *others]
    kept = [name for name in train if train[name].nunique() > 1]
    return [part[kept] for part in (train, *others)]
