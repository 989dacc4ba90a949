"""Conditions on drawn rows: values that are given, checked and held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from harmonium.data.codecs.categories import Categories
from harmonium.data.codecs.codec import Array, Codec
from harmonium.data.codecs.dates import Dates
from harmonium.data.codecs.numbers import Numbers
from harmonium.data.codecs.table import TableCodec
from harmonium.data.plain import as_pandas
from harmonium.data.raw import Frame
from harmonium.tables.asking import open_cells

__all__ = ["given_frame", "given_states", "hold"]

_SHOWN = 10  # labels in a message


def given_frame(given: Any, n: int) -> Frame:
    """Return what is given as a DataFrame with n rows; a dict gives the same values to all.

    Raises:
        TypeError: for something else than a dict or a DataFrame.
        ValueError: for another number of rows.
    """
    if isinstance(given, Mapping):
        return pd.DataFrame({name: pd.Series([value] * n) for name, value in given.items()}, index=range(n))
    frame = as_pandas(given)
    if len(frame) != n:
        raise ValueError(f"given has {len(frame)} rows: give as many as are to be drawn, n = {n}, or one dict")
    return frame


def given_states(codec: TableCodec, given: Frame) -> Array:
    """Return the states of given values, (rows, variables), NaN where nothing is given.

    Raises:
        ValueError: for a column or label that the table does not have, or a number or date outside the observed range.
    """
    unknown = [name for name in given.columns if name not in codec.names]
    if unknown:
        raise ValueError(f"given names {unknown[0]!r}, which is no column: the model knows {codec.names}")
    frame = codec.matched(given, partly=True, argument="given")
    for place, each in enumerate(codec.codecs):
        values = frame.iloc[:, place]
        if not values.isna().all():
            _check(each, values, codec.names[place])
    return open_cells(codec, frame, codec.encode(frame))  # a column that is not named is not given as empty


def hold(codec: TableCodec, given: Frame, fixed: Array, drawn: Frame) -> Frame:
    """Write given values into drawn rows as they were given, where the types of the columns can hold them.

    Args:
        codec: of the table.
        given: see `given_frame`.
        fixed: which states are given, bool (rows, variables).
        drawn: rows with the columns of `TableCodec.drawn`; changed in place.
    """
    for column, place in enumerate(codec.drawn()):
        own = fixed[:, codec.variables[place]]
        if not own.any():
            continue
        like = drawn.iloc[:, column]
        values = _written(codec.codecs[place], given[codec.names[place]])
        both = [value if held else old for value, old, held in zip(values, like, np.asarray(own.all(1)), strict=True)]
        drawn.isetitem(column, _like(pd.Series(both, index=drawn.index), like))
    return drawn


def _like(values: Any, like: Any) -> Any:
    """Values with the type of a column, if none of them changes by that."""
    try:
        typed = values.astype(like.dtype)
    except (TypeError, ValueError):
        return values
    return typed if bool((typed.isna() | (typed.astype(object) == values.astype(object))).all()) else values


def _written(codec: Codec, values: Any) -> list[Any]:
    """Given values; dates as text where the column is text."""
    if isinstance(codec, Dates) and codec.form is not None:
        form = codec.form
        return [value.strftime(form) if hasattr(value, "strftime") else value for value in values]
    return list(values)


def _check(codec: Codec, values: Any, name: Any) -> None:
    if not codec.states:
        raise ValueError(f"given holds column {name!r}, which is {codec.summary}: nothing follows from it")
    if isinstance(codec, Categories):
        _check_labels(codec, values, name)
    elif isinstance(codec, Numbers):
        _check_numbers(codec, values, name)
    elif isinstance(codec, Dates):
        _check_dates(codec, values, name)


def _check_labels(codec: Categories, values: Any, name: Any) -> None:
    unseen = codec.unseen(values)
    if unseen.any():
        value = values.iloc[int(np.argmax(unseen))]
        value = value.item() if isinstance(value, np.generic) else value
        known = ", ".join(map(repr, codec.labels[:_SHOWN])) + (", ..." if len(codec.labels) > _SHOWN else "")
        raise ValueError(
            f"given: column {name!r} never had the value {value!r}, so nothing is known of such rows; it had {known}"
        )


def _check_numbers(codec: Numbers, values: Any, name: Any) -> None:
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    numbers = numbers[~np.isnan(numbers)]
    wrong = (numbers < codec.low) | (numbers > codec.high)
    if wrong.any():
        raise ValueError(
            f"given: column {name!r} was between {codec.low:g} and {codec.high:g}, and {numbers[wrong][0]:g} was "
            "asked for: nothing is known of such rows"
        )
    known = codec.cells.low
    other = ~np.isin(numbers, known)
    if codec.cells.point.all() and other.any():
        near = np.sort(known[np.argsort(np.abs(known - numbers[other][0]), kind="stable")[:3]])
        raise ValueError(
            f"given: column {name!r} never had the value {numbers[other][0]:g}, so nothing is known of such rows; "
            f"it had {', '.join(f'{value:g}' for value in near)}"
        )


def _check_dates(codec: Dates, values: Any, name: Any) -> None:
    day, _ = codec.moments(values, str(name))
    day = day[~np.isnan(day)]
    wrong = (day < codec.days.low[0]) | (day > codec.days.high[-1])
    if wrong.any():
        asked = pd.Timestamp(day[wrong][0], unit="D").date()
        raise ValueError(
            f"given: column {name!r} is {codec.summary.partition(',')[0]}, and {asked} was asked for: nothing is "
            "known of such rows"
        )
