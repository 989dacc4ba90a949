"""Pseudo-likelihood: a likelihood without a partition function."""

from __future__ import annotations

import torch
from torch import Tensor

from harmonium.likelihood.conditional import refuse_kept_hidden
from harmonium.models.arrays import Array, as_batch
from harmonium.models.machine.conditional import received, variable_log_probs
from harmonium.models.machine.machine import Machine, as_machine

__all__ = ["pseudo_log_likelihood"]


@torch.no_grad()
def pseudo_log_likelihood(model: Machine, v: Array) -> Tensor:
    """sum_i log p(v_i | all other v) in nats per case, (batch,), float64 (Besag 1975).

    Exact, at one change of rank one of the hidden inputs for each visible variable and each of its states.

    Args:
        model: the model.
        v: cases (batch, n_visible) in the domain of the visible units.

    Raises:
        ValueError: where v is outside the domain, the visible units do not have finitely many states, or hidden layers
            are coupled.
    """
    as_machine(model, "pseudo_log_likelihood")
    refuse_kept_hidden(model, "the pseudo-likelihood")
    units = model.visible
    units.require_independent_columns("the pseudo-likelihood")
    if not units.finite:
        raise ValueError(f"the pseudo-likelihood needs visible units with finitely many states, found {units!r}")
    v = as_batch(v, model, "v", domain=True)
    total = torch.zeros(v.shape[:-1], dtype=torch.float64, device=v.device)
    known = received(model, v)
    for column in range(units.columns):
        where, values = units.variable(column)
        here = (v[..., where].unsqueeze(-2) == values).all(-1)
        total += torch.where(here, variable_log_probs(model, v, column, known), 0.0).sum(-1)
    return total
