"""Tables of any columns, as estimators take them: which units suit a column, its values as numbers, and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from harmonium.data.table import Column, Table, from_frame
from harmonium.units import Units

__all__ = ["Columns", "are_activations"]


def are_activations(X: Any) -> bool:
    """Whether X is an array of values from 0 to 1, NaN aside, as those of binary units and of grey pictures are."""
    if isinstance(X, pd.DataFrame):
        return False
    values: Any = X.data if sparse.issparse(X) else X  # type: ignore[attr-defined]
    if values.size == 0:
        return True
    low, high = np.fmin.reduce(values, None), np.fmax.reduce(values, None)
    return bool((np.isnan(low) or low >= 0) and (np.isnan(high) or high <= 1))


@dataclass(frozen=True)
class Columns:
    """The columns of a table that vary, each with the units that suit it, and the constant ones.

    Columns with two values become `Bernoulli` units, text and categories `Categorical` ones, other numbers standardised
    `Gaussian` ones.  A constant column has nothing to learn: it is left out, and its gaps are filled with its value.

    Attributes:
        table: of the columns that vary.
        kept: their positions.
        constants: the values of the others, by position.
    """

    table: Table
    kept: tuple[int, ...]
    constants: dict[int, Any]

    @classmethod
    def of(cls, X: Any) -> Columns:
        """Read the columns of a DataFrame or an array (n_samples, n_features), NaN where a value is missing.

        Raises:
            ValueError: for a column without a value, or if no column varies.
            TypeError: for a column that holds neither numbers nor labels, such as dates.
        """
        frame = pd.DataFrame(X)
        kept, constants = [], {}
        for place, name in enumerate(frame.columns):
            values = frame.iloc[:, place].dropna()
            if not len(values):
                raise ValueError(f"column {name!r} has no values: drop it")
            if values.nunique() == 1:
                constants[place] = values.iloc[0]
            else:
                kept.append(place)
        if not kept:
            raise ValueError(f"every column is constant (n_samples = {len(frame)}): there is nothing to learn")
        return cls(from_frame(frame.iloc[:, kept])[2], tuple(kept), constants)

    def units(self) -> Units:
        """Return the visible layer of the columns that vary."""
        return self.table.units()

    def to_numbers(self, X: Any) -> np.ndarray:
        """Turn a table with the same columns into raw values of the visible layer, (n_samples, kept), NaN for gaps.

        A number that a column of two numbers did not have when it was read counts as the nearer of them.

        Raises:
            ValueError: for other labels that were not there when the columns were read.
        """
        frame = pd.DataFrame(X).iloc[:, list(self.kept)]
        frame.columns = [column.name for column in self.table.columns]
        numeric = (column for column in self.table.columns if _holds_two_numbers(column))
        return self.table.to_array(_snapped(frame, numeric))

    def filled(self, X: Any, numbers: np.ndarray) -> Any:
        """Return a copy of X with its gaps filled from raw values of the visible layer, (n_samples, kept)."""
        frame = pd.DataFrame(X).copy()
        values = self.table.to_frame(numbers)
        for place in range(frame.shape[1]):
            column = frame.iloc[:, place]
            gaps = column.isna().to_numpy()
            if not gaps.any():
                continue
            if place in self.constants:
                found = pd.Series([self.constants[place]] * len(frame), index=frame.index)
            else:
                found = values.iloc[:, self.kept.index(place)].set_axis(frame.index)
            complete = column.where(~gaps, found)
            frame.isetitem(place, complete if isinstance(X, pd.DataFrame) else complete.astype(X.dtype))
        return frame if isinstance(X, pd.DataFrame) else frame.to_numpy(dtype=X.dtype)


def _holds_two_numbers(column: Column) -> bool:
    """Whether a column with labels is one of numbers: categories that are written as numbers are names."""
    types = pd.api.types
    return bool(column.labels) and types.is_numeric_dtype(column.dtype) and not types.is_bool_dtype(column.dtype)


def _snapped(frame: Any, columns: Iterable[Column]) -> Any:
    """The frame with the numbers of these columns replaced by the nearest of their labels."""
    frame = frame.copy()
    for column in columns:
        place = list(frame.columns).index(column.name)
        values = frame.iloc[:, place].to_numpy(dtype=np.float64, na_value=np.nan)
        labels = np.array(column.labels, dtype=object)
        distance = np.abs(np.nan_to_num(values)[:, None] - labels.astype(np.float64))
        nearest = pd.Series(labels[distance.argmin(1)], index=frame.index, dtype=object)
        frame.isetitem(place, nearest.where(~np.isnan(values), np.nan))
    return frame
