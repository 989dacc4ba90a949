"""Colouring of a lateral layer: sets of units that can be updated together."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

__all__ = ["colour_classes"]


def colour_classes(mask: Tensor, units: int) -> list[Tensor]:
    """Partition columns into classes without couplings among them, each an int64 tensor, in the order of updates.

    Greedy colouring, most coupled columns first (Welsh & Powell 1967): at most one class more than the largest number
    of neighbours.

    Args:
        mask: which columns are coupled, bool (columns, columns).
        units: number of columns.

    >>> colour_classes(torch.tensor([[0, 1, 0], [1, 0, 1], [0, 1, 0]]).bool(), 3)
    [tensor([1]), tensor([0, 2])]
    """
    coupled = mask.cpu().numpy()
    degrees = coupled.sum(-1)
    if degrees.min(initial=units) == units - 1:  # fully coupled: one class per column, in column order
        return list(torch.arange(units).unsqueeze(-1))
    colour = np.full(units, -1)
    for unit in np.argsort(-degrees, kind="stable"):
        taken = set(colour[coupled[unit]].tolist())
        colour[unit] = next(c for c in range(units) if c not in taken)
    return [torch.from_numpy(np.flatnonzero(colour == c)) for c in range(colour.max() + 1)]
