"""The ladder of training: snapshots of a machine, from the base rate to the trained model.

A model learns its modes one after the other, each by splitting a broader one.  Temperature melts them all at once and
may cross a first-order transition, where neighbours on the ladder no longer share states; the models of a training
share them by construction (Béreux et al. 2024, arXiv:2405.15376; 2026, arXiv:2607.27077).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from harmonium.core.random import RandomAddress, Stream
from harmonium.models.machine.batched import with_parameters
from harmonium.models.machine.machine import Machine
from harmonium.models.state import Clamp, State
from harmonium.sampling.ladder import Ladder, Replicas, acceptance, exchanged, refuse_lengths, tempering_round
from harmonium.units import Interpolation, Natural

Inputs = dict[int, Tensor]
"""Inputs of the marginalised layers, by layer, each (rungs, replicas, n)."""

__all__ = ["Trajectory", "exchange_log_ratios", "model_at", "thin"]

_LOOKS = 5  # at the states of the pilot that thins a trajectory


class Trajectory(Ladder):
    """Several machines as rungs, each with its own parameters; the states of all rungs are one batch.

    States are exchanged, sampled layers each (rungs, replicas, n): rung r is always row r.

    Args:
        machine: the machines as one (see `harmonium.models.machine.batched.stack`); the first has no couplings, so that
            one sweep draws independent states.
        clamp: (mask, values) of visible units that are held, each (n_visible,) or (replicas, n_visible).

    Raises:
        ValueError: if the first model has couplings.
    """

    def __init__(self, machine: Machine, clamp: Clamp | None = None) -> None:
        self.machine = machine
        refuse_lengths(machine)
        if any(bool(W[0].any()) for W in machine.couplings.values()):
            raise ValueError("the first model of a trajectory must have no couplings: put model_at(..., t=0) there")
        self.rungs = len(machine.visible.natural()[0])
        self._clamp = clamp
        self._natural = [tuple(eta.detach() for eta in units.natural()) for units in machine.unit_layers()]
        self._order = [layer for colour in machine.colours[1:] for layer in colour]
        self._inputs: Inputs | None = None
        self._crossed: tuple[Inputs, Inputs] | None = None

    def start(self, replicas: int, stream: Stream) -> Replicas:
        machine, draw = self.machine, stream.advance()
        state: list[Tensor | None] = [None] * len(machine.names)
        for layer in machine.sampled_layers:
            x = self._natural[layer][0].new_zeros((self.rungs * replicas, machine.units(layer).size))
            drawn = machine.units(layer).sample_(x, draw.at(layer), _at(self._natural[layer], 0))
            state[layer] = drawn.view(self.rungs, replicas, -1)
        if self._clamp is not None and state[0] is not None:
            state[0] = torch.where(self._clamp[0], self._clamp[1], state[0])
        who = torch.arange(self.rungs, device=machine.device).unsqueeze(-1).expand(-1, replicas)
        return Replicas(tuple(state), who.clone())

    def log_ratios(self, replicas: Replicas, lower: Tensor) -> tuple[Tensor, Tensor]:
        machine, state = self.machine, replicas.state
        self._inputs = {layer: machine.inputs(layer, state) for layer in machine.marginalised}
        low, high = _neighbours(lower)
        below, above = _rungs(state, low), _rungs(state, high)
        # Cached for `exchange`: states that are exchanged need their inputs on the new rung.
        self._crossed = self._inputs_on(low, above), self._inputs_on(high, below)
        own = [{layer: x[rungs] for layer, x in self._inputs.items()} for rungs in (low, high)]
        return (
            self._gain(low, high, below, own[0], self._crossed[1]),
            self._gain(high, low, above, own[1], self._crossed[0]),
        )

    def _inputs_on(self, rungs: slice, state: State) -> Inputs:
        """Inputs of the marginalised layers under the models of these rungs, from states of any rungs."""
        machine = self.machine
        return {
            layer: machine.layer_input(layer, [(other, W[rungs]) for other, W in machine.neighbours(layer)], state)
            for layer in machine.marginalised
        }

    def _gain(self, here: slice, there: slice, state: State, x_here: Inputs, x_there: Inputs) -> Tensor:
        """log p*_there - log p*_here of states, without the terms that both models share."""
        machine = self.machine
        total = torch.zeros((), dtype=torch.float64, device=machine.device)
        for layer in machine.sampled_layers:
            s = state[layer]
            assert s is not None
            for statistic, eta in zip(machine.units(layer).statistics(s), self._natural[layer], strict=True):
                total = total + (statistic @ (eta[there] - eta[here]).unsqueeze(-1)).squeeze(-1).double()
        for layer, x in x_here.items():
            units, natural = machine.units(layer), self._natural[layer]
            total = (
                total
                + units.log_normalizer(x_there[layer], _at(natural, there))
                - units.log_normalizer(x, _at(natural, here))
            )
        for name in machine.sampled_couplings:
            W = machine.couplings[name]
            total = total + machine.neg_coupling_energy(name, state, W[there] - W[here])
        return total

    def exchange(self, replicas: Replicas, lower: Tensor, accepted: Tensor) -> None:
        assert self._inputs is not None and self._crossed is not None
        low, high = _neighbours(lower)
        moves = accepted.unsqueeze(-1)
        state = tuple(None if s is None else s.clone() for s in replicas.state)
        for new, old in zip(state, replicas.state, strict=True):
            if new is not None and old is not None:
                torch.where(moves, old[high], old[low], out=new[low])
                torch.where(moves, old[low], old[high], out=new[high])
        for rungs, crossed in zip((low, high), self._crossed, strict=True):
            for layer, x in self._inputs.items():
                x[rungs] = torch.where(moves, crossed[layer], x[rungs])
        replicas.state, replicas.who = state, exchanged(replicas.who, lower, accepted)

    def step(self, replicas: Replicas, draw: RandomAddress) -> None:
        machine, current = self.machine, list(replicas.state)
        inputs = self._inputs or {layer: machine.inputs(layer, replicas.state) for layer in machine.marginalised}
        self._inputs = self._crossed = None
        for layer, x in inputs.items():
            current[layer] = machine.draw_layer(layer, x, None, draw, machine.units(layer).line())
        for layer in self._order:
            x = machine.layer_input(layer, machine.neighbours(layer, lateral=False), current)
            held = None if layer or self._clamp is None else self._clamp[0]
            current[layer] = machine.draw_layer(layer, x, current[layer], draw, machine.units(layer).line(), held=held)
        replicas.state = tuple(s if layer in machine.sampled_layers else None for layer, s in enumerate(current))

    def on(self, replicas: Replicas, rung: int) -> State:
        return tuple(None if s is None else s[rung] for s in replicas.state)

    @torch.no_grad()
    def log_partition_at_start(self) -> float:
        total = 0.0
        for units, natural in zip(self.machine.unit_layers(), self._natural, strict=True):
            eta = tuple(part.double() for part in natural)
            total += float(units.log_normalizer(eta[0].new_zeros((1, units.size)), _at(eta, 0)))
        return total


def _neighbours(lower: Tensor) -> tuple[slice, slice]:
    """The rungs ``lower`` (every other one) and those above them, as slices, which index without copying."""
    first, last = (int(lower[0]), int(lower[-1])) if len(lower) else (0, -1)
    return slice(first, last + 1, 2), slice(first + 1, last + 2, 2)


def _rungs(state: State, rungs: slice) -> State:
    return tuple(None if s is None else s[rungs] for s in state)


def _at(natural: Natural, rungs: slice | int) -> Interpolation:
    """The natural parameters of a layer on these rungs, as a position at t = 1."""
    own = tuple(eta[rungs] for eta in natural)
    return Interpolation(None, own, tuple(torch.zeros_like(eta) for eta in own), {})


@torch.no_grad()
def model_at(machine: Machine, base: Sequence[Natural], t: float) -> Machine:
    """Build the machine at t on the line from a base-rate model: at 0 its units are independent (see `Path`)."""
    model = copy.deepcopy(machine)
    model.chains = None
    for W in model.couplings.values():
        W.mul_(t)
    for units, start in zip(model.unit_layers(), base, strict=True):
        units.set_natural(
            tuple((1 - t) * low.to(eta) + t * eta for low, eta in zip(start, units.natural(), strict=True))
        )
    return model


@torch.no_grad()
def exchange_log_ratios(lower: Machine, upper: Machine, on_lower: State, on_upper: State) -> tuple[Tensor, Tensor]:
    """`Ladder.log_ratios` of two machines at states of each, (replicas,), float64."""
    return (
        upper.log_weight(on_lower) - lower.log_weight(on_lower),
        lower.log_weight(on_upper) - upper.log_weight(on_upper),
    )


@torch.no_grad()
def thin(
    machine: Machine, target: float, stream: Stream, clamp: Clamp | None = None, *, replicas: int = 20
) -> tuple[list[int], list[float]]:
    """Choose the fewest rungs of a trajectory that exchange states often enough, by a pilot run on all rungs.

    From the bottom up, the next rung is the farthest with which exchanges are accepted often enough, or the nearest if
    there is none.

    Args:
        machine: several machines as one, as `Trajectory` takes it.
        target: least acceptance between neighbours.
        stream: of the pilot, whose states are not used otherwise.
        clamp: (mask, values) of visible units that are held, each (n_visible,).
        replicas: of the pilot.

    Returns:
        (rungs, acceptance): the chosen rungs, including the first and the last, and the acceptance between them
        (rungs - 1,).
    """
    ladder = Trajectory(machine, clamp)
    walkers, rungs = ladder.start(replicas, stream.child("start")), ladder.rungs
    named = dict(machine.named_parameters())
    models = [with_parameters(machine, {name: p[r] for name, p in named.items()}) for r in range(rungs)]
    accepted, moves = torch.zeros(rungs, rungs, dtype=torch.float64), stream.child("moves")
    for look in range(_LOOKS):
        for _ in range(2 * rungs + 50 if look == 0 else 10 + rungs // 4):
            tempering_round(ladder, walkers, moves)
        flat = tuple(None if s is None else s.flatten(0, 1) for s in walkers.state)
        table = torch.stack([model.log_weight(flat).view(rungs, replicas) for model in models]).cpu()
        gain = table - table.diagonal(dim1=0, dim2=1).mT  # [m, r]: log p*_m - log p*_r of the states on r
        accepted += torch.stack([acceptance(gain[:, r], gain[r]) for r in range(rungs)]) / _LOOKS
    chosen = [0]
    while chosen[-1] < rungs - 1:
        near = chosen[-1] + 1
        reached = (accepted[chosen[-1], near:] >= target).nonzero()
        chosen.append(near + int(reached[-1]) if len(reached) else near)
    return chosen, [float(accepted[a, b]) for a, b in pairwise(chosen)]
