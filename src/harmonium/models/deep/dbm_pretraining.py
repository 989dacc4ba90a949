"""Layerwise pretraining of a deep Boltzmann machine (Salakhutdinov & Hinton 2009, section 3).

A hidden layer of a DBM gets input from the layer below and from the one above at once.  Therefore machine k, an RBM of
the layers k - 1 and k, is trained with doubled inputs where the DBM has only one side: the lowest machine has two tied
copies of the visible layer, the highest one two tied copies of the top layer, and those between have weights twice as
large.  Two tied copies of Bernoulli units are `Binomial` units of two trials, and a case v becomes 2 v.  Given the
layers around it, the log-odds of hidden layer k are

    machine k:      2 v W_1 + a_k          or  h_{k-1} W'_k + a_k          (a_k: its hidden biases),
    machine k + 1:  (h + h') W_L' + d_k    or  h_{k+1} W'_{k+1}' + d_k     (d_k: its visible biases),

where h and h' are the two copies.  The DBM takes the mean of both, with h = h', which determines its parameters:

    W_k = W'_k / 2 (in the middle),  W_1 and W_L unchanged,  c_k = (a_k + d_k) / 2;

b and c_L are the biases of the visible and of the top layer.  With two hidden layers this is the geometric mean of the
two machines' distributions of the layer they share: log p(h_1) = (log p_1(h_1) + log p_2(h_1)) / 2 + constant, since
log p_1 is a_1 . h_1 plus *twice* the term that the visible layer, summed out, adds in the DBM.
"""

from __future__ import annotations

import torch

from harmonium.core.random import Stream
from harmonium.models.machine.dbm import DBM
from harmonium.models.machine.rbm import RBM
from harmonium.units import Bernoulli, Binomial

__all__ = ["compose", "layer_machines"]


def layer_machines(dbm: DBM, stream: Stream) -> list[RBM]:
    """Build untrained machines for the layers of a DBM from the bottom up; ``stream`` draws their weights.

    Raises:
        ValueError: if a layer is not Bernoulli.

    >>> layer_machines(DBM([6, 4, 3, 2]), Stream(0))[0]
    RBM(visible=Binomial(6, trials=2), hidden=Bernoulli(4))
    """
    layers = [dbm.visible, *dbm.hidden]
    for layer in layers:
        if type(layer) is not Bernoulli:
            raise ValueError(
                f"layerwise pretraining of a DBM takes two copies of Bernoulli layers, found {layer!r}: train all "
                "layers together with harmonium.fit"
            )
    top = len(layers) - 1

    def units(k: int) -> Bernoulli:
        return Binomial(layers[k].shape, 2) if k in (0, top) else Bernoulli(layers[k].shape)

    return [RBM(units(k), units(k + 1), dtype=dbm.dtype, seed=stream.child("layer", k)) for k in range(top)]


@torch.no_grad()
def compose(dbm: DBM, machines: list[RBM]) -> None:
    """Set the parameters and data moments of a DBM from its trained machines, in place."""
    last = len(machines) - 1
    for k, (W, rbm) in enumerate(zip(dbm.weights, machines, strict=True)):
        W.copy_(rbm.weights if k in (0, last) else rbm.weights / 2)
    dbm.visible.set_natural((machines[0].visible_bias,))
    for units, below, above in zip(dbm.hidden, machines, machines[1:], strict=False):
        units.set_natural(((below.hidden_bias + above.visible_bias) / 2,))
    dbm.hidden[-1].set_natural((machines[-1].hidden_bias,))
    dbm.chains = None
    first = machines[0]
    if first.data_mean is not None and first.data_variance is not None:  # of two copies of each case
        dbm.data_mean, dbm.data_variance = first.data_mean / 2, first.data_variance / 4
        dbm.data_cases = first.data_cases
