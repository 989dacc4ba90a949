"""Base of families whose only statistic is the state itself."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harmonium.units.contract import Natural
from harmonium.units.layer import Units

__all__ = ["Biased"]


class Biased(Units):
    """Units with one natural parameter, their bias: energy -b s - log m(s)."""

    def __init__(self, shape: int | tuple[int, ...], *, width: int = 1, dtype: torch.dtype = torch.float32) -> None:
        super().__init__(shape, width)
        self.bias = nn.Parameter(torch.zeros(self.size, dtype=dtype))

    def natural(self) -> Natural:
        return (self.bias,)

    def statistics(self, s: Tensor) -> Natural:
        return (s,)

    def parameter_gradient(self, moments: Natural) -> dict[str, Tensor]:
        return {"bias": moments[0]}

    @torch.no_grad()
    def set_natural(self, natural: Natural) -> None:
        self.bias.copy_(natural[0])
