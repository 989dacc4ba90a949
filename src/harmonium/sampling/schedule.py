"""Placement of the temperatures of an annealing."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.sampling.ais import anneal
from harmonium.sampling.path import Path

__all__ = ["LEAST", "place_temperatures"]

LEAST = 100  # temperatures: with fewer, a pilot has too few steps to distinguish regions
_SHARE = 10  # the pilot uses one temperature in this number
_EVEN = 0.2  # even part of the density of temperatures, so that no region that the pilot missed is one large step


@torch.no_grad()
def place_temperatures(path: Path, points: int, chains: int, stream: Stream) -> Tensor:
    """Place temperatures from 0 to 1, denser where the log-weights of a pilot run spread faster.

    A step of length d at t adds about d^2 Var_t[d log p* / dt] to the variance of a log-weight.  With n steps of
    density rho(t) these variances add up to the integral of Var_t / (n rho), which is least for rho proportional to the
    standard deviation: every step then adds the same (Gelman & Meng 1998, section 4).  The pilot has half of the chains
    and a tenth of the temperatures, evenly spaced, and its own random stream.

    Args:
        path: the path.
        points: number of temperatures; below ``LEAST`` they are evenly spaced.
        chains: of the annealing.
        stream: of the pilot.

    Returns:
        (points,), float64, from 0 to 1.
    """
    even = torch.linspace(0, 1, points, dtype=torch.float64)
    if points < LEAST:
        return even
    few, rows = max(LEAST // 2, points // _SHARE), max(10, chains // 2)
    t = torch.linspace(0, 1, few, dtype=torch.float64)
    steps = anneal(path, t, path.start(rows, stream.child("start").advance()), stream.child("walk"), keep=True).steps
    assert steps is not None
    spread = steps.var(-1)
    spread = torch.nn.functional.avg_pool1d(spread[None], 5, 1, 2, count_include_pad=False)[0].sqrt()
    if not float(spread.sum()) > 0:  # the base is the model
        return even
    density = (1 - _EVEN) * spread / spread.mean() + _EVEN
    share = torch.cat((torch.zeros(1, dtype=torch.float64), density.cumsum(0))) / density.sum()
    placed = torch.from_numpy(np.interp(even.numpy(), share.numpy(), t.numpy()))
    placed[0], placed[-1] = 0.0, 1.0
    return placed
