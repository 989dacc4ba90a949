"""log Z by annealed importance sampling in both directions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.core.rows import some_rows
from harmonium.diagnostics.drift import drift_test
from harmonium.diagnostics.missing_modes import compare_with_annealed
from harmonium.likelihood.bridge import bennett, log_mean_weight
from harmonium.likelihood.log_z import LogPartition
from harmonium.models.arrays import Array, as_batch, as_packed
from harmonium.models.machine.machine import Machine
from harmonium.sampling.ais import anneal
from harmonium.sampling.chains import swept
from harmonium.sampling.path import Path
from harmonium.sampling.schedule import place_temperatures
from harmonium.units import Natural

__all__ = ["by_annealing", "with_hidden"]

_COMPLETION = 100  # sweeps that draw the hidden layers of chains given by visible states
_ENOUGH = 5.0  # effective samples: with fewer, the error bar itself is noise


def by_annealing(
    model: Machine,
    base: Sequence[Natural] | None,
    chains: int,
    chains_from: Array | None,
    temperatures: int | Tensor,
    stream: Stream,
) -> LogPartition:
    """log Z from mean weights of annealing in both directions, and Bennett's ratio (see `harmonium.log_partition`)."""
    path = Path(model, base)
    t = _temperatures(path, temperatures, chains, stream.child("pilot"))
    origin = path.log_partition_at_start()
    state = path.start(chains, stream.child("start").advance())
    if chains_from is None:
        chains_from = model.chains
    if chains_from is None:
        up = log_mean_weight(anneal(path, t, state, stream.child("anneal")).log_weights)
        why = (
            "there are no chains from which the reverse direction can start, hence no upper bound: train with PCD, or "
            "pass method='tempering', which needs none"
        )
        value = origin + up.value
        return LogPartition(value, value - 3 * up.stderr, math.inf, up.ess, "ais", False, why)
    start, copies = _starts(chains_from, model, chains, stream.child("hidden"))
    drift = drift_test(model, start, stream.child("lag"), copies=copies)
    # Both directions run in one batch, each row on its own schedule: one larger product is faster than two.
    rising, falling = t.unsqueeze(-1).expand(-1, chains), t.flip(0).unsqueeze(-1).expand(-1, len(start))
    schedule = torch.cat((rising, falling), -1)
    both = tuple(
        None if s is None or reached is None else torch.cat((s, reached))
        for s, reached in zip(state, model.unpack(drift.chains), strict=True)
    )
    log_weights, ends, _ = anneal(path, schedule, both, stream.child("anneal"))
    forward, reverse = log_weights[:chains], log_weights[chains:]
    up, down = log_mean_weight(forward), log_mean_weight(reverse, copies)
    lower = origin + up.value - 3 * up.stderr
    upper = origin - down.value + 3 * down.stderr
    value = origin + bennett(forward, reverse)
    doubts = _doubts(model, base, min(up.ess, down.ess), lower, upper)
    # Both directions can agree although the chains have wrong proportions of the modes: annealed states have the right
    # ones.
    once = drift.chains[: len(drift.chains) // copies]
    missing = compare_with_annealed(model, once, model.pack(ends)[:chains], forward, own_base=base is not None)
    if missing.passed is False:
        doubts.append(missing.why)
    if not drift.passed or lower > upper:
        # Chains that do not represent the model give no bound, and no estimate to which they contribute.
        value, upper = origin + up.value, math.inf
    why = "; ".join([drift.why, *doubts])
    # Bennett's value may leave a narrow bracket by a rounding or a chance of the tails: the bracket then reaches it.
    lower, upper = min(lower, value), max(upper, value)
    return LogPartition(value, lower, upper, min(up.ess, down.ess), "ais", drift.passed and not doubts, why)


def _starts(chains_from: Array, model: Machine, chains: int, stream: Stream) -> tuple[Tensor, int]:
    """Packed states (rows, columns) from which the reverse direction starts, and the number of rows per chain."""
    copies = len(chains_from) if getattr(chains_from, "ndim", 2) == 3 else None
    rows = chains_from if copies is None else torch.as_tensor(chains_from).flatten(0, 1)
    start = as_packed(with_hidden(rows, model, stream), model, "chains_from")
    total, v = model.visible.fixed_total, model.unpack(start)[0]
    if total is not None and v is not None and bool((v.sum(-1) != total).any()):
        raise ValueError(f"chains_from has documents of other lengths than {total}: log Z belongs to one length")
    if copies is not None:
        return start, copies
    return start[some_rows(len(start), chains)], 1


def with_hidden(chains_from: Array, model: Machine, stream: Stream) -> Array:
    """Complete chains that are given by visible states only.

    The other sampled layers are drawn with the visible one held: if the visible states have the model's distribution,
    so have the complete states, after enough sweeps.
    """
    widths = (model.visible.columns, model.visible.size)
    columns = np.shape(chains_from)[-1]
    if model.sampled_layers == [0] or columns == model.packed_size or columns not in widths:
        return chains_from
    v = as_batch(chains_from, model, "chains_from", domain=True)
    return swept(model, model.state_from_visible(v, stream), stream, _COMPLETION, still=(0,))


def _doubts(model: Machine, base: Sequence[Natural] | None, ess: float, lower: float, upper: float) -> list[str]:
    doubts = []
    if base is not None:
        doubts.append("the base is yours: without the means of the data both directions can be wrong together")
    elif model.data_mean is None:
        doubts.append("the model has no training means, so the path starts from its mean field")
    if ess < _ENOUGH:
        doubts.append(f"only {ess:.1f} effective chains: use more temperatures")
    if lower > upper:
        doubts.append("the bounds cross: the chains miss a part of the distribution")
    return doubts


def _temperatures(path: Path, temperatures: int | Tensor, chains: int, pilot: Stream) -> Tensor:
    if np.ndim(temperatures) == 0:
        return place_temperatures(path, int(temperatures), chains, pilot)
    t = torch.as_tensor(temperatures, dtype=torch.float64)
    if t.dim() != 1 or len(t) < 2 or float(t[0]) != 0 or float(t[-1]) != 1 or bool((t.diff() <= 0).any()):
        raise ValueError("temperatures must rise strictly from 0 to 1")
    return t
