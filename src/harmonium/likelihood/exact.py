"""Enumeration of machines with one small side, block by block: log Z and all expectations."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from harmonium.models.machine.machine import Machine
from harmonium.models.state import Moments, State
from harmonium.units import Interpolation

__all__ = [
    "cheapest_enumeration", "exact_clamped_moments", "exact_log_marginal", "exact_log_partition", "exact_moments",
    "hidden_bits",
]  # fmt: skip

_BLOCK = 1 << 12
_LOW = 1 << 11  # low parts: their inputs stay in the cache
_HIGH = 1 << 7  # high parts per task


def cheapest_enumeration(machine: Machine) -> tuple[float, int]:
    """The cheaper side to enumerate: log2 of its number of joint states, and the colour to sum out.

    The first is infinite if no side is finite.  For machines with lateral couplings or more than two colours only
    colour 0 can be summed out.
    """
    colours = range(2) if machine.bipartite else range(1)
    return min((_bits(machine, _rest(machine, machine.colours[colour])), colour) for colour in colours)


def _rest(machine: Machine, layers: Sequence[int]) -> list[int]:
    return [layer for layer in range(len(machine.names)) if layer not in layers]


def _bits(machine: Machine, layers: Sequence[int]) -> float:
    return sum(machine.units(layer).log2_count for layer in layers)


def _counts(machine: Machine, layers: Sequence[int]) -> list[int]:
    return [machine.units(layer).count for layer in layers]


def _states(machine: Machine, layers: Sequence[int], index: Tensor) -> State:
    """Joint states of some layers by number, the first layer fastest."""
    state: list[Tensor | None] = [None] * len(machine.names)
    for layer, count in zip(layers, _counts(machine, layers), strict=True):
        state[layer] = machine.units(layer).states(index % count)
        index = index // count
    return tuple(state)


def _blocks(machine: Machine, layers: Sequence[int], count: int) -> Iterator[State]:
    """All joint states of some layers, ``count`` of them, in blocks."""
    for first in range(0, count, _BLOCK):
        yield _states(machine, layers, torch.arange(first, min(first + _BLOCK, count)))


@torch.no_grad()
def exact_log_partition(machine: Machine) -> Tensor:
    """log Z in nats, float64, shape () or the leading shape of several models as one.

    Memory is bounded by a block of states.  A joint state is a low part plus a high part, and inputs are sums over
    both: the inputs of all low parts are computed once, and each high part only shifts them.

    Raises:
        ValueError: if no side of the machine has finitely many states.
    """
    layers, colour, count = _enumerated(machine)
    summed = machine.colours[colour]
    if not machine.bipartite:
        return _sum_by_blocks(machine, layers, colour, count)
    low_count = 1
    for radix in machine.units(layers[0]).radices():
        if low_count < _LOW:
            low_count *= radix
    natural = {j: machine.units(j).natural() for j in summed}

    def parts(index: Tensor) -> tuple[dict[int, Tensor], Tensor]:
        state = _states(machine, layers, index)
        exponents = [machine.units(layer).neg_energy(s) for layer, s in enumerate(state) if s is not None]
        return {j: machine.inputs(j, state) for j in summed}, torch.stack(exponents).sum(0)

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
                line = Interpolation(one, slope, tuple(torch.zeros_like(eta) for eta in slope))
                log_weight = log_weight + machine.units(j).log_normalizer(low_inputs[j], line)
            sums.append(torch.logsumexp(log_weight, -1))
        return torch.logsumexp(torch.stack(sums), 0)

    # The loops release the GIL.  Blocks are fixed and combined in order: threads change only the time.
    firsts = range(0, count, _HIGH * low_count)
    threads = min(torch.get_num_threads(), len(firsts))
    if threads == 1:  # a pool takes longer to start than a block takes to sum
        return torch.logsumexp(torch.stack([task(first) for first in firsts]), 0)
    with ThreadPoolExecutor(threads) as pool:
        return torch.logsumexp(torch.stack(list(pool.map(task, firsts))), 0)


def _sum_by_blocks(machine: Machine, layers: Sequence[int], colour: int, count: int) -> Tensor:
    blocks = _blocks(machine, layers, count)
    return torch.logsumexp(torch.stack([torch.logsumexp(machine.log_weight(s, colour), -1) for s in blocks]), 0)


@torch.no_grad()
def exact_moments(machine: Machine, log_partition: Tensor | None = None) -> Moments:
    """Exact expectations under the model of everything that the gradient consists of: the negative phase."""
    log_z = exact_log_partition(machine) if log_partition is None else log_partition
    layers, colour, count = _enumerated(machine)
    total: Moments = {}
    for state in _blocks(machine, layers, count):
        weight = torch.exp(machine.log_weight(state, colour) - log_z.unsqueeze(-1))
        _add_moments(machine, total, state, colour, weight)
    return total


@torch.no_grad()
def exact_log_marginal(machine: Machine, v: Tensor) -> Tensor:
    """log sum_h exp(-E(v, h)) of visible states (batch, n_visible), (batch,), float64: -F(v).

    Coupled hidden layers are enumerated, except those of one colour.

    Raises:
        ValueError: if such layers have too many states.
    """
    hidden, summed, count = _hidden_states(machine)
    found = []
    for rows in torch.split(v, _cases_at_once(count)):
        sums = []
        for states in _blocks(machine, hidden, count):
            sums.append(torch.logsumexp(_clamped_log_weights(machine, rows, states, summed), -1))
        found.append(torch.logsumexp(torch.stack(sums, -1), -1))
    return torch.cat(found)


def hidden_bits(machine: Machine) -> float:
    """log2 of the number of hidden states that `exact_log_marginal` enumerates; infinite if it cannot."""
    hidden = range(1, len(machine.names))
    choices = machine.colours[: 2 if machine.bipartite else 1]
    return min(_bits(machine, [layer for layer in hidden if layer not in choice]) for choice in choices)


@torch.no_grad()
def exact_clamped_moments(machine: Machine, v: Tensor, weight: Tensor | None = None) -> Moments:
    """The positive phase by enumeration: expectations under p(h | v), averaged over cases (batch, n_visible)."""
    hidden, summed, count = _hidden_states(machine)
    log_sum = exact_log_marginal(machine, v)
    share = torch.full_like(log_sum, 1 / len(v)) if weight is None else (weight / weight.sum()).double()
    total: Moments = {}
    at_once = _cases_at_once(count)
    for rows, log_sums, shares in zip(*(torch.split(each, at_once) for each in (v, log_sum, share)), strict=True):
        for states in _blocks(machine, hidden, count):
            posterior = torch.exp(_clamped_log_weights(machine, rows, states, summed) - log_sums.unsqueeze(-1))
            weight = (posterior * shares.unsqueeze(-1)).reshape(-1)
            _add_moments(machine, total, _pairs(rows, states), summed, weight)
    return total


def _cases_at_once(count: int) -> int:
    """Cases whose pairs with a block of hidden states, ``count`` at most, are held at once."""
    return max(1, 4 * _BLOCK // min(count, _BLOCK))


def _hidden_states(machine: Machine) -> tuple[list[int], list[int], int]:
    """(hidden layers to enumerate, hidden layers to sum out, number of joint states of the former)."""
    hidden = range(1, len(machine.names))
    choices = [[layer for layer in colour if layer] for colour in machine.colours[: 2 if machine.bipartite else 1]]
    bits, summed = min(
        (_bits(machine, [layer for layer in hidden if layer not in choice]), choice) for choice in choices
    )
    if bits > 24:
        raise ValueError(f"exact marginals would take 2^{bits:.0f} hidden states for every case: use a bound")
    listed = [layer for layer in hidden if layer not in summed]
    return listed, summed, math.prod(_counts(machine, listed))


def _clamped_log_weights(machine: Machine, v: Tensor, states: State, summed: list[int]) -> Tensor:
    """Log-weights of every case with every state of the enumerated layers, (batch, states)."""
    return machine.log_weight(_pairs(v, states), summed).view(len(v), -1)


def _pairs(v: Tensor, states: State) -> State:
    """Every case with every one of the states of the hidden layers, the latter fastest."""
    rows = next((len(s) for s in states if s is not None), 1)
    return (v.repeat_interleave(rows, 0), *(None if s is None else s.to(v.dtype).repeat(len(v), 1) for s in states[1:]))


def _add_moments(machine: Machine, total: Moments, state: State, colour: int | list[int], weight: Tensor) -> None:
    mass = weight.sum(-1)
    # A block without weight has no mean, and contributes nothing to the sum.
    weight = torch.where(mass.unsqueeze(-1) > 0, weight / mass.unsqueeze(-1), 1.0)  # float32 holds shares only
    phase = machine.conditional_expectation(state, colour).weighted(weight.to(machine.dtype))
    for name, moment in machine.moments(phase).items():
        part = moment * mass.reshape(mass.shape + (1,) * (moment.dim() - mass.dim())).to(moment.dtype)
        total[name] = total[name] + part if name in total else part


def _enumerated(machine: Machine) -> tuple[list[int], int, int]:
    """(layers to enumerate, colour to sum out, number of joint states)."""
    bits, colour = cheapest_enumeration(machine)
    if math.isinf(bits):
        raise ValueError("exact enumeration needs a side with finitely many states: use method='ais'")
    if bits > 62:
        raise ValueError(f"exact enumeration of 2^{bits:.0f} states would not end: use method='ais'")
    layers = _rest(machine, machine.colours[colour])
    return layers, colour, math.prod(_counts(machine, layers))
