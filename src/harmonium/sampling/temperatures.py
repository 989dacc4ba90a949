"""The ladder of temperatures: a few points t of the path between the base-rate model and the machine."""

from __future__ import annotations

import copy
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from harmonium.core.random import RandomAddress, Stream
from harmonium.core.shards import in_turn
from harmonium.models.state import Clamp, State
from harmonium.sampling.ladder import ExchangeStats, Ladder, Replicas, exchanged, refuse_lengths, tempering_round
from harmonium.sampling.path import Path
from harmonium.sampling.replica_blocks import blocks_of

__all__ = ["Temperatures", "place_rungs", "spaced"]

# Of the pilot that places rungs.
_PASSES = 5  # placements, each after twice as many rounds as the one before
_ROUNDS = 40  # of the first pass
_REJECTED = 0.4  # of exchanges, if the number of rungs is free


class Temperatures(Ladder):
    """Points t of a path as rungs, from t = 0, where a sweep draws independent states, to t = 1.

    Two walkers exchange their temperatures; their states stay in their rows.

    Args:
        path: the path.
        t: (rungs,), rising from 0 to 1.
        clamp: (mask, values) of visible units that are held, each (n_visible,) or (replicas, n_visible); the rungs are
            then conditional models.
    """

    def __init__(self, path: Path, t: Tensor, clamp: Clamp | None = None) -> None:
        refuse_lengths(path.machine)
        self.path = path.run()
        # All walkers of a replica have the same clamp.
        self._clamp: Clamp | None = None
        if clamp is not None:
            mask, values = (part if part.dim() == 1 else part.repeat(len(t), 1) for part in clamp)
            self._clamp = mask, values
        self.t = t.to(path.machine.device, torch.float64)
        self.rungs = len(t)
        self._inputs: dict[int, Tensor] | None = None
        self._placed: tuple[Tensor, Tensor] | None = None

    def fresh(self) -> Temperatures:
        other = copy.copy(self)
        other.path, other._inputs, other._placed = self.path.run(), None, None
        return other

    def start(self, replicas: int, stream: Stream) -> Replicas:
        rows = self.rungs * replicas
        state = self.path.start(rows, stream.advance(), self._clamp)
        kept = state[self.path.sampled_layers[0]]
        assert kept is not None
        who = torch.arange(self.rungs, device=kept.device).unsqueeze(-1).expand(-1, replicas)
        return Replicas(state, who.expand(*kept.shape[:-2], *who.shape).clone())

    def log_ratios(self, replicas: Replicas, lower: Tensor) -> tuple[Tensor, Tensor]:
        own, other = self.t.clone(), self.t.clone()
        other[lower], other[lower + 1] = self.t[lower + 1], self.t[lower]
        t = torch.stack([self._rows(replicas, values) for values in (own, other)], -1)
        self._inputs = self.path.inputs(replicas.state)
        ratio = self._by_rung(replicas, self.path.log_ratio(replicas.state, self._inputs, t))
        return ratio[..., lower, :], ratio[..., lower + 1, :]

    def log_slopes(self, replicas: Replicas) -> Tensor:
        """d log p*(s; t) / dt of every state on its rung, (..., rungs, replicas), float64."""
        inputs = self.path.inputs(replicas.state)
        slope = self.path.log_slope(replicas.state, inputs, self._rows(replicas, self.t))
        return self._by_rung(replicas, slope)

    def exchange(self, replicas: Replicas, lower: Tensor, accepted: Tensor) -> None:
        replicas.who = exchanged(replicas.who, lower, accepted)

    def step(self, replicas: Replicas, draw: RandomAddress) -> None:
        inputs = self.path.inputs(replicas.state) if self._inputs is None else self._inputs
        replicas.state = self.path.step(replicas.state, inputs, self._rows(replicas, self.t), draw, self._clamp)
        self._inputs = None

    def on(self, replicas: Replicas, rung: int) -> State:
        at = self._places(replicas)[..., rung, :]
        state: list[Tensor | None] = [None] * len(replicas.state)
        for layer in self.path.sampled_layers:  # marginalised layers were drawn before the exchange, at another t
            s = replicas.state[layer]
            assert s is not None
            state[layer] = s.gather(-2, at.unsqueeze(-1).expand(*at.shape, s.shape[-1]))
        return tuple(state)

    def log_partition_at_start(self) -> float:
        return self.path.log_partition_at_start()

    def _rows(self, replicas: Replicas, values: Tensor) -> Tensor:
        """Values of rungs (rungs,) as values of walkers (..., walkers), in the machine's precision."""
        at = self._places(replicas)
        by_rung = values.to(self.path.machine.dtype).unsqueeze(-1).expand(at.shape).flatten(-2)
        return torch.empty_like(by_rung).scatter_(-1, at.flatten(-2), by_rung)

    def _by_rung(self, replicas: Replicas, values: Tensor) -> Tensor:
        """Values of walkers (..., walkers) as (..., rungs, replicas)."""
        at = self._places(replicas)
        return values.gather(-1, at.flatten(-2)).view(at.shape)

    def _places(self, replicas: Replicas) -> Tensor:
        """The row of the state that is on each rung, (..., rungs, replicas)."""
        if self._placed is None or self._placed[0] is not replicas.who:
            count = replicas.who.shape[-1]
            at = replicas.who * count + torch.arange(count, device=replicas.who.device)
            self._placed = replicas.who, at
        return self._placed[1]


def spaced(t: Tensor, acceptance: Tensor, rungs: int) -> Tensor:
    """Place temperatures so that exchanges are rejected equally often everywhere (Syed et al. 2022, algorithm 2).

    The rejection rates of neighbours add up to a barrier that, as a function of t, depends on the path only; the new
    rungs divide it equally.

    Args:
        t: the present temperatures, (rungs,).
        acceptance: of exchanges between neighbours, (rungs - 1,).
        rungs: number of new temperatures.
    """
    # A small minimum: rungs between which nothing is rejected say nothing about the barrier.
    barrier = torch.cat((t.new_zeros(1), (1 - acceptance).clamp(min=1e-3).cumsum(0)))
    wanted = torch.linspace(0, float(barrier[-1]), rungs, dtype=torch.float64)
    above = torch.searchsorted(barrier, wanted).clamp(1, len(t) - 1)
    share = (wanted - barrier[above - 1]) / (barrier[above] - barrier[above - 1])
    new = t[above - 1] + share * (t[above] - t[above - 1])
    new[0], new[-1] = 0.0, 1.0
    return new


@torch.no_grad()
def place_rungs(
    path: Path,
    rungs: int | None,
    stream: Stream,
    clamp: Clamp | None = None,
    *,
    replicas: int = 20,
) -> Tensor:
    """Place temperatures (rungs,) on a path by a pilot run, whose states are not used otherwise.

    Args:
        path: the path.
        rungs: number of temperatures; None: as many as make neighbours reject 40 % of exchanges.
        stream: of the pilot.
        clamp: visible units that are held.
        replicas: of the pilot.
    """
    t = torch.linspace(0, 1, rungs or 12, dtype=torch.float64)
    blocks = blocks_of(replicas, stream)
    starts = [each.child("start") for each in blocks.streams]
    walkers: dict[int, Replicas] = {}

    def accepted(t: Tensor, index: int, block: int) -> list[Tensor]:
        ladder, moves = Temperatures(path, t, clamp), blocks.streams[block].child(index)
        if block not in walkers or walkers[block].who.shape[-2] != ladder.rungs:
            walkers[block] = ladder.start(blocks.sizes[block], starts[block])
        starts[block] = moves.child("start")
        stats = ExchangeStats(walkers[block])
        for _ in range(_ROUNDS << index):
            stats.count(walkers[block], *tempering_round(ladder, walkers[block], moves))
        return [(stats.acceptance * (blocks.sizes[block] / replicas)).unsqueeze(0)]

    for index in range(_PASSES):
        acceptance = in_turn(len(blocks.sizes), partial(accepted, t, index))[0].sum(0)
        barrier = float((1 - acceptance).sum())
        t = spaced(t, acceptance, rungs or max(3, round(barrier / _REJECTED) + 1))
    assert all(low < high for low, high in pairwise(t.tolist()))
    return t
