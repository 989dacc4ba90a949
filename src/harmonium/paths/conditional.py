"""Exact conditional distributions of visible variables given others."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.models.batch import Array, as_batch, as_matrix
from harmonium.models.machine import Machine, as_machine

__all__ = ["Received", "conditional_log_prob", "received", "refuse_kept_hidden", "variable_log_probs"]

_MOST_BITS = 16
_ROWS = 1 << 14


def refuse_kept_hidden(machine: Machine, what: str) -> None:
    """Raise ValueError where hidden layers cannot be summed out exactly."""
    if machine.kept != [0]:
        raise ValueError(f"{what} needs hidden layers that can be summed out: these are coupled")


class Received(NamedTuple):
    """What visible states send and receive: the same for every variable, so that it is found once."""

    inputs: dict[int, Tensor]
    field: Tensor


def received(machine: Machine, v: Tensor) -> Received:
    """Inputs of the summed-out layers from v (batch, size), and the fields of the visible units without them."""
    state = machine.clamped(v)
    field = machine.visible.natural()[0].unsqueeze(-2)
    if 0 in machine.lateral:
        field = field + v @ machine.couplings[machine.lateral[0]]
    return Received({layer: machine.inputs(layer, state) for layer in machine.summed}, field)


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
    rows = {b: machine.couplings[name][..., where, :] for name, (a, b) in machine.edges.items() if b in machine.summed}
    field, one = fields[..., where], v[..., :1, :]
    log_weights = []
    for value in values:
        change = value - v[..., where]
        moved = (change * field).sum(-1).double()
        for layer, x in inputs.items():
            moved = moved + machine.units(layer).cumulant(x + change @ rows[layer])
        there = torch.cat((one[..., : where.start], value.expand_as(one[..., where]), one[..., where.stop :]), -1)
        measure = units.log_measure(there)
        if measure is not None:  # of the variable alone: the others' is the same for all its states
            moved = moved + measure[..., where].sum(-1, dtype=torch.float64)
        log_weights.append(moved)
    return torch.log_softmax(torch.stack(log_weights, -1), -1)


@torch.no_grad()
def conditional_log_prob(machine: Machine, v: Array, given: Array) -> Tensor:
    """log p(the other visible variables | the given ones) in nats, (batch,), float64.

    Exact, by enumerating the other variables: the partition function cancels.

    Args:
        machine: a machine with hidden layers that can be summed out.
        v: cases (batch, n_visible).
        given: which variables are given, bool (n_visible,).

    Raises:
        ValueError: where the other variables have more than 2^16 joint states, or not finitely many.

    >>> import harmonium as hm
    >>> rbm = hm.RBM.from_arrays([[0.0], [0.0]], [0.0, 0.0], [0.0])
    >>> conditional_log_prob(rbm, [[0, 1]], [True, False]).exp().tolist()
    [0.5]
    """
    as_machine(machine, "conditional_log_prob")
    machine.refuse_stack("conditional_log_prob")
    refuse_kept_hidden(machine, "conditional_log_prob")
    units = machine.visible
    units.need_columns("conditional_log_prob")
    states = as_batch(v, machine, "v", domain=True)
    mask = as_matrix(given, "given", torch.float64) != 0
    if mask.shape != (units.columns,):
        raise ValueError(f"given has shape {tuple(mask.shape)}; expected ({units.columns},), one entry per variable")
    free = [column for column in range(units.columns) if not bool(mask[column])]
    variables = [units.variable(column) for column in free]
    bits = sum(math.log2(len(values)) for _, values in variables)
    if bits > _MOST_BITS:
        raise ValueError(
            f"the {len(free)} variables that are not given have 2^{bits:.0f} joint states, at most 2^{_MOST_BITS} are "
            "enumerated: give more of them"
        )
    count = math.prod(len(values) for _, values in variables)
    found = []
    for row in torch.split(states, max(1, _ROWS // count)):
        filled = row.repeat_interleave(count, 0)
        index = torch.arange(count).repeat(len(row))
        for where, values in variables:
            filled[:, where] = values[index % len(values)]
            index = index // len(values)
        log_sum = torch.logsumexp(machine.log_weight(machine.clamped(filled)).view(len(row), count), -1)
        found.append(machine.log_weight(machine.clamped(row)) - log_sum)
    return torch.cat(found)
