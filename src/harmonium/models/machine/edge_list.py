"""Edges as users give them, as models keep them, and as files hold them."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator, Set
from typing import Any

import numpy as np

from harmonium.models.arrays import Array

__all__ = ["as_pairs", "packed", "unpacked"]

_LISTED = 1000  # edges that a description lists one by one; more of them are packed


def as_pairs(edges: Array, units: int) -> Any:
    """Edges as int64 (edges, 2), sorted and without duplicates, the smaller unit first.

    Args:
        edges: integers (edges, 2), a bool mask (units, units), or a SciPy sparse matrix of that shape.
        units: number of units.

    Raises:
        ValueError: for edges from a unit to itself, to units that do not exist, or none at all.
        TypeError: for a graph of another library, a set or a generator.
    """
    if hasattr(edges, "tocoo"):
        found = _of_matrix(edges.tocoo(), units)
    else:
        found = _as_array(edges)
        if found.dtype == bool and found.shape == (units, units):
            if found.diagonal().any():
                raise ValueError("edges couples a unit with itself: the diagonal of the mask must be false")
            found = np.argwhere(np.triu(found | found.T))
    if found.ndim != 2 or found.shape[1] != 2 or found.dtype.kind not in "iu" or not len(found):
        raise ValueError(
            f"edges has shape {found.shape} and dtype {found.dtype}; expected at least one pair (edges, 2) of "
            f"integers, or a bool mask ({units}, {units})"
        )
    if found.min() < 0 or found.max() >= units:
        raise ValueError(
            f"edges has the unit {found.max() if found.max() >= units else found.min()}; units are 0 to {units - 1}"
        )
    same = found[:, 0] == found[:, 1]
    if same.any():
        raise ValueError(f"edges couples unit {found[same][0, 0]} with itself")
    first, second = found.min(1).astype(np.int64), found.max(1).astype(np.int64)
    numbers = np.sort(first * units + second)  # one number for each pair: rows of two would sort slowly
    numbers = numbers[np.diff(numbers, prepend=-1) != 0]
    return np.stack((numbers // units, numbers % units), 1)


def _as_array(edges: Array) -> Any:
    if hasattr(edges, "nodes") or (isinstance(edges, (Iterator, Set)) and not hasattr(edges, "__getitem__")):
        # NumPy would read the nodes of a graph, which may be pairs themselves, and a set as a single object.
        pairs = "list(graph.edges), with nodes numbered from 0" if hasattr(edges, "nodes") else "list(edges)"
        raise TypeError(f"edges is a {type(edges).__name__}: pass {pairs}")
    try:
        return np.asarray(edges)
    except ValueError as error:
        raise ValueError("edges must be pairs of units, (edges, 2), found rows of different lengths") from error


def _of_matrix(matrix: Any, units: int) -> Any:
    """Pairs whose entry in a sparse matrix, or that across the diagonal, is not 0."""
    if matrix.shape != (units, units):
        raise ValueError(f"edges is a matrix of shape {matrix.shape}; expected ({units}, {units}), one row per unit")
    there = matrix.data != 0
    if (matrix.row[there] == matrix.col[there]).any():
        raise ValueError("edges couples a unit with itself: the diagonal of the matrix must be zero")
    return np.stack((matrix.row[there], matrix.col[there]), 1).astype(np.int64)


def packed(pairs: Any) -> list[list[int]] | dict[str, Any]:
    """Edges for a description in JSON: listed, or if there are many, as compressed differences.

    >>> packed(np.array([[0, 1], [1, 2]]))
    [[0, 1], [1, 2]]
    >>> bool((unpacked(packed(np.arange(6000).reshape(3000, 2))) == np.arange(6000).reshape(3000, 2)).all())
    True
    """
    if len(pairs) <= _LISTED:
        listed: list[list[int]] = pairs.tolist()
        return listed
    steps = np.diff(pairs.T, prepend=0).astype("<i4")
    return {"count": len(pairs), "zlib": base64.b64encode(zlib.compress(steps.tobytes())).decode()}


def unpacked(description: Any) -> Any:
    """Edges from what `packed` returned, int64 (edges, 2)."""
    if not isinstance(description, dict):
        return np.asarray(description)
    steps = np.frombuffer(zlib.decompress(base64.b64decode(description["zlib"])), "<i4")
    return steps.astype(np.int64).reshape(2, description["count"]).cumsum(1).T
