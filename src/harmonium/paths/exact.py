"""Enumeration: log Z and all expectations of machines with one small side, block by block."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from harmonium.models.machine import Machine, Moments, State
from harmonium.units import Line

__all__ = ["enumerable", "exact_log_partition", "exact_moments"]

_BLOCK = 1 << 12
_LOW = 1 << 11  # low parts: their inputs stay in the cache
_HIGH = 1 << 7  # high parts per task


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
    """log Z in nats, float64, shape () or the leading shape of a stack.  Memory is bounded by a block of states.

    A joint state is a low part plus a high part, and inputs are sums over both: the inputs of all low parts are
    computed once, and each high part only shifts them.

    Raises:
        ValueError: where no side of the machine has finitely many states.
    """
    layer, colour, count = _enumerated(machine)
    units, summed = machine.units(layer), machine.colours[colour]
    low_count = 1
    while low_count < min(count, _LOW):
        low_count *= len(units.unit_states())
    natural = {j: machine.units(j).natural() for j in summed}

    def parts(index: Tensor) -> tuple[dict[int, Tensor], Tensor]:
        states = units.states(index)
        state = _state(machine, layer, states)
        return {j: machine.inputs(j, state) for j in summed}, units.exponent(states)

    zero_inputs, zero_exponent = parts(torch.zeros(1, dtype=torch.long))
    low_inputs, low_exponent = parts(torch.arange(low_count))
    low_exponent = low_exponent - zero_exponent
    one = machine.visible.natural()[0].new_ones(low_count)

    @torch.no_grad()
    def task(first: int) -> Tensor:
        index = torch.arange(first, min(first + _HIGH * low_count, count), low_count)
        inputs, exponent = parts(index)
        sums = []
        for k in range(len(index)):
            log_weight = low_exponent + exponent[..., k : k + 1]
            for j in summed:
                shift = inputs[j][..., k, :] - zero_inputs[j][..., 0, :]
                slope = (natural[j][0] + shift, *natural[j][1:])
                line = Line(one, slope, tuple(torch.zeros_like(eta) for eta in slope))
                log_weight = log_weight + machine.units(j).cumulant(low_inputs[j], line)
            sums.append(torch.logsumexp(log_weight, -1))
        return torch.logsumexp(torch.stack(sums), 0)

    # The loops release the GIL.  The blocks are fixed and combined in order: threads change nothing but the time.
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        return torch.logsumexp(torch.stack(list(pool.map(task, range(0, count, _HIGH * low_count)))), 0)


@torch.no_grad()
def exact_moments(machine: Machine, log_partition: Tensor | None = None) -> Moments:
    """Expectations under the model of everything the gradient is made of (the negative phase, exactly)."""
    log_z = exact_log_partition(machine) if log_partition is None else log_partition
    layer, colour, count = _enumerated(machine)
    total: Moments = {}
    for first in range(0, count, _BLOCK):
        states = machine.units(layer).states(torch.arange(first, min(first + _BLOCK, count)))
        state = _state(machine, layer, states)
        weight = torch.exp(machine.log_weight(state, colour) - log_z.unsqueeze(-1))
        mass = weight.sum(-1)
        # A block of no weight has no mean, and no part in the sum.
        weight = torch.where(mass.unsqueeze(-1) > 0, weight / mass.unsqueeze(-1), 1.0)  # float32 holds shares only
        for name, moment in machine.moments(machine.average(state, colour), weight.to(machine.dtype)).items():
            part = moment * mass.reshape(mass.shape + (1,) * (moment.dim() - mass.dim())).to(moment.dtype)
            total[name] = total[name] + part if name in total else part
    return total


def _enumerated(machine: Machine) -> tuple[int, int, int]:
    """(layer to enumerate, colour to sum out, number of joint states)."""
    bits, colour = enumerable(machine)
    if math.isinf(bits):
        raise ValueError("exact enumeration needs a side with finitely many states: use method='ais'")
    if bits > 62:
        raise ValueError(f"exact enumeration of 2^{bits:.0f} states would not end: use method='ais'")
    kept = [layer for layer in range(len(machine.names)) if layer not in machine.colours[colour]]
    if len(kept) != 1:
        raise NotImplementedError("enumeration over several layers at once")
    units = machine.units(kept[0])
    return kept[0], colour, len(units.unit_states()) ** units.size


def _state(machine: Machine, layer: int, states: Tensor) -> State:
    return tuple(states if index == layer else None for index in range(len(machine.names)))
