"""The likelihood of states of a table under any model, gaps summed out."""

from __future__ import annotations

import numpy as np
import torch

from harmonium.data.codecs.codec import Array
from harmonium.likelihood.partition import log_partition
from harmonium.models.directed import Tractable
from harmonium.models.machine.machine import Machine
from harmonium.models.model import Model

__all__ = ["log_probs"]

_ROWS = 4096


@torch.no_grad()
def log_probs(model: Model, states: Array, log_z: float | None = None) -> Array:
    """log p of raw states (rows, variables), (rows,) in nats; variables that are NaN are summed out.

    Args:
        model: the model.
        states: the rows.
        log_z: of a machine, if it is known.

    Raises:
        ValueError: if the model cannot sum variables out.
    """
    units = model.visible
    v = units.encode(torch.from_numpy(np.asarray(states)).to(model.dtype))
    there = ~torch.isnan(v)
    clean = v.nan_to_num(0.0)
    if isinstance(model, Machine):
        if not bool(there.all()):
            raise ValueError("an RBM cannot sum out empty cells: fill them first, or use model='orderless'")
        value = log_partition(model).value if log_z is None else log_z
        return np.asarray(model.log_weight(model.visible_only_state(clean)).double().numpy() - value)
    assert isinstance(model, Tractable)
    if bool(there.all()):
        return np.concatenate([model.log_likelihood(rows).numpy() for rows in torch.split(clean, _ROWS)])
    asked = units.one_per_column(there.to(v.dtype)) > 0
    return np.asarray(model.log_conditional(clean, asked, torch.zeros_like(asked)).numpy())
