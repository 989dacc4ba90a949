"""Types that models, samplers and objectives exchange."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from harmonium.units import Natural

__all__ = ["Clamp", "LayerExpectations", "Moments", "Phase", "State"]

State = tuple[Tensor | None, ...]
"""States of a machine: one tensor (..., batch, n_i) per layer; None for a layer that is not set."""

Moments = dict[str, Tensor]
"""Expectations that form a gradient, by parameter name: "weights", "visible_bias", ..."""

Clamp = tuple[Tensor, Tensor]
"""(mask, values) over the visible units: where the mask is true, the value is held."""


@dataclass(frozen=True, eq=False)
class LayerExpectations:
    """One phase of a gradient, as a batch: (expected) states and sufficient statistics of every layer.

    Args:
        means: (expected) states, one tensor (..., batch, n) per layer.
        statistics: (expected) sufficient statistics of every layer, of which the first are the means.
        weight: weights of the cases or chains, (..., batch); None: all count the same.
        total: number of rows (or sum of the weights) of the whole batch of which these rows are a part, so that the
            averages of all parts add up to that of the batch; None: these are all.
    """

    means: tuple[Tensor, ...]
    statistics: tuple[Natural, ...]
    weight: Tensor | None = None
    total: float | None = None

    def weighted(self, weight: Tensor | None, total: float | None = None) -> LayerExpectations:
        """The same rows with these weights, as a part of a batch of this ``total``."""
        if weight is None and total is None:
            return self
        return LayerExpectations(self.means, self.statistics, weight, total)

    @cached_property
    def share(self) -> Tensor | None:
        """The weights, normalised to sum to one: each phase is divided by its own number of cases."""
        if self.weight is None:
            return None
        return self.weight / (self.weight.sum(-1, keepdim=True) if self.total is None else self.total)

    def rows(self, *states: Tensor) -> float:
        """By what a sum over the rows of these states is divided, where all rows count the same."""
        return max(s.shape[-2] for s in states) if self.total is None else self.total

    @cached_property
    def averages(self) -> tuple[Natural, ...]:
        """Mean of every sufficient statistic over the batch, each (..., n)."""
        if self.share is None:
            total = self.total
            return tuple(
                tuple(T.mean(-2) if total is None else T.sum(-2) / total for T in layer) for layer in self.statistics
            )
        share = self.share.unsqueeze(-2)
        return tuple(tuple((share @ T).squeeze(-2) for T in layer) for layer in self.statistics)


Phase = LayerExpectations | Moments
"""One phase of a gradient: a batch of (expected) states, or its moments where they are computed otherwise."""
