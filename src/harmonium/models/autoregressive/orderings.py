"""Orderings of variables: checked, or drawn at random."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from harmonium import kernels
from harmonium.core.random import Stream
from harmonium.models.arrays import Array

__all__ = ["as_ordering", "as_orderings", "random_orderings", "slices_of"]


def as_ordering(ordering: Array | None, columns: int) -> Tensor:
    """One ordering of the variables, int64 (columns,); by default column order.

    Raises:
        ValueError: if it is not a permutation of 0 ... columns - 1.
    """
    if ordering is None:
        return torch.arange(columns)
    table = as_orderings(ordering, columns, "ordering")
    if len(table) != 1:
        raise ValueError(f"ordering must be one permutation of 0 ... {columns - 1}, found {len(table)} of them")
    return table[0].cpu()


def as_orderings(orderings: Array, columns: int, name: str = "orderings") -> Tensor:
    """Orderings of the variables, int64 (N, columns), from one, (columns,), or several.

    Raises:
        ValueError: for another width, or if one is not a permutation of 0 ... columns - 1.
    """
    table = orderings if isinstance(orderings, Tensor) else np.asarray(orderings)
    integers = not table.is_floating_point() if isinstance(table, Tensor) else table.dtype.kind in "iu"
    if not integers or table.ndim not in (1, 2) or table.shape[-1] != columns or not len(table):
        raise ValueError(
            f"{name} must be permutations of 0 ... {columns - 1}, found {table.dtype} of shape {tuple(table.shape)}: "
            f"give integers, ({columns},) or (N, {columns}), every variable once"
        )
    table = torch.as_tensor(table).long().view(-1, columns)
    wrong = (table.sort(-1).values != torch.arange(columns, device=table.device)).any(-1)
    if bool(wrong.any()):
        row = int(wrong.nonzero()[0])
        missing = sorted(set(range(columns)) - set(table[row].tolist()))[0]
        raise ValueError(f"{name} is not a permutation of 0 ... {columns - 1} in row {row}, which lacks {missing}: "
                         "give every variable once")  # fmt: skip
    return table


def random_orderings(count: int, columns: int, stream: Stream) -> Tensor:
    """Random permutations of 0 ... columns - 1, int64 (count, columns)."""
    return torch.stack([kernels.permutation(stream.advance(), columns) for _ in range(count)])


def slices_of(variable: Tensor) -> list[slice]:
    """The columns of each variable, from the variable that every column belongs to (ascending)."""
    ends = [0, *torch.bincount(variable).cumsum(0).tolist()]
    return [slice(*pair) for pair in pairwise(ends)]
