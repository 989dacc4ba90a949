"""log Z by any method, with a bracket and the reasons for trusting it."""

from __future__ import annotations

import math
import time
from functools import partial
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor

from harmonium.core.checks import check_int, check_positive
from harmonium.core.random import Stream, stream_of
from harmonium.core.shards import divided, division
from harmonium.likelihood.annealing import by_annealing
from harmonium.likelihood.base import Base, as_base
from harmonium.likelihood.exact import cheapest_enumeration, exact_log_partition
from harmonium.likelihood.integration import by_integration
from harmonium.likelihood.ladder_log_z import by_tempering
from harmonium.likelihood.log_z import LogPartition, second_opinion
from harmonium.likelihood.narrowing import narrowed
from harmonium.models.arrays import Array
from harmonium.models.machine.machine import Machine, as_machine
from harmonium.sampling.tempering import ReplicaExchange, Tempering

__all__ = ["LogPartition", "LogPartitionOptions", "log_partition"]

REPLICAS = 8  # replicas of the ladder after annealing: few that go round more often
EXACT_BITS = 20  # log2 of the states that "auto" enumerates; a second or two with 784 units on the other side


class LogPartitionOptions(TypedDict, total=False):
    """Arguments of `log_partition` that `evaluate` passes on."""

    method: str
    chains: int | None
    temperatures: int | Tensor | None
    base: Base | None
    chains_from: Array | None
    sampler: ReplicaExchange | None
    sweeps: int
    minutes: float | None
    shards: int | None


@torch.no_grad()
def log_partition(
    model: Machine,
    method: str = "auto",
    *,
    chains: int | None = None,
    temperatures: int | Tensor | None = None,
    base: Base | None = None,
    chains_from: Array | None = None,
    sampler: ReplicaExchange | None = None,
    sweeps: int = 1000,
    minutes: float | None = None,
    seed: int | Stream = 0,
    shards: int | None = None,
) -> LogPartition:
    """Compute or estimate the logarithm of the partition function.

    Args:
        model: a machine.
        method: "exact" (enumerates the smaller side), "ais" (annealed importance sampling in both directions),
            "tempering" (Bennett's ratio along a ladder of models that exchange states), "integration" (thermodynamic
            integration along the same ladder) or "auto": exact up to 20 bits, then AIS if there are chains from which
            its reverse direction can start, else tempering; also where AIS turns out not to be reliable.
        chains: AIS chains in each direction (default 100), or independent replicas of the ladder (default 20).
        temperatures: for AIS, their number (default 1000; a pilot run places them between 0 and 1, see
            `harmonium.sampling.schedule`), or the temperatures themselves, rising from 0 to 1.
        base: where paths and ladders start, a model of independent columns: the means of the visible units
            (n_visible,), cases (n, n_visible), or natural parameters, a tuple of tensors for every layer.  Default:
            the means of the training data, which are stored in the model.
        chains_from: states (n, n_visible) that represent the model, from which the reverse direction starts after a
            drift test.  For machines with sampled hidden layers, packed states (see `Structure.pack`), or visible
            states, whose hidden ones are then drawn by 100 sweeps given them.  With shape (copies, n, n_visible),
            several states of the same n chains at different times: errors are then those of n chains.  Default: the
            persistent chains of training.  Without any, ``upper`` is infinite.
        sampler: the ladder, for "tempering" and "integration" (default: `Tempering`, with rungs placed by a pilot).
        sweeps: rounds of exchanges and Gibbs sweeps on the ladder, after a fifth as many for burn-in.
        minutes: estimate again with up to four times as many temperatures (or sweeps of a ladder), until the bracket is
            0.1 nats wide or this time is over; ``why`` then says how long it would take.  Default: one estimate.
        seed: an int or a stream.
        shards: divide chains and replicas into blocks, at most this number and fewer of few rows: the same bits on any
            number of processes (see `harmonium.fit`).  Default: 8 where `torchrun` started several, else none.

    Returns:
        a `LogPartition`; the bounds of AIS hold at three standard errors (Salakhutdinov & Murray 2008; Burda et al.
        2015), those along a ladder at 99 %, from the spread between replicas (Krause, Fischer & Igel 2020).

    Raises:
        TypeError: for a model that is not a machine.
        ValueError: for an unknown method, numbers out of range, or arguments that do not apply to the method.

    >>> import harmonium as hm
    >>> print(hm.log_partition(hm.RBM.from_arrays([[0.0]], [0.0], [0.0])))
    log Z = 1.3863 nats (exact)
    """
    with divided(shards):
        seconds = None if minutes is None else 60 * check_positive("minutes", minutes)
        if seconds is not None and division() is not None:
            raise ValueError("minutes= goes by the clock, which differs between processes: leave out minutes or shards")
        return _log_partition(model, method, chains, temperatures, base, chains_from, sampler, sweeps, seconds, seed)


def _log_partition(
    model: Machine,
    method: str,
    chains: int | None,
    temperatures: int | Tensor | None,
    base: Base | None,
    chains_from: Array | None,
    sampler: ReplicaExchange | None,
    sweeps: int,
    seconds: float | None,
    seed: int | Stream,
) -> LogPartition:
    as_machine(model, "log_partition")
    bits, _ = cheapest_enumeration(model)
    methods = ("auto", "exact", "ais", "tempering", "integration")
    if method not in methods:
        raise ValueError(f"method must be one of {', '.join(map(repr, methods))}, found {method!r}")
    model.refuse_batched("log_partition")
    own = None if base is None else as_base(model, base)
    chains = None if chains is None else check_int("chains", chains)
    if chains_from is not None and np.ndim(chains_from) == 0:
        raise TypeError(f"chains_from must be states (n, {model.visible.columns}), found {chains_from!r}")
    if temperatures is not None and np.ndim(temperatures) == 0:
        temperatures = check_int("temperatures", temperatures, least=2)
    elif temperatures is not None and seconds is not None:
        raise ValueError(
            "minutes= takes more and more temperatures, and temperatures lists them: leave out one of them"
        )
    sweeps = check_int("sweeps", sweeps)
    for name, given in (("chains_from", chains_from), ("temperatures", temperatures)):
        if given is not None and method not in ("auto", "ais"):
            raise ValueError(f"{name} belongs to method='ais' and does not apply to {method!r}: leave out one of them")
    if method == "exact" or (method == "auto" and bits <= EXACT_BITS):
        value = float(exact_log_partition(model))
        return LogPartition(value, value, value, math.inf, "exact", True, "all states were summed")
    stream = stream_of(seed, "log_partition")
    chained = chains_from is not None or model.chains is not None
    if method in ("tempering", "integration") or (method == "auto" and (sampler is not None or not chained)):
        along = by_integration if method == "integration" else by_tempering
        replicas = 20 if chains is None else chains
        return narrowed(partial(along, model, sampler or Tempering(), own, replicas), sweeps, stream, seconds)
    if sampler is not None:
        raise ValueError("sampler is for method='tempering' and 'integration': 'ais' has no ladder")
    begun, rows = time.perf_counter(), 100 if chains is None else chains
    anneal = partial(by_annealing, model, own, rows, chains_from)
    if temperatures is None or isinstance(temperatures, int):
        annealed = narrowed(anneal, temperatures or 1000, stream, seconds)
    else:
        annealed = anneal(temperatures, stream)
    # A base of the caller's is doubted either way; documents have a log Z of each length, which takes long enough.
    if method == "ais" or annealed.reliable or base is not None or model.visible.conditions_on_total:
        return annealed
    left = None if seconds is None else max(1.0, seconds - (time.perf_counter() - begun))
    again = partial(by_tempering, model, Tempering(), None, REPLICAS)
    return second_opinion(annealed, narrowed(again, sweeps, stream.child("second"), left))
