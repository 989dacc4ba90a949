"""Layers of units and the couplings between them: the structure that all machines share.

W_ij has shape (n_i, n_j): its row index belongs to the layer named first, and this is the only orientation in the
library.  A layer may be coupled to itself by a symmetric W_ii with zero diagonal: a *lateral* coupling.

Layers of one *colour* share no coupling, so they are independent given the rest and are updated together; a *sweep*
updates every colour once, the units of a lateral layer one after the other.  The layers of colour 0 have no lateral
coupling: they are *marginalised* (summed out analytically), and the other layers are *sampled*.  A restricted Boltzmann
machine has two layers of two colours.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Self, TypeVar

import torch
from torch import Tensor, nn

from harmonium import kernels
from harmonium.kernels.edges import EdgeList
from harmonium.models.machine.colouring import classes_of, colour_classes
from harmonium.models.machine.forms import Dense, Form, Matrix, Sparse
from harmonium.models.machine.incremental_inputs import Neighbours
from harmonium.models.model import Model, as_dtype
from harmonium.models.state import State
from harmonium.units import Units, UpdateOrder

__all__ = ["Structure"]

T = TypeVar("T", bound=Tensor)


class Structure(Model):
    """Layers, couplings and colour classes.

    Args:
        layers: unit layers by name; the first one is visible.
        couplings: pairs of layer names by coupling name; W has shape (n_first, n_second).
        colours: names of the layers that are updated together, in the order of a sweep.  Colour 0 is marginalised; it
            may be empty.
        dtype: float32 or float64.
        masks: for couplings that are not full, which entries of W exist, by coupling name.
        sparse: for couplings that are kept as one value per edge, which entries exist, by coupling name.

    Raises:
        ValueError: if two coupled layers are both unbounded, or if a layer whose columns have a fixed total is not the
            visible one.
    """

    def __init__(
        self,
        layers: dict[str, Units],
        couplings: dict[str, tuple[str, str]],
        colours: Sequence[Sequence[str]],
        dtype: torch.dtype,
        masks: dict[str, Tensor] | None = None,
        sparse: Mapping[str, EdgeList] | None = None,
    ) -> None:
        super().__init__()
        self.names = list(layers)
        # Copies: layers given twice, or to two machines, are not tied.  Lookups in module lists are slow.
        self._units_of = tuple(copy.deepcopy(layer).to(as_dtype(dtype)) for layer in layers.values())
        self.layers = nn.ModuleList(self._units_of)
        self.edges = {name: (self.names.index(a), self.names.index(b)) for name, (a, b) in couplings.items()}
        for name, units in layers.items():
            if units.conditions_on_total and (name != self.names[0] or (name, name) in couplings.values()):
                raise ValueError(
                    f"the layer {name!r} ({units!r}) draws its columns together, given their total: such units can "
                    "only be the visible layer, and have no couplings among themselves"
                )
        for a, b in couplings.values():
            if not (layers[a].bounded or layers[b].bounded):
                raise ValueError(
                    f"the layers {a!r} ({layers[a]!r}) and {b!r} ({layers[b]!r}) are coupled and neither has finitely "
                    "many states, or those of a bounded interval: for some weights there is no normalisable "
                    "distribution (log Z is infinite). Make one of them Bernoulli, or another type with finitely many "
                    "states; a type of your own whose states lie in an interval says so by bounded = True"
                )
        self.colours = [[self.names.index(name) for name in colour] for colour in colours]
        self.marginalised = self.colours[0]
        self.sampled_layers = [layer for layer in range(len(self.names)) if layer not in self.marginalised]
        self.lateral = {a: name for name, (a, b) in self.edges.items() if a == b}
        self.hidden_couplings = [name for name, (a, b) in self.edges.items() if a and b]
        self.sampled_couplings = [name for name, ends in self.edges.items() if not set(ends) & set(self.marginalised)]
        self.sparse = dict(sparse or {})
        masks = dict(masks or {})
        for layer, name in self.lateral.items():
            if name not in self.sparse:
                masks[name] = _off_diagonal(self.units(layer)) & masks.get(name, torch.tensor(True))
        self.masked = sorted(masks)
        for name, mask in masks.items():
            self.register_buffer(f"mask_{name}", mask, persistent=False)
        self.couplings = nn.ParameterDict({name: self.form(name).zeros(dtype) for name in self.edges})
        self.classes = {
            layer: classes_of(self.sparse[name])
            if name in self.sparse
            else colour_classes(self.mask(name), self.units(layer).size)
            for layer, name in self.lateral.items()
        }
        self._update_orders = {
            layer: (UpdateOrder.of(classes), UpdateOrder.of(classes[::-1])) for layer, classes in self.classes.items()
        }

    # Layers and parameters ---------------------------------------------------------------------------------------

    @property
    def bipartite(self) -> bool:
        """Whether the machine has two colours and no lateral couplings, so that a block sweep is reversible."""
        return len(self.colours) == 2 and not self.lateral

    @property
    def batched(self) -> bool:
        """Whether parameters have a leading dimension, for several models as one."""
        return self.visible.natural()[0].dim() > 1

    def refuse_batched(self, function: str) -> None:
        """Refuse a batched model.

        Args:
            function: name of the function that takes a single model, for the message.

        Raises:
            ValueError: if the model is batched.
        """
        if self.batched:
            raise ValueError(
                f"{function} takes one model at a time, found a batched model: build each with RBM.from_arrays"
            )

    def units(self, layer: int) -> Units:
        """The units of a layer."""
        return self._units_of[layer]

    def unit_layers(self) -> Iterator[Units]:
        return iter(self._units_of)

    @property
    def visible(self) -> Units:
        """The visible layer."""
        return self.units(0)

    def with_visible(self, units: Units) -> Self:
        """Return the machine with another visible layer of the same size; all other tensors are shared."""
        other = copy.copy(self)
        other._modules, other._buffers = dict(self._modules), dict(self._buffers)
        other._units_of = (units, *self._units_of[1:])
        other.layers = nn.ModuleList(other._units_of)
        return other

    def parameters_by_name(self) -> dict[str, nn.Parameter]:
        """All parameters by the names that gradients use: "weights", "visible_bias", ..."""
        named: dict[str, nn.Parameter] = {name: self.couplings[name] for name in self.edges}
        for name, layer in zip(self.names, self._units_of, strict=True):
            for key, parameter in layer.parameters_by_name().items():
                named[f"{name}_{key}"] = parameter
        return named

    def fields(self, layer: int, named: Mapping[str, T]) -> list[T]:
        """Pick the entries of ``named`` (one per parameter) that together make up the field of a layer."""
        return [named[f"{self.names[layer]}_{name}"] for name in self.units(layer).fields]

    def split_by_field(self, layer: int, values: Tensor, named: Mapping[str, T]) -> list[tuple[T, Tensor]]:
        """Pair each entry of `fields` with its part of ``values`` (..., n), which has one entry per unit."""
        fields = self.fields(layer, named)
        return list(zip(fields, torch.split(values, [field.shape[-1] for field in fields], -1), strict=True))

    def weights_to_decay(self) -> Iterator[nn.Parameter]:
        return (self.couplings[name] for name in self.edges)

    def mask(self, coupling: str) -> Tensor:
        """Which entries of a dense coupling that is not full exist: bool, the shape of W."""
        mask: Tensor = getattr(self, f"mask_{coupling}")
        return mask

    def form(self, name: str) -> Form:
        """How a coupling is kept: as a matrix, or as one value per edge."""
        if name in self.sparse:
            return Sparse(self.sparse[name])
        a, b = self.edges[name]
        mask = self.mask(name) if name in self.masked else None
        return Dense((self.units(a).size, self.units(b).size), mask, a == b)

    @property
    def full(self) -> bool:
        """Whether all couplings are full matrices."""
        return not (self.masked or self.sparse)

    @torch.no_grad()
    def constrain(self) -> None:
        for units in self.unit_layers():
            units.constrain()
        for name in self.edges:
            self.form(name).settle_(self.couplings[name])

    # States ------------------------------------------------------------------------------------------------------

    def visible_only_state(self, v: Tensor) -> State:
        """The state in which only the visible layer is set."""
        return (v, *[None] * (len(self.names) - 1))

    @property
    def packed_size(self) -> int:
        """Columns of a packed state."""
        return sum(self.units(layer).size for layer in self.sampled_layers)

    def pack(self, state: State) -> Tensor:
        """Put the sampled layers of a state side by side, (..., batch, packed_size): a chain as one tensor.

        Raises:
            ValueError: if a sampled layer is not set.
        """
        sampled = [s for s in (state[layer] for layer in self.sampled_layers) if s is not None]
        if len(sampled) < len(self.sampled_layers):
            raise ValueError("only a state whose sampled layers are all set can be packed")
        return sampled[0] if len(sampled) == 1 else torch.cat(sampled, -1)

    def unpack(self, packed: Tensor) -> State:
        """Turn a packed state back into a state; marginalised layers are not set."""
        state: list[Tensor | None] = [None] * len(self.names)
        parts = torch.split(packed, [self.units(layer).size for layer in self.sampled_layers], -1)
        for layer, part in zip(self.sampled_layers, parts, strict=True):
            state[layer] = part
        return tuple(state)

    # Inputs ------------------------------------------------------------------------------------------------------

    def neighbours(self, layer: int, lasting: bool = False, lateral: bool = True) -> list[tuple[int, Matrix]]:
        """Neighbours of a layer, each with the matrix that turns its states into inputs.

        Args:
            layer: index of the layer.
            lasting: whether the matrices serve many products before the couplings change.  Transposed ones are then
                copied, so that they are contiguous in memory.
            lateral: whether a layer that is coupled to itself is among its own neighbours.
        """
        found: list[tuple[int, Matrix]] = []
        for name, (a, b) in self.edges.items():
            if a == b and not lateral:
                continue
            if layer == b:
                found.append((a, self.matrix(name)))
            elif layer == a:
                transposed = self.matrix(name).mT
                found.append((b, transposed.detach().contiguous() if lasting else transposed))
        return found

    def matrix(self, name: str) -> Matrix:
        """A coupling as what states are multiplied with."""
        return self.form(name).matrix(self.couplings[name])

    def inputs(self, layer: int, state: State) -> Tensor:
        """The input of a layer from its neighbours: the sum of s_i . W over its couplings, (..., batch, n)."""
        return self.layer_input(layer, self.neighbours(layer), state)

    def layer_input(self, layer: int, neighbours: Neighbours, state: Sequence[Tensor | None]) -> Tensor:
        """`inputs` with the neighbours already looked up (see `neighbours`).

        Raises:
            ValueError: if a neighbour is not set.
        """
        total: Tensor | None = None
        for other, weights in neighbours:
            s = state[other]
            if s is None:
                raise ValueError(f"layer {self.names[other]!r} is not set, and {self.names[layer]!r} needs it")
            received = kernels.product(s, weights)
            total = received if total is None else total.add_(received)
        if total is not None:
            return total
        own = state[layer]
        if neighbours or own is None:
            raise ValueError(f"no neighbour of layer {self.names[layer]!r} is set")
        return torch.zeros_like(own)  # a layer that is coupled to itself alone


def _off_diagonal(units: Units) -> Tensor:
    """Pairs of columns that belong to different variables, bool (size, size)."""
    variable = units.variable_of_column()
    return variable.unsqueeze(-1) != variable
