"""Thermodynamic integration: log Z as the area under the mean slope of the log-weight (Kirkwood 1935)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from scipy.integrate import trapezoid
from scipy.interpolate import PchipInterpolator

from harmonium.core.random import Stream
from harmonium.likelihood.ladder_log_z import confidence, ladder_of
from harmonium.likelihood.log_z import LogPartition
from harmonium.models.machine.machine import Machine
from harmonium.sampling.ladder import ExchangeStats, tempering_round
from harmonium.sampling.ladder_runs import burnt_in, doubts_about
from harmonium.sampling.temperatures import Temperatures
from harmonium.sampling.tempering import ReplicaExchange
from harmonium.units import Natural

__all__ = ["by_integration"]


@torch.no_grad()
def by_integration(
    model: Machine, sampler: ReplicaExchange, base: Sequence[Natural] | None, replicas: int, rounds: int, stream: Stream
) -> LogPartition:
    """Estimate log Z by thermodynamic integration along the temperatures of a ladder.

    log Z(1) = log Z(0) + integral over t of E_t[ d log p*(s; t) / dt ]. A monotone cubic interpolates the slopes. Its
    difference from the trapezoidal rule is taken as the error of the quadrature and added to the confidence interval.

    Args:
        model: any machine.
        sampler: the tempering that runs the ladder.
        base: natural parameters at the bottom of the ladder (default: see `default_base`).
        replicas: number of independent ladders.
        rounds: rounds of sweeps and exchanges.
        stream: random numbers.

    Returns:
        The estimate, with a 99 % interval.

    Raises:
        ValueError: if the ladder of the sampler does not consist of temperatures.
    """
    ladder = ladder_of(sampler, model, base, stream.child("ladder"))
    if not isinstance(ladder, Temperatures):
        raise ValueError(f"method='integration' needs sampler=Tempering(...), found {type(sampler).__name__}")
    if ladder.rungs < 3:
        raise ValueError("integration needs at least 3 rungs: with two, the error of the rule cannot be estimated")
    walkers, moves = burnt_in(ladder, replicas, rounds, stream)
    stats = ExchangeStats(walkers)
    slopes = torch.zeros(walkers.who.shape, dtype=torch.float64)
    for _ in range(rounds):
        slopes += ladder.log_slopes(walkers).cpu()
        stats.count(walkers, *tempering_round(ladder, walkers, moves))
    t, mean = ladder.t.cpu().numpy(), (slopes / rounds).numpy()
    cubic = PchipInterpolator(t, mean, axis=0).integrate(0.0, 1.0)
    rule = abs(float((cubic - trapezoid(mean, t, axis=0)).mean()))
    value = ladder.log_partition_at_start() + float(cubic.mean())
    around = rule + confidence(replicas) * float(cubic.std(ddof=1)) / math.sqrt(replicas) if replicas > 1 else math.inf
    doubts = doubts_about(model, base, stats, replicas)
    why = "; ".join([f"{ladder.rungs} temperatures, error of the rule about {rule:.2g} nats", *doubts])
    trips = float(stats.trips.sum())
    return LogPartition(value, value - around, value + around, trips, "integration", not doubts, why)
