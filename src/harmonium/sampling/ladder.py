"""Replica exchange: a ladder of models, from one that is sampled exactly to the target model.

A ladder has rungs r = 0 ... R - 1, each a model of the same variables.  A *replica* is one state on every rung; its
distribution is the product of the models.  A *round* consists of two moves that leave this distribution invariant:
exchanging the states of rungs r and r + 1 with probability

    min(1, exp( log p*_{r+1}(s_r) - log p*_r(s_r) + log p*_r(s_{r+1}) - log p*_{r+1}(s_{r+1}) )),

and a Gibbs sweep on every rung.  Even and odd pairs take turns, whatever the outcome: states then travel along the
ladder in one direction for long stretches, which is faster than choosing pairs at random (Okabe et al. 2001; Syed et
al. 2022, "Non-reversible parallel tempering").  Weights are those of the sampled layers, with the others summed out:
states that are compared without the noise of their hidden units are exchanged more often.

All rungs of all replicas are one batch.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from harmonium import kernels
from harmonium.core.random import RandomAddress, Stream
from harmonium.models.machine.machine import Machine
from harmonium.models.state import State

__all__ = [
    "Ladder", "Replicas", "ExchangeStats", "acceptance", "exchange_round", "exchanged", "pairs", "refuse_lengths",
    "tempering_round",
]  # fmt: skip


@dataclass
class Replicas:
    """States of all replicas.

    Attributes:
        state: sampled layers of all walkers; the ladder defines their order.
        who: (..., rungs, replicas), int64: which walker of the replica is on the rung; a walker keeps its number.
        rounds: number of rounds so far.
    """

    state: State
    who: Tensor
    rounds: int = 0


class Ladder(ABC):
    """Models of the same variables, from easy to hard."""

    rungs: int

    def fresh(self) -> Self:
        """The same ladder, without what it remembers of earlier rounds: for other replicas."""
        return copy.copy(self)

    @abstractmethod
    def start(self, replicas: int, stream: Stream) -> Replicas:
        """Put exact draws of the model at the bottom on every rung."""

    @abstractmethod
    def log_ratios(self, replicas: Replicas, lower: Tensor) -> tuple[Tensor, Tensor]:
        """Log-ratios of neighbouring models at their states, each (..., pairs, replicas), float64.

        For every rung r in ``lower``: log p*_{r+1} - log p*_r of the state on r, and log p*_r - log p*_{r+1} of the
        state on r + 1.
        """

    @abstractmethod
    def exchange(self, replicas: Replicas, lower: Tensor, accepted: Tensor) -> None:
        """Exchange the states of the rungs ``lower`` and ``lower`` + 1 where ``accepted`` (..., pairs, replicas)."""

    @abstractmethod
    def step(self, replicas: Replicas, draw: RandomAddress) -> None:
        """A Gibbs sweep on every rung."""

    @abstractmethod
    def on(self, replicas: Replicas, rung: int) -> State:
        """States on one rung: sampled layers, each (..., replicas, n)."""

    @abstractmethod
    def log_partition_at_start(self) -> float:
        """log Z of the model at the bottom, in closed form."""


def refuse_lengths(machine: Machine) -> None:
    """Raise ValueError for a model of documents without a single length.

    A conditional model has a normaliser for each length: exchanges and weights would mix lengths.
    """
    units = machine.visible
    if units.conditions_on_total and units.fixed_total is None:
        raise ValueError(
            "a ladder takes documents of one length, and this model has several: pass "
            "harmonium.models.at_length(model, length), or use Gibbs sampling (PCD in training), which keeps the "
            "length of every document"
        )


def pairs(rungs: int, rounds: int) -> Tensor:
    """Lower rungs of the pairs that are exchanged in this round."""
    return torch.arange(rounds % 2, rungs - 1, 2)


def exchanged(values: Tensor, lower: Tensor, accepted: Tensor) -> Tensor:
    """Exchange ``values`` (..., rungs, replicas) of the rungs ``lower`` and ``lower`` + 1 where accepted."""
    below, above = values[..., lower, :], values[..., lower + 1, :]
    values = values.clone()
    values[..., lower, :] = torch.where(accepted, above, below)
    values[..., lower + 1, :] = torch.where(accepted, below, above)
    return values


def acceptance(up: Tensor, down: Tensor) -> Tensor:
    """Mean probability of an exchange between two rungs, (...), float64, from `Ladder.log_ratios` (..., replicas).

    Replicas are independent, so every state of one rung is paired with every state of the other.
    """
    return torch.exp((up.unsqueeze(-1) + down.unsqueeze(-2)).clamp(max=0)).mean((-2, -1))


@torch.no_grad()
def exchange_round(ladder: Ladder, replicas: Replicas, stream: Stream) -> tuple[Tensor, Tensor, Tensor]:
    """Exchange states between the pairs of this round, in place.

    Returns:
        (lower, up, down): the pairs and their `Ladder.log_ratios` before the exchange.
    """
    lower = pairs(ladder.rungs, replicas.rounds).to(replicas.who.device)
    up, down = ladder.log_ratios(replicas, lower)
    if len(lower):
        shape = up.shape
        u = kernels.uniforms(stream.advance(), up.numel() // shape[-1], shape[-1], torch.float64, up.device)
        ladder.exchange(replicas, lower, u.view(shape) < torch.exp(up + down))
    replicas.rounds += 1
    return lower, up, down


@torch.no_grad()
def tempering_round(ladder: Ladder, replicas: Replicas, stream: Stream) -> tuple[Tensor, Tensor, Tensor]:
    """Run one round of all replicas, in place: exchanges, then a sweep; returns what `exchange_round` returns."""
    ratios = exchange_round(ladder, replicas, stream)
    ladder.step(replicas, stream.advance())
    return ratios


class ExchangeStats:
    """Acceptance of every pair of a ladder, and round trips of every walker.

    A round trip leads from the bottom to the top and back to the bottom: it brings a state to the top that is
    independent of those that were there before.
    """

    def __init__(self, replicas: Replicas) -> None:
        rungs = replicas.who.shape[-2]
        self._accepted = torch.zeros(rungs - 1, dtype=torch.float64)
        self._tried = torch.zeros(rungs - 1, dtype=torch.float64)
        self._upward = torch.zeros_like(replicas.who, dtype=torch.bool)  # by walker: was at the bottom last
        self._downward = torch.zeros_like(self._upward)  # was at the top last, and came from the bottom
        self.trips = torch.zeros(replicas.who.shape[:-2] + replicas.who.shape[-1:], dtype=torch.int64)
        """Round trips completed in each replica, (..., replicas)."""

    def count(self, replicas: Replicas, lower: Tensor, up: Tensor, down: Tensor) -> None:
        """Record a round (see `tempering_round`)."""
        probability = torch.exp((up + down).clamp(max=0))
        dims = [d for d in range(probability.dim()) if d != probability.dim() - 2]
        self._accepted[lower] += probability.mean(dims).cpu()
        self._tried[lower] += 1
        for end, here, there in ((0, self._upward, self._downward), (-1, self._downward, self._upward)):
            at = replicas.who[..., end : end + 1 or None, :]
            if end == 0:
                self.trips += there.gather(-2, at).squeeze(-2).cpu()
                here.scatter_(-2, at, True)
            else:  # only walkers that came from the bottom are on their way back
                here.scatter_(-2, at, here.gather(-2, at) | there.gather(-2, at))
            there.scatter_(-2, at, False)

    @classmethod
    def of_ratios(cls, pairs: Sequence[Tensor], trips: Tensor) -> Self:
        """Those of rounds that were recorded elsewhere.

        Args:
            pairs: sums of both log-ratios of every pair, in all rounds, each (rounds, replicas).
            trips: round trips of every replica.
        """
        stats = cls.__new__(cls)
        stats._accepted = torch.stack([torch.exp(both.clamp(max=0)).mean() for both in pairs])
        stats._tried = torch.ones_like(stats._accepted)
        stats.trips = trips
        return stats

    @property
    def acceptance(self) -> Tensor:
        """Mean probability of an exchange for every pair of neighbours, (rungs - 1,), float64; NaN before any trial."""
        return self._accepted / self._tried
