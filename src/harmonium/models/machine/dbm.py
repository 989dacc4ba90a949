"""The deep Boltzmann machine."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from harmonium.core.random import Stream, as_stream
from harmonium.models.deep.to_torch import linear, need_bernoulli, to_classes
from harmonium.models.deep.unrolled_mean_field import Augment, Unrolled
from harmonium.models.machine.machine import Machine
from harmonium.units import Bernoulli, Units, as_units

__all__ = ["DBM"]


class DBM(Machine):
    """Deep Boltzmann machine: E = -v.W1.h1 - h1.W2.h2 - ... minus the layers' own terms (Salakhutdinov & Hinton 2009).

    Only neighbouring layers are coupled, so odd and even layers are the two sides of an RBM: odd layers are summed out
    analytically, and Gibbs sampling, annealing and enumeration are those of an RBM.  The positive phase is a mean
    field.  Layers are named "visible", "hidden1", "hidden2", ..., couplings "weights1" (n_visible, n_hidden1),
    "weights2", ...

    Args:
        layers: the layers from the visible one up: ints or shapes (that many `Bernoulli`), or unit types.
        dtype: float32 or float64.
        seed: of the initial weights, normal with standard deviation 0.01.

    Raises:
        ValueError: for fewer than three layers.

    >>> import harmonium as hm
    >>> dbm = hm.DBM([6, 4, 3])
    >>> [tuple(W.shape) for W in dbm.couplings.values()]
    [(6, 4), (4, 3)]
    """

    title = "Deep Boltzmann machine"

    def __init__(
        self,
        layers: Sequence[Units | int | tuple[int, ...]],
        *,
        dtype: torch.dtype = torch.float32,
        seed: int | Stream = 0,
    ) -> None:
        if isinstance(layers, (int, Units)) or len(layers) < 3:
            raise ValueError(
                f"layers must be a visible and at least two hidden ones, such as [784, 500, 1000], found {layers!r}"
            )
        names = ["visible", *(f"hidden{depth}" for depth in range(1, len(layers)))]
        units = dict(
            zip(names, (as_units(layer, Bernoulli, f"layers[{k}]") for k, layer in enumerate(layers)), strict=True)
        )
        pairs = list(pairwise(names))
        couplings = {f"weights{depth}": pair for depth, pair in enumerate(pairs, 1)}
        super().__init__(units, couplings, [names[1::2], names[0::2]], dtype)
        self.initialise(as_stream(seed))
        self.mark_untrained()

    @property
    def weights(self) -> list[Tensor]:
        """W_1, W_2, ..., each (n_{k-1}, n_k)."""
        return [self.couplings[name] for name in self.edges]

    @property
    def hidden(self) -> list[Units]:
        """The hidden layers from the bottom up."""
        return list(self.unit_layers())[1:]

    def to_classifier(
        self, n_classes: int, seed: int | Stream = 0, *, unroll: bool = False, iterations: int = 10
    ) -> nn.Sequential:
        """Build a feed-forward classifier that starts from the mean field m.

        With two hidden layers it is Augment, Linear, Sigmoid, Linear, Sigmoid, Linear (Salakhutdinov & Hinton 2009,
        section 3.3):

            v -> [v, m_2] -> h_1 = sigmoid(v W_1 + m_2 W_2' + c_1) -> h_2 = sigmoid(h_1 W_2 + c_2) -> logits,

        where m_2 comes from a part that is not trained: initially h_1 and h_2 are the mean field after one more
        iteration.  With ``unroll``, and any number of hidden layers, it is Unrolled, Linear: the mean-field iterations
        themselves are trained, with shared weights.  All layers are plain torch.

        Args:
            n_classes: number of classes.
            seed: of the weights to the logits, which have standard deviation 0.01; biases are 0.
            unroll: train the mean-field iterations themselves.
            iterations: number of mean-field iterations after the upward pass.

        Returns:
            a network from v (batch, n_visible) to logits (batch, n_classes), with copies of the parameters.

        Raises:
            ValueError: for fewer than two classes, hidden units that are not Bernoulli, or more than two hidden layers
                without ``unroll``.

        >>> import torch, harmonium as hm
        >>> hm.DBM([6, 4, 3]).to_classifier(10)(torch.zeros(1, 6)).shape
        torch.Size([1, 10])
        """
        self.refuse_batched("to_classifier")
        need_bernoulli("to_classifier", *self.hidden)
        biases = [units.natural()[0] for units in self.hidden]
        inference = Unrolled(self.weights, biases, iterations)
        last = to_classes(biases[-1], n_classes, seed)
        if unroll:
            return nn.Sequential(inference, last)
        if len(self.hidden) != 2:
            raise ValueError(
                f"to_classifier augments the data of a machine with two hidden layers, this one has "
                f"{len(self.hidden)}: pass unroll=True"
            )
        W1, W2 = self.weights
        first, second = linear(torch.cat((W1, W2.mT)), biases[0]), linear(W2, biases[1])
        return nn.Sequential(Augment(inference), first, nn.Sigmoid(), second, nn.Sigmoid(), last)

    def config(self) -> dict[str, Any]:
        return super().config() | {"layers": [units.config() for units in self.unit_layers()]}

    def __repr__(self) -> str:
        return f"DBM([{', '.join(map(repr, self.unit_layers()))}])"
