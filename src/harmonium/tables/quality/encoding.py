"""Several DataFrames as matrices that can be compared: numbers as they are, everything else as codes of categories."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from harmonium.data.raw import Array, Frame

__all__ = ["MOST_LEVELS", "Encoded", "encode"]

MOST_LEVELS = 250  # rarer categories are pooled: as many as gradient boosting splits one by one, with room for missing
_DATES = (datetime.date, datetime.datetime, pd.Timestamp, pd.Period)


@dataclass(frozen=True)
class Encoded:
    """A table as a matrix.

    Attributes:
        names: names of the columns.
        number: which columns hold numbers or dates, (columns,) bool; the others hold categories.
        values: (rows, columns) float64. Numbers as they are, dates in seconds since 1970, NaN where one is missing.
            Categories by their codes: 0 is a missing value, 1 the most frequent category of all tables together.
    """

    names: tuple[Any, ...]
    number: Array
    values: Array

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: Array) -> Encoded:
        """Return some rows, by their numbers or by a mask."""
        return replace(self, values=self.values[rows])

    def pooled(self) -> Array:
        """Return the values, with all categories after the 250 most frequent ones as one."""
        return np.where(self.number, self.values, np.minimum(self.values, MOST_LEVELS))


def encode(frames: Sequence[Frame], names: Sequence[str]) -> list[Encoded]:
    """Encode tables of the same columns. The first one decides which columns are numbers.

    Numbers are columns of a numeric type, dates and durations, and mixed columns of Python numbers; booleans and text
    are categories. A missing value is a value of its own. Infinite numbers become finite ones beyond all others.

    Args:
        frames: the tables, with equal columns.
        names: what messages call them.

    Raises:
        ValueError: a column of numbers that holds text in another table.

    >>> import pandas as pd
    >>> [table] = encode([pd.DataFrame({"x": [0.5, None, 2.0], "who": ["b", "a", "b"]})], ["real"])
    >>> table.number.tolist(), table.values.tolist()
    ([True, False], [[0.5, 1.0], [nan, 2.0], [2.0, 1.0]])
    """
    columns, number = [], []
    for name in frames[0].columns:
        values = [frame[name] for frame in frames]
        read = _reader(values[0])
        number.append(read is not None)
        columns.append(_codes(values) if read is None else _numbers(values, read, names, name))
    tables = [np.column_stack(parts) for parts in zip(*columns, strict=True)]
    return [Encoded(tuple(frames[0].columns), np.array(number), table) for table in tables]


def _reader(column: Any) -> Any:
    """The function that reads a column as numbers; None if it holds categories."""
    kind, types = column.dtype, pd.api.types
    if types.is_bool_dtype(kind) or isinstance(kind, pd.CategoricalDtype) or types.is_complex_dtype(kind):
        return None
    if types.is_numeric_dtype(kind):
        return _as_floats
    if types.is_datetime64_any_dtype(kind) or isinstance(kind, pd.PeriodDtype):
        return _as_seconds
    if types.is_timedelta64_dtype(kind):
        return _as_durations
    present = column.dropna() if types.is_object_dtype(kind) else ()
    if len(present) and all(isinstance(value, _DATES) for value in present):
        return _as_seconds
    if len(present) and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in present):
        return _as_floats
    return None


def _as_floats(column: Any) -> Array:
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    kind, types = column.dtype, pd.api.types
    readable = types.is_numeric_dtype(kind) or types.is_object_dtype(kind) or types.is_string_dtype(kind)
    if not readable or types.is_complex_dtype(kind):
        return np.full(len(column), np.nan)  # such as dates, which pandas would count in nanoseconds
    return np.array(pd.to_numeric(column, errors="coerce").to_numpy(dtype="float64", na_value=np.nan))


def _as_seconds(column: Any) -> Array:
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    elif pd.api.types.is_object_dtype(column.dtype):  # dates of Python, or Period
        column = column.map(lambda value: value.to_timestamp() if isinstance(value, pd.Period) else value)
    elif pd.api.types.is_numeric_dtype(column.dtype):
        return np.full(len(column), np.nan)
    # Text is read as YYYY-MM-DD, and times without a zone are taken for UTC.
    stamps = pd.to_datetime(column, errors="coerce", utc=True, format="ISO8601")
    seconds = stamps.dt.tz_localize(None).to_numpy().astype("datetime64[us]").astype("float64") / 1e6
    return np.where(stamps.isna(), np.nan, seconds)


def _as_durations(column: Any) -> Array:
    spans = pd.to_timedelta(column, errors="coerce")
    return np.where(spans.isna(), np.nan, spans.to_numpy().astype("timedelta64[us]").astype("float64") / 1e6)


def _numbers(columns: Sequence[Any], read: Any, names: Sequence[str], name: Any) -> list[Array]:
    found = []
    for column, table in zip(columns, names, strict=True):
        values = read(column)
        odd = column[np.isnan(values) & ~column.isna().to_numpy(dtype=bool)]
        if len(odd):
            raise ValueError(
                f"column {name!r} holds {'numbers' if read is _as_floats else 'dates or durations'} in {names[0]}, but "
                f"'{odd.iloc[0]}' in {table}: give it the same type in both"
            )
        found.append(values)
    finite = np.concatenate([values[np.isfinite(values)] for values in found])
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
    beyond = max(high - low, 1.0)
    ends = {np.inf: high + beyond, -np.inf: low - beyond}
    return [np.select([values == end for end in ends], list(ends.values()), values) for values in found]


def _codes(columns: Sequence[Any]) -> list[Array]:
    """Codes by frequency: 0 is missing."""
    plain = [column.astype(object).where(~column.isna(), None) for column in columns]
    truth = all(isinstance(value, (bool, np.bool_)) for value in plain[0].dropna())
    texts = [[_label(value, truth) for value in column] for column in plain]
    joined = pd.Series([text for part in texts for text in part], dtype=object)
    counts = joined.value_counts()  # leaves out what is missing
    order = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    code = {None: 0, **{label: place for place, (label, _) in enumerate(order, 1)}}
    return [np.array([code[text] for text in part], dtype="float64") for part in texts]


def _label(value: Any, truth: bool) -> str | None:
    """One spelling for what is the same in all tables: 3, 3.0 and "3" are; with booleans, 1 and "true" as well."""
    if value is None:
        return None
    if truth and str(value).lower() in _TRUTH:
        return _TRUTH[str(value).lower()]
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


_TRUTH = {"true": "True", "1": "True", "1.0": "True", "false": "False", "0": "False", "0.0": "False"}
