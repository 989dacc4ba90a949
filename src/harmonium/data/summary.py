"""One pass over a table: what training, the units' checks and the descriptions of data need to know about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from harmonium.kernels.cache import compiled

__all__ = ["FEW_CODES", "Summary", "summarise"]

FEW_CODES = 32
"""Up to this many whole numbers 0, 1, 2, ... in a column are codes of categories; with more they are numbers."""


@dataclass(frozen=True)
class Summary:
    """Moments, range and kinds of the columns of a table, as a model sees it (scaled, binarised, standardised).

    Attributes:
        mean: (features,), float64, only valid if ``finite``.
        variance: (features,), float64, divided by the number of cases; only valid if ``finite``.
        column_low: (features,), float64, the least value of each column, NaN aside; inf if there is none.
        column_high: (features,), float64, the greatest value of each column, NaN aside; -inf if there is none.
        whole: (features,), bool, whether all values of a column are whole numbers, NaN aside.
        zeros: the share of zeros among the values that are not NaN.
        missing: how many values are NaN.
        first_bad: (row, column, value) of the first value that is NaN or infinite, or None.
    """

    mean: Tensor
    variance: Tensor
    column_low: Tensor
    column_high: Tensor
    whole: Tensor
    zeros: float
    missing: int = 0
    first_bad: tuple[int, int, float] | None = None

    @property
    def low(self) -> float:
        """The least value, NaN aside."""
        return float(self.column_low.min())

    @property
    def high(self) -> float:
        """The greatest value, NaN aside."""
        return float(self.column_high.max())

    @property
    def finite(self) -> bool:
        """Whether no value is NaN or infinite."""
        return self.first_bad is None

    @property
    def binary_columns(self) -> Tensor:
        """(features,), bool, whether all values of a column are 0 or 1, NaN aside."""
        return self.whole & (self.column_low >= 0) & (self.column_high <= 1)

    @property
    def code_columns(self) -> Tensor:
        """(features,), bool, whether the values of a column are codes 0, 1, 2, ... of 3 to `FEW_CODES` categories."""
        return self.whole & (self.column_low == 0) & (self.column_high > 1) & (self.column_high < FEW_CODES)

    @property
    def binary(self) -> bool:
        """Whether every value is 0 or 1."""
        return self.finite and bool(self.binary_columns.all())


def summarise(chunks: Iterable[tuple[int, Tensor]]) -> Summary:
    """Summarise consecutive blocks of rows.

    Args:
        chunks: pairs of the number of a block's first row and its rows, (rows, features) float64.

    Returns:
        The summary of all rows.
    """
    count = zeros = missing = 0
    mean = square = low = high = fraction = np.zeros(0)
    first_bad: tuple[int, int, float] | None = None
    for start, chunk in chunks:
        block = chunk.numpy()
        rows, width = block.shape
        if count == 0:
            low, high, fraction = np.full(width, np.inf), np.full(width, -np.inf), np.zeros(width, np.bool_)
        block_mean, block_square = np.zeros(width), np.zeros(width)
        block_zeros, block_missing, finite = _moments(block, block_mean, block_square, low, high, fraction)
        zeros, missing = zeros + block_zeros, missing + block_missing
        if first_bad is None and not finite:
            r, j = (int(k) for k in np.argwhere(~np.isfinite(block))[0])
            first_bad = (start + r, j, float(block[r, j]))
        if count == 0:
            mean, square, count = block_mean, block_square, rows
            continue
        # Chan, Golub & LeVeque 1979: pairs of (mean, sum of squared deviations) add up without cancellation.
        total = count + rows
        with np.errstate(invalid="ignore", over="ignore"):  # infinities are reported, once, by ``first_bad``
            shift = block_mean - mean
            mean = mean + shift * (rows / total)
            square = square + block_square + shift * shift * (count * rows / total)
        count = total
    return Summary(
        torch.from_numpy(mean), torch.from_numpy(square / max(count, 1)), torch.from_numpy(low), torch.from_numpy(high),
        torch.from_numpy(np.logical_not(fraction)), zeros / max(1, count * len(mean) - missing), missing, first_bad,
    )  # fmt: skip


@compiled(nogil=True)
def _moments(block, mean, square, low, high, fraction):  # type: ignore[no-untyped-def]
    """Fill the column means and sums of squared deviations of a block, update ``low``, ``high`` and ``fraction``.

    Returns:
        The number of zeros, the number of NaN, and whether all values are finite.
    """
    rows, width = block.shape
    zeros, missing, bad = 0, 0, 0
    for r in range(rows):
        for j in range(width):
            x = np.float64(block[r, j])
            mean[j] += x
            low[j] = x if x < low[j] else low[j]
            high[j] = x if x > high[j] else high[j]
            fraction[j] |= x - np.floor(x) > 0.0
            zeros += x == 0.0
            missing += x != x
            bad += not abs(x) < np.inf
    for j in range(width):
        mean[j] /= rows
    for r in range(rows):
        for j in range(width):
            deviation = np.float64(block[r, j]) - mean[j]
            square[j] += deviation * deviation
    return zeros, missing, bad == 0
