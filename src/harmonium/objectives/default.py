"""The objective with which a model is trained unless another is named."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from harmonium.models.directed import Directed, Tractable
from harmonium.models.machine.machine import Machine
from harmonium.objectives.base import Objective
from harmonium.objectives.elbo import ELBO
from harmonium.objectives.maximum_likelihood import MaximumLikelihood
from harmonium.objectives.pcd import PCD

__all__ = ["default_objective"]


@singledispatch
def default_objective(model: Any) -> Objective:
    """Return the objective that `harmonium.fit` takes for a model by default.

    Your own kind of model is added by ``default_objective.register``.

    Raises:
        TypeError: for models that `harmonium.fit` does not train.
    """
    raise TypeError(f"fit knows no objective for a {type(model).__name__}: name one with objective=...")


@default_objective.register
def _(model: Machine) -> Objective:
    return PCD()


@default_objective.register
def _(model: Directed) -> Objective:
    return ELBO()


@default_objective.register
def _(model: Tractable) -> Objective:
    return MaximumLikelihood()
