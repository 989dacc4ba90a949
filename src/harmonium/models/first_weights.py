"""Weights of a model that can be seen as pictures of its visible units."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from harmonium.models.deep.dbn import DBN
from harmonium.models.machine.machine import Machine
from harmonium.models.model import Model

__all__ = ["FirstWeights", "first_weights", "visible_weights"]


_MOST = 1 << 24  # entries of a matrix that is made for a picture alone


class FirstWeights(NamedTuple):
    """Weights between the visible units and a layer.

    Attributes:
        kind: of the layer: "hidden", or "visible" for the couplings of a machine without hidden units.
        total: its number of units.
        weights: (units, visible units), largest norm first; float64.
    """

    kind: str
    total: int
    weights: np.ndarray[Any, Any]

    def limit(self) -> float:
        """The absolute weight of full colour: a few larger ones should not make the rest pale."""
        absolute = np.abs(self.weights)
        return float(np.percentile(absolute, 99.8)) or float(absolute.max()) or 1.0


def first_weights(model: Model, count: int | None = None) -> FirstWeights | None:
    """Collect the weights between the visible units and the first layer that has any; None if there are none.

    Args:
        model: of a DBN, the lowest machine is taken.
        count: at most this number of units.

    >>> import harmonium as hm
    >>> first_weights(hm.RBM(4, 3)).weights.shape
    (3, 4)
    """
    found = visible_weights(model)
    if found is None:
        return None
    kind, matrix = found
    weights = matrix.cpu().double().numpy()
    order = np.argsort(-np.linalg.norm(weights, axis=1), kind="stable")
    return FirstWeights(kind, len(weights), weights[order[:count]])


def visible_weights(model: Model) -> tuple[str, Tensor] | None:
    """Find the weights between the visible units and another layer.

    Returns:
        the kind of the other layer, "hidden" or "visible", and the weights, (its units, visible units), in their own
        order; None if a model has none, or has them along the edges of a graph that is too large for a matrix.
    """
    if isinstance(model, DBN):
        return visible_weights(model.machines[0])
    if isinstance(model, Machine):
        name = next((name for name, (a, b) in model.edges.items() if a == 0 < b), next(iter(model.edges)))
        form = model.form(name)
        if name in model.sparse and math.prod(form.shape) > _MOST:
            return None
        return "visible" if form.lateral else "hidden", form.dense(model.couplings[name].detach()).mT
    units = model.visible
    for parameter in model.weights_to_decay():
        weights = parameter.detach()
        if weights.dim() != 2:
            continue
        # The input of an order-agnostic network is the states, then which of them are observed.
        if weights.shape[1] in (units.size, units.size + units.columns):
            return "hidden", weights[:, : units.size]
        if weights.shape[0] == units.size:
            return "hidden", weights.mT
    return None
