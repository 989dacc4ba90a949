"""Columns of numbers: cells between quantiles with an exact density inside, and points for values that repeat."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from harmonium.data.codecs.codec import Array, Codec
from harmonium.data.codecs.dtypes import dtype_config, dtype_from_config, with_dtype

__all__ = ["Cells", "Numbers"]

MOST_CELLS, LEAST_CELLS, ROWS_PER_CELL = 128, 8, 4
MOST_CODES, ROWS_PER_CODE = 256, 20  # whole numbers that are codes, and how often each is there on average
MOST_DECIMALS = 6
LARGEST = 2.0**50
STEEPEST = 30.0  # rate of the exponential inside a cell


class Cells:
    """The real line cut into cells in ascending order: points that hold one value, and intervals.

    Inside an interval the density is exponential, rising or falling, with the mean that its values had.  Values that no
    cell covers belong to the nearest one, which keeps a small share, 1 / (its count + 2), for them: uniform between two
    cells, exponential beyond the first and the last.

    Args:
        low, high: ends of the cells, equal for a point.
        rate: of the exponential in an interval of length 1, 0 for a point.
        count: training values in each cell.
        decimals: of rounded numbers, whose probability is that of all numbers that round to them, below 0 for whole
            tens, hundreds and so on; None: not rounded.
        log: the exponential is one of asinh(x), which is like log(2 x) for large x, not of x.
        least: no values below this are possible.
    """

    def __init__(
        self, low: Array, high: Array, rate: Array, count: Array, decimals: int | None, log: bool, least: float | None
    ) -> None:
        self.low, self.high, self.rate, self.count = (np.asarray(each, np.float64) for each in (low, high, rate, count))
        self.decimals, self.log, self.least = decimals, log, least
        self.point = self.low == self.high
        self.step = 0.0 if decimals is None else 10.0**-decimals
        half = np.where(self.point, self.step / 2, 0.0)  # a rounded number stands for all that round to it
        self._from, self._to = self.low - half, self.high + half
        self.borders = self._to[:-1] / 2 + self._from[1:] / 2  # their sum may overflow
        if self.step:  # between the steps
            self.borders = np.floor(self.borders / self.step + 1e-9) * self.step + self.step / 2
            self.borders = np.clip(self.borders, self._to[:-1], self._from[1:])
        self._points = np.flatnonzero(self.point)

    @classmethod
    def of(cls, numbers: Array, most: int | None, log: bool, every: bool) -> Self:
        """Cut the range of numbers.

        Args:
            numbers: finite, (n,).
            most: cells at most; None: by the number of values.
            log: see the class.
            every: every value is a point.
        """
        decimals = decimals_of(numbers)
        values, counts = np.unique(numbers, return_counts=True)
        n = len(numbers)
        cells = most or min(MOST_CELLS, max(LEAST_CELLS, n // ROWS_PER_CELL))
        whole = decimals is not None and decimals <= 0
        codes = whole and len(values) <= MOST_CODES and n >= ROWS_PER_CODE * len(values)
        least = 0.0 if values[0] >= 0 else None
        if every or codes or len(values) <= cells:
            return cls(values, values, np.zeros(len(values)), counts, decimals, log, least)
        frequent = counts >= max(2.0, n / cells)
        step = 0.0 if decimals is None else 10.0**-decimals
        points = values[frequent]
        rest = np.repeat(values[~frequent], counts[~frequent])
        edges = _edges(rest, points, max(2, round(cells * len(rest) / n)), step)
        which = np.searchsorted(edges, rest, side="right") - 1
        inside = np.bincount(which, minlength=len(edges) - 1)
        low, high = edges[:-1], edges[1:]
        y, width = _scale(rest, log) - _scale(low, log)[which], (_scale(high, log) - _scale(low, log))[which]
        total = np.bincount(which, weights=np.clip(y / width, 0, 1), minlength=len(edges) - 1)
        rate = _rates((total + 1) / (inside + 2))  # two values in the middle of the cell are added
        kept = inside > 0
        low, high, rate, inside = (each[kept] for each in (low, high, rate, inside))
        low, high = np.concatenate([low, points]), np.concatenate([high, points])
        rate, count = np.concatenate([rate, 0 * points]), np.concatenate([inside, counts[frequent]])
        order = np.lexsort((high, low))
        return cls(low[order], high[order], rate[order], count[order], decimals, log, least)

    def __len__(self) -> int:
        return len(self.low)

    def find(self, numbers: Array) -> Array:
        """The cell of each number, int64: the one that holds it, or else the nearest."""
        cell = np.searchsorted(self.borders, numbers, side="right")
        if len(self._points):
            at = self.low[self._points]
            near = np.searchsorted(at, numbers).clip(max=len(at) - 1)
            cell = np.where(at[near] == numbers, self._points[near], cell)
            # A border may be a point: a number beside it belongs to the interval on its side.
            beside = self.point[cell] & (numbers != self.low[cell])
            for shift in (-1, 1):
                other = np.clip(cell + shift, 0, len(self) - 1)
                inside = beside & ~self.point[other] & (numbers >= self.low[other]) & (numbers <= self.high[other])
                cell = np.where(inside, other, cell)
        return np.asarray(cell)

    def values(self, cell: Array, u: Array) -> Array:
        """Draw a number from each cell, by uniform numbers u."""
        low, high = self.low[cell], self.high[cell]
        rate = self.rate[cell]
        flat = np.abs(rate) < 1e-6
        safe = np.where(flat, 1.0, rate)
        t = np.where(flat, u, -np.log1p(u * np.expm1(-safe)) / safe)
        if self.log:
            numbers = np.sinh(np.arcsinh(low) + t * (np.arcsinh(high) - np.arcsinh(low)))
        else:
            numbers = low + t * (high - low)
        numbers = np.where(self.point[cell], low, np.clip(numbers, low, high))
        if self.decimals is not None:
            numbers = np.round(numbers, self.decimals) + 0.0
        return np.asarray(numbers)

    def evenly(self, cell: Array) -> Array:
        """The log-density of numbers spread evenly over a cell, (n,): 0 for points; -inf for NaN and other states."""
        known = ~np.isnan(cell) & (cell < len(self))
        place = np.where(known, cell, 0).astype(int)
        width = np.where(self.point, 1.0, self.high - self.low)
        return np.asarray(np.where(known, -np.log(width)[place], -np.inf))

    def means(self) -> Array:
        """The mean of each cell."""
        u = (np.arange(32) + 0.5) / 32
        return np.stack([self.values(np.full(32, k), u).mean() for k in range(len(self))])

    def log_density(self, numbers: Array, cell: Array) -> Array:
        """log p(number | cell), (n,): a mass for points, a density for intervals.

        A rounded number has the density that its probability makes over the length of a rounding step.
        """
        low, high, step = self.low[cell], self.high[cell], self.step
        inside = (numbers >= low) & (numbers <= high)
        left, right = self._reach()
        spare = np.where((left + right) > 0, 1 / (self.count + 2), 0.0)[cell]
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            y0, y1 = _scale(low, self.log), _scale(high, self.log)
            width = np.where(self.point[cell], 1.0, y1 - y0)
            if self.decimals is None:
                t = np.clip((_scale(numbers, self.log) - y0) / width, 0, 1)
                jacobian = -0.5 * np.log1p(numbers**2) if self.log else 0.0
                within = _log_exponential(t, self.rate[cell]) - np.log(width) + jacobian
            else:
                below, above = (
                    np.clip((_scale(numbers + side * step / 2, self.log) - y0) / width, 0, 1) for side in (-1, 1)
                )
                mass = _cumulative(above, self.rate[cell]) - _cumulative(below, self.rate[cell])
                within = np.log(np.maximum(mass, 1e-300)) - np.log(step)
            within = np.where(self.point[cell], 0.0, within) + np.log1p(-spare)
            outside = np.log(spare) + self._log_outside(numbers, cell, left, right)
        possible = np.ones(len(numbers), bool) if self.least is None else numbers >= self.least
        return np.where(inside, within, np.where(possible, outside, -np.inf))

    def _reach(self) -> tuple[Array, Array]:
        """How far beyond each cell its values may lie, below and above: up to the borders, or by the tails' scale."""
        below, above = self._tails()
        left = np.concatenate([[below], self._from[1:] - self.borders])
        right = np.concatenate([self.borders - self._to[:-1], [above]])
        if self._room() <= 0:
            left[0] = 0.0
        tiny = 1e-9 * max(self.step, 1e-3 * float(np.abs(self.high).max()), 1e-300)
        return np.where(left > tiny, left, 0.0), np.where(right > tiny, right, 0.0)

    def _room(self) -> float:
        """How far values may lie below the first cell."""
        if self.least is None:
            return np.inf
        room = float(self._from[0]) - (self.least - self.step / 2)
        return room if room > 1e-9 * max(self.step, abs(float(self.low[0]))) else 0.0

    def _tails(self) -> tuple[float, float]:
        """The scales of the tails: the length of the outermost cell, or of a middling one if that is longer."""
        reach = float(self.high[-1] - self.low[0]) / max(1, len(self) - 1)
        least = max(reach, self.step / 2, 1e-6 * abs(float(self.low[0])), 1e-12)
        first, last = (float(self.high[end] - self.low[end]) for end in (0, -1))
        return max(least, first), max(least, last)

    def _log_outside(self, numbers: Array, cell: Array, left: Array, right: Array) -> Array:
        """Log-density of a number that its cell does not cover, among those that belong to it."""
        lower, upper = self._tails()
        scale = np.where(numbers < self.low[cell], lower, upper)
        total = left[cell] + right[cell]
        below = numbers < self.low[cell]
        tail = np.where(below, cell == 0, cell == len(self) - 1)
        away = np.where(below, self._from[cell] - numbers, numbers - self._to[cell])
        own = np.where(below, left[cell], right[cell])
        cut = np.where(below & tail, -np.log(-np.expm1(-self._room() / lower)), 0.0)  # a tail that ends
        density = 1 / scale if not self.step else 2 * np.sinh(self.step / (2 * scale)) / self.step
        exponential = np.log(own / total) - away / scale + np.log(density) + cut
        return np.asarray(np.where(tail, exponential, -np.log(total)))

    def config(self) -> dict[str, Any]:
        """Describe the cells in JSON."""
        return {
            "low": self.low.tolist(), "high": self.high.tolist(), "rate": self.rate.tolist(),
            "count": self.count.tolist(), "decimals": self.decimals, "log": self.log, "least": self.least,
        }  # fmt: skip


class Numbers(Codec):
    """Numbers by the cell they are in.

    Args:
        cells: the cells.
        dtype: the type of the column.
        missing: whether an empty cell of the table is a state.
        empty: the number of empty cells of the table.
    """

    def __init__(self, cells: Cells, dtype: Any, missing: bool = False, empty: int = 0) -> None:
        self.cells, self.dtype, self.missing, self.empty = cells, dtype, missing, empty
        self.states = (max(2, len(cells) + missing),)
        self.ordered = (not missing,)

    @classmethod
    def of(
        cls, values: Any, missing: bool = False, cells: int | None = None, log: bool = False, every: bool = False
    ) -> Self:
        """Choose the cells of a column of finite numbers by its values (see `Cells.of`)."""
        numbers = _floats(values)
        present = numbers[~np.isnan(numbers)]
        return cls(Cells.of(present, cells, log, every), values.dtype, missing, int(len(numbers) - len(present)))

    @property
    def low(self) -> float:
        """The least number that was observed, up to the width of a cell."""
        return _rounded(float(self.cells.low[0]), self.cells.decimals, math.ceil)

    @property
    def high(self) -> float:
        """The greatest number that was observed, up to the width of a cell."""
        return _rounded(float(self.cells.high[-1]), self.cells.decimals, math.floor)

    @property
    def summary(self) -> str:
        cells = self.cells
        points = int(cells.point.sum())
        span = f"{self.low:.6g} to {self.high:.6g}"
        if points == len(cells):
            return f"numbers: {points} values, {span}"
        repeated = f" and {points} values that repeat" if points else ""
        return f"numbers: {span}, {len(cells) - points} quantile cells{repeated}" + (", log scale" if cells.log else "")

    def encode(self, values: Any, name: str) -> Array:
        numbers = self._checked(values, name)
        gone = np.isnan(numbers)
        states = np.where(gone, np.nan, self.cells.find(np.where(gone, self.cells.low[0], numbers)))
        if self.missing:
            states[gone] = self.states[0] - 1
        return np.asarray(states[:, None])

    def decode(self, states: Array, u: Array) -> Any:
        state = states[:, 0]
        gone = np.isnan(state) | (self.missing & (state == self.states[0] - 1))
        cell = np.clip(np.where(gone, 0, state).astype(int), 0, len(self.cells) - 1)
        return with_dtype(self.cells.values(cell, u[:, 0]), gone, self.dtype)

    def log_density(self, values: Any, states: Array) -> Array:
        numbers = _floats(values)
        gone = np.isnan(numbers)
        cell = np.clip(np.where(gone, 0, np.nan_to_num(states[:, 0])).astype(int), 0, len(self.cells) - 1)
        return np.where(gone, 0.0, self.cells.log_density(np.where(gone, self.cells.low[0], numbers), cell))

    def shares(self) -> list[Array]:
        share = np.zeros(self.states[0])
        share[: len(self.cells)] = self.cells.count
        if self.missing:
            share[-1] += self.empty
        return [share / max(1.0, share.sum())]

    def _checked(self, values: Any, name: str) -> Array:
        try:
            numbers = _floats(values)
        except (ValueError, TypeError):
            present = values[~values.isna()]
            other = next((value for value in present if not _is_number(value)), present.iloc[0])
            raise ValueError(
                f"column {name!r} holds {other!r}, and held numbers when the model was fitted: correct it, or empty "
                "the cell"
            ) from None
        infinite = np.isinf(numbers)
        if infinite.any():
            row = int(np.argmax(infinite))
            raise ValueError(f"column {name!r} is infinite in row {row}: correct the value, or empty the cell")
        return numbers

    def config(self) -> dict[str, Any]:
        return super().config() | {
            "cells": self.cells.config(),
            "dtype": dtype_config(self.dtype),
            "missing": self.missing,
            "empty": self.empty,
        }

    @classmethod
    def from_config(cls, arguments: dict[str, Any]) -> Self:
        cells = Cells(**arguments["cells"])
        return cls(cells, dtype_from_config(arguments["dtype"]), arguments["missing"], arguments["empty"])


def _rounded(number: float, decimals: int | None, towards: Callable[[float], int]) -> float:
    """A number rounded up or down to the decimals of a column."""
    if decimals is None:
        return number
    factor = 10.0**decimals
    return round(towards(round(number * factor, 6)) / factor, MOST_DECIMALS)


def decimals_of(numbers: Array) -> int | None:
    """The most decimals of numbers, below 0 for whole tens, hundreds and so on; None if they are not rounded.

    >>> decimals_of(np.array([1.5, 2.25])), decimals_of(np.array([1200.0, 310.0])), decimals_of(np.array([np.pi]))
    (2, -1, None)
    """
    most = float(np.abs(numbers).max(initial=0.0))
    for decimals in range(-MOST_DECIMALS if most else 0, MOST_DECIMALS + 1):
        if most * 10.0**decimals > LARGEST:  # half a step is no difference any more
            return None
        if (np.round(numbers, decimals) == numbers).all():
            return decimals
    return None


def _floats(values: Any) -> Array:
    return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _edges(rest: Array, points: Array, cells: int, step: float) -> Array:
    """Ends of intervals: quantiles of the values, and where a point has to be left out."""
    edges = np.quantile(rest, np.linspace(0, 1, cells + 1), method="inverted_cdf")
    # An edge halfway between values, so that no value is on one; those of rounded numbers are between the steps.
    different = np.unique(rest)
    place = np.unique(np.searchsorted(different, edges[1:-1]))
    place = place[place > 0]
    inner = different[place - 1] / 2 + different[place] / 2  # their sum may overflow
    if step:
        inner = np.floor(inner / step) * step + step / 2
    ends = (different[0] - step / 2, np.nextafter(different[-1], np.inf) if not step else different[-1] + step / 2)
    around = np.concatenate([points - step / 2, points + step / 2])
    around = around[(around > ends[0]) & (around < ends[1])]
    return np.asarray(np.unique(np.concatenate([[ends[0]], inner, around, [ends[1]]])))


def _scale(numbers: Array, log: bool) -> Array:
    return np.arcsinh(numbers) if log else numbers


def _rates(mean: Array) -> Array:
    """The rate of an exponential on [0, 1] with this mean: 1 / rate - 1 / (exp(rate) - 1) = mean, by bisection."""
    low, high = np.full(len(mean), -STEEPEST), np.full(len(mean), STEEPEST)
    for _ in range(60):
        rate = (low + high) / 2
        safe = np.where(np.abs(rate) < 1e-6, 1e-6, rate)
        found = 1 / safe - 1 / np.expm1(safe)
        low, high = np.where(found > mean, rate, low), np.where(found > mean, high, rate)
    return np.asarray((low + high) / 2)


def _cumulative(t: Array, rate: Array) -> Array:
    """The distribution function of an exponential on [0, 1]."""
    flat = np.abs(rate) < 1e-6
    safe = np.where(flat, 1.0, rate)
    return np.where(flat, t, np.expm1(-safe * t) / np.expm1(-safe))


def _log_exponential(t: Array, rate: Array) -> Array:
    """The log-density of an exponential on [0, 1]."""
    flat = np.abs(rate) < 1e-6
    safe = np.where(flat, 1.0, rate)
    return np.where(flat, 0.0, np.log(safe / -np.expm1(-safe)) - safe * t)
