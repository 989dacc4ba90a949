"""Products with sparse binary states: rows of W are summed instead of multiplied by zeros.

The product of a state s with W is the sum of the rows of W whose units are on.  If at most a quarter of the units are
on, summing those rows (`torch.embedding_bag`, which keeps a whole sum in vector registers) takes less time than the
dense product; otherwise, and whenever autograd records, the dense product is used.  Both sum the same numbers, in
another order.
"""

from __future__ import annotations

import platform
from typing import Any, NamedTuple

import numpy as np
import torch
from numba.extending import register_jitable
from torch import Tensor

from harmonium.kernels.compiled import OPTIONS, compiled
from harmonium.kernels.edges import EdgeMatrix, edge_product

__all__ = ["BAGS", "NARROWEST", "Active", "active", "bags", "difference_of_outers", "product"]

_SHARE = 0.25  # of the units may be on: above it the dense product is as fast (784 x 500, one and two threads)
NARROWEST = 128  # columns of W above which a list of units saves time
BAGS = platform.machine() in ("x86_64", "AMD64")  # on other processors torch has no vectorised embedding bags


class Active(NamedTuple):
    """Indices of the units that are on: those of row r are ``index[starts[r] : starts[r + 1]]``."""

    index: Any
    starts: Any
    units: int


def active(s: Tensor, width: int) -> Active | None:
    """List the units that are on in binary states s (batch, n); None if the dense product with (n, width) is faster."""
    fits = s.dim() == 2 and s.device.type == "cpu" and s.dtype == torch.float32 and not s.requires_grad
    if not (BAGS and fits and width >= NARROWEST):
        return None
    rows, units = s.shape
    starts = np.empty(rows + 1, np.int32)
    index = np.empty(int(_SHARE * rows * units) + units, np.int32)
    count = _list_active(s.contiguous().numpy(), _SHARE, index, starts)
    return None if count < 0 else Active(index[:count], starts, units)


def product(s: Tensor, weights: Tensor | EdgeMatrix) -> Tensor:
    """s @ weights for states s (..., batch, n) and weights (..., n, width)."""
    if isinstance(weights, EdgeMatrix):
        return edge_product(s, weights)
    stacked = s.dim() == weights.dim() == 3 and len(s) == len(weights) > 0
    if stacked and weights[0].is_contiguous() and active(s[0], weights.shape[-1]) is not None:
        return torch.stack([product(*pair) for pair in zip(s, weights, strict=True)])  # the models of a batch are alike
    if weights.dim() == 2 and weights.is_contiguous() and not (torch.is_grad_enabled() and weights.requires_grad):
        on = active(s, weights.shape[1])
        if on is not None:
            return bags(weights.detach(), on.index, on.starts)
    return s @ weights


def difference_of_outers(plus: tuple[Tensor, Tensor], minus: tuple[Tensor, Tensor]) -> Tensor | None:
    """Compute left' right of the pair ``plus`` minus that of ``minus`` in one pass; None if dense products are faster.

    Each pair is left (batch, n), binary, and right (batch, width).
    """
    width = plus[1].shape[-1]
    lists = []
    for left, _ in (plus, minus):
        on = active(left, width)
        if on is None:
            return None
        lists.append(on)
    first, second = lists
    units = first.units
    index = np.empty(len(first.index) + len(second.index), np.int32)
    starts = np.zeros(units + 1, np.int32)
    _list_rows(first.index, first.starts, second.index, second.starts, index, starts)
    return bags(torch.cat((plus[1], -minus[1])), index, starts)


def bags(weights: Tensor, index: Any, starts: Any, factors: Tensor | None = None) -> Tensor:
    """Sums of rows of ``weights``, each times its factor: sum r goes over ``index[starts[r] : starts[r + 1]]``."""
    out: Tensor = torch.embedding_bag(
        weights, torch.from_numpy(index), torch.from_numpy(starts), False, 0, False, factors, True
    )[0]
    return out


@compiled
def _list_active(s, share, index, starts):
    """Write the indices of ones in binary states s (rows, units) and return their number, or -1.

    -1 means that a state is neither 0 nor 1, or that more than a ``share`` of them is on; ``index`` has room for one
    more row.
    """
    rows, units = s.shape
    limit = index.shape[0] - units
    n = 0
    starts[0] = 0
    for r in range(rows):
        if not _is_binary(s[r]):
            return -1
        n = _list_row(s[r], index, n)
        starts[r + 1] = n
        if n > limit or (r == 7 and n > 12 * share * units):
            return -1
    return n


@register_jitable(**(OPTIONS | {"fastmath": {"contract", "reassoc"}}))
def _is_binary(s):
    others = 0
    for j in range(s.shape[0]):
        others += (s[j] != 0) & (s[j] != 1)
    return others == 0


@register_jitable(**OPTIONS)
def _list_row(s, index, n):
    for j in range(s.shape[0]):  # without a branch: always written, kept if the unit is on
        index[n] = j
        n += s[j] != 0
    return n


@compiled
def _list_rows(first, first_starts, second, second_starts, index, starts):
    """Turn the active units of two batches, row after row, into the rows of each unit, the second's counted on."""
    units = starts.shape[0] - 1
    for k in range(first.shape[0]):
        starts[first[k] + 1] += 1
    for k in range(second.shape[0]):
        starts[second[k] + 1] += 1
    for i in range(units):
        starts[i + 1] += starts[i]
    rows = first_starts.shape[0] - 1
    for r in range(rows):
        for k in range(first_starts[r], first_starts[r + 1]):
            index[starts[first[k]]] = r
            starts[first[k]] += 1
    for r in range(second_starts.shape[0] - 1):
        for k in range(second_starts[r], second_starts[r + 1]):
            index[starts[second[k]]] = rows + r
            starts[second[k]] += 1
    for i in range(units, 0, -1):
        starts[i] = starts[i - 1]
    starts[0] = 0
