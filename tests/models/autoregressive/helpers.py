"""What tests of autoregressive models share."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor

from harmonium.models.model import Model

DOUBLE = torch.float64

M = TypeVar("M", bound=Model)


def scattered(model: M, scale: float = 1.0, seed: int = 0) -> M:
    """The model with normal parameters of this standard deviation."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator, dtype=DOUBLE))
    return model


def everything(model: Model) -> Tensor:
    """All encoded states of the visible units."""
    return model.visible.states(torch.arange(model.visible.count))
