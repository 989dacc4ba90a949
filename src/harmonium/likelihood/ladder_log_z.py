"""log Z from a run on a ladder of models: Bennett's ratio between neighbours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from scipy import stats
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.likelihood.bridge import bennett_ladder, standard_error
from harmonium.likelihood.log_z import LogPartition
from harmonium.models.machine.machine import Machine
from harmonium.sampling.ladder import ExchangeStats, Ladder, tempering_round
from harmonium.sampling.path import Path
from harmonium.sampling.tempering import ReplicaExchange, Tempering, check_sampler
from harmonium.units import Natural

__all__ = ["Bridging", "bridge", "by_tempering", "confidence", "doubts_about", "ladder_of"]

_FEWEST_TRIPS = 20  # round trips in all, below which the replicas have hardly told each other anything
_LEAST_ACCEPTANCE = 0.02  # of exchanges: below it a ladder is broken in two
_APART = 0.997  # of runs at equilibrium have halves closer than what is allowed


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
    traffic: ExchangeStats


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
    traffic = ExchangeStats(walkers)
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
    apart = standard_error(parts[0][1] - parts[1][1])
    halves = abs(parts[0][0] - parts[1][0]) / apart if apart else 0.0
    return Bridging(ladder.log_partition_at_start() + value, standard_error(influence), halves, traffic)


def confidence(replicas: int, level: float = 0.99) -> float:
    """How many standard errors, estimated from so many replicas, a two-sided interval takes on each side."""
    return float(stats.t.ppf(0.5 + level / 2, replicas - 1)) if replicas > 1 else math.inf


def by_tempering(
    model: Machine,
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
    ladder = ladder_of(sampler, model, base, stream.child("ladder"))
    run = bridge(ladder, replicas, rounds, stream.child("bridge"))
    around = confidence(replicas) * run.stderr
    doubts = doubts_about(model, base, run.traffic, replicas)
    if not run.halves < confidence(replicas, _APART):
        doubts.append(f"the halves of the run lie {run.halves:.1f} standard errors apart: take more sweeps")
    why = "; ".join([_seen(ladder, run.traffic), *doubts])
    trips = float(run.traffic.trips.sum())
    return LogPartition(run.value, run.value - around, run.value + around, trips, "tempering", not doubts, why)


def ladder_of(sampler: ReplicaExchange, model: Machine, base: Sequence[Natural] | None, stream: Stream) -> Ladder:
    """The sampler's ladder, from a base of the caller's where there is one."""
    check_sampler(sampler)
    if base is None:
        return sampler.ladder(model, stream)
    if not isinstance(sampler, Tempering):
        raise ValueError(f"base is where a path of temperatures begins: {type(sampler).__name__} has its own start")
    return sampler.along(Path(model, base), stream)


def _seen(ladder: Ladder, traffic: ExchangeStats) -> str:
    return (
        f"{int(traffic.trips.sum())} round trips on {ladder.rungs} rungs "
        f"(least acceptance {float(traffic.acceptance.min()):.2f})"
    )


def doubts_about(model: Machine, base: Sequence[Natural] | None, traffic: ExchangeStats, replicas: int) -> list[str]:
    """Why a run on a ladder cannot be believed, in words."""
    doubts = []
    walkers = replicas * (len(traffic.acceptance) + 1)
    if base is not None:
        doubts.append("the base is yours: modes that it does not reach are missed without a sign")
    elif model.data_mean is None and not model.visible.finite:
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
