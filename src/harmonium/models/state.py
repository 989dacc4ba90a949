"""Types that models, samplers and objectives exchange."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from harmonium.units import Natural

__all__ = ["Clamp", "LayerExpectations", "Moments", "State"]

State = tuple[Tensor | None, ...]
"""States of a machine: one tensor (..., batch, n_i) per layer; None for a layer that is not set."""

Moments = dict[str, Tensor]
"""Expectations that form a gradient, by parameter name: "weights", "visible_bias", ..."""

Clamp = tuple[Tensor, Tensor]
"""(mask, values) over the visible units: where the mask is true, the value is held."""


class LayerExpectations(NamedTuple):
    """What a batch contributes to a gradient: (expected) states and sufficient statistics of every layer."""

    means: tuple[Tensor, ...]
    statistics: tuple[Natural, ...]
