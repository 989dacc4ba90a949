"""Columns of dates and times: when, on which weekday, at what time of day."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd

from harmonium.data.codecs.codec import Array, Codec
from harmonium.data.codecs.dtypes import dtype_config, dtype_from_config
from harmonium.data.codecs.numbers import Cells

__all__ = ["Dates"]

DAY = 86_400.0  # seconds
WEEK = 7
MOST_CELLS, ROWS_PER_CELL = 64, 16
_EPOCH_WEEKDAY = 3  # 1 January 1970 was a Thursday; Monday is 0


class Dates(Codec):
    """Dates as a period, a weekday and a time of day, as far as they vary.

    Periods are of whole weeks at least, so that each contains every weekday: the days of a period that fall on the
    weekday are equally probable.  If there are few different dates, each is a state.

    Args:
        days: cells of the day, counted from 1 January 1970.
        weekday: the rows of each weekday, from Monday; None if it is no variable.
        clock: cells of the seconds since midnight; None if all times are midnight.
        dtype: the type of the column; object for dates in text.
        form: how dates are written in text, as `strftime` has it; None for columns of dates.
        zone: the time zone; times are local.
        missing: whether an empty cell is a state.
        empty: the number of empty cells.
    """

    def __init__(
        self, days: Cells, weekday: list[float] | None, clock: Cells | None, dtype: Any, form: str | None = None,
        zone: str | None = None, missing: bool = False, empty: int = 0,
    ) -> None:  # fmt: skip
        self.days, self.weekday, self.clock = days, weekday, clock
        self.dtype, self.form, self.zone, self.missing, self.empty = dtype, form, zone, missing, empty
        sizes = [len(days)] + ([WEEK] if weekday is not None else []) + ([len(clock)] if clock is not None else [])
        self.states = tuple(max(2, size + missing) for size in sizes)
        self.ordered = tuple(place != (1 if weekday is not None else -1) and not missing for place in range(len(sizes)))

    @classmethod
    def of(cls, values: Any, missing: bool = False, form: str | None = None) -> Self:
        """Choose periods and times by the dates of a column."""
        times = _times(values, form)
        zone = getattr(times.dt, "tz", None)
        day, seconds = _day_and_clock(times)
        present = ~np.isnan(day)
        found = day[present]
        n = len(found)
        different = np.unique(found)
        cells = min(MOST_CELLS, max(4, n // ROWS_PER_CELL))
        weekday = None
        if len(different) <= cells:
            days = Cells.of(found, None, False, True)
        else:
            edges = np.unique(np.quantile(different, np.linspace(0, 1, cells + 1), method="inverted_cdf")) - 0.5
            edges[-1] = different[-1] + 0.5
            edges = _of_whole_weeks(edges)
            count = np.histogram(found, edges)[0]  # at least 1: edges lie between different dates
            days = Cells(edges[:-1], edges[1:], np.zeros(len(count)), count, 0, False, None)
            if len(days) < 2:
                days = Cells.of(found, None, False, True)
            else:
                weekday = np.bincount(_weekday(found), minlength=WEEK).astype(float).tolist()
        not_midnight = bool((seconds[present] != 0).any())
        clock = Cells.of(seconds[present], None, False, False) if not_midnight else None
        return cls(days, weekday, clock, values.dtype, form, None if zone is None else str(zone), missing,
                   int((~present).sum()))  # fmt: skip

    @property
    def summary(self) -> str:
        ends = (np.ceil(self.days.low[0]), np.floor(self.days.high[-1]))
        first, last = (str(pd.Timestamp(day * DAY, unit="s").date()) for day in ends)
        parts = [f"{len(self.days)} {'dates' if self.weekday is None else 'periods'}"]
        parts += ["weekday"] if self.weekday is not None else []
        parts += ["time of day"] if self.clock is not None else []
        return f"dates: {first} to {last}, by {' and '.join(parts)}"

    def encode(self, values: Any, name: str) -> Array:
        day, seconds = self.moments(values, name)
        gone = np.isnan(day)
        safe = np.where(gone, self.days.low[0], day)
        parts = [self.days.find(safe).astype(np.float64)]
        if self.weekday is not None:
            parts.append(_weekday(safe).astype(np.float64))
        if self.clock is not None:
            parts.append(self.clock.find(np.where(gone, self.clock.low[0], seconds)).astype(np.float64))
        states = np.stack(parts, 1)
        states[gone] = np.array(self.states) - 1 if self.missing else np.nan
        return states

    def moments(self, values: Any, name: str) -> tuple[Array, Array]:
        """Days since 1970 and seconds since midnight, (rows,) each, NaN where a cell is empty.

        Raises:
            ValueError: for values that are no dates.
        """
        try:
            times = _times(values, self.form)
        except (ValueError, TypeError) as error:
            raise ValueError(f"column {name!r} held dates when the model was fitted, and now {error}: correct it, or "
                             "empty the cell") from None  # fmt: skip
        return _day_and_clock(times, self.zone)

    def decode(self, states: Array, u: Array) -> Any:
        gone = np.asarray(np.isnan(states).any(1))
        if self.missing:
            gone = gone | np.asarray((states == np.array(self.states) - 1).any(1))
        clean = np.where(gone[:, None], 0, states).astype(int)
        cell = clean[:, 0].clip(max=len(self.days) - 1)
        if self.weekday is None:
            day = self.days.values(cell, u[:, 0])
        else:
            first, count = self._days_of(cell, clean[:, 1].clip(max=WEEK - 1))
            day = first + WEEK * np.floor(u[:, 0] * count)
        seconds = np.zeros(len(day))
        if self.clock is not None:
            seconds = self.clock.values(clean[:, -1].clip(max=len(self.clock) - 1), u[:, -1])
        return self._written(day, seconds, gone)

    def log_density(self, values: Any, states: Array) -> Array:
        day, seconds = _day_and_clock(_times(values, self.form), self.zone)
        gone = np.isnan(day)
        clean = np.where(gone[:, None], 0, np.nan_to_num(states)).astype(int)
        cell = clean[:, 0].clip(max=len(self.days) - 1)
        safe = np.where(gone, self.days.low[0], day)
        if self.weekday is None:
            within = self.days.log_density(safe, cell)
        else:
            within = self._log_day(safe, cell, clean[:, 1].clip(max=WEEK - 1))
        if self.clock is not None:
            within = within + self.clock.log_density(
                np.where(gone, self.clock.low[0], seconds), clean[:, -1].clip(max=len(self.clock) - 1)
            )
        return np.where(gone, 0.0, within)

    def shares(self) -> list[Array]:
        found = [self.days.count]
        found += [] if self.weekday is None else [np.array(self.weekday)]
        found += [] if self.clock is None else [self.clock.count]
        shares = []
        for count, size in zip(found, self.states, strict=True):
            share = np.zeros(size)
            share[: len(count)] = count
            if self.missing:
                share[-1] += self.empty
            shares.append(share / share.sum())
        return shares

    def _days_of(self, cell: Array, weekday: Array) -> tuple[Array, Array]:
        """The first day of a cell on a weekday, and how many there are."""
        start, end = np.ceil(self.days.low[cell]), np.floor(self.days.high[cell])
        first = start + (weekday - _weekday(start)) % WEEK
        return first, np.floor((end - first) / WEEK) + 1

    def _log_day(self, day: Array, cell: Array, weekday: Array) -> Array:
        """log p(day | period, weekday): equal for the days of the period.

        The first and the last period keep a small share, 1 / (their count + 2), for days beyond: it falls from week to
        week, by a factor of e over the length of the period.
        """
        low, high = self.days.low[cell], self.days.high[cell]
        _, count = self._days_of(cell, weekday)
        ends = (cell == 0) | (cell == len(self.days) - 1)
        spare = np.where(ends, 1 / (self.days.count[cell] + 2), 0.0)
        weeks = np.floor(np.maximum(low - day, day - high) / WEEK)  # other days of this weekday before it
        fall = WEEK / (high - low)
        with np.errstate(divide="ignore"):
            beyond = np.log(spare) + np.log(-np.expm1(-fall)) - fall * weeks
        inside = (day >= low) & (day <= high)
        return np.where(inside, np.log1p(-spare) - np.log(np.maximum(count, 1)), beyond)

    def _written(self, day: Array, seconds: Array, gone: Array) -> Any:
        stamps = pd.Series(pd.to_datetime(np.round((day * DAY + seconds) * 1e6).astype(np.int64), unit="us"))
        if self.zone is not None and self.form is None:
            stamps = stamps.dt.tz_localize(self.zone, ambiguous=True, nonexistent="shift_forward")
        stamps[gone] = pd.NaT
        if self.form is not None:
            text = stamps.dt.strftime(self.form).astype(object)
            text[gone] = None
            return text.astype(self.dtype)
        if self.dtype == object:  # of datetime.date
            whole = self.clock is None
            plain = stamps.dt.date.astype(object) if whole else stamps.astype(object)
            plain[gone] = None
            return plain
        return stamps.astype(self.dtype)

    def config(self) -> dict[str, Any]:
        return super().config() | {
            "days": self.days.config(), "weekday": self.weekday,
            "clock": None if self.clock is None else self.clock.config(), "dtype": dtype_config(self.dtype),
            "form": self.form, "zone": self.zone, "missing": self.missing, "empty": self.empty,
        }  # fmt: skip

    @classmethod
    def from_config(cls, arguments: dict[str, Any]) -> Self:
        clock = None if arguments["clock"] is None else Cells(**arguments["clock"])
        dtype = dtype_from_config(arguments["dtype"])
        return cls(**arguments | {"days": Cells(**arguments["days"]), "clock": clock, "dtype": dtype})


def _times(values: Any, form: str | None) -> Any:
    """A column as datetimes; NaT where it is empty."""
    if form is not None:
        return pd.to_datetime(pd.Series(values).astype(object), format=form)
    if isinstance(values.dtype, pd.PeriodDtype):
        return values.dt.to_timestamp()
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return values
    return pd.to_datetime(values)


def _day_and_clock(times: Any, zone: str | None = None) -> tuple[Array, Array]:
    """Days since 1970 and seconds since midnight, local time; NaN where there is none."""
    if getattr(times.dt, "tz", None) is not None:
        if zone is not None:
            times = times.dt.tz_convert(zone)
        times = times.dt.tz_localize(None)
    gone = times.isna().to_numpy()
    exact = times.to_numpy(dtype="datetime64[us]", na_value=np.datetime64("NaT"))
    day = exact.astype("datetime64[D]")
    seconds = (exact - day).astype("timedelta64[us]").astype(np.float64) / 1e6
    return np.where(gone, np.nan, day.astype(np.float64)), np.where(gone, np.nan, seconds)


def _weekday(day: Array) -> Array:
    return np.asarray((day.astype(np.int64) + _EPOCH_WEEKDAY) % WEEK)


def _of_whole_weeks(edges: Array) -> Array:
    """Remove edges until every period has seven days."""
    kept = [edges[0]]
    for edge in edges[1:-1]:
        if edge - kept[-1] >= WEEK and edges[-1] - edge >= WEEK:
            kept.append(edge)
    return np.array([*kept, edges[-1]])
