"""The general Boltzmann machine."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from harmonium.core.random import Stream, as_stream
from harmonium.kernels.edges import EdgeList
from harmonium.models.arrays import Array
from harmonium.models.machine.edge_list import as_pairs, packed, unpacked
from harmonium.models.machine.machine import Machine
from harmonium.units import Bernoulli, Units, as_units

__all__ = ["BoltzmannMachine"]

_DENSITY = 0.1  # of the pairs may be coupled: above it products with a matrix are as fast
_PAIRS = 1000  # below, a matrix is small


class BoltzmannMachine(Machine):
    """Boltzmann machine of any connectivity (Hinton & Sejnowski 1983; Ackley, Hinton & Sejnowski 1985).

    E(s) = -s . W . s / 2 - b . s over visible and hidden units together.  The machine consists of blocks:
    "visible_visible" and "hidden_hidden" (symmetric, lateral) and "weights" (n_visible, n_hidden).  Blocks without any
    edge do not exist.  A block with few edges is kept as one value per edge, in the order of `edge_index`, so that
    memory and time go by edges (1,000,000 are no trouble); others are matrices, whose entries without an edge stay
    zero.  Hidden units without couplings among themselves are summed out analytically, as in an RBM.

    Args:
        visible: visible units: an int or a shape (that many `Bernoulli`), or a unit type.
        hidden: hidden units, likewise; 0 for none.
        edges: which pairs of units are coupled; units are numbered through the visible layer and then the hidden one.
            None couples all pairs; an integer array (edges, 2) lists pairs, in any order and direction, and pairs that
            are there twice count once; a bool array or SciPy sparse matrix (units, units) is a mask, of which either
            triangle counts.
        sparse: which blocks are kept as one value per edge: True, False, or their names.  None: those in which at most
            one pair in ten is coupled, if they have a thousand pairs.  Both forms have the same draws, up to rounding.
        dtype: float32 or float64.
        seed: of the initial weights, normal with standard deviation 0.01.

    Raises:
        ValueError: for edges from a unit to itself, to units that do not exist, or none at all; for ``sparse`` without
            edges, or with the name of a block that does not exist.
        TypeError: for edges that are a graph of another library, a set or a generator.

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
        sparse: bool | Collection[str] | None = None,
        dtype: torch.dtype = torch.float32,
        seed: int | Stream = 0,
    ) -> None:
        layers = {"visible": as_units(visible, Bernoulli, "visible")}
        if not (isinstance(hidden, int) and hidden == 0):
            layers["hidden"] = as_units(hidden, Bernoulli, "hidden")
        self._pairs = None if edges is None else as_pairs(edges, sum(units.columns for units in layers.values()))
        blocks = _blocks(layers, self._pairs)
        couplings = {name: block.ends for name, block in blocks.items()}
        few = _few(blocks, sparse)
        if few and self._pairs is None:
            raise ValueError("sparse=True keeps one value per edge: pass the edges")
        masks = {name: mask for name, block in blocks.items() if name not in few and (mask := block.mask()) is not None}
        alone = "hidden" in layers and "hidden_hidden" not in blocks
        colours = [["hidden"], ["visible"]] if alone else [[], *([name] for name in reversed(layers))]
        super().__init__(layers, couplings, colours, dtype, masks, {name: blocks[name].edge_list() for name in few})
        for layer, name in enumerate(self.names):
            if not self.neighbours(layer):
                raise ValueError(f"edges leave the whole {name} layer without couplings: leave out that layer")
        self.initialise(as_stream(seed))
        self.mark_untrained()

    def config(self) -> dict[str, Any]:
        hidden = self.units(1).config() if len(self.names) > 1 else 0
        edges = None if self._pairs is None else packed(self._pairs)
        return super().config() | {
            "visible": self.visible.config(),
            "hidden": hidden,
            "edges": edges,
            "sparse": sorted(self.sparse),
        }

    @classmethod
    def from_config(cls, arguments: dict[str, Any]) -> Self:
        edges = arguments["edges"]
        # Files of the time before there were sparse couplings do not mention them.
        return super().from_config({"sparse": []} | arguments | {"edges": None if edges is None else unpacked(edges)})

    def edge_index(self, coupling: str) -> Tensor:
        """Which units the values of a sparse coupling join: int64 (entries, 2), by row and then by column.

        Units are numbered within their layers; of a lateral coupling the smaller one comes first.

        Raises:
            KeyError: if the coupling is a matrix.

        >>> import harmonium as hm
        >>> ring = hm.BoltzmannMachine(5, edges=[[0, 1], [1, 2], [2, 3], [3, 4], [4, 0]], sparse=True)
        >>> ring.edge_index("visible_visible").tolist(), ring.couplings["visible_visible"].shape
        ([[0, 1], [0, 4], [1, 2], [2, 3], [3, 4]], torch.Size([5]))
        """
        if coupling not in self.sparse:
            raise KeyError(f"{coupling} is not kept as one value per edge; so are: {', '.join(self.sparse) or 'none'}")
        return torch.stack(self.sparse[coupling].on(torch.device("cpu")), 1)

    def __repr__(self) -> str:
        hidden = f", hidden={self.units(1)!r}" if len(self.names) > 1 else ""
        edges = "" if self._pairs is None else f", {len(self._pairs)} edges"
        return f"BoltzmannMachine(visible={self.visible!r}{hidden}{edges})"


def _few(blocks: dict[str, _Block], sparse: bool | Collection[str] | None) -> set[str]:
    """Names of the couplings that are kept as one value per edge."""
    if sparse is None:
        return {name for name, block in blocks.items() if block.few}
    if isinstance(sparse, bool):
        return set(blocks) if sparse else set()
    if not isinstance(sparse, Collection):
        raise TypeError(f"sparse must be True, False, None or names of couplings, found {sparse!r}")
    names = {sparse} if isinstance(sparse, str) else set(sparse)
    unknown = names - blocks.keys()
    if unknown:
        raise ValueError(f"sparse names the coupling {min(unknown)!r}; there are {', '.join(blocks)}")
    return names


def _blocks(layers: dict[str, Units], pairs: Any | None) -> dict[str, _Block]:
    """Blocks with at least one edge, by name."""
    names = list(layers)
    starts = list(itertools.accumulate((units.columns for units in layers.values()), initial=0))
    blocks = {}
    for i, j in itertools.combinations_with_replacement(range(len(names)), 2):
        a, b = layers[names[i]], layers[names[j]]
        name = "weights" if i != j else f"{names[i]}_{names[i]}"
        own = None
        if pairs is not None:
            first, second = pairs.T
            inside = (first >= starts[i]) & (first < starts[i + 1]) & (second >= starts[j]) & (second < starts[j + 1])
            own = pairs[inside] - (starts[i], starts[j])
        possible = a.columns * b.columns if i != j else a.columns * (a.columns - 1) // 2
        if possible if own is None else len(own):
            blocks[name] = _Block((names[i], names[j]), (a, b), own, possible)
    return blocks


class _Block(NamedTuple):
    """The edges between two layers, or within one.

    Attributes:
        ends: names of the layers.
        units: the layers.
        pairs: variables of the first and of the second, (edges, 2); None: all.
        possible: number of pairs that there are.
    """

    ends: tuple[str, str]
    units: tuple[Units, Units]
    pairs: Any | None
    possible: int

    @property
    def lateral(self) -> bool:
        return self.ends[0] == self.ends[1]

    @property
    def few(self) -> bool:
        """Whether one value per edge takes less time and memory than a matrix."""
        return self.pairs is not None and len(self.pairs) <= _DENSITY * self.possible and self.possible >= _PAIRS

    def mask(self) -> Tensor | None:
        """Which entries of the matrix exist; None: all."""
        if self.pairs is None or len(self.pairs) == self.possible:
            return None
        a, b = self.units
        mask = torch.zeros(a.columns, b.columns, dtype=torch.bool)
        first, second = torch.from_numpy(self.pairs).unbind(1)
        mask[first, second] = True
        if self.lateral:
            mask[second, first] = True
        return mask[a.variable_of_column()][:, b.variable_of_column()]

    def edge_list(self) -> EdgeList:
        """The entries between the units of the variables that are coupled."""
        a, b = self.units
        assert self.pairs is not None
        first, second = self.pairs.T
        if a.size == a.columns and b.size == b.columns:
            return EdgeList(first, second, (a.size, b.size), self.lateral)
        rows, columns = _units_of(a), _units_of(b)
        wide = [np.stack(np.meshgrid(rows[i], columns[j], indexing="ij"), -1).reshape(-1, 2) for i, j in self.pairs]
        entries = np.concatenate(wide)
        entries = entries[np.lexsort(entries.T[::-1])]
        return EdgeList(entries[:, 0], entries[:, 1], (a.size, b.size), self.lateral)


def _units_of(units: Units) -> list[Any]:
    """The columns of every variable of a layer in an encoded state."""
    variable = units.variable_of_column().numpy()
    return np.split(np.arange(units.size), np.searchsorted(variable, np.arange(1, units.columns)))
