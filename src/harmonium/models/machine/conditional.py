"""Exact conditional distribution of one visible variable given all others."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.models.machine.machine import Machine

__all__ = ["Received", "received", "variable_log_probs"]


class Received(NamedTuple):
    """What visible states send and receive: the same for every variable, so that it is found once."""

    inputs: dict[int, Tensor]
    field: Tensor


def received(machine: Machine, v: Tensor) -> Received:
    """Inputs of the summed-out layers from v (batch, size), and the fields of the visible units without them."""
    state = machine.visible_only_state(v)
    field = machine.visible.natural()[0].unsqueeze(-2)
    if 0 in machine.lateral:
        field = field + v @ machine.couplings[machine.lateral[0]]
    return Received({layer: machine.inputs(layer, state) for layer in machine.marginalised}, field)


def variable_log_probs(machine: Machine, v: Tensor, column: int, known: Received | None = None) -> Tensor:
    """log p(v_i = k | all other variables) for every state k of the variable in one column outside: (batch, states).

    Exact, at one change of rank one of the hidden inputs for each state.  float64, differentiable.

    Args:
        machine: the machine, with hidden layers that can be summed out.
        v: states inside (batch, size); those of the variable itself are not looked at, but must be finite.
        column: of the variable outside.
        known: what `received` gives, where several variables are asked for.
    """
    units = machine.visible
    where, values = units.variable(column)
    inputs, fields = received(machine, v) if known is None else known
    rows = {
        b: machine.couplings[name][..., where, :] for name, (a, b) in machine.edges.items() if b in machine.marginalised
    }
    field, one = fields[..., where], v[..., :1, :]
    log_weights = []
    for value in values:
        change = value - v[..., where]
        moved = (change * field).sum(-1).double()
        for layer, x in inputs.items():
            moved = moved + machine.units(layer).log_normalizer(x + change @ rows[layer])
        there = torch.cat((one[..., : where.start], value.expand_as(one[..., where]), one[..., where.stop :]), -1)
        measure = units.log_measure(there)
        if measure is not None:  # of the variable alone: the others' is the same for all its states
            moved = moved + measure[..., where].sum(-1, dtype=torch.float64)
        log_weights.append(moved)
    return torch.log_softmax(torch.stack(log_weights, -1), -1)
