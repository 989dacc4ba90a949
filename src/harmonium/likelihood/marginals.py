"""The distribution of every single variable given some of the others."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import Any

import torch
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.likelihood.conditional import refuse_coupled_hidden
from harmonium.models.autoregressive.made import MADE
from harmonium.models.autoregressive.nade import NADE
from harmonium.models.autoregressive.orderless import OrderlessNADE
from harmonium.models.baselines.mixture import BernoulliMixture
from harmonium.models.machine.machine import Machine
from harmonium.models.model import Model
from harmonium.sampling.impute import conditional_means
from harmonium.sampling.resampling import propose

__all__ = ["marginals"]

SWEEPS, CHAINS, DRAWS = 200, 4, 128
_ROWS = 2048  # cases at a time, to bound memory
_STATES = 1 << 14


@singledispatch
def marginals(model: Any, v: Tensor, observed: Tensor, stream: Stream) -> Tensor:
    """Compute the means of single variables given the observed ones: of categorical units, their probabilities.

    An `OrderlessNADE` and a mixture compute them exactly.  Other models do so if one variable of finitely many states
    is not observed.  Otherwise a machine runs chains with the observed ones clamped, and NADE and MADE weight draws
    along their ordering by the probability of what is observed.

    Args:
        model: the model.
        v: encoded states (batch, size); those of other variables are ignored.
        observed: bool (batch, columns).
        stream: of chains or draws.

    Returns:
        (batch, size), of the variables that are not observed; the others keep their values.

    Raises:
        TypeError: for a model that cannot do it.
    """
    raise TypeError(f"a {type(model).__name__} does not know the distribution of single variables given others")


@marginals.register
@torch.no_grad()
def _(model: OrderlessNADE, v: Tensor, observed: Tensor, stream: Stream) -> Tensor:
    seen = model.visible.repeat_per_column(observed)
    held = torch.where(seen, v, 0.0)
    found = [
        model.outputs.mean(model.network(held[rows], observed[rows].to(held.dtype)))
        for rows in torch.split(torch.arange(len(v)), _ROWS)
    ]
    return torch.where(seen, v, torch.cat(found))


@marginals.register
@torch.no_grad()
def _(model: BernoulliMixture, v: Tensor, observed: Tensor, stream: Stream) -> Tensor:
    units = model.units
    seen = units.repeat_per_column(observed)
    components = units.mean(model.inputs)
    share = torch.softmax(model.log_joint_of(torch.where(seen, v, 0.0), observed), -1)
    return torch.where(seen, v, (share.to(components) @ components))


@marginals.register
@torch.no_grad()
def _(model: Machine, v: Tensor, observed: Tensor, stream: Stream) -> Tensor:
    units = model.visible
    column = _only_hidden(model, observed)
    if column is not None and model.sampled_layers == [0]:
        refuse_coupled_hidden(model, "marginals")
        return _enumerated(model, v, column, lambda s: model.log_weight(model.visible_only_state(s)))
    seen = units.repeat_per_column(observed)
    return conditional_means(model, torch.where(seen, v, torch.nan), stream, SWEEPS, CHAINS)


@marginals.register(NADE)
@marginals.register(MADE)
@torch.no_grad()
def _(model: NADE | MADE, v: Tensor, observed: Tensor, stream: Stream) -> Tensor:
    column = _only_hidden(model, observed)
    if column is not None:
        return _enumerated(model, v, column, model.log_likelihood)
    seen = model.visible.repeat_per_column(observed)
    found = []
    for rows in torch.split(torch.arange(len(v)), max(1, _ROWS * 16 // DRAWS)):
        many = torch.where(seen[rows], v[rows], 0.0).repeat_interleave(DRAWS, 0)
        drawn, log_w = propose(model, many, observed[rows].repeat_interleave(DRAWS, 0), stream)
        share = torch.softmax(log_w.view(len(rows), DRAWS), -1).to(drawn)
        found.append((share.unsqueeze(-1) * drawn.view(len(rows), DRAWS, -1)).sum(1))
    return torch.where(seen, v, torch.cat(found))


def _only_hidden(model: Model, observed: Tensor) -> int | None:
    """The variable that is not observed, if it is the only one, the same in all rows, and of finitely many states."""
    hidden = ~observed
    same = bool((hidden == hidden[:1]).all()) and int(hidden[0].sum()) == 1
    return int(hidden[0].nonzero()[0]) if same and model.visible.finite else None


def _enumerated(model: Model, v: Tensor, column: int, log_weight: Callable[[Tensor], Tensor]) -> Tensor:
    """The probabilities of one variable given all others, from the weights of its states."""
    where, states = model.visible.variable(column)
    found = []
    for rows in torch.split(v, max(1, _STATES // len(states))):
        filled = rows.repeat_interleave(len(states), 0)
        filled[:, where] = states.repeat(len(rows), 1)
        log_p = log_weight(filled).view(len(rows), len(states))
        out = rows.clone()
        out[:, where] = (torch.softmax(log_p, -1).to(states) @ states).to(out)
        found.append(out)
    return torch.cat(found)
