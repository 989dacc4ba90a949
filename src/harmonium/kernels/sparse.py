"""Products with binary states: rows of W are summed instead of multiplied by zeros and ones.

The product of a state s with W is the sum of the rows of W whose units are on.  If few are, those rows are summed one
by one (`torch.embedding_bag`, which keeps a whole sum in vector registers); if more are, by tables of sums
(`harmonium.kernels.subset_sums`), unless the dense product has more threads.  Otherwise, and whenever autograd records,
the dense product is used.  All of them sum the same numbers, in another order.
"""

from __future__ import annotations

import platform
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from harmonium.kernels.compiled import compiled
from harmonium.kernels.edges import EdgeMatrix, edge_product
from harmonium.kernels.subset_sums import FEWEST_ROWS, SMALLEST, Packed, list_on, multiply, pack, threads_for

__all__ = ["BAGS", "NARROWEST", "Active", "active", "bags", "difference_of_outers", "product", "tables_pay"]

_SHARE = 0.25  # of the units may be on: above it the dense product is as fast (784 x 500, one and two threads)
_WIDE = "AVX512" in torch.backends.cpu.get_cpu_capability()
_FEW = 0.1 if _WIDE else 0.16  # of the units: below it a list of them is faster than tables
NARROWEST = 128  # columns of W above which a list of units saves time
_GAIN = 1.5 if _WIDE else 2.0  # how much faster tables are than the dense product, thread for thread (784 x 500)
BAGS = platform.machine() in ("x86_64", "AMD64")  # on other processors torch has no vectorised embedding bags


class Active(NamedTuple):
    """Indices of the units that are on: those of row r are ``index[starts[r] : starts[r + 1]]``."""

    index: Any
    starts: Any
    units: int


def active(s: Tensor, width: int) -> Active | None:
    """List the units that are on in binary states s (batch, n); None if the dense product with (n, width) is faster."""
    if not (BAGS and _fits(s) and s.dtype == torch.float32 and width >= NARROWEST):
        return None
    return _list(pack(s), _SHARE)


def product(s: Tensor, weights: Tensor | EdgeMatrix) -> Tensor:
    """s @ weights for states s (..., batch, n) and weights (..., n, width)."""
    if isinstance(weights, EdgeMatrix):
        return edge_product(s, weights)
    if s.dim() == weights.dim() == 3 and len(s) == len(weights) > 0:
        first = _sums(s[0], weights[0])
        if first is not None:  # the models of a batch are alike
            others = zip(s[1:], weights[1:], strict=True)
            return torch.stack([first, *(product(*pair) for pair in others)])
    sums = _sums(s, weights)
    return s @ weights if sums is None else sums


def tables_pay(rows: int, units: int, width: int) -> bool:
    """Whether tables of sums are faster than the dense product of (rows, units) and (units, width)."""
    if rows < FEWEST_ROWS or min(units, width) < SMALLEST:
        return False
    return _GAIN * threads_for(rows, units, width) >= torch.get_num_threads()


def _fits(s: Tensor) -> bool:
    return s.dim() == 2 and s.device.type == "cpu" and not s.requires_grad


def _list(states: Packed, share: float) -> Active | None:
    if not 0 <= states.on <= share * states.rows * states.units:
        return None
    return Active(*list_on(states), states.units)


def _sums(s: Tensor, weights: Tensor) -> Tensor | None:
    """s @ weights by sums of rows; None if the dense product is faster."""
    recorded = torch.is_grad_enabled() and weights.requires_grad
    if not _fits(s) or weights.dim() != 2 or weights.dtype != s.dtype or recorded:
        return None
    if s.dtype not in (torch.float32, torch.float64):
        return None
    (rows, units), width = s.shape, weights.shape[1]
    rowwise = weights.is_contiguous()
    bagged = BAGS and rowwise and s.dtype == torch.float32 and width >= NARROWEST
    tabled = tables_pay(rows, units, width) and (rowwise or weights.mT.is_contiguous())
    if not (bagged or tabled):
        return None
    states = pack(s)
    on = _list(states, _FEW if tabled else _SHARE) if bagged else None
    if on is not None:
        return bags(weights.detach(), on.index, on.starts)
    return multiply(states, weights) if tabled and states.on >= 0 else None


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
