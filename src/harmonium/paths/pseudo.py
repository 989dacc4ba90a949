"""Pseudo-likelihood: a likelihood without a partition function."""

from __future__ import annotations

import torch
from torch import Tensor

from harmonium.models.batch import Array, as_batch
from harmonium.models.machine import Machine

__all__ = ["pseudo_log_likelihood"]


@torch.no_grad()
def pseudo_log_likelihood(machine: Machine, v: Array) -> Tensor:
    """sum_i log p(v_i | all other v) in nats per case, (batch,), float64 (Besag 1975).

    Exact, at one rank-one change of the hidden inputs for each visible unit and each of its states.

    Args:
        machine: the model.
        v: cases (batch, n_visible) in the domain of the visible units.

    Raises:
        ValueError: where v is outside the domain, the visible units do not have finitely many states, or hidden layers
            are coupled.
    """
    units = machine.visible
    if machine.kept != [0]:
        raise ValueError("the pseudo-likelihood needs hidden layers that can be summed out: these are coupled")
    if not units.finite:
        raise ValueError(f"the pseudo-likelihood needs visible units with finitely many states, found {units!r}")
    v = as_batch(v, machine, "v", domain=True)
    values = units.unit_states()
    state = machine.clamped(v)
    summed = machine.summed
    inputs = {layer: machine.inputs(layer, state) for layer in summed}
    rows = {b: machine.couplings[name] for name, (a, b) in machine.edges.items() if a == 0 and b in summed}
    field = units.natural()[0].unsqueeze(-2)
    if 0 in machine.lateral:
        field = field + v @ machine.couplings[machine.lateral[0]]
    total = torch.zeros(v.shape[:-1], dtype=torch.float64, device=v.device)
    cumulants = sum(machine.units(layer).cumulant(x) for layer, x in inputs.items())
    for i in range(units.size):
        there = []
        for value in values:
            change = value - v[..., i]
            moved = sum(
                machine.units(layer).cumulant(torch.addcmul(x, change.unsqueeze(-1), rows[layer][..., i, None, :]))
                for layer, x in inputs.items()
            )
            there.append(moved - cumulants + (change * field[..., i]).double())
        total -= torch.logsumexp(torch.stack(there), 0)
    return total
