"""Choosing some rows of many."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["evenly_spaced", "some_rows"]


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
