"""One pass over a table: what fit, the units' domain checks and the base rate need to know about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from harmonium.kernels.cache import compiled

__all__ = ["Summary", "summarise"]


@dataclass(frozen=True)
class Summary:
    """Moments and range of a table, as a model sees it (scaled, binarised, standardised).

    Attributes:
        mean: (features,), float64.
        variance: (features,), float64, divided by the number of cases.
        low: the least value.
        high: the greatest value.
        finite: no NaN and no infinity.
        binary: every value is 0 or 1.
        first_bad: (row, column, value) of the first value that is not finite, or None.

    Where ``finite`` is false, ``mean`` and ``variance`` are not to be used.
    """

    mean: Tensor
    variance: Tensor
    low: float
    high: float
    finite: bool
    binary: bool
    first_bad: tuple[int, int, float] | None = None


def summarise(chunks: Iterable[tuple[int, Tensor]]) -> Summary:
    """Summarise consecutive blocks of rows, given as (number of the first row, rows)."""
    count = 0
    mean = square = np.zeros(0)
    low, high, finite, binary = np.inf, -np.inf, True, True
    first_bad: tuple[int, int, float] | None = None
    for start, chunk in chunks:
        block = chunk.numpy()
        rows, width = block.shape
        block_mean, block_square = np.zeros(width), np.zeros(width)
        block_low, block_high, block_finite, block_binary = _moments(block, block_mean, block_square)
        low, high = min(low, block_low), max(high, block_high)
        finite, binary = finite and block_finite, binary and block_binary
        if first_bad is None and not block_finite:
            r, j = (int(k) for k in np.argwhere(~np.isfinite(block))[0])
            first_bad = (start + r, j, float(block[r, j]))
        if count == 0:
            mean, square, count = block_mean, block_square, rows
            continue
        # Chan, Golub & LeVeque 1979: pairs of (mean, sum of squared deviations) add up without cancellation.
        total = count + rows
        with np.errstate(invalid="ignore", over="ignore"):  # infinities are reported, once, by ``finite``
            shift = block_mean - mean
            mean = mean + shift * (rows / total)
            square = square + block_square + shift * shift * (count * rows / total)
        count = total
    variance = square / max(count, 1)
    return Summary(
        torch.from_numpy(mean), torch.from_numpy(variance), float(low), float(high), finite, binary, first_bad
    )


@compiled(nogil=True)
def _moments(block, mean, square):  # type: ignore[no-untyped-def]
    """Fill the column means and sums of squared deviations of a block; return (low, high, finite, binary)."""
    rows, width = block.shape
    low, high = np.inf, -np.inf
    odd, bad = 0, 0
    for r in range(rows):
        for j in range(width):
            x = np.float64(block[r, j])
            mean[j] += x
            low = x if x < low else low
            high = x if x > high else high
            odd += (x != 0.0) & (x != 1.0)
            bad += not abs(x) < np.inf
    for j in range(width):
        mean[j] /= rows
    for r in range(rows):
        for j in range(width):
            deviation = np.float64(block[r, j]) - mean[j]
            square[j] += deviation * deviation
    return low, high, bad == 0, odd == 0
