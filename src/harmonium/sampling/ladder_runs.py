"""Runs on a ladder: rounds that do not count, and reasons not to trust those that do."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harmonium.core.random import Stream
from harmonium.models.machine.machine import Machine
from harmonium.sampling.ladder import ExchangeStats, Ladder, Replicas, tempering_round
from harmonium.units import Natural

__all__ = ["burnt_in", "doubts_about"]

_BURN_IN = 0.2  # rounds before those that count, as a fraction of their number
_FEWEST_TRIPS = 20  # round trips in all: with fewer, rungs have hardly exchanged any states
_LEAST_ACCEPTANCE = 0.02  # of exchanges: below it, a ladder falls into two parts


def burnt_in(ladder: Ladder, replicas: int, rounds: int, stream: Stream) -> tuple[Replicas, Stream]:
    """Walkers after the rounds that do not count, and the stream of those that do."""
    walkers, moves = ladder.start(replicas, stream.child("start")), stream.child("moves")
    for _ in range(math.ceil(_BURN_IN * rounds)):
        tempering_round(ladder, walkers, moves)
    return walkers, moves


def doubts_about(model: Machine, base: Sequence[Natural] | None, stats: ExchangeStats, replicas: int) -> list[str]:
    """Reasons not to trust a run on a ladder, in words."""
    doubts = []
    walkers = replicas * (len(stats.acceptance) + 1)
    if base is not None:
        doubts.append("the base is yours: modes that it does not reach would be missed silently")
    elif model.data_mean is None and not model.visible.finite:
        doubts.append("the model has no training means, so the ladder starts from its mean field, in one mode")
    trips, least = int(stats.trips.sum()), float(stats.acceptance.min())
    if replicas < 5:
        doubts.append(f"the spread of {replicas} replicas cannot be estimated: use at least 5")
    if trips < _FEWEST_TRIPS:
        doubts.append(f"only {trips} round trips of the ladder: use more sweeps or more rungs")
    elif trips < walkers:
        # All replicas start in the same way, so their spread does not show a remaining dependence on the start.
        doubts.append(
            f"{walkers} walkers made {trips} round trips, less than one each: the top still depends on the start; use "
            f"{math.ceil(walkers / trips)} times as many sweeps"
        )
    if least < _LEAST_ACCEPTANCE:
        doubts.append(f"neighbours on the ladder exchange in {100 * least:.1f} % of the trials: use more rungs")
    return doubts
