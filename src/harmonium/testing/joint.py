"""The table of all joint states of a small machine, and exact draws from it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from numpy.polynomial.legendre import leggauss
from torch import Tensor

from harmonium import kernels
from harmonium.core.random import Stream
from harmonium.models.machine.machine import Machine
from harmonium.models.state import State
from harmonium.testing.numeric import accepted, domain
from harmonium.units import Natural, Units

__all__ = ["Joint", "start_at"]

_MOST = 1 << 21


class Joint:
    """Every joint state of a float64 machine: the product of the states of its layers, a grid for continuous ones.

    ``states[layer]`` (m, n) lists a layer's states; ``index[layer]`` (N,) says which of them each joint state holds.
    """

    @torch.no_grad()
    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.finite = [machine.units(layer).finite for layer in range(len(machine.names))]
        listed = [_states(machine.units(layer)) for layer in range(len(machine.names))]
        self.states = [states for states, _ in listed]
        self._log_measures = [log_measure for _, log_measure in listed]
        self.counts = [len(states) for states in self.states]
        total = int(torch.tensor(self.counts).prod())
        if total > _MOST:
            raise ValueError(f"the model has {total} joint states (or grid points), at most {_MOST} are checked")
        grid = _grid(self.counts)
        self.index = [grid[:, layer] for layer in range(len(self.counts))]
        self.log_measure = self._measure_of(grid, range(len(self.counts)))
        state = [states[index] for states, index in zip(self.states, self.index, strict=True)]
        self._state = state
        own = sum(machine.units(layer).energy(s) for layer, s in enumerate(state))
        self._coupling = machine.joint_energy(state) - own

    @torch.no_grad()
    def log_weights(self, t: float = 1.0, base: Sequence[Natural] | None = None) -> Tensor:
        """The log-weight at t on the path from ``base``, times the measure of a grid point, (N,).

        Without a base the natural parameters and couplings are multiplied by t, the base measure is not.
        """
        total = -t * self._coupling + self.log_measure
        for layer, s in enumerate(self._state):
            units = self.machine.units(layer)
            natural = tuple(t * eta for eta in units.natural())
            if base is not None:
                natural = tuple((1 - t) * start.double() + eta for start, eta in zip(base[layer], natural, strict=True))
            total = total + units.neg_energy(s, natural)
        return total

    def log_partition(self) -> Tensor:
        """log Z of the machine, (), with a graph back to its parameters."""
        return torch.logsumexp(self.log_measure - self.machine.joint_energy(self._state), 0)

    def log_marginal(self, v: Tensor) -> Tensor:
        """log sum_h exp(-E(v, h)) of visible states (batch, n_visible): (batch,), with a graph to the parameters."""
        hidden = range(1, len(self.counts))
        index = _grid([self.counts[layer] for layer in hidden]).repeat(len(v), 1)
        state = [v.repeat_interleave(len(index) // len(v), 0)]
        state += [self.states[layer][index[:, column]] for column, layer in enumerate(hidden)]
        return torch.logsumexp((self._measure_of(index, hidden) - self.machine.joint_energy(state)).view(len(v), -1), 1)

    def marginal(self, log_p: Tensor, summed: Sequence[int]) -> tuple[State, Tensor]:
        """(states of the other layers, their log-weights with ``summed`` summed out), no longer times their measure."""
        table = log_p.view(self.counts)
        kept = [layer for layer in range(len(self.counts)) if layer not in summed]
        if summed:
            table = torch.logsumexp(table, tuple(summed))
        table = table.reshape(-1)
        grid = _grid([self.counts[layer] for layer in kept])
        state: list[Tensor | None] = [None] * len(self.counts)
        for column, layer in enumerate(kept):
            state[layer] = self.states[layer][grid[:, column]]
        return tuple(state), table - self._measure_of(grid, kept)

    def probability(self, p: Tensor, layers: Sequence[int]) -> Tensor:
        """Probabilities of the states of ``layers``, in the order of `index_of`, from those of joint states (N,)."""
        others = [layer for layer in range(len(self.counts)) if layer not in layers]
        return (p.view(self.counts).sum(others) if others else p).reshape(-1)

    def _measure_of(self, index: Tensor, layers: Sequence[int]) -> Tensor:
        """The log measure (rows,) of joint states of ``layers``; ``index`` (rows, layers) numbers their states."""
        total = torch.zeros(len(index), dtype=torch.float64)
        for column, layer in enumerate(layers):
            total = total + self._log_measures[layer][index[:, column]]
        return total

    def index_of(self, state: State, layers: Sequence[int]) -> Tensor:
        """Which of the joint states of ``layers``, all of them finite, each row holds: (rows,)."""
        index = torch.zeros((), dtype=torch.long)
        for layer in layers:
            s = state[layer]
            assert s is not None
            index = index * self.counts[layer] + _rank(self.machine.units(layer), s)
        return index


def _grid(counts: Sequence[int]) -> Tensor:
    """All combinations of numbers below ``counts``, (their product, len(counts)), the last fastest."""
    if not counts:
        return torch.zeros(1, 0, dtype=torch.long)
    return torch.cartesian_prod(*[torch.arange(count) for count in counts]).view(-1, len(counts))


def _rank(units: Units, s: Tensor) -> Tensor:
    """The number under which `Units.states` lists each row of s."""
    rank, place = torch.zeros(len(s), dtype=torch.long), 1
    for i in range(units.variables):
        columns, values = units.variable(i)
        match = (s[:, None, columns].double() == values.double()).all(-1)
        rank += place * match.long().argmax(-1)
        place *= len(values)
    return rank


_GRID_STEP = 0.3
_GRID_WIDTH = 21.0
_COUNTS = 300
_NODES = 60


def _states(units: Units) -> tuple[Tensor, Tensor]:
    """The states of a layer (m, n) and the log measure (m,) of each; a grid for reals, the lowest ones for counts."""
    if units.finite:
        if units.count > _MOST:
            raise ValueError(f"{units!r} has {units.count} states, at most {_MOST} are checked")
        states = units.states(torch.arange(units.count)).double()
        return states, torch.zeros(len(states), dtype=torch.float64)
    each = [_states_of_type(part) for part, _ in units.by_type()]
    index = torch.cartesian_prod(*[torch.arange(len(states)) for states, _ in each]).view(-1, len(each))
    joined = torch.cat([states[index[:, k]] for k, (states, _) in enumerate(each)], -1)
    return joined, torch.stack([measure[index[:, k]] for k, (_, measure) in enumerate(each)]).sum(0)


def _states_of_type(units: Units) -> tuple[Tensor, Tensor]:
    if units.finite:
        return _states(units)
    if units.size > 2:
        raise ValueError(f"at most two continuous units are checked on a grid, found {units!r}")
    points, log_measure = _points(units)
    index = torch.cartesian_prod(*[torch.arange(len(points))] * units.size).view(-1, units.size)
    return points[index], log_measure[index].sum(-1)


def _points(units: Units) -> tuple[Tensor, Tensor]:
    """States of one unit with infinitely many (points,) and the log measure of each."""
    count = round(_GRID_WIDTH / _GRID_STEP)
    grid = _GRID_STEP * torch.arange(-count, count + 1, dtype=torch.float64)
    if accepted(units, grid):
        return grid, torch.full_like(grid, math.log(_GRID_STEP))
    values, counts = domain(units)
    if counts:
        return values[:_COUNTS], torch.zeros(_COUNTS, dtype=torch.float64)
    low, high = float(values[0]), float(values[-1])
    if accepted(units, torch.tensor([low - _GRID_WIDTH])) or accepted(units, torch.tensor([high + _GRID_WIDTH])):
        raise ValueError(
            f"continuous units of a checked model take all real numbers or those of a bounded interval, found {units!r}"
        )
    # A grid with equal steps is exact where the density has vanished at its ends, which it has not on an interval.
    nodes, weights = (torch.as_tensor(part) for part in leggauss(_NODES))
    half = 0.5 * (high - low)
    return low + half * (nodes + 1), torch.log(half * weights)


@torch.no_grad()
def start_at(joint: Joint, rows: int, stream: Stream, t: float = 1.0, base: Sequence[Natural] | None = None) -> State:
    """Exact independent draws of all layers at t: finite layers from the table, continuous ones given them."""
    machine = joint.machine
    log_p = joint.log_weights(t, base)
    continuous = [layer for layer, finite in enumerate(joint.finite) if not finite]
    if len(continuous) > 1:
        raise ValueError("at most one layer may be continuous")
    finite_layers = [layer for layer, finite in enumerate(joint.finite) if finite]
    states, table = joint.marginal(log_p, continuous)
    cumulative = torch.cumsum(torch.softmax(table, 0), 0)
    u = kernels.uniforms(stream.advance(), 1, rows, torch.float64, torch.device("cpu"))[0]
    index = torch.searchsorted(cumulative, u).clamp(max=len(table) - 1)
    state: list[Tensor | None] = [None] * len(joint.counts)
    for layer in finite_layers:
        s = states[layer]
        assert s is not None
        state[layer] = s[index]
    for layer in continuous:
        units = machine.units(layer)
        x = machine.inputs(layer, tuple(state))
        line = units.line(torch.full((rows,), t, dtype=x.dtype), None if base is None else base[layer])
        state[layer] = units.sample(x, stream.advance().at(layer), line)
    return tuple(state)
