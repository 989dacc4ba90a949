"""log Z: one function, one result, with bounds that say how far it can be trusted."""

from __future__ import annotations

import math
from typing import Any, TypedDict

import numpy as np
import torch
from torch import Tensor

from harmonium.core.checks import check_int
from harmonium.core.random import Stream, stream_of
from harmonium.core.rows import evenly_spaced
from harmonium.diagnostics.drift import drift_test
from harmonium.diagnostics.missing_modes import compare_with_annealed
from harmonium.likelihood.bridge import bennett, log_mean_weight
from harmonium.likelihood.exact import cheapest_enumeration, exact_log_partition
from harmonium.likelihood.integration import by_integration
from harmonium.likelihood.ladder_log_z import by_tempering
from harmonium.likelihood.log_z import LogPartition
from harmonium.models.arrays import Array, as_batch, as_packed
from harmonium.models.machine.machine import Machine, as_machine
from harmonium.sampling.ais import anneal
from harmonium.sampling.path import Path
from harmonium.sampling.schedule import adapted
from harmonium.sampling.tempering import ReplicaExchange, Tempering
from harmonium.units import Natural

__all__ = ["LogPartition", "LogPartitionOptions", "log_partition"]

EXACT_BITS = 20  # enumerated by "auto"; a second or two at 784 units on the other side
_COMPLETION = 100  # sweeps of hidden layers that chains come without
_ENOUGH = 5.0  # effective samples below which the error bar itself is noise


class LogPartitionOptions(TypedDict, total=False):
    """Arguments of `log_partition` that `evaluate` passes on."""

    method: str
    chains: int | None
    temperatures: int | Tensor | None
    base: tuple[Natural, ...] | None
    chains_from: Array | None
    sampler: ReplicaExchange | None
    sweeps: int


@torch.no_grad()
def log_partition(
    model: Machine,
    method: str = "auto",
    *,
    chains: int | None = None,
    temperatures: int | Tensor | None = None,
    base: tuple[Natural, ...] | None = None,
    chains_from: Array | None = None,
    sampler: ReplicaExchange | None = None,
    sweeps: int = 1000,
    seed: int | Stream = 0,
) -> LogPartition:
    """The logarithm of the partition function, exactly or bracketed.

    Args:
        model: the model.
        method: "exact" (enumerates the smaller side), "ais" (annealed importance sampling in both directions),
            "tempering" (Bennett's ratio along a ladder of models between which states are exchanged), "integration"
            (thermodynamic integration along the same ladder) or "auto": exact up to 20 bits, then AIS where there are
            chains to start its reverse direction from, else tempering.
        chains: AIS chains in each direction (default 100), or independent replicas of the ladder (default 20).
        temperatures: of AIS: their number (default 1000), placed between 0 and 1 by a pilot run (see
            `harmonium.sampling.schedule`), or the temperatures themselves, rising from 0 to 1.
        base: natural parameters of the base-rate model (default: means of the training data stored in the model).
        chains_from: states (n, n_visible) that represent the model, from which the reverse direction starts after a lag
            test.  For machines that keep hidden layers, packed states (see `Machine.pack`), or visible states, whose
            hidden ones are then drawn by 100 sweeps given them.  With shape (copies, n, n_visible), several states of
            the same n chains at different times: errors are then those of n chains.  Default: the persistent chains
            that training left in the model.  Without any, ``upper`` is infinite.
        sampler: the ladder, for "tempering" and "integration" (default: `Tempering`, its rungs spaced by a pilot).
        sweeps: rounds of exchanges and Gibbs sweeps on the ladder, after a fifth as many that do not count.
        seed: an int or a stream.

    Returns:
        a `LogPartition`; the bounds of AIS hold at three standard errors (Salakhutdinov & Murray 2008; Burda et al.
        2015), those along a ladder at 99 %, from the spread between replicas (Krause, Fischer & Igel 2020).

    Raises:
        TypeError: for a model that is no machine.
        ValueError: for an unknown method, numbers out of range, and what the method named has no use for.

    >>> import harmonium as hm
    >>> print(hm.log_partition(hm.RBM.from_arrays([[0.0]], [0.0], [0.0])))
    log Z = 1.3863 nats (exact)
    """
    as_machine(model, "log_partition")
    bits, _ = cheapest_enumeration(model)
    methods = ("auto", "exact", "ais", "tempering", "integration")
    if method not in methods:
        raise ValueError(f"method must be one of {', '.join(map(repr, methods))}, found {method!r}")
    model.refuse_batched("log_partition")
    chains = None if chains is None else check_int("chains", chains)
    sweeps = check_int("sweeps", sweeps)
    for name, given in (("chains_from", chains_from), ("temperatures", temperatures)):
        if given is not None and method not in ("auto", "ais"):
            raise ValueError(f"{name} belongs to method='ais', and {method!r} has no use for it: leave one of them out")
    if method == "exact" or (method == "auto" and bits <= EXACT_BITS):
        value = float(exact_log_partition(model))
        return LogPartition(value, value, value, math.inf, "exact", True, "all states were summed")
    stream = stream_of(seed, "log_partition")
    if method == "auto":
        method = "ais" if sampler is None and (chains_from is not None or model.chains is not None) else "tempering"
    if method == "tempering":
        return by_tempering(model, sampler or Tempering(), base, 20 if chains is None else chains, sweeps, stream)
    if method == "integration":
        return by_integration(model, sampler or Tempering(), base, 20 if chains is None else chains, sweeps, stream)
    if sampler is not None:
        raise ValueError("sampler is the ladder of method='tempering' and 'integration': 'ais' has none")
    chains = 100 if chains is None else chains
    path = Path(model, base)
    t = _temperatures(path, 1000 if temperatures is None else temperatures, chains, stream.child("pilot"))
    origin = path.log_partition_at_start()
    state = path.start(chains, stream.child("start").advance())
    if chains_from is None:
        chains_from = model.chains
    if chains_from is None:
        up = log_mean_weight(anneal(path, t, state, stream.child("anneal")).log_weights)
        why = (
            "no equilibrated chains to start the reverse direction from, so there is no upper bound: train with PCD "
            "or pass method='tempering', which needs none"
        )
        value = origin + up.value
        return LogPartition(value, value - 3 * up.stderr, math.inf, up.ess, "ais", False, why)
    start, copies = _starts(chains_from, model, chains, stream.child("hidden"))
    lag = drift_test(model, start, stream.child("lag"), copies=copies)
    # Both directions walk in one batch, each row on its own schedule: one larger product is faster than two.
    rising, falling = t.unsqueeze(-1).expand(-1, chains), t.flip(0).unsqueeze(-1).expand(-1, len(start))
    walk = torch.cat((rising, falling), -1)
    both = tuple(
        None if s is None or reached is None else torch.cat((s, reached))
        for s, reached in zip(state, model.unpack(lag.chains), strict=True)
    )
    log_weights, ends, _ = anneal(path, walk, both, stream.child("anneal"))
    forward, reverse = log_weights[:chains], log_weights[chains:]
    up, down = log_mean_weight(forward), log_mean_weight(reverse, copies)
    lower = origin + up.value - 3 * up.stderr
    upper = origin - down.value + 3 * down.stderr
    value = origin + bennett(forward, reverse)
    doubts = _doubts(model, base, lag.passed, min(up.ess, down.ess), lower, upper)
    # Both directions agree where the chains hold the modes in wrong shares: the annealed states know the right ones.
    once = lag.chains[: len(lag.chains) // copies]
    unseen = compare_with_annealed(model, once, model.pack(ends)[:chains], forward, own_base=base is not None)
    if unseen.passed is False:
        doubts.append(unseen.why)
    if not lag.passed:
        upper = math.inf  # chains that are not the model's bound nothing
    why = "; ".join([lag.why, *doubts])
    return LogPartition(value, lower, upper, min(up.ess, down.ess), "ais", lag.passed and not doubts, why)


def _starts(chains_from: Array, model: Machine, chains: int, stream: Stream) -> tuple[Tensor, int]:
    """Packed states (rows, columns) to start the reverse direction from; how many rows each independent chain gave."""
    copies = len(chains_from) if getattr(chains_from, "ndim", 2) == 3 else None
    rows = chains_from if copies is None else torch.as_tensor(chains_from).flatten(0, 1)
    start = as_packed(_with_hidden(rows, model, stream), model, "chains_from")
    total, v = model.visible.fixed_total, model.unpack(start)[0]
    if total is not None and v is not None and bool((v.sum(-1) != total).any()):
        raise ValueError(f"chains_from holds documents of other lengths than {total}: log Z belongs to one length")
    if copies is not None:
        return start, copies
    index = evenly_spaced(len(start), min(chains, len(start)))
    return start[index], 1


def _with_hidden(chains_from: Array, model: Machine, stream: Stream) -> Array:
    """Packed states of chains that may be given by their visible states alone.

    The other kept layers are then drawn with the visible ones held: where those have the model's distribution, the
    whole state comes to have it too.
    """
    widths = (model.visible.columns, model.visible.size)
    columns = np.shape(chains_from)[-1]
    if model.sampled_layers == [0] or columns == model.packed_size or columns not in widths:
        return chains_from
    v = as_batch(chains_from, model, "chains_from", domain=True)
    return model.pack(model.sweep(model.state_from_visible(v, stream), stream, _COMPLETION, still=(0,)))


def _doubts(model: Machine, base: Any, passed: bool, ess: float, lower: float, upper: float) -> list[str]:
    doubts = []
    if base is not None:
        doubts.append("the base is yours: from one without the data's means both directions can be wrong together")
    elif model.data_mean is None:
        doubts.append("the model holds no training means, so the path starts from its mean field")
    if ess < _ENOUGH:
        doubts.append(f"only {ess:.1f} effective chains: use more temperatures")
    if lower > upper:
        doubts.append("the bounds cross: the chains miss a part of the distribution")
    return doubts


def _temperatures(path: Path, temperatures: int | Tensor, chains: int, pilot: Stream) -> Tensor:
    if np.ndim(temperatures) == 0:
        return adapted(path, check_int("temperatures", temperatures, least=2), chains, pilot)
    t = torch.as_tensor(temperatures, dtype=torch.float64)
    if t.dim() != 1 or len(t) < 2 or float(t[0]) != 0 or float(t[-1]) != 1 or bool((t.diff() <= 0).any()):
        raise ValueError("temperatures must rise strictly from 0 to 1")
    return t
