"""Graphs in compressed rows: what every unit receives, unit after unit, in the order of their colours."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from harmonium.kernels.compiled import compiled

__all__ = ["Adjacency", "adjacency", "greedy_colours"]


class Adjacency(NamedTuple):
    """What units receive: unit ``order[p]`` from ``neighbours[starts[p] : starts[p + 1]]``, through these ``entries``.

    Neighbours of a unit are in ascending order; ``bounds`` are the places in ``order`` where colours begin and end.
    """

    order: Any
    starts: Any
    neighbours: Any
    entries: Any
    bounds: Any


def adjacency(targets: Any, sources: Any, entries: Any, units: int, colour: Any | None = None) -> Adjacency:
    """Sort entries by the unit that receives them.

    Args:
        targets: the units that receive, int32 (entries,).
        sources: the units that send, likewise; ascending among those of one target.
        entries: numbers of the parameters, likewise.
        units: number of units that receive.
        colour: of every unit (units,); None: all have one.
    """
    order = np.arange(units, dtype=np.int32)
    bounds = np.array([0, units])
    if colour is not None:
        order = np.argsort(colour, kind="stable").astype(np.int32)
        bounds = np.concatenate(([0], np.bincount(colour).cumsum()))
    starts = np.zeros(units + 1, np.int64)
    neighbours = np.empty(len(targets), np.int32)
    numbers = np.empty(len(targets), np.int32)
    _sort_entries(targets, sources, entries, order, starts, neighbours, numbers)
    return Adjacency(order, starts, neighbours, numbers, bounds)


@compiled
def _sort_entries(targets, sources, entries, order, starts, neighbours, numbers):
    units = order.shape[0]
    place = np.empty(units, np.int64)
    for p in range(units):
        place[order[p]] = p
    for e in range(targets.shape[0]):
        starts[place[targets[e]] + 1] += 1
    for p in range(units):
        starts[p + 1] += starts[p]
    following = starts[:-1].copy()
    for e in range(targets.shape[0]):
        p = place[targets[e]]
        neighbours[following[p]] = sources[e]
        numbers[following[p]] = entries[e]
        following[p] += 1


def greedy_colours(starts: Any, neighbours: Any) -> Any:
    """Colour every unit, int64 (units,), so that no neighbours share a colour (Welsh & Powell 1967).

    Units with the most neighbours come first, among equals the lower number; each takes the lowest colour that is free.

    Args:
        starts: the neighbours of unit i are ``neighbours[starts[i] : starts[i + 1]]``.
        neighbours: int32.
    """
    first = np.argsort(-np.diff(starts), kind="stable")
    return _colour(first, starts, neighbours)


@compiled
def _colour(first, starts, neighbours):
    units = first.shape[0]
    colour = np.full(units, -1, np.int64)
    seen = np.full(units + 1, -1, np.int64)
    for k in range(units):
        i = first[k]
        for e in range(starts[i], starts[i + 1]):
            c = colour[neighbours[e]]
            if c >= 0:
                seen[c] = i
        c = 0
        while seen[c] == i:
            c += 1
        colour[i] = c
    return colour
