"""Colouring of a lateral layer: sets of units that can be updated together."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import Tensor

from harmonium.kernels.edges import EdgeList
from harmonium.kernels.graphs import greedy_colours

__all__ = ["classes_of", "colour_classes"]


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
    columns = np.nonzero(coupled)[1]
    starts = np.concatenate(([0], degrees.cumsum()))
    colour = greedy_colours(starts, columns.astype(np.int32))
    return [torch.from_numpy(np.flatnonzero(colour == c)) for c in range(colour.max() + 1)]


def classes_of(edges: EdgeList) -> list[Tensor]:
    """The same classes from a list of the edges of a layer that is coupled to itself."""
    order, bounds = edges.to_columns.order, edges.to_columns.bounds
    return [torch.from_numpy(order[low:high].astype(np.int64)) for low, high in itertools.pairwise(bounds)]
