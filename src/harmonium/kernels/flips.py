"""Incremental inputs: updated by the units that changed, instead of recomputed by a product.

When states s become s', the inputs s . W become

    s' . W = s . W + sum_j (s'_j - s_j) W_j,

with a sum over the units that changed, where W_j is row j of W.  Chains of a trained model at fixed weights change few
of their units in a sweep (binary units flip, a categorical variable turns one unit off and another on), so that adding
those rows takes less time than a product.  The result differs by rounding; a full product every `REFRESH` calls keeps
the error small.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numba.extending import register_jitable
from torch import Tensor

from harmonium.kernels.compiled import OPTIONS, compiled
from harmonium.kernels.edges import EdgeMatrix
from harmonium.kernels.rows import add_rows
from harmonium.kernels.sparse import BAGS, NARROWEST, bags, tables_pay
from harmonium.kernels.subset_sums import pack

__all__ = ["REFRESH", "Flips", "add_flips_", "flips_pay", "list_flips"]

REFRESH = 64
"""Calls between two full products."""

_SHARE = 0.25  # of the units that may change: above it a product of all rows is as fast (784 x 500, one thread)
_SHARE_OF_TABLES = 0.08  # the same where the product is one by tables of sums
_ROW = 0.33  # of the units of one row that may change: above it the row needs a product
_FEW = 0.75  # of the rows that may need a product: above it all rows get one


class Flips(NamedTuple):
    """Indices of the units that changed: those of row r are ``index[starts[r] : starts[r + 1]]``.

    Rows with many changes have none in the list and are named in ``others``, (rows,), int64: they need a product.
    """

    index: Any
    starts: Any
    others: Tensor
    old: Tensor
    new: Tensor


def flips_pay(weights: Tensor | EdgeMatrix) -> bool:
    """Whether incremental inputs can save time with these weights: wide matrices on the CPU."""
    if isinstance(weights, EdgeMatrix):
        return False
    plain = weights.dim() == 2 and weights.device.type == "cpu" and weights.dtype in (torch.float32, torch.float64)
    return plain and weights.shape[1] >= NARROWEST


def list_flips(old: Tensor, new: Tensor, width: int = 0) -> Flips | None:
    """List the units whose states differ between old and new (batch, n); None if a product of all rows is faster.

    A row needs a product if more than a third of its units changed; all rows do if more than a quarter of the units in
    the other rows changed (of binary units 8 %, if a product with ``width`` columns is fast), or more than are on in
    them.
    """
    if old.shape != new.shape or old.dtype != new.dtype or old.dim() != 2:
        return None
    rows, units = new.shape
    most = int(_ROW * units)
    starts = np.empty(rows + 1, np.int32)
    index = np.empty(rows * most + units + 8, np.int32)
    others = np.empty(rows, np.int64)
    old, new = old.contiguous(), new.contiguous()
    fast = tables_pay(rows, units, width) and pack(new).on >= 0
    share = _SHARE_OF_TABLES if fast else _SHARE
    left = _list_changes(old.numpy(), new.numpy(), most, share, _FEW * rows, index, starts, others)
    return None if left < 0 else Flips(index[: starts[-1]], starts, torch.from_numpy(others[:left]), old, new)


def add_flips_(x: Tensor, changed: Flips, weights: Tensor) -> Tensor:
    """x (batch, width) += (new - old) @ weights (n, width), in place, except for the rows that need a product."""
    W = weights.detach()
    change = np.empty(len(changed.index), changed.new.numpy().dtype)
    _changes(changed.old.numpy(), changed.new.numpy(), changed.index, changed.starts, change)
    if torch.get_num_threads() > 1 and BAGS and x.dtype == torch.float32:  # embedding bags use several threads
        return x.add_(bags(W, changed.index, changed.starts, torch.from_numpy(change)))
    _add_rows(x.numpy(), W.numpy(), changed.index, changed.starts, change)
    return x


@register_jitable(**OPTIONS)
def _flag(old, new, flags):
    for j in range(old.shape[0]):
        flags[j] = old[j] != new[j]


@register_jitable(**OPTIONS)
def _count_on(s):
    on = 0
    for j in range(s.shape[0]):
        on += s[j] != 0
    return on


@register_jitable(**OPTIONS)
def _list_flagged(flags, index, n):
    eights = flags.view(np.uint64)
    for b in range(eights.shape[0]):
        if eights[b] != 0:
            for j in range(8 * b, 8 * b + 8):  # without a branch: always written, kept if flagged
                index[n] = j
                n += flags[j]
    return n


@compiled
def _list_changes(old, new, most, share, few, index, starts, others):
    """Write the units of each row that differ, and the rows that need a product; return their number, or -1 for all."""
    rows, units = new.shape
    flags = np.zeros(8 * ((units + 7) // 8), np.uint8)
    n, left, on = 0, 0, 0
    starts[0] = 0
    for r in range(rows):
        _flag(old[r], new[r], flags)
        end = _list_flagged(flags, index, n)
        if end - n > most:
            others[left] = r
            left += 1
            if left > few:
                return -1
        else:
            n = end
            on += _count_on(new[r])
        starts[r + 1] = n
    return left if n <= min(on, share * units * (rows - left)) else -1


@compiled
def _changes(old, new, index, starts, change):
    for r in range(starts.shape[0] - 1):
        for k in range(starts[r], starts[r + 1]):
            change[k] = new[r, index[k]] - old[r, index[k]]


@compiled
def _add_rows(x, weights, index, starts, change):
    for r in range(x.shape[0]):
        row = slice(starts[r], starts[r + 1])
        add_rows(x[r], weights, index[row], change[row])
