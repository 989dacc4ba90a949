"""Parallel tempering as a sampler."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from harmonium.core.checks import check_int_fields
from harmonium.core.progress import steps
from harmonium.core.random import Stream
from harmonium.core.registry import Registered
from harmonium.core.shards import in_turn
from harmonium.models.machine.machine import Machine
from harmonium.models.state import Clamp, State
from harmonium.sampling.ladder import Ladder, tempering_round
from harmonium.sampling.path import Path
from harmonium.sampling.replica_blocks import ReplicaBlocks, blocks_of
from harmonium.sampling.temperatures import Temperatures, place_rungs
from harmonium.units import Natural

__all__ = ["ReplicaExchange", "Tempering", "check_sampler", "default_base", "first_rows"]


class ReplicaExchange(Registered, ABC):
    """A recipe for a ladder below a machine."""

    @abstractmethod
    def ladder(self, machine: Machine, stream: Stream, clamp: Clamp | None = None) -> Ladder:
        """Build the ladder whose top is the machine; ``clamp`` = (mask, values) holds visible units."""

    @torch.no_grad()
    def sample(self, machine: Machine, n: int, rounds: int, stream: Stream, clamp: Clamp | None = None) -> State:
        """Draw states at the top of n independent replicas after ``rounds`` rounds: sampled layers, each (n, units)."""
        ladder = self.ladder(machine, stream.child("ladder"), clamp)
        blocks = blocks_of(n, stream) if clamp is None else ReplicaBlocks([n], [stream])

        def of_block(block: int) -> list[Tensor]:
            own, streams = ladder.fresh(), blocks.streams[block]
            replicas, moves = own.start(blocks.sizes[block], streams.child("start")), streams.child("moves")
            for _ in steps(range(rounds), "round"):
                tempering_round(own, replicas, moves)
            return [machine.pack(own.on(replicas, -1))]

        return machine.unpack(in_turn(len(blocks.sizes), of_block)[0])


@dataclass(frozen=True)
class Tempering(ReplicaExchange):
    """Parallel tempering from the base-rate model (Geyer 1991; for RBMs Desjardins et al. 2010, Cho et al. 2010).

    At the bottom, units are independent and drawn in every round; the model is at the top.  Even and odd pairs of
    neighbours exchange their states in turn (Okabe et al. 2001), and a pilot run with its own random numbers places
    the temperatures so that exchanges are rejected equally often everywhere (Syed et al. 2022).

    Args:
        rungs: number of temperatures; None: as many as make neighbours reject 40 % of exchanges.
        adapt: whether a pilot places them; otherwise they are evenly spaced, and ``rungs`` must be given.

    Raises:
        ValueError: for fewer than two rungs.

    >>> import harmonium as hm
    >>> hm.sample(hm.RBM(4, 2), 3, sweeps=10, sampler=hm.sampling.Tempering(rungs=5)).shape
    torch.Size([3, 4])
    """

    rungs: int | None = None
    adapt: bool = True

    def __post_init__(self) -> None:
        if self.rungs is None and not self.adapt:
            raise ValueError("Tempering(adapt=False) needs rungs: pass rungs=10, for example")
        if self.rungs is not None:
            check_int_fields(self, rungs=2)

    def ladder(self, machine: Machine, stream: Stream, clamp: Clamp | None = None) -> Temperatures:
        return self.along(Path(machine, default_base(machine)), stream, clamp)

    def along(self, path: Path, stream: Stream, clamp: Clamp | None = None) -> Temperatures:
        """The ladder along a path."""
        if self.adapt:
            return Temperatures(
                path, place_rungs(path, self.rungs, stream, None if clamp is None else first_rows(clamp)), clamp
            )
        return Temperatures(path, torch.linspace(0, 1, self.rungs or 2, dtype=torch.float64), clamp)


def default_base(machine: Machine) -> tuple[Natural, ...] | None:
    """Default base of a ladder: the data means if known (None), otherwise the uniform distribution.

    The model's own mean field, from which annealing starts without data, lies in one of its modes: every rung would
    stay there, and the result would be confident and wrong.  In the uniform distribution all states of finite units are
    equally likely.
    """
    if machine.data_mean is None and machine.visible.finite:
        return tuple(machine.units(layer).neutral_natural() for layer in range(len(machine.names)))
    return None


def check_sampler(sampler: ReplicaExchange) -> ReplicaExchange:
    """Return the sampler as it is.

    Raises:
        TypeError: if it is not a `ReplicaExchange`.
    """
    if not isinstance(sampler, ReplicaExchange):
        raise TypeError(
            f"sampler must be a ladder such as harmonium.sampling.Tempering(), found {sampler!r}"
            + (": PT and PTT are objectives for fit" if "PT" in type(sampler).__name__ else "")
        )
    return sampler


def first_rows(clamp: Clamp) -> Clamp:
    """One clamp for all replicas of a pilot: if rows have their own, that of the row with the fewest units held.

    It usually has the highest barriers, so its ladder suits the other rows too.
    """
    mask = clamp[0]
    row = int(mask.sum(-1).argmin()) if mask.dim() == 2 else 0
    return tuple(part if part.dim() == 1 else part[row] for part in clamp)  # type: ignore[return-value]
