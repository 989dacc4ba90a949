"""Which weights of a model are pictures of its visible units."""

from __future__ import annotations

from torch import Tensor

from harmonium.models.machine.machine import Machine
from harmonium.models.model import Model
from harmonium.plots.drawing import Table

__all__ = ["first_weights"]


def first_weights(model: Model) -> tuple[str, Table] | None:
    """What has weights to the visible units, and these, (units, visible units); None where nothing has.

    >>> import harmonium as hm
    >>> kind, weights = first_weights(hm.RBM(4, 3))
    >>> kind, weights.shape
    ('hidden', (3, 4))
    """
    if isinstance(model, Machine):
        name = next((name for name, (a, b) in model.edges.items() if a == 0 < b), next(iter(model.edges)))
        kind = "visible" if name in model.lateral.values() else "hidden"
        return kind, _table(model.couplings[name].mT)
    units = model.visible
    for weights in model.weights_to_decay():
        if weights.dim() != 2:
            continue
        # The input of an order-agnostic network is the states, then which of them are observed.
        if weights.shape[1] in (units.size, units.size + units.columns):
            return "hidden", _table(weights[:, : units.size])
        if weights.shape[0] == units.size:
            return "hidden", _table(weights.mT)
    return None


def _table(weights: Tensor) -> Table:
    table: Table = weights.detach().cpu().double().numpy()
    return table
