"""Comparison of chains with data: means, covariances, free energies."""

from __future__ import annotations

from typing import NamedTuple

import torch
from scipy.stats import wasserstein_distance
from torch import Tensor

from harmonium.core.rows import evenly_spaced
from harmonium.models.machine.machine import Machine
from harmonium.models.machine.mean_field import variational_bound

__all__ = ["LEAST_PAIRS", "MOST_SHIFT", "Resemblance", "resemblance"]

LEAST_PAIRS = 0.5  # relative to the correlation of two halves of the data, the best that so few cases allow
MOST_SHIFT = 0.5  # standard deviations of the data's free energies; beyond, the histograms clearly differ
_PAIRED = 1000  # units whose pairs are compared: half a million pairs


class Resemblance(NamedTuple):
    """Result of `resemblance`.

    Attributes:
        means: correlation, over visible units, of their means in the chains and in the data; NaN if either is the same
            for all units.
        worst: the largest difference of two means, in standard errors.
        worst_variable: the visible variable with that difference.
        pairs: correlation, over pairs of units, of their covariances in the chains and in the data.
        pairs_of_halves: the same between two halves of the data. Below 0.5 there are too few cases to judge pairs.
        distance: Wasserstein-1 distance between the distributions of free energies, in nats.
        shift: that distance divided by the standard deviation of the data's free energies.
        free_energies: free energies of the chains and of the data, each (states,), in nats.
    """

    means: float
    worst: float
    worst_variable: int
    pairs: float
    pairs_of_halves: float
    distance: float
    shift: float
    free_energies: tuple[Tensor, Tensor]

    @property
    def pairs_differ(self) -> bool:
        """Whether the covariances of the chains differ from those of the data."""
        return self.pairs_of_halves > 0.5 and not self.pairs > LEAST_PAIRS * self.pairs_of_halves


@torch.no_grad()
def resemblance(model: Machine, snapshots: Tensor, data: Tensor) -> Resemblance:
    """Compare visible states of chains with data.

    The chains are independent, so the standard error of a mean comes from the means of single chains. For coupled
    hidden layers, the free energies of both are variational bounds.

    Args:
        model: the model the chains belong to.
        snapshots: visible states, (times, chains, size).
        data: encoded cases, (cases, size).

    Returns:
        The comparison.
    """
    states, per_chain = snapshots.flatten(0, 1).double(), snapshots.double().mean(0)
    cases = data.double()
    difference = per_chain.mean(0) - cases.mean(0)
    error = (per_chain.var(0) / len(per_chain) + cases.var(0) / len(cases)).sqrt()
    z = torch.where(difference.abs() > 1e-9, difference / error, 0.0).abs()
    unit = int(z.argmax())
    here, there = (-variational_bound(model, v) for v in (snapshots.flatten(0, 1), data))
    distance = float(wasserstein_distance(here.cpu(), there.cpu()))
    spread = float(there.std())
    spread = spread if spread > 1e-9 * (1 + float(there.abs().max())) else 0.0  # zero up to rounding
    return Resemblance(
        means=_correlation(per_chain.mean(0), cases.mean(0)),
        worst=float(z[unit]),
        worst_variable=int(model.visible.variable_of_column()[unit]),
        pairs=_correlation(_pairs(states), _pairs(cases)),
        pairs_of_halves=_correlation(_pairs(cases[::2]), _pairs(cases[1::2])),
        distance=distance,
        shift=distance / spread if spread > 0 else float("inf") if distance > 0 else 0.0,
        free_energies=(here, there),
    )


def _pairs(states: Tensor) -> Tensor:
    """Covariances of all pairs of units, or of those among a thousand evenly spaced units."""
    size = min(states.shape[1], _PAIRED)
    states = states[:, evenly_spaced(states.shape[1], size)]
    covariance = torch.cov(states.T).view(size, size)
    above = torch.triu_indices(size, size, 1, device=states.device)
    return covariance[above[0], above[1]]


def _correlation(a: Tensor, b: Tensor) -> float:
    if len(a) < 2:
        return float("nan")
    a, b = a - a.mean(), b - b.mean()
    norm = float(a.norm() * b.norm())
    return float(a @ b) / norm if norm > 1e-12 else float("nan")  # constant up to rounding
