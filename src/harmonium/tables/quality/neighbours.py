"""Distances between rows of mixed columns, and the nearest neighbour of every row."""

from __future__ import annotations

import numpy as np

from harmonium.data.raw import Array
from harmonium.tables.quality.encoding import Encoded

__all__ = ["nearest", "points"]

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


def nearest(rows: Array, among: Array, *, itself: bool = False) -> Array:
    """Return the distance of every row to the nearest of others, (rows,) float64.

    Args:
        rows: points, (n, coordinates).
        among: points, (m, coordinates).
        itself: ``rows`` and ``among`` are the same points, and none is a neighbour of its own.
    """
    found = np.empty(len(rows))
    squares = np.einsum("ij,ij->i", among, among)
    for first in range(0, len(rows), _CHUNK):
        part = rows[first : first + _CHUNK]
        distance = part @ among.T
        distance *= -2
        distance += squares  # less the square of the row itself, which is the same for all
        if itself:
            distance[np.arange(len(part)), np.arange(first, first + len(part))] = np.inf
        best = distance.argmin(1)
        # Once more without cancellation, so that equal rows are exactly 0 apart.
        found[first : first + len(part)] = np.linalg.norm(part - among[best], axis=1)
    return np.round(found, _ROUNDING)
