"""Tables as numbers for the baselines: real columns standardised, categories one-hot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from by_default.sources import Features

__all__ = ["Encoding", "encoded"]


@dataclass(frozen=True)
class Encoding:
    """How the columns of a table become numbers, and back.

    Attributes:
        frame: the rows that means and standard deviations are taken from.
    """

    frame: pd.DataFrame

    def matrix(self, frame: pd.DataFrame) -> np.ndarray:
        """(rows, numbers); NaN where a value is missing."""
        return np.hstack([self._encoded(name, frame[name]) for name in self.frame])

    def table(self, matrix: np.ndarray) -> pd.DataFrame:
        """The table of a matrix without gaps: of a category, the value with the largest number."""
        columns, begin = {}, 0
        for name, known in self.frame.items():
            end = begin + self._width(known)
            columns[name] = self._decoded(known, matrix[:, begin:end])
            begin = end
        return pd.DataFrame(columns)

    def _encoded(self, name: str, values: pd.Series) -> np.ndarray:
        known = self.frame[name]
        if not is_label(known):
            return ((values.to_numpy(float) - known.mean()) / known.std(ddof=0))[:, None]
        codes = known.cat.categories.get_indexer(values)
        one_hot = np.eye(len(known.cat.categories))[codes]
        one_hot[codes < 0] = np.nan
        return one_hot[:, 1:] if one_hot.shape[1] == 2 else one_hot

    @staticmethod
    def _width(known: pd.Series) -> int:
        if not is_label(known):
            return 1
        states = len(known.cat.categories)
        return 1 if states == 2 else states

    @staticmethod
    def _decoded(known: pd.Series, numbers: np.ndarray) -> pd.Series:
        if not is_label(known):
            return pd.Series(numbers[:, 0] * known.std(ddof=0) + known.mean())
        codes = (numbers[:, 0] > 0.5).astype(int) if numbers.shape[1] == 1 else numbers.argmax(1)
        return pd.Series(pd.Categorical.from_codes(codes, dtype=known.dtype))


def is_label(values: pd.Series) -> bool:
    """Whether a column holds categories."""
    return isinstance(values.dtype, pd.CategoricalDtype)


def encoded(train: Features, *others: Features) -> list[np.ndarray]:
    """Matrices for a baseline, standardised by the first; binary arrays stay as they are."""
    if isinstance(train, pd.DataFrame):
        encoding = Encoding(train)
        return [encoding.matrix(frame) for frame in (train, *others)]
    if np.isin(train, (0, 1)).all():
        return [train, *others]
    mean, scale = train.mean(0), np.where(train.std(0) > 0, train.std(0), 1)
    return [(array - mean) / scale for array in (train, *others)]
