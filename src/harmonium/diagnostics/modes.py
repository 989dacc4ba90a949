"""Jumps between modes: how often chains cross from one part of the distribution to another.

What a mode is, the caller says: the nearest of some centres, or a side of a projection.  A chain that hovers at the
border between two would be counted at every crossing; so states in between belong to no mode, and the chain is said to
be where it last was until it arrives somewhere else (hysteresis).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from harmonium.models.arrays import Array

__all__ = ["TwoModes", "mode_jumps", "mode_jumps_along", "two_modes"]

_EMPTY = 0.05  # of all values: a normal distribution has 0.21 of them in the middle third, a uniform one 0.17


def mode_jumps(labels: Array) -> Tensor:
    """How often each chain changes its mode, (chains,), int64.

    Args:
        labels: the mode of every chain after every sweep, whole numbers (chains, sweeps); a negative one says that the
            state is in between, and is not looked at.

    Raises:
        ValueError: for another shape.

    >>> mode_jumps([[0, 0, 1, -1, 1, -1, 0], [2, -1, 2, -1, -1, 2, 2]])
    tensor([2, 0])
    """
    labels = torch.as_tensor(labels)
    if labels.dim() != 2:
        raise ValueError(f"labels has shape {tuple(labels.shape)}; expected (chains, sweeps)")
    # The last sweep before each at which a chain was in some mode; a chain that was in none yet has not jumped.
    sweep = torch.arange(labels.shape[1], device=labels.device).expand_as(labels)
    last = torch.where(labels >= 0, sweep, -1).cummax(-1).values
    known = labels.gather(-1, last.clamp(min=0))
    jumped: Tensor = (known[:, 1:] != known[:, :-1]) & (last[:, :-1] >= 0)
    return jumped.sum(-1)


def mode_jumps_along(projection: Array, low: float, high: float) -> Tensor:
    """How often each chain goes from below ``low`` to above ``high`` or back, (chains,), int64.

    Args:
        projection: of the state of every chain after every sweep on one direction, (chains, sweeps), such as the first
            principal direction of the data.
        low: below it a chain is in one mode.
        high: above it a chain is in the other; in between it stays where it last was.

    Raises:
        ValueError: for another shape, or ``low`` above ``high``.

    >>> mode_jumps_along([[-3.0, 0.1, -0.1, 3.0, 0.2, -2.0]], low=-1.0, high=1.0)
    tensor([2])
    """
    if not low <= high:
        raise ValueError(f"low must not lie above high, found low={low!r} and high={high!r}")
    x = torch.as_tensor(projection)
    return mode_jumps(torch.where(x < low, 0, torch.where(x > high, 1, -1)))


class TwoModes(NamedTuple):
    """Two modes along a direction: their centres, and the thresholds at a third and two thirds of the way."""

    centres: tuple[float, float]
    low: float
    high: float


def two_modes(values: Tensor) -> TwoModes | None:
    """Two modes of a sample (n,) of one variable, or None where it is not bimodal.

    Values are parted by 2-means.  They are two modes where fewer than 5 % lie in the middle third between both centres:
    then a crossing is an event, and both thresholds lie in the valley.
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
