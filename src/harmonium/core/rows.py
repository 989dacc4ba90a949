"""Choosing some rows of many."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["evenly_spaced"]


def evenly_spaced(total: int, count: int) -> Tensor:
    """Return ``count`` evenly spaced row numbers, the first and the last included; some repeat if ``count > total``.

    >>> evenly_spaced(10, 4).tolist()
    [0, 3, 6, 9]
    """
    return torch.linspace(0, total - 1, count, dtype=torch.float64).round().long()
