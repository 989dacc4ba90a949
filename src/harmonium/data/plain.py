"""Columns of DataFrames as plain numbers and labels: decimals become numbers, and what is neither is named."""

from __future__ import annotations

import datetime
import decimal
import uuid
from typing import Any

import numpy as np
import pandas as pd

from harmonium.data.raw import Frame

__all__ = ["as_pandas", "numbers_of_frame", "plain_column", "plain_frame", "why_not_labels"]

_KINDS: tuple[tuple[Any, str], ...] = (
    ((datetime.date, datetime.datetime, pd.Period, pd.Timestamp), "dates"),
    (datetime.time, "times of day"),
    ((datetime.timedelta, pd.Timedelta), "durations"),
    ((bytes, bytearray, memoryview), "bytes"),
    (uuid.UUID, "identifiers (UUID)"),
    (pd.Interval, "intervals"),
    (complex, "complex numbers"),
)


def as_pandas(frame: Any) -> Frame:
    """Return a DataFrame of pandas; polars, Arrow and others convert themselves.

    Raises:
        TypeError: something that is no DataFrame.
    """
    if isinstance(frame, pd.DataFrame):
        return frame
    if hasattr(frame, "to_pandas"):
        return frame.to_pandas()
    raise TypeError(
        f"frame must be a DataFrame, found {type(frame).__name__}: pass pandas.DataFrame(...), or "
        "collect() a lazy frame"
    )


def plain_frame(frame: Frame) -> Frame:
    """Return a DataFrame with every column as `plain_column` gives it."""
    changed = {}
    for place in range(frame.shape[1]):
        column = frame.iloc[:, place]
        plain = plain_column(column)
        if plain is not column:
            changed[place] = plain
    if changed:
        frame = frame.copy()
        for place, plain in changed.items():
            frame.isetitem(place, plain)
    return frame


def plain_column(values: Any) -> Any:
    """Return a column without sparsity and with decimals as float64; all other columns as they are."""
    if isinstance(values.dtype, pd.SparseDtype):
        return values.sparse.to_dense()
    if str(values.dtype).startswith("decimal"):
        return values.astype("float64")
    if values.dtype == object:
        present = values.dropna()
        numbers = (decimal.Decimal, int, float)
        if any(isinstance(value, decimal.Decimal) for value in present) and all(
            isinstance(value, numbers) and not isinstance(value, bool) for value in present
        ):
            return pd.to_numeric(values.map(lambda value: None if pd.isna(value) else float(value)), errors="raise")
    return values


def numbers_of_frame(frame: Any, name: str) -> Any:
    """Return a DataFrame or Series of numbers and booleans as an array, NaN where a value is missing.

    Raises:
        TypeError: a column that holds something else; the message names it.
    """
    if frame.ndim != 2:
        return frame
    plain = plain_frame(frame)
    types = pd.api.types
    for place, column in enumerate(plain.columns):
        values = plain.iloc[:, place]
        if values.dtype == object and all(isinstance(value, (int, float)) for value in values.dropna()):
            plain = plain.copy() if plain is frame else plain  # the caller's stays as it is
            plain.isetitem(place, values.astype("float64"))
        elif not types.is_numeric_dtype(values.dtype) or types.is_complex_dtype(values.dtype):
            raise TypeError(
                f"{name}, column {column!r} is {values.dtype}, not a number: turn the table into cases with "
                "harmonium.data.table.from_frame(frame), or drop the column"
            )
    if len({kind.kind for kind in plain.dtypes}) == 1 and not any(map(types.is_extension_array_dtype, plain.dtypes)):
        return plain.to_numpy()  # keeps bytes and booleans as they are
    return plain.to_numpy(dtype="float64", na_value=float("nan"))


def why_not_labels(values: Any) -> str | None:
    """Return what a column holds that is neither a number nor a label fit for a file, None if there is nothing."""
    kind = values.dtype
    types = pd.api.types
    if types.is_datetime64_any_dtype(kind) or isinstance(kind, pd.PeriodDtype):
        return "dates"
    if types.is_timedelta64_dtype(kind):
        return "durations"
    if types.is_complex_dtype(kind):
        return "complex numbers"
    labels = values.dtype.categories if isinstance(kind, pd.CategoricalDtype) else values.dropna()
    if isinstance(kind, pd.IntervalDtype) or isinstance(labels.dtype, pd.IntervalDtype):
        return "intervals"
    if types.is_numeric_dtype(getattr(labels, "dtype", kind)) or isinstance(
        getattr(labels, "dtype", kind), pd.StringDtype
    ):
        return None
    for value in labels:
        for types_of, what in _KINDS:
            if isinstance(value, types_of):
                return what
        if not isinstance(value, (str, int, float, bool, np.generic)):
            return f"values of the type {type(value).__name__}"
    return None
