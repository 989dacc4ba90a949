"""Gibbs sampling of a layer whose units are coupled along the edges of a graph."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from harmonium import kernels
from harmonium.core.random import RandomAddress
from harmonium.kernels.edges import EdgeMatrix
from harmonium.kernels.graph_walk import LANES, fill_lanes, global_rows, padded, padded_row, word_lanes
from harmonium.units.layer import Interpolation, Units
from harmonium.units.mixed import Mixed, part_key

__all__ = ["graph_gibbs", "walks_on_graphs"]

_THREADED = 1 << 19  # draws from which on threads pay


def walks_on_graphs(units: Units, x: Tensor) -> bool:
    """Whether the fused loops draw these units, of which x is a state or an input."""
    return kernels.is_fused(x) and all(part.loops.graph is not None for part, _ in units.by_type())


def graph_gibbs(
    units: Units,
    x: Tensor | None,
    s: Tensor,
    weights: EdgeMatrix,
    draw: RandomAddress,
    line: Interpolation,
    *,
    held: Tensor | None = None,
    reverse: bool = False,
    sweeps: int = 1,
) -> Tensor:
    """Draw all units of a layer, colour by colour, each given the present states of its neighbours.

    Args:
        units: the layer, of types that have a loop for graphs (see `walks_on_graphs`).
        x: input from other layers, (batch, n); None: there is none.
        s: present states, (batch, n).
        weights: the coupling, of one model.
        draw: address of one random word per variable; sweep k takes its step + k.
        line: where the rows lie between two models.
        held: units that keep their state, bool, broadcast to s.
        reverse: colours in the opposite order.
        sweeps: number of sweeps at this input.

    Returns:
        the new states (batch, n), chains side by side in memory.
    """
    lanes = padded(s.detach().numpy())
    none = lanes[:0, :0]
    keeps = np.empty((0, 0), np.bool_)
    if held is not None:
        rows = held.reshape(-1, units.size).contiguous().numpy()
        keeps = rows.T.copy() if len(rows) == 1 else padded(rows)
    walk = _Walk(s.shape[0], lanes, none if x is None else padded(x.detach().numpy()), weights, keeps, draw, reverse)
    segments = _segments(units, weights, line, s, draw, reverse)
    blocks = lanes.shape[1] // LANES
    threads = torch.get_num_threads() if lanes.size * sweeps >= _THREADED else 1
    if threads == 1:
        walk.sweep_chains(segments, sweeps, 0, lanes.shape[1])
    elif blocks >= threads:
        cuts = [LANES * (blocks * k // threads) for k in range(threads + 1)]
        with _pool(threads) as run:
            run([(walk.sweep_chains, segments, sweeps, low, high) for low, high in pairwise(cuts)])
    else:
        with _pool(threads) as run:
            walk.sweep_units(segments, sweeps, threads, run)
    return torch.from_numpy(np.ascontiguousarray(lanes[:, : s.shape[0]])).mT


class _Segment(NamedTuple):
    """Consecutive places of a graph whose units are of one type.

    Attributes:
        loop: of the type.
        part: number of the type within the layer, which has its own key.
        units: number of variables of the type.
        key: of its random words.
        offset: the first column of the type.
        line: t, slope, start and the constant of the type.
        first, last: the places.
    """

    loop: Any
    part: int
    units: int
    key: int
    offset: int
    line: tuple[Any, ...]
    first: int
    last: int


def _segments(
    units: Units, weights: EdgeMatrix, line: Interpolation, s: Tensor, draw: RandomAddress, reverse: bool
) -> list[_Segment]:
    """What is drawn one after the other: all at once if units are of one type, else each type of each colour."""
    graph = weights.received
    if not isinstance(units, Mixed):
        arrays = _line_arrays(units, line, s)
        return [_Segment(units.loops.graph, 0, units.columns, draw.key, 0, arrays, 0, units.size)]
    found = []
    for number, (part, columns) in enumerate(units.by_type()):
        arrays = _line_arrays(part, units._line(line, part, columns), s[..., columns])
        for low, high in pairwise(graph.bounds.tolist()):
            first, last = low + np.searchsorted(graph.order[low:high], (columns.start, columns.stop))
            if first < last:
                found.append(
                    _Segment(
                        part.loops.graph, number, part.columns, part_key(draw.key, number), columns.start, arrays,
                        int(first), int(last),
                    )
                )  # fmt: skip
    return sorted(found, key=lambda segment: segment.first, reverse=reverse)


def _line_arrays(units: Units, line: Interpolation | None, s: Tensor) -> tuple[Any, ...]:
    """t of all lanes, slope, start and the constant of a type."""
    t, *rest = units._line_arrays(s, line)
    return padded_row(t), *rest


class _Walk(NamedTuple):
    """The arrays of a walk that all threads share."""

    chains: int
    s: Any
    x: Any
    weights: EdgeMatrix
    held: Any
    draw: RandomAddress
    reverse: bool

    def sweep_chains(self, segments: list[_Segment], sweeps: int, low: int, high: int) -> None:
        """All sweeps of the chains ``low`` ... ``high`` - 1."""
        words = _words(segments, high - low)
        rows = global_rows(self.draw.first, self.chains, low, high)
        if len(segments) == 1:
            self._run(segments[0], words[0], rows, 0, sweeps, low, high)
            return
        for k in range(sweeps):
            for part, lanes in words.items():
                segment = next(segment for segment in segments if segment.part == part)
                self._fill(segment, lanes, rows, k, 0, len(lanes) // 2)
            for segment in segments:
                self._run(segment, words[segment.part], rows[:0], k, 1, low, high)

    def sweep_units(self, segments: list[_Segment], sweeps: int, threads: int, run: Any) -> None:
        """All sweeps of all chains, the units of a colour divided among threads."""
        count = self.s.shape[1]
        words, rows = _words(segments, count), global_rows(self.draw.first, self.chains, 0, count)
        bounds = self.weights.received.bounds.tolist()
        colours = list(pairwise(bounds))
        for k in range(sweeps):
            fills = []
            for part, lanes in words.items():
                segment = next(segment for segment in segments if segment.part == part)
                fills += [
                    (self._fill, segment, lanes, rows, k, low, high) for low, high in _cut(0, len(lanes) // 2, threads)
                ]
            run(fills)
            for low, high in reversed(colours) if self.reverse else colours:
                tasks = []
                for segment in segments:
                    inside = max(low, segment.first), min(high, segment.last)
                    for first, last in _cut(*inside, threads, self._width(segment)):
                        part_of = segment._replace(first=first, last=last)
                        tasks.append((self._run, part_of, words[segment.part], rows[:0], k, 1, 0, count))
                run(tasks)

    def _width(self, segment: _Segment) -> int:
        """Columns of a variable of the segment."""
        columns: int = segment.line[1][0].shape[1]
        return columns // segment.units

    def _fill(self, segment: _Segment, words: Any, rows: Any, k: int, first: int, last: int) -> None:
        fill_lanes(words, first, last, rows, np.uint64(segment.key), self.draw.step + k, self.draw.site)

    def _run(self, segment: _Segment, words: Any, rows: Any, k: int, sweeps: int, low: int, high: int) -> None:
        t, slope, start, constant = segment.line
        segment.loop(
            self.s, self.x, self.weights.values.detach().numpy(), *self.weights.received[:4], self.held, t,
            slope, start, constant, segment.offset, words, rows, np.uint64(segment.key), self.draw.step + k,
            self.draw.site, sweeps, segment.first, segment.last, self.reverse, low, high,
        )  # fmt: skip


def _words(segments: list[_Segment], chains: int) -> dict[int, Any]:
    """Room for the words of every type, by its number."""
    return {segment.part: word_lanes(segment.units, chains) for segment in segments}


def _cut(first: int, last: int, parts: int, width: int = 1) -> list[tuple[int, int]]:
    """Divide places into parts of whole variables."""
    count = (last - first) // width
    cuts = [first + width * (count * k // parts) for k in range(parts + 1)] if count > 0 else []
    return [(low, high) for low, high in pairwise(cuts) if low < high]


@contextmanager
def _pool(threads: int) -> Iterator[Any]:
    """A function that runs tasks (function, arguments ...) in threads and waits for all."""
    with ThreadPoolExecutor(threads) as pool:

        def run(tasks: list[tuple[Any, ...]]) -> None:
            futures: list[Future[None]] = [pool.submit(*task) for task in tasks]
            for future in futures:
                future.result()

        yield run
