"""Many updates of a small RBM in one compiled call, for objectives whose chains take Gibbs sweeps.

They equal the updates that training makes one by one, with the same random words, up to rounding.  Whether they are
made depends on the plan, the sizes and the data alone, so that monitors and resuming change nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from harmonium.core.random import Stream
from harmonium.core.registry import is_builtin
from harmonium.kernels.philox import split
from harmonium.models.machine.machine import Machine
from harmonium.units.updates import bounds, joined, loop_of_updates, part_table, put_back

__all__ = ["Batches", "UpdateRule", "pays", "run"]

ROWS = 128  # in a batch, and chains: above, products of whole batches take less time than sums row by row
SUMS = 2_500_000  # rows times weights: below, an update is calls more than arithmetic, however many units are on
SHARE = 0.25  # of visible units that may be on: else products take less time than sums of rows


class UpdateRule(NamedTuple):
    """What metric, penalties and optimizer make of a gradient, in numbers.

    Attributes:
        offsets: of every layer, by layer name, changed in place; empty for the plain metric.
        offset_rate: how fast the offsets follow the data.
        l2: weight decay.
        l1: weight decay by absolute values.
        momentum: of the optimizer.
        velocities: what momentum remembers of every parameter, changed in place; empty for no momentum.
    """

    offsets: Mapping[str, Tensor] = {}
    offset_rate: float = 0.0
    l2: float = 0.0
    l1: float = 0.0
    momentum: float = 0.0
    velocities: Mapping[Tensor, Tensor] = {}


class Batches(NamedTuple):
    """Cases of consecutive updates.

    Attributes:
        v: encoded cases of all updates, (rows, size), in the precision of the model.
        weight: weights of the cases, (rows,), or None.
        starts: update u learns from ``v[starts[u] : starts[u + 1]]``, (updates + 1,).
        rates: learning rates, (updates,).
    """

    v: Tensor
    weight: Tensor | None
    starts: Any
    rates: Any


def pays(model: Machine, rows: int) -> bool:
    """Whether the loop serves this model, and takes less time than single updates.

    Args:
        model: the model.
        rows: the larger of batch size and number of chains.
    """
    if not (is_builtin(type(model)) and model.colours == [[1], [0]] and list(model.edges.values()) == [(0, 1)]):
        return False  # not an RBM
    (weights,) = model.weights_to_decay()
    if (
        loop_of_updates(*model.unit_layers()) is None
        or not model.full
        or weights.dim() != 2
        or weights.device.type != "cpu"
        or weights.dtype not in (torch.float32, torch.float64)
        or not weights.is_contiguous()
    ):
        return False
    return rows * weights.numel() <= SUMS or (rows <= ROWS and _share_on(model) <= SHARE)


def _share_on(model: Machine) -> float:
    """The share of visible units that are not 0 in a mean case."""
    if model.data_mean is None:
        return 1.0
    on = torch.ones_like(model.data_mean)
    for part, columns in model.visible.by_type():
        if part.finite and bool((part.variable(0)[1] == 0).any()):
            on[columns] = model.data_mean[columns]
    return float(on.mean())


def run(model: Machine, batches: Batches, rule: UpdateRule, chains: Tensor | None, sweeps: int, stream: Stream) -> None:
    """Make the updates, in place.

    Args:
        model: a model for which the loop `pays`.
        batches: the cases.
        rule: what becomes of the gradient.
        chains: persistent chains (chains, size), contiguous, changed in place; None: chains start at the cases.
        sweeps: Gibbs sweeps per update.
        stream: takes ``sweeps`` steps per update.
    """
    visible, hidden = model.unit_layers()
    (weights,) = model.weights_to_decay()
    (hidden_bias,) = hidden.parameters_by_name().values()
    dtype = batches.v.numpy().dtype
    data, velocity = nn.Parameter.detach, rule.velocities.__getitem__
    arrays = [
        (of(weights).numpy(), joined(visible, of, dtype), np.atleast_2d(of(hidden_bias).numpy()))
        for of in ([data, velocity] if rule.velocities else [data])
    ]
    none, empty = np.empty(0, dtype), np.empty((0, 0), dtype)
    draw = stream.advance(sweeps * len(batches.rates))
    k0, k1, step, at_visible = split(draw.key, draw.step, 0)
    loop: Any = loop_of_updates(visible, hidden)
    loop(
        part_table(visible, draw.key),
        arrays[0],
        bounds(visible).astype(dtype) if visible.real_valued else empty,
        arrays[1] if rule.velocities else (empty, empty, empty),
        tuple(rule.offsets[name].numpy() if rule.offsets else none for name in model.names),
        np.array([rule.offset_rate, rule.l2, rule.l1, rule.momentum], dtype),
        batches.v.contiguous().numpy(),
        none if batches.weight is None else batches.weight.numpy(),
        batches.starts,
        batches.rates.astype(dtype),
        empty if chains is None else chains.numpy(),
        sweeps,
        (draw.first, k0, k1, step, at_visible, split(draw.key, draw.step, 1)[-1]),
    )
    for (_, rows, _), of in zip(arrays, (data, velocity), strict=False):
        put_back(visible, rows, of)
