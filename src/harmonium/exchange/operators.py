"""Functions that ONNX has no operator for, or that torch's exporter lets overflow, by elementary ones.

The exporter rounds constants to float32, in float64 formulas too: those below are chosen so that this does little harm.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.polynomial import Chebyshev, Polynomial
from scipy.special import erfcx
from torch import Tensor

__all__ = ["DECOMPOSITIONS"]

# log(erfc(z) exp(z^2) / t) as a polynomial in 2 t - 1 with t = 1 / (1 + z / 2), 0 < t <= 1, the highest power first.
_LOG_ERFC = (
    Chebyshev.interpolate(lambda t: np.log(erfcx(2 / t - 2) / t), 12, [0, 1])
    .convert(kind=Polynomial, domain=[0, 1], window=[-1, 1])
    .coef[::-1]
)


def _lgamma(x: Tensor) -> Tensor:
    """log Gamma(x) for x > 0: Stirling's series at z = x + 7, less log x (x + 1) ... (x + 6).

    log Gamma(z) = (z - 1/2) log z - z + log(2 pi) / 2 + 1 / (12 z) - 1 / (360 z^3) + ...
    """
    z = x + 7
    series = (z - 0.5) * torch.log(z) - z + 0.5 * math.log(2 * math.pi) + 1 / (12 * z) - 1 / (360 * z * z * z)
    for k in range(7):
        series = series - torch.log(x + k)
    return series


def _log_ndtr(x: Tensor) -> Tensor:
    """log P(Z < x) of a normal Z: log(erfc(z) / 2) for x < 0, else log(1 - erfc(z) / 2), with z = |x| / sqrt(2)."""
    half = 0.5 * x * x
    t = 1 / (1 + x.abs() * math.sqrt(0.125))
    u, polynomial = 2 * t - 1, torch.zeros_like(t)
    for coefficient in _LOG_ERFC.tolist():
        polynomial = u * polynomial + coefficient
    tail = polynomial + torch.log(0.5 * t) - half
    return torch.where(x < 0, tail, torch.log(1 - torch.exp(tail)))


def _logaddexp(x: Tensor, y: Tensor) -> Tensor:
    """log(exp(x) + exp(y)), which the exporter would take literally."""
    return torch.maximum(x, y) + torch.log(1 + torch.exp(-torch.abs(x - y)))


DECOMPOSITIONS: dict[Any, Callable[..., Tensor]] = {
    torch.ops.aten.lgamma.default: _lgamma,
    torch.ops.aten.logaddexp.default: _logaddexp,
    torch.ops.aten.special_log_ndtr.default: _log_ndtr,
}
"""For `torch.export.ExportedProgram.run_decompositions`."""
