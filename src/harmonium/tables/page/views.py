"""How the values of a column are shown: bars of labels and of values that repeat, and bins of all other numbers."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any

import numpy as np
import pandas as pd

from harmonium.data.codecs.categories import Categories
from harmonium.data.codecs.codec import Array, Codec
from harmonium.data.codecs.dates import Dates
from harmonium.data.codecs.numbers import Cells, Numbers
from harmonium.report.markup import typeset

__all__ = ["View", "number_text", "view_of"]

MOST_BARS = 10  # labels of their own; the rest are one bar
FEW_VALUES = 12  # different numbers that are bars, too
REPEATED = 0.15  # share of a number that has a bar beside the histogram
BINS = 30
SKEWED = 6.0  # how much longer one tail is than the other where bins are on a logarithmic scale
_TAIL = 0.005  # shares of the values that the first and the last bin take in
_DRAWS = 64  # of a cell, to see which bins it covers
_BLANK = "(blank)"


@dataclass(frozen=True)
class View:
    """A column as bars and bins.

    Attributes:
        name: of the column.
        codec: of the column.
        bars: the text of each bar.
        edges: of the bins, which come after the bars, ascending; None if there are none.
        log: whether bins are on a logarithmic scale.
        weights: (states of the first variable, bars and bins): the share of a state that belongs to each.
        ordered: whether the bars are numbers or dates, in their order.
    """

    name: str
    codec: Codec
    bars: tuple[str, ...] = ()
    edges: Array | None = None
    log: bool = False
    weights: Array = field(default_factory=lambda: np.zeros((0, 0)))
    ordered: bool = False
    points: tuple[float, ...] = ()  # the numbers of the bars, where they are numbers
    ends: tuple[str, str] = ("", "")  # of the bins, as text

    @property
    def size(self) -> int:
        """How many bars and bins there are."""
        return len(self.bars) + (0 if self.edges is None else len(self.edges) - 1)

    def place(self, values: Any) -> Array:
        """The bar or bin of each value of a pandas column, int64; -1 for empty cells."""
        if isinstance(self.codec, Categories):
            states = self.codec.encode(values, self.name)[:, 0]
            gone = np.isnan(states) | values.isna().to_numpy()
            return np.where(gone, -1, self.weights.argmax(1)[np.where(gone, 0, states).astype(int)])
        return self.place_numbers(self.numbers(values))

    def place_numbers(self, numbers: Array) -> Array:
        """The bar or bin of each number, int64; -1 for NaN."""
        gone = np.isnan(numbers)
        found = np.zeros(len(numbers), dtype=np.int64)
        if self.edges is not None:
            inner = np.searchsorted(self.edges[1:-1], numbers, side="right")
            found = len(self.bars) + inner
        elif len(self.points) > 1:
            middle = (np.array(self.points[:-1]) + np.array(self.points[1:])) / 2
            found = np.searchsorted(middle, numbers, side="right")
        for place, point in enumerate(self.points):
            found = np.where(numbers == point, place, found)
        return np.where(gone, -1, found)

    def numbers(self, values: Any) -> Array:
        """A column of numbers or dates as float64: dates in days since 1970; NaN where it is empty."""
        if isinstance(self.codec, Dates):
            return _days(self.codec, values)
        return np.asarray(pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan))

    def text(self, number: float) -> str:
        """A number or a date of the column, as text."""
        if isinstance(self.codec, Dates):
            return day_text(number)
        return number_text(number, self.codec.cells.decimals if isinstance(self.codec, Numbers) else None)


@singledispatch
def view_of(codec: Codec, name: str, values: Any) -> View:
    """Choose how a column is shown.

    Args:
        codec: of the column; one without states, such as that of a constant, is not shown.
        name: of the column.
        values: the real ones, a pandas column.
    """
    return View(name, codec)


@view_of.register
def _(codec: Categories, name: str, values: Any) -> View:
    kept = list(range(codec.own))
    if len(codec.labels) > MOST_BARS + 1:
        kept = sorted(kept, key=lambda place: -codec.counts[place])[:MOST_BARS]
    elif not isinstance(codec.dtype, pd.CategoricalDtype) and set(codec.labels) != {False, True}:
        kept = sorted(kept, key=lambda place: -codec.counts[place])
    rest = len(codec.labels) - len(kept)
    bars = [label_text(codec.labels[place]) for place in kept] + ([f"{rest} others"] if rest else [])
    weights = np.zeros((codec.states[0], len(bars)))
    weights[kept, np.arange(len(kept))] = 1.0
    if rest:
        weights[weights.sum(1) == 0, -1] = 1.0
    weights[codec.own + codec.pooled :] = 0.0  # of empty cells, and of a second state that nothing has
    return View(name, codec, tuple(bars), weights=weights)


@view_of.register
def _(codec: Numbers, name: str, values: Any) -> View:
    return _of_numbers(codec, codec.cells, name, values)


@view_of.register
def _(codec: Dates, name: str, values: Any) -> View:
    return _of_numbers(codec, codec.days, name, values)


def _of_numbers(codec: Codec, cells: Cells, name: str, values: Any) -> View:
    plain = View(name, codec)
    found = plain.numbers(values)
    found = found[~np.isnan(found)]
    found = found if len(found) else cells.low  # none of the rows at hand has a value
    different, counts = np.unique(found, return_counts=True)
    states = codec.states[0]
    if cells.point.all() and len(cells) <= FEW_VALUES:
        points, edges, log, whole, rest = cells.low, None, False, False, found
    else:
        whole = (cells.decimals is not None and cells.decimals <= 0) or isinstance(codec, Dates)
        each = whole and different[-1] - different[0] < BINS  # has a bin of its own
        points = different[counts >= max(2.0, np.inf if each else REPEATED * len(found))]
        rest = found[~np.isin(found, points)]
        rest = rest if len(rest) else found
        edges, log = _edges(rest, whole, isinstance(codec, Dates))
    bars = tuple(plain.text(point) for point in points)
    view = View(name, codec, bars, edges, log, ordered=True, points=tuple(points.tolist()))
    cell = np.repeat(np.arange(len(cells)), _DRAWS)
    drawn = cells.values(cell, np.tile((np.arange(_DRAWS) + 0.5) / _DRAWS, len(cells)))
    weights = np.zeros((states, view.size))
    np.add.at(weights, (cell, view.place_numbers(drawn)), 1 / _DRAWS)
    ends = ("", "") if edges is None else _ends(view, edges, float(rest.min()), float(rest.max()), whole and not log)
    return View(name, codec, bars, edges, log, weights, True, view.points, ends)


def _ends(view: View, edges: Array, low: float, high: float, whole: bool) -> tuple[str, str]:
    """The ends of the bins as text; the first and the last bin take in what is beyond them."""
    first, last = float(edges[0]), float(edges[-1])
    if whole:  # bins begin and end between whole numbers
        first, last = np.ceil(first), min(np.floor(last), max(high, np.ceil(first)))
    below = "\N{LESS-THAN OR EQUAL TO} " if low < first else ""
    above = "\N{GREATER-THAN OR EQUAL TO} " if high > last else ""
    return below + view.text(float(first)), above + view.text(float(last))


def _edges(numbers: Array, whole: bool, dates: bool) -> tuple[Array, bool]:
    """Edges of bins, and whether they are on a logarithmic scale."""
    low, middle, high = np.quantile(numbers, [_TAIL, 0.5, 1 - _TAIL])
    if high <= low:
        low, high = numbers.min(), numbers.max()
    if high <= low:
        return np.array([low - 0.5, low + 0.5]), False
    if not dates and low > 0 and high - middle > SKEWED * (middle - low):
        return np.geomspace(low, high, BINS + 1), True
    if whole:
        step = max(1.0, np.ceil((high - low + 1) / BINS))
        return np.arange(low - 0.5, high + step + 0.4, step), False
    return np.linspace(low, high, BINS + 1), False


def _days(codec: Dates, values: Any) -> Array:
    """Dates as days since 1970, in local time; NaN where there is none."""
    if isinstance(values.dtype, pd.PeriodDtype):
        values = values.dt.to_timestamp()
    if codec.form is not None:
        values = pd.to_datetime(pd.Series(values).astype(object), format=codec.form, errors="coerce")
    elif not pd.api.types.is_datetime64_any_dtype(values.dtype):
        values = pd.to_datetime(values, errors="coerce")
    if getattr(values.dt, "tz", None) is not None:
        values = (values.dt.tz_convert(codec.zone) if codec.zone is not None else values).dt.tz_localize(None)
    exact = values.to_numpy(dtype="datetime64[us]", na_value=np.datetime64("NaT"))
    days = exact.astype("datetime64[D]").astype(np.float64)
    return np.where(values.isna().to_numpy(), np.nan, days)


def day_text(day: float) -> str:
    """A day, counted from 1 January 1970, as text."""
    try:
        return (datetime.date(1970, 1, 1) + datetime.timedelta(days=float(np.floor(day)))).isoformat()
    except OverflowError:  # before year 1 or after 9999
        return f"day {day:.0f}"


def label_text(label: Any) -> str:
    """A label as text that can be seen."""
    text = str(label)
    return text if text.strip() else _BLANK


def number_text(number: float, decimals: int | None = None) -> str:
    """A number with the decimals of its column, or four digits; commas where there are many digits.

    >>> number_text(2021.0, 0), number_text(-1234567.0, 0), number_text(0.123456)
    ('2021', '\N{MINUS SIGN}1,234,567', '0.1235')
    """
    if decimals is None:
        digits = 0 if abs(number) >= 1000 else 3 - int(np.floor(np.log10(abs(number)))) if number else 0
        text = f"{number:.{min(digits, 6)}f}" if 1e-4 <= abs(number) < 1e9 or not number else f"{number:.3e}"
        text = text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text
    else:
        text = f"{number + 0.0:.{max(0, decimals)}f}" if abs(number) < 1e15 else f"{number:.4g}"
    if abs(number) >= 10_000 and "e" not in text:
        whole, dot, fraction = text.partition(".")
        text = f"{int(whole):,}{dot}{fraction}"
    return typeset(text)
