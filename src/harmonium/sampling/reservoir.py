"""A reservoir: equilibrium samples of one machine, from which those of the next machine are made.

Two machines of the same variables exchange states with probability

    min(1, exp( log p*_upper(x) - log p*_lower(x) + log p*_lower(y) - log p*_upper(y) )),

x being a state of the lower machine and y one of the upper.  The move leaves the product of both distributions
invariant.

A reservoir stands for its whole distribution, and keeps its states: the upper machine draws from it as a Metropolis
sampler draws from its proposals.  If states that go down took the places of those that came up, the shares of far modes
in both populations together could change by sweeps alone, and an upper machine whose chains had wrong shares would keep
a part of the error.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium import kernels
from harmonium.core.random import Stream
from harmonium.models.machine.machine import Machine
from harmonium.sampling.ladder import acceptance
from harmonium.sampling.trajectory import exchange_log_ratios

__all__ = ["Exchange", "Refilled", "exchange_states", "refilled"]

_LEFT = 6.0  # rounds times acceptance: of the states, a share of exp(-6) has not been exchanged before rounds count
_FEWEST, _MOST = 16, 200  # rounds
_COUNTED = 1 / 3  # as many follow, whose log-ratios count


class Exchange(NamedTuple):
    """States after an exchange, and what it was decided by.

    Attributes:
        low: packed states of the lower machine, (chains, columns).
        high: those of the upper machine, (chains, columns).
        up: log p*_upper - log p*_lower of the states that were low, (chains,), float64.
        down: log p*_lower - log p*_upper of those that were high, (chains,), float64.
        accepted: which pairs were exchanged, bool (chains,).
    """

    low: Tensor
    high: Tensor
    up: Tensor
    down: Tensor
    accepted: Tensor


@torch.no_grad()
def exchange_states(lower: Machine, upper: Machine, low: Tensor, high: Tensor, stream: Stream) -> Exchange:
    """Exchange states of two machines, pair by pair.

    Args:
        lower: a machine.
        upper: another one of the same variables.
        low: packed states of ``lower``, (chains, columns).
        high: packed states of ``upper``, (chains, columns).
        stream: takes one step.
    """
    up, down = exchange_log_ratios(lower, upper, lower.unpack(low), upper.unpack(high))
    accepted = _accepted(up, down, stream)
    moves = accepted.unsqueeze(-1)
    return Exchange(torch.where(moves, high, low), torch.where(moves, low, high), up, down, accepted)


class Refilled(NamedTuple):
    """Result of `refilled`.

    Attributes:
        states: packed states of the upper machine, (states, columns).
        up: log p*_upper - log p*_lower of the lower machine's states, the same in all rounds that count, (rounds,
            states), float64.
        down: the other way, of the upper machine's states in each of these rounds, (rounds, states), float64.
        renewed: the share of the states that have been exchanged at least once.
    """

    states: Tensor
    up: Tensor
    down: Tensor
    renewed: float


@torch.no_grad()
def refilled(
    lower: Machine, upper: Machine, reservoir: Tensor, chains: Tensor, stream: Stream, sweeps: int = 1
) -> Refilled:
    """Make a reservoir of the upper machine by draws from that of the lower one and Gibbs sweeps.

    The states begin as copies of the upper machine's chains and end, all but a few, as descendants of different states
    of the lower reservoir, each of which is tried once in every round: the rounds are as many as the acceptance asks
    for, and at least sixteen.  A third as many follow, which count for the log-ratios.

    Args:
        lower: the machine whose equilibrium samples are given.
        upper: the machine whose samples are wanted.
        reservoir: packed states of ``lower``, (states, columns).
        chains: packed states of ``upper``, (chains, columns).
        stream: of all moves.
        sweeps: Gibbs sweeps in each round.
    """
    n = len(reservoir)
    high = chains[torch.arange(n, device=chains.device) % len(chains)]
    fresh = torch.zeros(n, dtype=torch.bool, device=chains.device)
    gain, downs = _gain(lower, upper, reservoir), list[Tensor]()
    rounds, done = _FEWEST, 0
    while done < rounds + math.ceil(rounds * _COUNTED):
        order = kernels.permutation(stream.advance(), n).to(chains.device)
        up, down = gain[order], -_gain(lower, upper, high)
        if not done:
            rounds = min(_MOST, max(_FEWEST, math.ceil(_LEFT / max(1e-6, _mean_acceptance(up, down)))))
        if done >= rounds:
            downs.append(down)
        accepted = _accepted(up, down, stream)
        fresh |= accepted
        high = torch.where(accepted.unsqueeze(-1), reservoir[order], high)
        high = upper.pack(upper.sweep(upper.unpack(high), stream, sweeps))
        done += 1
    return Refilled(high, gain.expand(len(downs), -1), torch.stack(downs), float(fresh.double().mean()))


def _gain(lower: Machine, upper: Machine, states: Tensor) -> Tensor:
    """log p*_upper - log p*_lower of packed states, (states,), float64."""
    unpacked = lower.unpack(states)
    return upper.log_weight(unpacked) - lower.log_weight(unpacked)


def _accepted(up: Tensor, down: Tensor, stream: Stream) -> Tensor:
    u = kernels.uniforms(stream.advance(), 1, len(up), torch.float64, up.device).squeeze(0)
    return u < torch.exp(up + down)


def _mean_acceptance(up: Tensor, down: Tensor) -> float:
    few = slice(0, 200)  # all pairs of so many states say enough
    return float(acceptance(up[few], down[few]))
