"""Runs of updates of binary machines by PCD-1 in one compiled loop.

The updates are those of `Training.update` with the same words, equal up to rounding, at a fraction of the calls.
Whether they are taken depends on the plan and the model alone, so that monitors and resuming change nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from harmonium.kernels.philox import split
from harmonium.models.machine.rbm import RBM
from harmonium.objectives import PCD
from harmonium.training.metrics import Plain
from harmonium.units import Bernoulli
from harmonium.units.bernoulli import persistent_updates

if TYPE_CHECKING:
    from harmonium.training.loop import Training

__all__ = ["advance", "applies"]

ROWS = 128  # in a batch, and chains: above, products of whole batches take less time than sums row by row
SUMS = 2_500_000  # rows times weights: below, an update is calls more than sums, however many units are on
SHARE = 0.25  # of visible units that may be on: else products take less time than sums of rows


def applies(training: Training) -> bool:
    """Whether the loop does what the plan says: PCD-1, plain gradient and descent, binary units, small batches."""
    plan, model = training.plan, training.model
    if type(model) is not RBM or type(plan.objective) is not PCD or model.data_mean is None:
        return False
    rows = max(plan.objective.chains, plan.batch_size)
    pays = rows * model.weights.numel() <= SUMS or (rows <= ROWS and float(model.data_mean.mean()) <= SHARE)
    return (
        pays
        and all(units.loops is Bernoulli.loops for units in model.unit_layers())
        and model.device.type == "cpu"
        and model.dtype in (torch.float32, torch.float64)
        and not model.batched
        and plan.objective.k == 1
        and type(plan.metric) is Plain
        and plan.optimizer == "sgd"
        and not plan.penalties
        and not plan.missing
        and training.weight is None
    )


@torch.no_grad()
def advance(training: Training, order: Tensor, count: int) -> None:
    """The next ``count`` updates of an epoch with this order of cases."""
    model, plan, position = training.model, training.plan, training.position
    assert isinstance(model, RBM)
    begin = position.batch * plan.batch_size
    index = order[begin : begin + count * plan.batch_size]
    v = training.cases.rows(index, epoch=position.epoch, dtype=model.dtype)
    starts = np.minimum(np.arange(count + 1) * plan.batch_size, len(index))
    rates = np.array([training._rate(position.update + u) for u in range(count)], v.numpy().dtype)
    chains = training.objective_state["chains"] = training.objective_state["chains"].contiguous()
    draw = training.stream.advance(count)
    k0, k1, c2, visible = split(draw.key, draw.step, 0)
    hidden = split(draw.key, draw.step, 1)[-1]
    arrays = [p.detach().numpy() for p in (model.weights, model.visible_bias, model.hidden_bias)]
    persistent_updates(
        *arrays, v.contiguous().numpy(), starts, rates, chains.numpy(), draw.first, k0, k1, c2, visible, hidden
    )
    position.batch += count
    position.update += count
