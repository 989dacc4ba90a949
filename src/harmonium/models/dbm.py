"""The deep Boltzmann machine."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch

from harmonium.models.machine import Machine
from harmonium.random import Stream, as_stream
from harmonium.units import Bernoulli, Units, as_units

__all__ = ["DBM"]


class DBM(Machine):
    """Deep Boltzmann machine: E = -v.W1.h1 - h1.W2.h2 - ... minus the layers' own terms (Salakhutdinov & Hinton 2009).

    Neighbouring layers alone are coupled, so odd and even layers are the two sides of an RBM: the odd ones are summed
    out of all weights, and Gibbs sampling, annealing and enumeration are those of an RBM.  The clamped phase is a mean
    field.

    Args:
        layers: the layers from the visible one up: ints or shapes (that many `Bernoulli`), or unit types.
        dtype: float32 or float64.
        seed: of the initial weights, normal with standard deviation 0.01.

    Layers are named "visible", "hidden1", "hidden2", ..., couplings "weights1" (n_visible, n_hidden1), "weights2", ...

    >>> import harmonium as hm
    >>> dbm = hm.DBM([6, 4, 3])
    >>> [tuple(W.shape) for W in dbm.couplings.values()]
    [(6, 4), (4, 3)]
    """

    def __init__(
        self,
        layers: Sequence[Units | int | tuple[int, ...]],
        *,
        dtype: torch.dtype = torch.float32,
        seed: int | Stream = 0,
    ) -> None:
        if isinstance(layers, (int, Units)) or len(layers) < 3:
            raise ValueError(f"layers must name at least three layers, such as [784, 500, 1000], found {layers!r}")
        names = ["visible", *(f"hidden{depth}" for depth in range(1, len(layers)))]
        units = dict(zip(names, (as_units(layer, Bernoulli) for layer in layers), strict=True))
        pairs = list(pairwise(names))
        couplings = {f"weights{depth}": pair for depth, pair in enumerate(pairs, 1)}
        super().__init__(units, couplings, [names[1::2], names[0::2]], dtype)
        self.initialise(as_stream(seed))
        self.mark_fresh()

    def config(self) -> dict[str, Any]:
        dtype = str(self.dtype).removeprefix("torch.")
        return {"type": "DBM", "layers": [units.config() for units in self._units()], "dtype": dtype}

    def __repr__(self) -> str:
        return f"DBM([{', '.join(map(repr, self._units()))}])"
