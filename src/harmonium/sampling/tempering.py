"""Parallel tempering as a sampler."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch

from harmonium.core.checks import check_int_fields
from harmonium.core.random import Stream
from harmonium.core.registry import Registered
from harmonium.models.machine.machine import Machine
from harmonium.models.state import Clamp, State
from harmonium.sampling.ladder import Ladder, tempering_round
from harmonium.sampling.path import Path
from harmonium.sampling.temperatures import Temperatures, adapted
from harmonium.units import Natural

__all__ = ["ReplicaExchange", "Tempering", "check_sampler", "default_base", "first_rows"]


class ReplicaExchange(Registered, ABC):
    """A way to build a ladder below a machine."""

    @abstractmethod
    def ladder(self, machine: Machine, stream: Stream, clamp: Clamp | None = None) -> Ladder:
        """The ladder whose top is the machine, with the visible units held that ``clamp`` = (mask, values) names."""

    @torch.no_grad()
    def sample(self, machine: Machine, n: int, rounds: int, stream: Stream, clamp: Clamp | None = None) -> State:
        """States at the top of n independent replicas after so many rounds: kept layers, each (n, units)."""
        ladder = self.ladder(machine, stream.child("ladder"), clamp)
        replicas, moves = ladder.start(n, stream.child("start")), stream.child("moves")
        for _ in range(rounds):
            tempering_round(ladder, replicas, moves)
        return ladder.on(replicas, -1)


@dataclass(frozen=True)
class Tempering(ReplicaExchange):
    """Parallel tempering from the base-rate model (Geyer 1991; for RBMs Desjardins et al. 2010, Cho et al. 2010).

    At the bottom units are independent and drawn afresh in every round; at the top stands the model.  Even and odd
    pairs of neighbours exchange their states in turn (Okabe et al. 2001), and a pilot with random numbers of its own
    spaces the temperatures so that exchanges are rejected equally often everywhere (Syed et al. 2022).

    Args:
        rungs: number of temperatures; None: as many as reject 40 % of the exchanges.
        adapt: whether the pilot spaces them; otherwise they are equally far apart, and ``rungs`` must be given.

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
            raise ValueError("Tempering(adapt=False) needs to be told how many rungs: pass rungs=10, say")
        if self.rungs is not None:
            check_int_fields(self, rungs=2)

    def ladder(self, machine: Machine, stream: Stream, clamp: Clamp | None = None) -> Temperatures:
        return self.along(Path(machine, default_base(machine)), stream, clamp)

    def along(self, path: Path, stream: Stream, clamp: Clamp | None = None) -> Temperatures:
        """The ladder along a path."""
        if self.adapt:
            return Temperatures(
                path, adapted(path, self.rungs, stream, None if clamp is None else first_rows(clamp)), clamp
            )
        return Temperatures(path, torch.linspace(0, 1, self.rungs or 2, dtype=torch.float64), clamp)


def default_base(machine: Machine) -> tuple[Natural, ...] | None:
    """Where a ladder begins that is told nothing else: at the means of the data, else at rest.

    A model's own mean field, where annealing begins without data, sits in one of its modes: every rung would, and the
    run would be certain and wrong.  At rest all states of finite units are equally likely.
    """
    if machine.data_mean is None and machine.visible.finite:
        return tuple(machine.units(layer).neutral_natural() for layer in range(len(machine.names)))
    return None


def check_sampler(sampler: ReplicaExchange) -> ReplicaExchange:
    """The sampler as it is; TypeError for what is none."""
    if not isinstance(sampler, ReplicaExchange):
        raise TypeError(
            f"sampler must be a ladder such as harmonium.sampling.Tempering(), found {sampler!r}"
            + (": PT and PTT are objectives for fit" if "PT" in type(sampler).__name__ else "")
        )
    return sampler


def first_rows(clamp: Clamp) -> Clamp:
    """One clamp for all replicas of the pilot: where rows have their own, that of the row with the fewest units held.

    It has the highest barriers, as a rule: a ladder that serves it serves the others.
    """
    mask = clamp[0]
    row = int(mask.sum(-1).argmin()) if mask.dim() == 2 else 0
    return tuple(part if part.dim() == 1 else part[row] for part in clamp)  # type: ignore[return-value]
