"""Jumps of chains between modes.

The caller defines the modes, such as the nearest of some centres, or a side of a projection. States between modes
belong to none, and a chain keeps its last mode until it arrives in another (hysteresis). Otherwise a chain that hovers
at the border of two modes would be counted at every crossing.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.models.arrays import Array

__all__ = ["TwoModes", "mode_jumps", "mode_jumps_along", "two_modes"]

_EMPTY = 0.05  # largest share in the middle third; a normal distribution has 0.21 there, a uniform one 0.17


def mode_jumps(labels: Array) -> Tensor:
    """Count how often each chain changes its mode.

    Args:
        labels: mode of every chain after every sweep, integers (chains, sweeps); negative for a state between modes.

    Returns:
        Number of jumps, (chains,), int64.

    Raises:
        ValueError: if labels has another number of dimensions.

    >>> mode_jumps([[0, 0, 1, -1, 1, -1, 0], [2, -1, 2, -1, -1, 2, 2]])
    tensor([2, 0])
    """
    labels = torch.as_tensor(labels)
    if labels.dim() != 2:
        raise ValueError(f"labels has shape {tuple(labels.shape)}; expected (chains, sweeps)")
    # For every sweep, the last one at which the chain was in a mode; entering the first mode is not a jump.
    sweep = torch.arange(labels.shape[1], device=labels.device).expand_as(labels)
    last = torch.where(labels >= 0, sweep, -1).cummax(-1).values
    mode = labels.gather(-1, last.clamp(min=0))
    jumped: Tensor = (mode[:, 1:] != mode[:, :-1]) & (last[:, :-1] >= 0)
    return jumped.sum(-1)


def mode_jumps_along(projection: Array, low: float, high: float) -> Tensor:
    """Count how often each chain goes from below ``low`` to above ``high`` or back.

    Args:
        projection: projection of every chain after every sweep onto a direction, such as the first principal direction
            of the data, (chains, sweeps).
        low: a chain below it is in one mode.
        high: a chain above it is in the other mode; in between it keeps its last one.

    Returns:
        Number of jumps, (chains,), int64.

    Raises:
        ValueError: if projection has another number of dimensions, or low is above high.

    >>> mode_jumps_along([[-3.0, 0.1, -0.1, 3.0, 0.2, -2.0]], low=-1.0, high=1.0)
    tensor([2])
    """
    if not low <= high:
        raise ValueError(f"low must not lie above high, found low={low!r} and high={high!r}")
    x = torch.as_tensor(projection)
    return mode_jumps(torch.where(x < low, 0, torch.where(x > high, 1, -1)))


class TwoModes(NamedTuple):
    """Two modes along a direction: their centres, and the thresholds at a third and two thirds between them."""

    centres: tuple[float, float]
    low: float
    high: float


def two_modes(values: Tensor) -> TwoModes | None:
    """Find two modes of a sample of one variable by 2-means.

    The sample counts as bimodal if fewer than 5 % of the values lie in the middle third between both centres: then
    crossings are rare, and both thresholds lie in the valley.

    Args:
        values: the sample, (n,).

    Returns:
        The modes; None if the sample is not bimodal.
    """
    x = values.double()
    low, high = float(x.min()), float(x.max())
    if not high > low:
        return None
    for _ in range(100):
        upper = x > (low + high) / 2
        centres = float(x[~upper].mean()), float(x[upper].mean())
        if centres == (low, high):
            break
        low, high = centres
    third = (high - low) / 3
    between = ((x > low + third) & (x < high - third)).double().mean()
    return TwoModes((low, high), low + third, high - third) if float(between) < _EMPTY else None
