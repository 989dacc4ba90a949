"""Exact conditional distributions of one visible variable given all others."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from harmonium import kernels
from harmonium.models.machine.machine import Machine

__all__ = ["VisibleInputs", "variable_log_probs", "visible_inputs"]


class VisibleInputs(NamedTuple):
    """What `variable_log_probs` computes once for all variables of the same states.

    Attributes:
        inputs: inputs of the marginalised layers, by layer.
        field: fields of the visible units without those layers.
    """

    inputs: dict[int, Tensor]
    field: Tensor


def visible_inputs(machine: Machine, v: Tensor) -> VisibleInputs:
    """Compute what depends on the encoded states v (batch, size) only (see `variable_log_probs`)."""
    state = machine.visible_only_state(v)
    field = machine.visible.natural()[0].unsqueeze(-2)
    if 0 in machine.lateral:
        field = field + kernels.product(v, machine.matrix(machine.lateral[0]))
    return VisibleInputs({layer: machine.inputs(layer, state) for layer in machine.marginalised}, field)


def variable_log_probs(machine: Machine, v: Tensor, column: int, cache: VisibleInputs | None = None) -> Tensor:
    """log p(v_i = k | all other variables) for every state k of one variable: (batch, states), float64.

    Exact, with one rank-one change of the hidden inputs per state.  Differentiable.

    Args:
        machine: the machine, with hidden layers that can be summed out.
        v: encoded states (batch, size); those of the variable itself are ignored, but must be finite.
        column: the raw column of the variable.
        cache: result of `visible_inputs`, to be reused for several variables.
    """
    units = machine.visible
    where, values = units.variable(column)
    inputs, fields = visible_inputs(machine, v) if cache is None else cache
    rows = {
        b: machine.form(name).rows(machine.couplings[name], where)
        for name, (a, b) in machine.edges.items()
        if b in machine.marginalised
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
        if measure is not None:  # of this variable only: that of the others is the same for all its states
            moved = moved + measure[..., where].sum(-1, dtype=torch.float64)
        log_weights.append(moved)
    return torch.log_softmax(torch.stack(log_weights, -1), -1)
