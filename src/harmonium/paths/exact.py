"""Enumeration: log Z and all expectations of machines with one small side, block by block."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from harmonium.models.machine import Machine, Moments, State

__all__ = ["enumerable", "exact_log_partition", "exact_moments"]

_BLOCK = 1 << 14


def enumerable(machine: Machine) -> tuple[float, int]:
    """(log2 of the number of joint states to enumerate, the colour to sum out), for the cheaper side.

    The first is infinite where no side is finite.
    """
    best = (math.inf, 0)
    for colour, summed in enumerate(machine.colours):
        bits = 0.0
        for layer in range(len(machine.names)):
            units = machine.units(layer)
            if layer not in summed:
                bits += units.size * math.log2(len(units.unit_states())) if units.finite else math.inf
        best = min(best, (bits, colour))
    return best


@torch.no_grad()
def exact_log_partition(machine: Machine) -> Tensor:
    """log Z in nats, float64, shape () or the leading shape of a stack.  Memory is bounded by one block of states.

    Raises:
        ValueError: where no side of the machine has finitely many states.
    """
    log_z: Tensor | None = None
    for state, colour in _blocks(machine):
        part = torch.logsumexp(machine.log_weight(state, colour), -1)
        log_z = part if log_z is None else torch.logaddexp(log_z, part)
    assert log_z is not None
    return log_z


@torch.no_grad()
def exact_moments(machine: Machine, log_partition: Tensor | None = None) -> Moments:
    """Expectations under the model of everything the gradient is made of (the negative phase, exactly)."""
    log_z = exact_log_partition(machine) if log_partition is None else log_partition
    total: Moments = {}
    for state, colour in _blocks(machine):
        weight = torch.exp(machine.log_weight(state, colour) - log_z.unsqueeze(-1))
        mass = weight.sum(-1)
        # A block of no weight has no mean, and no part in the sum.
        weight = torch.where(mass.unsqueeze(-1) > 0, weight, 1.0)
        for name, moment in machine.moments(machine.average(state, colour), weight.to(machine.dtype)).items():
            part = moment * mass.reshape(mass.shape + (1,) * (moment.dim() - mass.dim())).to(moment.dtype)
            total[name] = total[name] + part if name in total else part
    return total


def _blocks(machine: Machine) -> Iterator[tuple[State, int]]:
    """Blocks of joint states of the enumerated layers, with the colour that stays to be summed out."""
    bits, colour = enumerable(machine)
    if math.isinf(bits):
        raise ValueError("exact enumeration needs a side with finitely many states: use method='ais'")
    kept = [layer for layer in range(len(machine.names)) if layer not in machine.colours[colour]]
    if len(kept) != 1:
        raise NotImplementedError("enumeration over several layers at once")
    units = machine.units(kept[0])
    count = len(units.unit_states()) ** units.size
    for first in range(0, count, _BLOCK):
        state: list[Tensor | None] = [None] * len(machine.names)
        state[kept[0]] = units.states(first, min(_BLOCK, count - first))
        yield tuple(state), colour
