"""Initial parameters of machines and networks, drawn from streams of the library.

The constructors of torch draw from a global generator; `uninitialised` keeps them from it.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from harmonium import kernels
from harmonium.core.random import RandomAddress, Stream

__all__ = ["glorot_", "he_deviation", "normal", "normal_", "normal_pairs", "uninitialised"]

_AT_ONCE = 1 << 22  # draws, of which each needs some ten times the memory of the parameter
_CPU = torch.device("cpu")  # the same parameters on every device


def normal(draw: RandomAddress, rows: int, columns: int, device: torch.device = _CPU) -> Tensor:
    """Standard normal draws, (rows, columns), float64: quantiles of uniforms, one random word each."""
    noise: Tensor = torch.special.ndtri(kernels.uniforms(draw, rows, columns, torch.float64, device))
    return noise


def normal_pairs(draw: RandomAddress, rows: Any, columns: Any) -> Tensor:
    """The entries (row, column) of what `normal` draws, (pairs,), float64."""
    noise: Tensor = torch.special.ndtri(kernels.uniforms_at(draw, rows, columns))
    return noise


@torch.no_grad()
def normal_(parameter: Tensor, deviation: float, stream: Stream) -> None:
    """Fill a parameter with normal draws of this standard deviation, in place.  Takes one step of the stream."""
    draw, columns = stream.advance(), parameter[0].numel()
    step = max(1, _AT_ONCE // columns)
    for first in range(0, len(parameter), step):
        rows = parameter[first : first + step]
        noise = normal(draw._replace(first=draw.first + first), len(rows), columns)
        rows.copy_((deviation * noise).view_as(rows))


@torch.no_grad()
def glorot_(weight: Tensor, stream: Stream, gain: float = 1.0) -> None:
    """Fill a weight with uniform draws of variance 2 gain^2 / (fan in + fan out), in place (Glorot & Bengio 2010).

    Takes one step of the stream.
    """
    fans = (weight.shape[0] + weight.shape[1]) * math.prod(weight.shape[2:])
    u = kernels.uniforms(stream.advance(), len(weight), weight[0].numel(), torch.float64, _CPU)
    weight.copy_((gain * math.sqrt(6 / fans) * (2 * u - 1)).view_as(weight))


def he_deviation(fan_in: int) -> float:
    """Standard deviation of weights that keeps the scale of rectified linear units (He et al. 2015)."""
    return math.sqrt(2 / fan_in)


def uninitialised(kind: type[nn.Module], *arguments: Any, **options: Any) -> Any:
    """Build a torch layer without drawing its parameters; they must be filled before use."""
    return nn.utils.skip_init(kind, *arguments, **options)  # type: ignore[no-untyped-call]
