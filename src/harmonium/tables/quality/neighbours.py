"""Distances between rows of mixed columns, and the nearest neighbour of every row."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harmonium.data.raw import Array
from harmonium.tables.quality.encoding import Encoded

__all__ = ["nearest", "nearest_within", "points"]

_LEVELS = 50  # categories with a coordinate of their own; rarer ones share one
_CHUNK = 250  # rows compared at once with all others: 50 MB at 25,000
_ROUNDING = 6  # decimals at which distances are equal: rows of categories often are equally far from two others


def points(tables: list[Encoded], scale: Encoded) -> list[Array]:
    """Return tables as points (rows, coordinates) float64, between which distances are Euclidean.

    A number is its rank among the values of ``scale``, from 0 to 1, so that skew and outliers do not matter; a
    missing one is 0, and a coordinate of its own says so. Two different categories are 1 apart, as are a missing and
    a present value.
    """
    parts: list[list[Array]] = [[] for _ in tables]
    for place, number in enumerate(scale.number):
        column = scale.values[:, place]
        known = np.sort(column[~np.isnan(column)])
        for table, part in zip(tables, parts, strict=True):
            values = table.values[:, place]
            part.extend(_ranks(values, known) if number else _indicators(values, column))
    found = [np.column_stack(part) for part in parts]
    differs = np.any([part.min(0) != part.max(0) for part in found], axis=0)  # the others add nothing to a distance
    differs |= np.any([part[0] != found[0][0] for part in found], axis=0)
    return [np.ascontiguousarray(part[:, differs]) for part in found]


def _ranks(values: Array, known: Array) -> list[Array]:
    below, up_to = (np.searchsorted(known, values, side) for side in ("left", "right"))
    missing = np.isnan(values)
    return [np.where(missing, 0.0, (below + up_to) / (2 * max(len(known), 1))), missing.astype("float64")]


def _indicators(values: Array, known: Array) -> list[Array]:
    levels = np.unique(known)[:_LEVELS]  # the most frequent ones have the smallest codes
    places = np.searchsorted(levels, values)
    places[~np.isin(values, levels)] = len(levels)
    return [np.where(places == level, np.sqrt(0.5), 0.0) for level in range(len(levels) + 1)]


def nearest(rows: Array, among: Array) -> tuple[Array, Array]:
    """Return the distance of every row to the nearest of others, (n,) float64, and of the others to the rows, (m,).

    Args:
        rows: points, (n, coordinates).
        among: points, (m, coordinates).
    """
    there, back = np.empty(len(rows), np.int64), np.empty(len(among), np.int64)
    least = np.full(len(among), np.inf)
    for first, distance in _squares(rows, among):
        there[first : first + len(distance)] = distance.argmin(1)
        smallest = distance.min(0)
        closer = np.flatnonzero(smallest < least)  # few after the first chunks
        back[closer] = first + distance[:, closer].argmin(0)
        least[closer] = smallest[closer]
    return _exact(rows, among[there]), _exact(among, rows[back])


def nearest_within(rows: Array) -> Array:
    """Return the distance of every row to the nearest of the others, (n,) float64."""
    there = np.empty(len(rows), np.int64)
    for first, distance in _squares(rows, rows):
        own = np.arange(len(distance))
        distance[own, first + own] = np.inf
        there[first : first + len(distance)] = distance.argmin(1)
    return _exact(rows, rows[there])


def _squares(a: Array, b: Array) -> Iterator[tuple[int, Array]]:
    """Squared distances of some rows of ``a`` after the others to all of ``b``, and the number of the first of them."""
    of_a, of_b = (np.einsum("ij,ij->i", points, points) for points in (a, b))
    for first in range(0, len(a), _CHUNK):
        chunk = slice(first, first + _CHUNK)
        distance = a[chunk] @ b.T
        distance *= -2
        distance += of_b
        distance += of_a[chunk, None]
        yield first, distance


def _exact(a: Array, b: Array) -> Array:
    """Distances of pairs, once more without cancellation, so that equal rows are exactly 0 apart."""
    found: Array = np.round(np.linalg.norm(a - b, axis=1), _ROUNDING)
    return found
