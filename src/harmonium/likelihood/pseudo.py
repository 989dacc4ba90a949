"""Pseudo-likelihood: the probability of each variable given all others, which needs no partition function."""

from __future__ import annotations

import torch
from torch import Tensor

from harmonium.likelihood.conditional import refuse_coupled_hidden
from harmonium.likelihood.flipped import can_flip, flipped_log_likelihood
from harmonium.models.arrays import Array, as_batch
from harmonium.models.machine.conditional import variable_log_probs, visible_inputs
from harmonium.models.machine.machine import Machine, as_machine

__all__ = ["pseudo_log_likelihood"]


@torch.no_grad()
def pseudo_log_likelihood(model: Machine, v: Array) -> Tensor:
    """Compute sum_i log p(v_i | all other v) exactly (Besag 1975).

    Takes one rank-one change of the hidden inputs for each visible variable and each of its states.

    Args:
        model: a machine with hidden layers that can be summed out.
        v: cases (batch, n_visible) in the domain of the visible units.

    Returns:
        nats, (batch,), float64.

    Raises:
        TypeError: for a model that is not a machine.
        ValueError: if v is outside the domain, visible units do not have finitely many states, or hidden layers are
            coupled.

    >>> import harmonium as hm
    >>> pseudo_log_likelihood(hm.RBM.from_arrays([[0.0], [0.0]], [0.0, 0.0], [0.0]), [[0, 1]]).exp().tolist()
    [0.25]
    """
    as_machine(model, "pseudo_log_likelihood")
    refuse_coupled_hidden(model, "the pseudo-likelihood")
    units = model.visible
    units.require_independent_columns("the pseudo-likelihood")
    if not units.finite:
        raise ValueError(f"the pseudo-likelihood needs visible units with finitely many states, found {units!r}")
    v = as_batch(v, model, "v", domain=True)
    if v.ndim == 2 and can_flip(model):
        return flipped_log_likelihood(model, v)
    total = torch.zeros(v.shape[:-1], dtype=torch.float64, device=v.device)
    cache = visible_inputs(model, v)
    for column in range(units.columns):
        where, values = units.variable(column)
        here = (v[..., where].unsqueeze(-2) == values).all(-1)
        total += torch.where(here, variable_log_probs(model, v, column, cache), 0.0).sum(-1)
    return total
