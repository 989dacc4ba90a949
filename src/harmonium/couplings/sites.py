"""What is asked of a model whose sites are read: finitely many states each, and hidden units that can be summed out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from harmonium.models.machine.machine import Machine, as_machine
from harmonium.units import Units

__all__ = ["states_per_site", "summable"]


def summable(model: Any, function: str) -> Machine:
    """Return a machine whose hidden units can be summed out exactly.

    Raises:
        TypeError: for a model that is no machine, or has couplings among its hidden units.
    """
    machine = as_machine(model, function)
    machine.refuse_batched(function)
    if machine.sampled_layers != [0]:
        raise TypeError(
            f"{function} sums hidden units out, which must have no couplings among themselves; found a "
            f"{type(model).__name__} with such couplings: take an RBM, or a Boltzmann machine without them"
        )
    return machine


def states_per_site(units: Units, function: str) -> Tensor:
    """The encoded states of each site alone, all other units 0: (sites, states, size), float64.

    Raises:
        ValueError: for infinitely many states, or not equally many at each site; ``function`` needs them.
    """
    units.require_independent_columns(function)
    try:
        found = [units.variable(i) for i in range(units.columns)]
    except ValueError:
        raise ValueError(
            f"{function} needs visible units with finitely many states, such as Categorical or Spin, found {units!r}"
        ) from None
    counts = sorted({len(states) for _, states in found})
    if len(counts) > 1:
        raise ValueError(
            f"{function} needs equally many states at each site, found between {counts[0]} and {counts[-1]}"
        )
    table = torch.zeros(units.columns, counts[0], units.size, dtype=torch.float64)
    for i, (where, states) in enumerate(found):
        table[i, :, where] = states.detach().double().cpu()
    return table
