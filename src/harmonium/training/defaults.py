"""How a model is trained where nobody says otherwise."""

from __future__ import annotations

from typing import NamedTuple

from harmonium.models.directed import Tractable
from harmonium.models.machine.machine import Machine
from harmonium.models.model import Model
from harmonium.objectives import ELBO, PCD, MaximumLikelihood, Objective

__all__ = ["Defaults", "defaults"]


class Defaults(NamedTuple):
    """Arguments of `harmonium.fit`."""

    objective: Objective
    learning_rate: float
    optimizer: str
    metric: str


def defaults(model: Model) -> Defaults:
    """Persistent chains in centered coordinates for machines; for directed models backpropagation and Adam."""
    if isinstance(model, Machine):
        return Defaults(PCD(), 0.05, "sgd", "centered")
    objective = MaximumLikelihood() if isinstance(model, Tractable) else ELBO()
    return Defaults(objective, 1e-3, "adam", "plain")
