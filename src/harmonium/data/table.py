"""Tables with binary, categorical and real columns: from a DataFrame to the values of units, and back."""

from __future__ import annotations

import itertools
import math
import warnings
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from harmonium.core import notebook
from harmonium.data.cases import Cases, Standardization
from harmonium.data.plain import as_pandas, plain_frame, why_not_labels
from harmonium.data.raw import Frame
from harmonium.units import Bernoulli, Categorical, Gaussian, Mixed, Units

__all__ = ["Column", "Table", "from_frame"]

_SHOWN, _LABELS = 30, 6  # columns, and values of one, in a summary
MOST_DECIMALS = 6  # of numbers that were rounded; with more they are taken as measured


@dataclass(frozen=True)
class Column:
    """One column of a table, and its values as numbers: their place in ``labels``, or (value - mean) / scale.

    Attributes:
        name: the name of the column.
        dtype: its type in the DataFrame.
        labels: the values of a binary or categorical column; empty for a column of numbers.
        mean: the mean of a column of numbers, otherwise 0.
        scale: the standard deviation of a column of numbers, otherwise 1.
        low: the least number that was observed, or None if it is not known.
        high: the greatest number that was observed, or None.
        decimals: the most decimals of the numbers, None if they are not known or too many to be a rounding.
    """

    name: Any
    dtype: Any
    labels: tuple[Any, ...] = ()
    mean: float = 0.0
    scale: float = 1.0
    low: float | None = None
    high: float | None = None
    decimals: int | None = None

    @property
    def kind(self) -> str:
        """What the column is: "real", "binary" or "categorical"."""
        return {0: "real", 2: "binary"}.get(len(self.labels), "categorical")

    @property
    def summary(self) -> str:
        """Its values in a few words."""
        if not self.labels:
            return f"mean {self.mean:.4g}, standard deviation {self.scale:.4g}"
        few = ", ".join(str(label)[:20] for label in self.labels[:_LABELS])
        return few + (f", ... ({len(self.labels)} in all)" if len(self.labels) > _LABELS else "")

    def to_numbers(self, values: Any) -> np.ndarray:
        """Turn a pandas column into numbers that are not yet standardised, NaN where a value is missing.

        Raises:
            ValueError: a label that the column did not have when the table was made.
        """
        missing = values.isna().to_numpy()
        if not self.labels:
            try:
                return np.where(missing, np.nan, values.to_numpy(dtype=np.float64, na_value=np.nan))
            except (ValueError, TypeError):
                other = next(value for value in values[~missing] if isinstance(value, str) or np.ndim(value))
                raise ValueError(
                    f"column {self.name!r} holds {other!r}, and held numbers when the table was made: correct it, or "
                    "mark it as missing"
                ) from None
        place = {label: float(k) for k, label in enumerate(self.labels)}
        numbers = np.array(
            [np.nan if gone else place.get(value, -1) for value, gone in zip(values, missing, strict=True)]
        )
        if (numbers < 0).any():
            row = int(np.argmax(numbers < 0))
            label = values.iloc[row]
            label = label.item() if isinstance(label, np.generic) else label
            known = ", ".join(map(repr, self.labels[:10]))
            raise ValueError(
                f"column {self.name!r} has the label {label!r} in row {row}, which was not there when the table was "
                f"made (its labels: {known}): write it as one of them, empty the cell, or learn again from data that "
                "have it"
            )
        return numbers

    def to_values(self, numbers: np.ndarray) -> Any:
        """Turn standardised numbers into a pandas column, within the range and with the decimals that were observed.

        Raises:
            ValueError: a number that is not the place of a label.
        """
        missing = np.isnan(numbers)
        if not self.labels:
            values = numbers * self.scale + self.mean
            if self.decimals is not None:
                values = np.round(values, self.decimals) + 0.0  # never -0
            if self.low is not None and self.high is not None:
                values = np.clip(values, self.low, self.high)
            kind = getattr(self.dtype, "numpy_dtype", self.dtype)
            if np.issubdtype(kind, np.integer):  # a sample may be beyond the range of the type
                values = np.clip(np.round(values), np.iinfo(kind).min, np.iinfo(kind).max)
            return pd.Series(values, dtype=None if missing.any() else self.dtype)
        codes = np.where(missing, 0, numbers)
        if not bool(np.isin(codes, np.arange(len(self.labels))).all()):
            raise ValueError(f"column {self.name!r} takes the codes 0 ... {len(self.labels) - 1}: give decoded states")
        labels = [None if gone else self.labels[int(code)] for code, gone in zip(codes, missing, strict=True)]
        keeps = not missing.any() or isinstance(self.dtype, pd.CategoricalDtype)
        return pd.Series(labels, dtype=self.dtype if keeps else object)


@dataclass(frozen=True, repr=False)
class Table:
    """The columns of a DataFrame, and how their values become numbers."""

    columns: tuple[Column, ...]

    def __repr__(self) -> str:
        kinds = Counter(column.kind for column in self.columns)
        return f"Table({len(self.columns)} columns: {', '.join(f'{count} {kind}' for kind, count in kinds.items())})"

    def __str__(self) -> str:
        shown = [f"  {column.name}: {column.kind}, {column.summary}" for column in self.columns[:_SHOWN]]
        rest = len(self.columns) - _SHOWN
        return "\n".join([repr(self), *shown, *([f"  ... and {rest} more"] if rest > 0 else [])])

    def _repr_html_(self) -> str:
        """Show the columns with their kinds and values."""
        rest = len(self.columns) - _SHOWN
        return notebook.table(
            ("column", "kind", "values"),
            [(column.name, column.kind, column.summary) for column in self.columns[:_SHOWN]],
            repr(self),
            [f"... and {rest} more"] if rest > 0 else [],
        )

    def units(self) -> Units:
        """Return the visible layer; neighbouring columns of the same kind form one part of a `Mixed` layer."""
        parts: list[Units] = []
        for states, group in itertools.groupby(self.columns, key=lambda column: len(column.labels)):
            n = len(list(group))
            parts.append(Gaussian(n) if states == 0 else Bernoulli(n) if states == 2 else Categorical(n, states))
        return parts[0] if len(parts) == 1 else Mixed(parts)

    def to_array(self, frame: Frame) -> np.ndarray:
        """Turn a DataFrame with the same columns, in any order, into the raw values of the visible layer.

        Returns:
            (cases, columns) float64, standardised, NaN where a value is missing.

        Raises:
            ValueError: columns that are not there, or labels that the table does not know.

        Warns:
            UserWarning: the frame has more columns, which are left out.
        """
        standard = self.standard
        numbers: np.ndarray = (self.to_numbers(frame) - standard.mean) / standard.scale
        return numbers

    def to_cases(self, frame: Frame) -> Cases:
        """Turn a DataFrame into `Cases` that know their scales.

        `harmonium.evaluate` then gives log-densities of the values in the frame.

        Raises:
            ValueError: as in `to_array`.
        """
        return Cases(self.to_numbers(frame), standard=self.standard, table=self)

    @property
    def standard(self) -> Standardization:
        """The means and scales of the columns, 0 and 1 for columns with labels."""
        pairs = [(column.mean, column.scale) for column in self.columns]
        mean, scale = np.array(pairs, dtype=np.float64).T
        return Standardization(mean, scale)

    def standardised_by(self, numbers: np.ndarray) -> Table:
        """Return the same columns with the means and scales of other numbers, such as the training cases alone.

        Args:
            numbers: (cases, columns), not standardised.

        Raises:
            ValueError: a column of numbers has fewer than two different values.
        """
        columns = []
        for column, values in zip(self.columns, numbers.T, strict=True):
            if column.labels:
                columns.append(column)
                continue
            present = values[~np.isnan(values)]
            if not len(present) or present.min() == present.max():
                raise ValueError(f"column {column.name!r} is constant among the training cases: drop it")
            columns.append(
                replace(column, mean=float(present.mean()), scale=float(present.std()), **_observed(present))
            )
        return Table(tuple(columns))

    def to_numbers(self, frame: Frame) -> np.ndarray:
        """Turn a DataFrame into an array as `to_array` does, but not standardised.

        Raises:
            ValueError: as in `to_array`.
        """
        frame = as_pandas(frame)
        names = [column.name for column in self.columns]
        gone = [name for name in names if name not in frame.columns]
        if gone:
            raise ValueError(
                f"the frame has the columns {list(frame.columns)[:20]}; expected also {gone[:20]}: add what is "
                "missing, empty if it is not known"
            )
        if len(frame.columns) > len(names):
            more = ", ".join(repr(name) for name in frame.columns if name not in names)
            warnings.warn(f"columns that the table does not have are left out: {more}", UserWarning, stacklevel=2)
        frame = plain_frame(frame[names])
        return np.stack([column.to_numbers(frame[column.name]) for column in self.columns], 1)

    def to_frame(self, array: Any) -> Frame:
        """Turn raw values of the visible layer, (cases, columns), into a DataFrame with the original labels and scales.

        Numbers are rounded and clipped to the decimals and the range that were observed in their column.

        Raises:
            ValueError: another number of columns, or codes out of range.
        """
        array = np.asarray(array, dtype=np.float64)
        if array.ndim != 2 or array.shape[1] != len(self.columns):
            raise ValueError(f"array has shape {array.shape}; expected (cases, {len(self.columns)})")
        columns = {column.name: column.to_values(array[:, j]) for j, column in enumerate(self.columns)}
        return pd.DataFrame(columns)

    def config(self) -> list[dict[str, Any]]:
        """Return a description for JSON, from which `from_config` makes the table again.

        Raises:
            TypeError: a label that JSON does not have, such as a date; the message names its column.
        """
        return [
            {
                "name": _json_name(column.name),
                "dtype": str(column.dtype),
                "labels": [_json_label(column.name, label) for label in column.labels],
                "mean": column.mean,
                "scale": column.scale,
                "low": column.low,
                "high": column.high,
                "decimals": column.decimals,
            }
            for column in self.columns
        ]

    @classmethod
    def from_config(cls, config: list[dict[str, Any]]) -> Table:
        """Make a table from the result of `config`.

        Raises:
            ValueError: the description is incomplete or names an unknown type.
        """
        columns = []
        for entry in config:
            try:
                name, labels = entry["name"], tuple(entry["labels"])
                dtype = pd.CategoricalDtype(labels) if entry["dtype"] == "category" else entry["dtype"]
                kind = pd.api.types.pandas_dtype(dtype)
                column = Column(
                    tuple(name) if isinstance(name, list) else name, kind, labels, entry["mean"], entry["scale"]
                )
                # Tables that were written before these were kept have none of them.
                observed: dict[str, Any] = {key: entry.get(key) for key in ("low", "high", "decimals")}
                columns.append(replace(column, **observed))
            except (KeyError, TypeError) as error:
                raise ValueError(f"config holds {entry!r}, which does not describe a column ({error})") from None
        return cls(tuple(columns))

    def log_jacobian(self) -> float:
        """Return how much log-densities of the array exceed those of the frame: the sum of log scales, in nats.

        `Cases` made by `to_cases` subtract it themselves; their ``log_jacobian`` is its negative.
        """
        return sum(math.log(column.scale) for column in self.columns if not column.labels)


def from_frame(frame: Frame) -> tuple[Units, Cases, Table]:
    """Choose the visible layer that suits a DataFrame, and turn the frame into cases.

    Columns of booleans, and columns with two different values, become `Bernoulli` units.  Categories and text become
    `Categorical` units, with all categories of a categorical dtype and the sorted values of text.  Other numbers become
    `Gaussian` units, standardised.  Missing values become NaN.  The cases know their standardisation, so that
    `harmonium.evaluate` gives log-densities of the values in the frame.

    Args:
        frame: a DataFrame of pandas, or of polars or Arrow, which convert themselves; one case per row.

    Returns:
        The units, the cases, and the table, which turns other frames into values of the units and back.

    Raises:
        ValueError: an empty frame, repeated names, a column that is constant or has no value, infinities.
        TypeError: a column that holds neither numbers nor labels, such as dates.

    >>> import harmonium.data.table, pandas as pd
    >>> frame = pd.DataFrame({"smokes": [True, False, True], "group": ["A", "B", "O"], "age": [31.0, 40.0, 49.0]})
    >>> units, cases, table = harmonium.data.table.from_frame(frame)
    >>> units
    Mixed([Bernoulli(1), Categorical(1, states=3), Gaussian(1)])
    >>> table.to_array(frame).round(2).tolist()
    [[1.0, 0.0, -1.22], [0.0, 1.0, 0.0], [1.0, 2.0, 1.22]]
    """
    frame = as_pandas(frame)
    if not len(frame) or not len(frame.columns):
        raise ValueError(f"frame has shape {frame.shape}: give at least one row and one column")
    if not frame.columns.is_unique:
        repeated = frame.columns[frame.columns.duplicated()][0]
        raise ValueError(f"frame has several columns named {repeated!r}: rename them")
    frame = plain_frame(frame)
    table = Table(tuple(_column(name, frame[name]) for name in frame.columns))
    return table.units(), table.to_cases(frame), table


def _column(name: Any, values: Any) -> Column:
    present = values.dropna()
    if not len(present):
        raise ValueError(f"column {name!r} has no values: drop it")
    odd = why_not_labels(values)
    if odd is not None:
        raise TypeError(
            f"column {name!r} is {values.dtype} and holds {odd}: turn it into numbers, text or categories first"
        )
    different = present.unique()
    if len(different) == 1:
        raise ValueError(f"column {name!r} is constant ({present.tolist()[0]!r}): drop it")
    types = pd.api.types
    if isinstance(values.dtype, pd.CategoricalDtype):
        return Column(name, values.dtype, tuple(values.dtype.categories))
    if types.is_bool_dtype(values.dtype):
        return Column(name, values.dtype, (False, True))
    if types.is_numeric_dtype(values.dtype) and not types.is_complex_dtype(values.dtype):
        numbers = present.to_numpy(dtype=np.float64)
        if not bool(np.isfinite(numbers).all()):
            raise ValueError(f"column {name!r} holds infinities: mark them as missing, or remove their rows")
        if len(different) == 2:
            return Column(name, values.dtype, tuple(sorted(different)))
        with np.errstate(over="ignore", invalid="ignore"):
            mean, scale = float(numbers.mean()), float(numbers.std())
        if not np.isfinite(mean) or not np.isfinite(scale):
            raise ValueError(f"column {name!r} holds numbers too large to be standardised: rescale it")
        return Column(name, values.dtype, mean=mean, scale=scale, **_observed(numbers))
    if types.is_object_dtype(values.dtype) or types.is_string_dtype(values.dtype):
        return Column(name, values.dtype, tuple(sorted(different, key=lambda label: (type(label).__name__, label))))
    raise TypeError(f"column {name!r} is {values.dtype}: turn it into numbers, text or categories first")


def _observed(numbers: np.ndarray) -> dict[str, Any]:
    """The range of the numbers of a column, and their most decimals."""
    found: dict[str, Any] = {"low": float(numbers.min()), "high": float(numbers.max()), "decimals": None}
    for decimals in range(MOST_DECIMALS + 1):
        if (np.round(numbers, decimals) == numbers).all():
            return found | {"decimals": decimals}
    return found


def _json_name(name: Any) -> Any:
    """A name as JSON has it: numbers stay numbers, tuples become lists."""
    if isinstance(name, tuple):
        return [_json_name(part) for part in name]
    name = name.item() if isinstance(name, np.generic) else name
    return name if isinstance(name, (str, int, float)) else str(name)


def _json_label(name: Any, label: Any) -> Any:
    label = label.item() if isinstance(label, np.generic) else label
    if not isinstance(label, (str, int, float, bool)):
        raise TypeError(f"column {name!r} has the label {label!r}, which no file can hold: turn labels into text")
    return label
