"""Gibbs sampling of a layer whose units are coupled along the edges of a graph."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from harmonium import kernels
from harmonium.core.random import RandomAddress
from harmonium.kernels.edges import EdgeMatrix
from harmonium.kernels.graph_walk import LANES, fill_lanes, global_rows, padded, padded_row, word_lanes
from harmonium.kernels.workers import WORTH, divided
from harmonium.units.layer import Interpolation, Units
from harmonium.units.mixed import Mixed, part_key

__all__ = ["graph_gibbs", "walks_on_graphs"]

_DRAW = 1.5  # nanoseconds


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
    chains, columns = s.shape
    blocks = -(-chains // LANES)
    time = _DRAW * LANES * blocks * columns * sweeps
    segments = _segments(units, weights, line, s, draw, reverse)
    state = s.detach().numpy()
    inputs = None if x is None else x.detach().numpy()
    keeps = None if held is None else held.reshape(-1, columns).contiguous().numpy()
    out = np.empty((columns, chains), state.dtype)

    def part(first: int, last: int) -> _Walk:
        """The walk of the chains ``first`` ... ``last`` - 1, in memory of their own."""
        own = padded(state[first:last])
        each = keeps is not None and len(keeps) > 1
        return _Walk(
            own,
            own[:0, :0] if inputs is None else padded(inputs[first:last]),
            padded_row(segments[0].line[0][first:last]),
            global_rows(draw.first, first, last, own.shape[1]),
            np.empty((0, 0), np.bool_) if keeps is None else padded(keeps[first:last]) if each else keeps.T.copy(),
            weights,
            draw,
            reverse,
        )

    def sweep_blocks(low: int, high: int) -> None:
        first, last = LANES * low, min(LANES * high, chains)
        walk = part(first, last)
        walk.sweep(segments, sweeps)
        out[:, first:last] = walk.s[:, : last - first]

    if blocks >= torch.get_num_threads():
        divided(sweep_blocks, blocks, time)
    else:
        walk = part(0, chains)
        walk.sweep_units(segments, sweeps)
        out[:] = walk.s[:, :chains]
    return torch.from_numpy(out).mT


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
    """t of all rows, slope, start and the constant of a type."""
    return units._line_arrays(s, line)


class _Walk(NamedTuple):
    """Some chains side by side, and all that a sweep of them needs.

    Attributes:
        s: states (units, lanes), changed in place.
        x: input from other layers, likewise, or empty.
        t: of every lane.
        rows: global index of every lane.
        held: units that keep their state (units, lanes or 1), or empty.
        weights: the coupling.
        draw: address of the random words.
        reverse: whether colours are drawn in the opposite order.
    """

    s: Any
    x: Any
    t: Any
    rows: Any
    held: Any
    weights: EdgeMatrix
    draw: RandomAddress
    reverse: bool

    def sweep(self, segments: list[_Segment], sweeps: int) -> None:
        """All sweeps, in one call if there is one segment."""
        words = self._words(segments)
        if len(segments) == 1:
            self._run(segments[0], words[0], self.rows, 0, sweeps)
            return
        for k in range(sweeps):
            for segment in _one_of_each(segments):
                self._fill(segment, words[segment.part], k, 0, len(words[segment.part]) // 2)
            for segment in segments:
                self._run(segment, words[segment.part], self.rows[:0], k, 1)

    def sweep_units(self, segments: list[_Segment], sweeps: int) -> None:
        """All sweeps, the units of a colour divided among threads."""
        words, lanes = self._words(segments), self.s.shape[1]
        colours = list(pairwise(self.weights.received.bounds.tolist()))
        if _DRAW * lanes * self.s.shape[0] / len(colours) < WORTH:
            self.sweep(segments, sweeps)
            return
        for k in range(sweeps):
            for segment in _one_of_each(segments):
                fill = partial(self._fill, segment, words[segment.part], k)
                divided(fill, len(words[segment.part]) // 2, 0.5 * len(words[segment.part]) * 2 * lanes)
            for colour in reversed(colours) if self.reverse else colours:
                for segment in segments:
                    first, last = max(colour[0], segment.first), min(colour[1], segment.last)
                    if first < last:
                        own = segment._replace(first=first, last=last)
                        draw = partial(self._run_variables, own, words[segment.part], k)
                        divided(draw, (last - first) // self._width(segment), _DRAW * lanes * (last - first))

    def _run_variables(self, segment: _Segment, words: Any, k: int, low: int, high: int) -> None:
        """Some of the variables of a segment, in one sweep."""
        width = self._width(segment)
        own = segment._replace(first=segment.first + width * low, last=segment.first + width * high)
        self._run(own, words, self.rows[:0], k, 1)

    def _width(self, segment: _Segment) -> int:
        """Columns of a variable of the segment."""
        columns: int = segment.line[1][0].shape[1]
        return columns // segment.units

    def _words(self, segments: list[_Segment]) -> dict[int, Any]:
        """Room for the words of every type, by its number."""
        return {segment.part: word_lanes(segment.units, self.s.shape[1]) for segment in segments}

    def _fill(self, segment: _Segment, words: Any, k: int, first: int, last: int) -> None:
        fill_lanes(words, first, last, self.rows, np.uint64(segment.key), self.draw.step + k, self.draw.site)

    def _run(self, segment: _Segment, words: Any, rows: Any, k: int, sweeps: int) -> None:
        _, slope, start, constant = segment.line
        segment.loop(
            self.s, self.x, self.weights.values.detach().numpy(), *self.weights.received[:4], self.held, self.t, slope,
            start, constant, segment.offset, words, rows, np.uint64(segment.key), self.draw.step + k, self.draw.site,
            sweeps, segment.first, segment.last, self.reverse,
        )  # fmt: skip


def _one_of_each(segments: list[_Segment]) -> list[_Segment]:
    """One segment of every type."""
    return list({segment.part: segment for segment in segments}.values())
