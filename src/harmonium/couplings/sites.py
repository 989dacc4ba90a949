"""The states of every site of a layer, encoded."""

from __future__ import annotations

import torch
from torch import Tensor

from harmonium.units import Units

__all__ = ["states_per_site"]


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
