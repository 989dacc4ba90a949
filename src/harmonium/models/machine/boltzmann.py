"""The general Boltzmann machine."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harmonium.core.random import Stream, as_stream
from harmonium.models.arrays import Array
from harmonium.models.machine.machine import Machine
from harmonium.units import Bernoulli, Units, as_units

__all__ = ["BoltzmannMachine"]


class BoltzmannMachine(Machine):
    """Boltzmann machine of any connectivity (Hinton & Sejnowski 1983; Ackley, Hinton & Sejnowski 1985).

    E(s) = -s . W . s / 2 - b . s over visible and hidden units together.  The machine consists of dense blocks:
    "visible_visible" and "hidden_hidden" (symmetric, lateral) and "weights" (n_visible, n_hidden).  Blocks without any
    edge do not exist, and entries without an edge stay zero.  Hidden units without couplings among themselves are
    summed out analytically, as in an RBM.

    Args:
        visible: visible units: an int or a shape (that many `Bernoulli`), or a unit type.
        hidden: hidden units, likewise; 0 for none.
        edges: which pairs of units are coupled; units are numbered through the visible layer and then the hidden one.
            None couples all pairs; an integer array (edges, 2) lists pairs; a bool array (units, units) is a mask, of
            which either triangle counts.
        dtype: float32 or float64.
        seed: of the initial weights, normal with standard deviation 0.01.

    Raises:
        ValueError: for edges from a unit to itself, to units that do not exist, or none at all.

    >>> import harmonium as hm
    >>> ring = hm.BoltzmannMachine(5, edges=[[0, 1], [1, 2], [2, 3], [3, 4], [4, 0]])
    >>> len(ring.classes[0])
    3
    """

    word = "bm"
    title = "Boltzmann machine"

    def __init__(
        self,
        visible: Units | int | tuple[int, ...],
        hidden: Units | int | tuple[int, ...] = 0,
        edges: Array | None = None,
        *,
        dtype: torch.dtype = torch.float32,
        seed: int | Stream = 0,
    ) -> None:
        layers = {"visible": as_units(visible, Bernoulli, "visible")}
        if not (isinstance(hidden, int) and hidden == 0):
            layers["hidden"] = as_units(hidden, Bernoulli, "hidden")
        self._pairs = None if edges is None else _pairs(edges, sum(units.columns for units in layers.values()))
        blocks = _blocks(layers, self._pairs)
        couplings = {name: ends for name, (ends, _) in blocks.items()}
        masks = {name: mask for name, (_, mask) in blocks.items() if not bool(mask.all())}
        alone = "hidden" in layers and "hidden_hidden" not in blocks
        colours = [["hidden"], ["visible"]] if alone else [[], *([name] for name in reversed(layers))]
        super().__init__(layers, couplings, colours, dtype, masks)
        for layer, name in enumerate(self.names):
            if not self.neighbours(layer):
                raise ValueError(f"edges leave the whole {name} layer without couplings: leave out that layer")
        self.initialise(as_stream(seed))
        self.mark_untrained()

    def config(self) -> dict[str, Any]:
        hidden = self.units(1).config() if len(self.names) > 1 else 0
        edges = None if self._pairs is None else self._pairs.tolist()
        return super().config() | {"visible": self.visible.config(), "hidden": hidden, "edges": edges}

    def __repr__(self) -> str:
        hidden = f", hidden={self.units(1)!r}" if len(self.names) > 1 else ""
        edges = "" if self._pairs is None else f", {len(self._pairs)} edges"
        return f"BoltzmannMachine(visible={self.visible!r}{hidden}{edges})"


def _pairs(edges: Array, units: int) -> Tensor:
    """Edges as an int64 tensor (edges, 2), without duplicates, the smaller unit first."""
    found = np.asarray(edges.toarray() if hasattr(edges, "toarray") else edges)
    if found.dtype == bool and found.shape == (units, units):
        if found.diagonal().any():
            raise ValueError("edges couples a unit with itself: the diagonal of the mask must be false")
        found = np.argwhere(np.triu(found | found.T))
    if found.ndim != 2 or found.shape[1] != 2 or found.dtype.kind not in "iu" or not len(found):
        raise ValueError(
            f"edges has shape {found.shape} and dtype {found.dtype}; expected at least one pair (edges, 2) of "
            f"integers, or a bool mask ({units}, {units})"
        )
    if found.min() < 0 or found.max() >= units:
        raise ValueError(
            f"edges has the unit {found.max() if found.max() >= units else found.min()}; units are 0 to {units - 1}"
        )
    if (found[:, 0] == found[:, 1]).any():
        raise ValueError(f"edges couples unit {found[found[:, 0] == found[:, 1]][0, 0]} with itself")
    return torch.from_numpy(np.unique(np.sort(found, 1), axis=0).astype(np.int64))


def _blocks(layers: dict[str, Units], pairs: Tensor | None) -> dict[str, tuple[tuple[str, str], Tensor]]:
    """Blocks with at least one edge by name: the two layers, and the mask (columns, columns)."""
    names = list(layers)
    starts = list(itertools.accumulate((units.columns for units in layers.values()), initial=0))
    count = starts[-1]
    mask = torch.ones(count, count, dtype=torch.bool) if pairs is None else torch.zeros(count, count, dtype=torch.bool)
    if pairs is not None:
        mask[pairs[:, 0], pairs[:, 1]] = mask[pairs[:, 1], pairs[:, 0]] = True
    mask.fill_diagonal_(False)
    blocks = {}
    for i, j in itertools.combinations_with_replacement(range(len(names)), 2):
        a, b = names[i], names[j]
        part = mask[starts[i] : starts[i + 1], starts[j] : starts[j + 1]]
        if bool(part.any()):
            wide = part[layers[a].variable_of_column()][:, layers[b].variable_of_column()]
            blocks["weights" if a != b else f"{a}_{a}"] = ((a, b), wide)
    return blocks
