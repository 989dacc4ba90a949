"""The margins of a network for all orderings, corrected at every place of each of its orderings."""

from __future__ import annotations

import torch
from torch import Tensor

from harmonium.core.rows import some_rows
from harmonium.models.autoregressive.orderings import slices_of
from harmonium.models.autoregressive.orderless import OrderlessNADE

__all__ = ["calibrated"]

MOST_ROWS, MOST_NUMBERS = 25_000, 25_000_000  # rows, and rows times states, of which all probabilities are kept
LEAST_ROWS = 500
PART = 2_000  # rows in one pass
PRIOR = 10.0  # cases of a state, at which half of a logarithmic ratio is believed
ROUNDS = 8


@torch.no_grad()
def calibrated(model: OrderlessNADE, v: Tensor) -> OrderlessNADE:
    """The model with offsets by which the mean of each variable's probabilities is that of these cases.

    A network that is trained on random sets of observed variables is a little wrong on average in each single one of
    them: the frequencies of what is drawn are off by a hundredth.  Biases of their own for every variable in each of
    the orderings, estimated by maximum likelihood with the network as it is (iterative scaling, with a prior of some
    cases for the network), make them right.

    Args:
        model: of categorical variables.
        v: encoded cases (n, size) without gaps.

    Returns:
        a model that shares its parameters with this one; the model itself for less than 500 cases.
    """
    rows = min(MOST_ROWS, MOST_NUMBERS // model.visible.size, len(v))
    if rows < LEAST_ROWS:
        return model
    v = v[some_rows(len(v), rows)]
    offsets = torch.stack([_offsets(model.under(ordering), v) for ordering in model.orderings])
    return model.under(model.orderings, offsets)


def _offsets(model: OrderlessNADE, v: Tensor) -> Tensor:
    """Offsets of the outputs under a single ordering, (width,)."""
    variables = slices_of(model.visible.variable_of_column())
    p = torch.cat([_probabilities(model, part, variables) for part in torch.split(v, PART)])
    return torch.cat([_scaled(p[:, own], v[:, own]) for own in variables])


def _probabilities(model: OrderlessNADE, v: Tensor, variables: list[slice]) -> Tensor:
    """Probabilities of all states given the variables before theirs, (batch, size)."""
    network = model.network.incremental(torch.zeros_like(v), v.new_zeros(len(v), len(variables)))
    x = torch.empty_like(v)
    everywhere = torch.ones(len(v), dtype=torch.bool)
    for i in model.orderings[0].tolist():
        x[:, variables[i]] = network.logits(variables[i])
        network.set_units(i, variables[i], v[:, variables[i]], everywhere)
    return model.outputs.mean(x).to(v.dtype)


def _scaled(p: Tensor, v: Tensor) -> Tensor:
    """Log-factors of states, by which probabilities p (n, states) have nearly the mean of the states v (n, states)."""
    said, seen = p.sum(0, dtype=torch.float64), v.sum(0, dtype=torch.float64)
    said = said.clamp(min=1e-12)
    wanted = said * (seen.clamp(min=1) / said) ** (seen / (seen + PRIOR))  # rare states say little against the network
    wanted = wanted * (len(p) / wanted.sum())
    factor = torch.ones_like(said)
    for _ in range(ROUNDS):
        weighted = p * factor.to(p.dtype)
        now = (weighted / weighted.sum(1, keepdim=True)).sum(0, dtype=torch.float64)
        factor = factor * wanted / now.clamp(min=1e-12)
    return factor.log()
