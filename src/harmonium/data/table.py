"""Tables with binary, categorical and real columns, to the units that suit them and back.

pandas is needed: ``pip install 'harmonium[table]'``.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harmonium.core.optional import need
from harmonium.data.cases import Cases, Standardization
from harmonium.units import Bernoulli, Categorical, Gaussian, Mixed, Units

__all__ = ["Column", "Table", "from_frame"]

Frame = Any
"""A pandas DataFrame."""


@dataclass(frozen=True)
class Column:
    """How one column of a table stands in an array: the place of its value in ``labels``, or (value - mean) / scale.

    Columns with labels have mean 0 and scale 1.
    """

    name: Any
    dtype: Any
    labels: tuple[Any, ...] = ()
    mean: float = 0.0
    scale: float = 1.0

    def to_numbers(self, values: Any) -> np.ndarray:
        """A column of numbers, not yet standardised: NaN where a value is missing.

        Raises:
            ValueError: for a label that the column did not have when the table was made.
        """
        missing = values.isna().to_numpy()
        if not self.labels:
            return np.where(missing, np.nan, values.to_numpy(dtype=np.float64, na_value=np.nan))
        place = {label: float(k) for k, label in enumerate(self.labels)}
        numbers = np.full(len(values), np.nan)
        for row, (value, gone) in enumerate(zip(values, missing, strict=True)):
            if not gone:
                if value not in place:
                    raise ValueError(
                        f"column {self.name!r} has the label {value!r} in row {row}, unknown when the table was "
                        f"made (its labels: {', '.join(repr(label) for label in self.labels[:10])}): "
                        "make the table from all the data, or mark the value as missing"
                    )
                numbers[row] = place[value]
        return numbers

    def to_values(self, numbers: np.ndarray) -> Any:
        """A pandas column from numbers."""
        pandas = _pandas()
        missing = np.isnan(numbers)
        if not self.labels:
            values = numbers * self.scale + self.mean
            kind = getattr(self.dtype, "numpy_dtype", self.dtype)
            if np.issubdtype(kind, np.integer):  # a draw may lie beyond what the column's type holds
                values = np.clip(np.round(values), np.iinfo(kind).min, np.iinfo(kind).max)
            return pandas.Series(values, dtype=None if missing.any() else self.dtype)
        codes = np.where(missing, 0, numbers)
        if not bool(np.isin(codes, np.arange(len(self.labels))).all()):
            raise ValueError(f"column {self.name!r} takes the codes 0 ... {len(self.labels) - 1}: decode states first")
        labels = [None if gone else self.labels[int(code)] for code, gone in zip(codes, missing, strict=True)]
        keeps = not missing.any() or isinstance(self.dtype, pandas.CategoricalDtype)
        return pandas.Series(labels, dtype=self.dtype if keeps else object)


@dataclass(frozen=True)
class Table:
    """The columns of a DataFrame, and what their values are as numbers."""

    columns: tuple[Column, ...]

    def units(self) -> Units:
        """The visible layer: neighbouring columns of one kind form one part."""
        parts: list[Units] = []
        for states, group in itertools.groupby(self.columns, key=lambda column: len(column.labels)):
            n = len(list(group))
            parts.append(Gaussian(n) if states == 0 else Bernoulli(n) if states == 2 else Categorical(n, states))
        return parts[0] if len(parts) == 1 else Mixed(parts)

    def to_array(self, frame: Frame) -> np.ndarray:
        """States outside, (cases, columns), float64, of a DataFrame with the same columns; NaN where missing.

        Raises:
            ValueError: for other columns, or labels that the table does not know.
        """
        standard = self.standard
        numbers: np.ndarray = (self.to_numbers(frame) - standard.mean) / standard.scale
        return numbers

    def to_cases(self, frame: Frame) -> Cases:
        """The same as `Cases`, which know the scales: log-densities of `harmonium.evaluate` are then of the frame.

        Raises:
            ValueError: as `to_array`.
        """
        return Cases(self.to_numbers(frame), standard=self.standard)

    @property
    def standard(self) -> Standardization:
        """Means and scales of the columns: 0 and 1 of those with labels."""
        pairs = [(column.mean, column.scale) for column in self.columns]
        mean, scale = np.array(pairs, dtype=np.float64).T
        return Standardization(mean, scale)

    def standardised_by(self, numbers: np.ndarray) -> Table:
        """The same columns with means and scales of these numbers (cases, columns), as of the training cases alone.

        Raises:
            ValueError: for a real column without two different values among them.
        """
        columns = []
        for column, values in zip(self.columns, numbers.T, strict=True):
            if column.labels:
                columns.append(column)
                continue
            present = values[~np.isnan(values)]
            if not len(present) or present.min() == present.max():
                raise ValueError(f"column {column.name!r} is constant among the training cases: drop it")
            columns.append(replace(column, mean=float(present.mean()), scale=float(present.std())))
        return Table(tuple(columns))

    def to_numbers(self, frame: Frame) -> np.ndarray:
        """As `to_array`, not yet standardised.

        Raises:
            ValueError: as `to_array`.
        """
        names = [column.name for column in self.columns]
        if list(frame.columns) != names:
            raise ValueError(f"the frame has the columns {list(frame.columns)}; expected {names}, in this order")
        return np.stack([column.to_numbers(frame[column.name]) for column in self.columns], 1)

    def to_frame(self, array: Any) -> Frame:
        """A DataFrame from states outside, (cases, columns): labels and units of measurement as they were.

        Raises:
            ValueError: for another number of columns, or codes out of range.
        """
        array = np.asarray(array, dtype=np.float64)
        if array.ndim != 2 or array.shape[1] != len(self.columns):
            raise ValueError(f"array has shape {array.shape}; expected (cases, {len(self.columns)})")
        columns = {column.name: column.to_values(array[:, j]) for j, column in enumerate(self.columns)}
        return _pandas().DataFrame(columns)

    def config(self) -> list[dict[str, Any]]:
        """JSON-able description, from which `from_config` makes the table again."""
        return [
            {
                "name": str(column.name),
                "dtype": str(column.dtype),
                "labels": [label.item() if isinstance(label, np.generic) else label for label in column.labels],
                "mean": column.mean,
                "scale": column.scale,
            }
            for column in self.columns
        ]

    @classmethod
    def from_config(cls, config: list[dict[str, Any]]) -> Table:
        """A table from what `config` returned.

        Raises:
            ValueError: where it is no such description.
        """
        pandas = _pandas()
        columns = []
        for entry in config:
            try:
                name, labels = entry["name"], tuple(entry["labels"])
                dtype = pandas.CategoricalDtype(labels) if entry["dtype"] == "category" else entry["dtype"]
                kind = pandas.api.types.pandas_dtype(dtype)
                columns.append(Column(name, kind, labels, entry["mean"], entry["scale"]))
            except (KeyError, TypeError) as error:
                raise ValueError(f"no description of a column: {entry!r} ({error})") from None
        return cls(tuple(columns))

    def log_jacobian(self) -> float:
        """Sum of log scale over real columns, in nats: what log-densities of the array exceed those of the frame by.

        `Cases` of `to_cases` subtract it themselves (their ``log_jacobian`` is minus this).
        """
        return sum(math.log(column.scale) for column in self.columns if not column.labels)


def from_frame(frame: Frame) -> tuple[Units, Cases, Table]:
    """(units, cases, table): the visible layer that suits a DataFrame, its states outside, and the way back.

    Columns of booleans, and columns with two different values, become `Bernoulli` units; categories and text become
    `Categorical` variables, with all categories of a categorical dtype and the sorted values of text; other numbers
    become `Gaussian` units, standardised.  Missing values stay NaN.  The cases know of the standardisation, so that
    `harmonium.evaluate` reports log-densities of the values in the frame.

    Args:
        frame: a pandas DataFrame, one case per row.

    Raises:
        ImportError: without pandas.
        ValueError: for an empty frame, names that repeat, a column that is constant or has no value at all, infinities.
        TypeError: for columns that are neither numbers nor labels, such as dates.

    >>> import pandas, harmonium.data.table
    >>> frame = pandas.DataFrame({"smokes": [True, False, True], "group": ["A", "B", "O"], "age": [31.0, 40.0, 49.0]})
    >>> units, cases, table = harmonium.data.table.from_frame(frame)
    >>> units
    Mixed([Bernoulli(1), Categorical(1, states=3), Gaussian(1)])
    >>> table.to_array(frame).round(2).tolist()
    [[1.0, 0.0, -1.22], [0.0, 1.0, 0.0], [1.0, 2.0, 1.22]]
    """
    _pandas()
    if not len(frame) or not len(frame.columns):
        raise ValueError("the frame is empty: give at least one row and one column")
    if not frame.columns.is_unique:
        raise ValueError("names of columns repeat: rename them")
    table = Table(tuple(_column(name, frame[name]) for name in frame.columns))
    return table.units(), table.to_cases(frame), table


def _column(name: Any, values: Any) -> Column:
    pandas = _pandas()
    present = values.dropna()
    if not len(present):
        raise ValueError(f"column {name!r} has no value at all: drop it")
    different = present.unique()
    if len(different) == 1:
        raise ValueError(f"column {name!r} is constant ({different[0]!r}): drop it, there is nothing to learn")
    types = pandas.api.types
    if isinstance(values.dtype, pandas.CategoricalDtype):
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
        return Column(name, values.dtype, mean=mean, scale=scale)
    if types.is_object_dtype(values.dtype) or types.is_string_dtype(values.dtype):
        return Column(name, values.dtype, tuple(sorted(different, key=lambda label: (type(label).__name__, label))))
    raise TypeError(f"column {name!r} is {values.dtype}: turn it into numbers, text or categories first")


def _pandas() -> Any:
    return need("pandas", "table", "a table of columns")
