"""log Z from a run on a ladder of models: Bennett's ratio between neighbours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import torch
from scipy.stats import t as student_t
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.core.shards import in_turn
from harmonium.likelihood.bridge import bennett_ladder, standard_error
from harmonium.likelihood.log_z import LogPartition
from harmonium.models.machine.machine import Machine
from harmonium.sampling.ladder import ExchangeStats, Ladder, tempering_round
from harmonium.sampling.ladder_runs import burnt_in, doubts_about
from harmonium.sampling.path import Path
from harmonium.sampling.replica_blocks import blocks_of
from harmonium.sampling.tempering import ReplicaExchange, Tempering, check_sampler
from harmonium.units import Natural

__all__ = ["Bridging", "bridge", "by_tempering", "confidence", "ladder_of"]

_APART = 0.997  # confidence level of the test that compares the halves of a run


class Bridging(NamedTuple):
    """Result of `bridge`.

    Attributes:
        value: log Z of the top, in nats.
        stderr: its standard error, from independent replicas.
        halves: difference between the halves of the run, in standard errors.
        stats: acceptances and round trips.
    """

    value: float
    stderr: float
    halves: float
    stats: ExchangeStats


@torch.no_grad()
def bridge(ladder: Ladder, replicas: int, rounds: int, stream: Stream) -> Bridging:
    """Estimate log Z by Bennett's ratio between neighbours, from the log-ratios that decide about exchanges.

    Args:
        ladder: the ladder.
        replicas: number of independent replicas.
        rounds: rounds that count, after a fifth as many for burn-in.
        stream: of all moves.
    """
    blocks = blocks_of(replicas, stream)
    stats: list[ExchangeStats] = []

    def of_block(block: int) -> list[Tensor]:
        own = ladder.fresh()
        walkers, moves = burnt_in(own, blocks.sizes[block], rounds, blocks.streams[block])
        counted = ExchangeStats(walkers)
        ups: list[list[Tensor]] = [[] for _ in range(ladder.rungs - 1)]
        downs: list[list[Tensor]] = [[] for _ in range(ladder.rungs - 1)]
        for _ in range(rounds):
            lower, up, down = tempering_round(own, walkers, moves)
            counted.count(walkers, lower, up, down)
            for r, pair in enumerate(lower.tolist()):
                ups[pair].append(up[r].cpu())
                downs[pair].append(down[r].cpu())
        stats.append(counted)
        counts = torch.tensor([[len(of) for of in ups]])
        return [counts, *(torch.stack(list(chain.from_iterable(of)), -1) for of in (ups, downs)), counted.trips]

    counts, up, down, trips = in_turn(len(blocks.sizes), of_block)
    forward, reverse = (list(torch.split(of.T.contiguous(), counts[0].tolist())) for of in (up, down))
    both = [a + b for a, b in zip(forward, reverse, strict=True)]
    found = stats[0] if len(blocks.sizes) == 1 else ExchangeStats.of_ratios(both, trips)
    value, influence = bennett_ladder(forward, reverse)
    parts = [
        bennett_ladder([f[half(len(f))] for f in forward], [r[half(len(r))] for r in reverse])
        for half in (lambda n: slice(0, n // 2), lambda n: slice(n // 2, None))
    ]
    apart = standard_error(parts[0][1] - parts[1][1])
    halves = abs(parts[0][0] - parts[1][0]) / apart if apart else 0.0
    return Bridging(ladder.log_partition_at_start() + value, standard_error(influence), halves, found)


def confidence(replicas: int, level: float = 0.99) -> float:
    """Half-width of a two-sided confidence interval in standard errors that are estimated from the replicas."""
    return float(student_t.ppf(0.5 + level / 2, replicas - 1)) if replicas > 1 else math.inf


def by_tempering(
    model: Machine, sampler: ReplicaExchange, base: Sequence[Natural] | None, replicas: int, rounds: int, stream: Stream
) -> LogPartition:
    """log Z by Bennett's ratio along a ladder, with a 99 % interval (see `harmonium.log_partition`)."""
    if rounds < 4:
        raise ValueError(
            f"method='tempering' needs sweeps of at least 4, found {rounds}: pairs take turns, and the halves of the "
            "run are compared"
        )
    ladder = ladder_of(sampler, model, base, stream.child("ladder"))
    run = bridge(ladder, replicas, rounds, stream.child("bridge"))
    around = confidence(replicas) * run.stderr
    doubts = doubts_about(model, base, run.stats, replicas)
    if not run.halves < confidence(replicas, _APART):
        doubts.append(f"the halves of the run are {run.halves:.1f} standard errors apart: use more sweeps")
    why = "; ".join([_summary(ladder, run.stats), *doubts])
    trips = float(run.stats.trips.sum())
    return LogPartition(run.value, run.value - around, run.value + around, trips, "tempering", not doubts, why)


def ladder_of(sampler: ReplicaExchange, model: Machine, base: Sequence[Natural] | None, stream: Stream) -> Ladder:
    """Build the sampler's ladder, from the caller's base if there is one."""
    check_sampler(sampler)
    if base is None:
        return sampler.ladder(model, stream)
    if not isinstance(sampler, Tempering):
        raise ValueError(f"base is the start of a path of temperatures, but {type(sampler).__name__} has its own start")
    return sampler.along(Path(model, base), stream)


def _summary(ladder: Ladder, stats: ExchangeStats) -> str:
    return (
        f"{int(stats.trips.sum())} round trips on {ladder.rungs} rungs "
        f"(least acceptance {float(stats.acceptance.min()):.2f})"
    )
