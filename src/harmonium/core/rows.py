"""Choosing some rows of many, and means over rows."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["evenly_spaced", "some_rows", "weighted_mean"]


def evenly_spaced(total: int, count: int) -> Tensor:
    """Return ``count`` evenly spaced row numbers, the first and the last included; some repeat if ``count > total``.

    >>> evenly_spaced(10, 4).tolist()
    [0, 3, 6, 9]
    """
    return torch.linspace(0, total - 1, count, dtype=torch.float64).round().long()


def some_rows(total: int, most: int) -> Tensor:
    """Return at most ``most`` evenly spaced row numbers, each once: all of them if ``total`` is no larger.

    >>> some_rows(10, 4).tolist(), some_rows(2, 4).tolist()
    ([0, 3, 6, 9], [0, 1])
    """
    return evenly_spaced(total, min(most, total))


def weighted_mean(values: Tensor, weight: Tensor | None) -> float:
    """Mean over rows of values (rows,), by their weights (rows,) if they have any.

    >>> weighted_mean(torch.tensor([1.0, 4.0]), torch.tensor([2.0, 1.0]))
    2.0
    """
    if weight is None:
        return float(values.mean())
    weight = weight.to(values.device, torch.float64)
    return float((weight * values).sum() / weight.sum())
