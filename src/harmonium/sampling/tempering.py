"""Parallel tempering as a sampler, and what a run on a ladder says of log Z."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from scipy import stats
from torch import Tensor

from harmonium.core.config import Described
from harmonium.core.random import Stream
from harmonium.likelihood.bridge import bennett_ladder, stderr_of
from harmonium.likelihood.log_z import LogPartition
from harmonium.models.machine.machine import Clamp, Machine, State
from harmonium.sampling.ladder import Ladder, Traffic, tempering_round
from harmonium.sampling.path import Path
from harmonium.sampling.temperatures import Temperatures, adapted
from harmonium.units import Natural

_FEWEST_TRIPS = 20  # round trips in all, below which the replicas have hardly told each other anything
_LEAST_ACCEPTANCE = 0.02  # of exchanges: below it a ladder is broken in two
_APART = 0.997  # of runs at equilibrium have halves closer than what is allowed
__all__ = [
    "Bridging",
    "ReplicaExchange",
    "Tempering",
    "as_exchange",
    "bottom_of",
    "bridge",
    "by_tempering",
    "confidence",
    "doubts_about",
    "few_of",
    "ladder_of",
]


class ReplicaExchange(Described, ABC):
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
    >>> hm.sample(hm.RBM(4, 2), 3, steps=10, sampler=hm.Tempering(rungs=5)).shape
    torch.Size([3, 4])
    """

    rungs: int | None = None
    adapt: bool = True

    def __post_init__(self) -> None:
        if self.rungs is None and not self.adapt:
            raise ValueError("Tempering(adapt=False) needs to be told how many rungs: pass rungs=10, say")
        if self.rungs is not None and (
            isinstance(self.rungs, bool) or not isinstance(self.rungs, int) or self.rungs < 2
        ):
            raise ValueError(f"Tempering(rungs=...) must be an integer of at least 2, found {self.rungs!r}")

    def ladder(self, machine: Machine, stream: Stream, clamp: Clamp | None = None) -> Temperatures:
        return self.along(Path(machine, bottom_of(machine)), stream, clamp)

    def along(self, path: Path, stream: Stream, clamp: Clamp | None = None) -> Temperatures:
        """The ladder along a path."""
        if self.adapt:
            return Temperatures(
                path, adapted(path, self.rungs, stream, None if clamp is None else few_of(clamp)), clamp
            )
        return Temperatures(path, torch.linspace(0, 1, self.rungs or 2, dtype=torch.float64), clamp)


def bottom_of(machine: Machine) -> tuple[Natural, ...] | None:
    """Where a ladder begins that is told nothing else: at the means of the data, else at rest.

    A model's own mean field, where annealing begins without data, sits in one of its modes: every rung would, and the
    run would be certain and wrong.  At rest all states of finite units are equally likely.
    """
    if machine.data_mean is None and machine.visible.finite:
        return tuple(machine.units(layer).rest() for layer in range(len(machine.names)))
    return None


def as_exchange(sampler: ReplicaExchange) -> ReplicaExchange:
    """The sampler as it is; TypeError for what is none."""
    if not isinstance(sampler, ReplicaExchange):
        raise TypeError(
            f"sampler must be a ladder such as harmonium.Tempering(), found {sampler!r}"
            + (": PT and PTT are objectives for fit" if "PT" in type(sampler).__name__ else "")
        )
    return sampler


def few_of(clamp: Clamp) -> Clamp:
    """One clamp for all replicas of the pilot: where rows have their own, that of the row with the fewest units held.

    It has the highest barriers, as a rule: a ladder that serves it serves the others.
    """
    mask = clamp[0]
    row = int(mask.sum(-1).argmin()) if mask.dim() == 2 else 0
    return tuple(part if part.dim() == 1 else part[row] for part in clamp)  # type: ignore[return-value]


class Bridging(NamedTuple):
    """What a run on a ladder says of its top.

    Attributes:
        value: log Z, nats.
        stderr: its standard error, from the replicas, which are independent.
        halves: how far the halves of the run lie apart, in standard errors.
        traffic: acceptances and round trips.
    """

    value: float
    stderr: float
    halves: float
    traffic: Traffic


@torch.no_grad()
def bridge(ladder: Ladder, replicas: int, rounds: int, stream: Stream, burn_in: float = 0.2) -> Bridging:
    """log Z by Bennett's ratio between neighbours, from the weights that decide about exchanges anyway.

    Args:
        ladder: the ladder.
        replicas: independent ones.
        rounds: that count.
        stream: of all moves.
        burn_in: share of ``rounds`` to be walked before.
    """
    walkers, moves = ladder.start(replicas, stream.child("start")), stream.child("moves")
    for _ in range(math.ceil(burn_in * rounds)):
        tempering_round(ladder, walkers, moves)
    traffic = Traffic(walkers)
    ups: list[list[Tensor]] = [[] for _ in range(ladder.rungs - 1)]
    downs: list[list[Tensor]] = [[] for _ in range(ladder.rungs - 1)]
    for _ in range(rounds):
        lower, up, down = tempering_round(ladder, walkers, moves)
        traffic.count(walkers, lower, up, down)
        for r, pair in enumerate(lower.tolist()):
            ups[pair].append(up[r].cpu())
            downs[pair].append(down[r].cpu())
    forward, reverse = ([torch.stack(rows) for rows in of] for of in (ups, downs))
    value, influence = bennett_ladder(forward, reverse)
    parts = [
        bennett_ladder([f[half(len(f))] for f in forward], [r[half(len(r))] for r in reverse])
        for half in (lambda n: slice(0, n // 2), lambda n: slice(n // 2, None))
    ]
    apart = stderr_of(parts[0][1] - parts[1][1])
    halves = abs(parts[0][0] - parts[1][0]) / apart if apart else 0.0
    return Bridging(ladder.log_partition_at_start() + value, stderr_of(influence), halves, traffic)


def confidence(replicas: int, level: float = 0.99) -> float:
    """How many standard errors, estimated from so many replicas, a two-sided interval takes on each side."""
    return float(stats.t.ppf(0.5 + level / 2, replicas - 1)) if replicas > 1 else math.inf


def by_tempering(
    machine: Machine,
    sampler: ReplicaExchange,
    base: Sequence[Natural] | None,
    replicas: int,
    rounds: int,
    stream: Stream,
) -> LogPartition:
    """log Z by Bennett's ratio along a ladder, with a 99 % interval (see `harmonium.log_partition`)."""
    if rounds < 4:
        raise ValueError(
            "method='tempering' needs sweeps of at least 4: pairs take turns, and the halves of the run are compared; "
            f"found {rounds}"
        )
    ladder = ladder_of(sampler, machine, base, stream.child("ladder"))
    run = bridge(ladder, replicas, rounds, stream.child("bridge"))
    around = confidence(replicas) * run.stderr
    doubts = doubts_about(machine, base, run.traffic, replicas)
    if not run.halves < confidence(replicas, _APART):
        doubts.append(f"the halves of the run lie {run.halves:.1f} standard errors apart: take more sweeps")
    why = "; ".join([_seen(ladder, run.traffic), *doubts])
    trips = float(run.traffic.trips.sum())
    return LogPartition(run.value, run.value - around, run.value + around, trips, "tempering", not doubts, why)


def ladder_of(sampler: ReplicaExchange, machine: Machine, base: Sequence[Natural] | None, stream: Stream) -> Ladder:
    """The sampler's ladder, from a base of the caller's where there is one."""
    as_exchange(sampler)
    if base is None:
        return sampler.ladder(machine, stream)
    if not isinstance(sampler, Tempering):
        raise ValueError(f"base is where a path of temperatures begins: {type(sampler).__name__} has its own start")
    return sampler.along(Path(machine, base), stream)


def _seen(ladder: Ladder, traffic: Traffic) -> str:
    return (
        f"{int(traffic.trips.sum())} round trips on {ladder.rungs} rungs "
        f"(least acceptance {float(traffic.acceptance.min()):.2f})"
    )


def doubts_about(machine: Machine, base: Sequence[Natural] | None, traffic: Traffic, replicas: int) -> list[str]:
    """Why a run on a ladder cannot be believed, in words."""
    doubts = []
    walkers = replicas * (len(traffic.acceptance) + 1)
    if base is not None:
        doubts.append("the base is yours: modes that it does not reach are missed without a sign")
    elif machine.data_mean is None and not machine.visible.finite:
        doubts.append("the model holds no training means, so the ladder starts from its mean field, in one mode")
    trips, least = int(traffic.trips.sum()), float(traffic.acceptance.min())
    if replicas < 5:
        doubts.append(f"{replicas} replicas do not show their own spread: take at least 5")
    if trips < _FEWEST_TRIPS:
        doubts.append(f"only {trips} round trips of the ladder: take more sweeps or more rungs")
    elif trips < walkers:
        # All replicas begin alike, so their spread does not show what they have not yet forgotten.
        doubts.append(
            f"{walkers} walkers made {trips} round trips, less than one each: the top still remembers how it began; "
            f"take {math.ceil(walkers / trips)} times as many sweeps"
        )
    if least < _LEAST_ACCEPTANCE:
        doubts.append(f"neighbours on the ladder exchange in {100 * least:.1f} % of the trials: take more rungs")
    return doubts
