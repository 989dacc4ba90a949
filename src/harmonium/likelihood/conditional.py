"""Exact conditional distributions of visible variables given others."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from harmonium.models.arrays import Array, as_mask, as_raw
from harmonium.models.directed import Directed
from harmonium.models.machine.machine import Machine, as_machine
from harmonium.models.model import Model, as_model
from harmonium.sampling.impute import check_observed

__all__ = ["conditional_log_prob", "refuse_coupled_hidden"]

_MOST_BITS = 16  # log2 of the joint states that are enumerated per case
_ROWS = 1 << 14  # states at a time, to bound memory


def refuse_coupled_hidden(model: Machine, what: str) -> None:
    """Raise ValueError if hidden layers cannot be summed out exactly."""
    if model.sampled_layers != [0]:
        raise ValueError(f"{what} needs hidden layers that can be summed out: these are coupled")


@torch.no_grad()
def conditional_log_prob(model: Model, v: Array, given: Array, asked: Array | None = None) -> Tensor:
    """Compute log p(the variables asked for | the given ones) exactly; the other variables are summed out.

    In a machine, all variables that are not given are enumerated, and the partition function cancels.  An
    `OrderlessNADE` uses orderings that start with the given variables and continue with those asked for; a NADE or
    MADE can condition on those that come first in its own ordering.

    Args:
        model: a machine with hidden layers that can be summed out, or a directed model that can condition (an
            `OrderlessNADE` on any variables).
        v: cases (batch, n_visible); variables neither given nor asked for are ignored and may be NaN.
        given: which variables are given, bool (n_visible,).  None of them: a marginal probability.
        asked: which variables are asked for, bool (n_visible,).  Default: all others.

    Returns:
        nats, (batch,), float64.

    Raises:
        TypeError: for a model that is neither a machine nor directed.
        ValueError: if the variables of a machine that are not given have more than 2^16 joint states, or infinitely
            many; if a variable is both given and asked for; if the model cannot condition on these variables.

    >>> import harmonium as hm
    >>> rbm = hm.RBM.from_arrays([[0.0], [0.0]], [0.0, 0.0], [0.0])
    >>> conditional_log_prob(rbm, [[0, 1]], [True, False]).exp().tolist()
    [0.5]
    """
    units = as_model(model, "conditional_log_prob").visible
    units.require_independent_columns("conditional_log_prob")
    fixed = as_mask(given, "given", units)
    wanted = ~fixed if asked is None else as_mask(asked, "asked", units)
    if bool((fixed & wanted).any()):
        column = int((fixed & wanted).nonzero()[0])
        raise ValueError(f"the variable in column {column} is both given and asked for: its probability is 1")
    states = _observed(model, v, fixed | wanted)
    if isinstance(model, Directed):
        return model.log_conditional(states, *(mask.expand(len(states), -1) for mask in (wanted, fixed)))
    model = as_machine(model, "conditional_log_prob")
    model.refuse_batched("conditional_log_prob")
    refuse_coupled_hidden(model, "conditional_log_prob")
    free = (~fixed).nonzero()[:, 0].tolist()
    bits = sum(math.log2(len(units.variable(column)[1])) for column in free)
    if bits > _MOST_BITS:
        raise ValueError(
            f"the {len(free)} variables that are not given have 2^{bits:.0f} joint states, at most 2^{_MOST_BITS} are "
            "enumerated: give more of them"
        )
    others = (~fixed & ~wanted).nonzero()[:, 0].tolist()
    return _log_sum(model, states, others) - _log_sum(model, states, free)


def _observed(model: Model, v: Array, needed: Tensor) -> Tensor:
    """Encoded states, checked in the needed columns and 0 in the others."""
    units = model.visible
    x = as_raw(v, model, "v")
    needed = needed.to(model.device)
    wrong = needed & ~torch.isfinite(x)
    if bool(wrong.any()):
        row, column = (int(i) for i in wrong.nonzero()[0])
        raise ValueError(f"v is not finite in row {row}, column {column}: remove or impute such values first")
    encoded = units.encode(torch.where(needed, x, torch.nan), "v")
    check_observed(model, encoded, "v")
    return encoded.nan_to_num(0.0)


def _log_sum(model: Machine, states: Tensor, columns: list[int]) -> Tensor:
    """log of the sum of the weights of states over all values of the variables in these columns, (batch,), float64."""
    variables = [model.visible.variable(column) for column in columns]
    count = math.prod(len(values) for _, values in variables)
    found = []
    for row in torch.split(states, max(1, _ROWS // count)):
        filled = row.repeat_interleave(count, 0)
        index = torch.arange(count).repeat(len(row))
        for where, values in variables:
            filled[:, where] = values[index % len(values)]
            index = index // len(values)
        found.append(torch.logsumexp(model.log_weight(model.visible_only_state(filled)).view(len(row), count), -1))
    return torch.cat(found)
