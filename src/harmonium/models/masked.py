"""Networks that see some of the variables and answer for all: what an order-agnostic model asks.

The input of such a network is (v * m, m): the values of the variables that are observed, zero elsewhere, and the mask
that tells an observed zero from an unknown value (Uria, Murray & Larochelle 2014, section 4).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from harmonium import kernels
from harmonium.models.conditionals import Conditional
from harmonium.random import Stream

__all__ = ["DenseNetwork", "MaskedNetwork", "Walk", "affine", "build_network", "check_hidden", "draw_weights"]


class Walk(ABC):
    """A network while variables are revealed to it one after the other, each row seeing what it has seen so far."""

    @abstractmethod
    def answer(self, outputs: slice) -> Tensor:
        """These outputs given what has been revealed: (batch, outputs)."""

    @abstractmethod
    def reveal(self, column: int, units: slice, values: Tensor, rows: Tensor) -> None:
        """Show the variable in ``column``, whose units have ``values`` (batch, units), to the rows (batch,), bool."""


class MaskedNetwork(nn.Module, ABC):
    """A function of (v * m, m)."""

    @abstractmethod
    def forward(self, v: Tensor, mask: Tensor) -> Tensor:
        """All outputs (batch, width) given values v (batch, size), zero where hidden, and the mask (batch, columns)."""

    @abstractmethod
    def initialise(self, stream: Stream) -> None:
        """Draw initial parameters, the last layer's small: an untrained model is one of nearly independent units."""

    def config(self) -> dict[str, Any]:
        """JSON-able arguments that build this network again, and its "type"."""
        raise TypeError(
            f"a model with a {type(self).__name__} cannot be written to a file: only networks of the library can be "
            "built again from their description; keep its state_dict() yourself"
        )

    def walk(self, v: Tensor, mask: Tensor) -> Walk:
        """Begin to reveal variables to rows that have seen v (batch, size), zero where hidden."""
        return _Recomputed(self, v, mask)


class _Recomputed(Walk):
    """The network asked anew at every step."""

    def __init__(self, network: MaskedNetwork, v: Tensor, mask: Tensor) -> None:
        self.network, self.v, self.mask = network, v, mask

    def answer(self, outputs: slice) -> Tensor:
        return self.network(self.v, self.mask)[:, outputs]  # type: ignore[no-any-return]

    def reveal(self, column: int, units: slice, values: Tensor, rows: Tensor) -> None:
        self.v, self.mask = self.v.clone(), self.mask.clone()
        self.v[:, units] = torch.where(rows.unsqueeze(-1), values, self.v[:, units])
        self.mask[:, column] = torch.where(rows, 1.0, self.mask[:, column])


class DenseNetwork(MaskedNetwork):
    """Layers of rectified linear units: h_1 = relu((v * m) W + m U + c), ..., outputs h_L V.

    Args:
        size: units of the visible layer, the width of v.
        columns: its variables, the width of the mask.
        width: numbers that the output layer takes.
        hidden: units of each hidden layer, at least one layer.
        dtype: float32 or float64.

    Revealing one variable changes the inputs of the first layer by a row of W and one of U, so that a step of a walk
    costs the products between hidden layers and no product with the input (Uria et al. 2016, section 5.1).
    """

    def __init__(
        self, size: int, columns: int, width: int, hidden: Sequence[int], *, dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        self.size, self.hidden = size, check_hidden(hidden)
        sides = (size + columns, *self.hidden, width)
        steps = list(zip(sides[:-1], sides[1:], strict=True))
        # Biases of outputs belong to the output layer, which knows the base rate.
        self.layers = nn.ModuleList(affine(*step, dtype, bias=i + 1 < len(steps)) for i, step in enumerate(steps))

    def forward(self, v: Tensor, mask: Tensor) -> Tensor:
        h = torch.cat((v, mask), -1)
        for layer in self.layers[:-1]:
            h = torch.relu(layer(h))
        return self.layers[-1](h)  # type: ignore[no-any-return]

    def initialise(self, stream: Stream) -> None:
        for layer in self.layers[:-1]:
            draw_weights(layer, math.sqrt(2 / layer.in_features), stream)
        draw_weights(self.layers[-1], 0.01, stream)

    def walk(self, v: Tensor, mask: Tensor) -> Walk:
        return _DenseWalk(self, v, mask)

    def config(self) -> dict[str, Any]:
        return {"type": "DenseNetwork", "hidden": list(self.hidden)}


class _DenseWalk(Walk):
    """A dense network that keeps the inputs of its first layer."""

    def __init__(self, network: DenseNetwork, v: Tensor, mask: Tensor) -> None:
        first, *self.middle, self.last = network.layers
        self.inputs = first(torch.cat((v, mask), -1))
        self.of_values, self.of_mask = first.weight.mT.split((network.size, mask.shape[-1]))

    def answer(self, outputs: slice) -> Tensor:
        h = torch.relu(self.inputs)
        for layer in self.middle:
            h = torch.relu(layer(h))
        return functional.linear(h, self.last.weight[outputs])

    def reveal(self, column: int, units: slice, values: Tensor, rows: Tensor) -> None:
        seen = rows.to(values.dtype).unsqueeze(-1)
        self.inputs = torch.addmm(self.inputs, torch.cat((values * seen, seen), -1),
                                  torch.cat((self.of_values[units], self.of_mask[column : column + 1])))  # fmt: skip


def affine(below: int, above: int, dtype: torch.dtype, bias: bool = True) -> nn.Linear:
    """A linear layer that draws nothing from a global generator: `draw_weights` fills it."""
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, below, above, bias=bias, dtype=dtype)  # type: ignore[no-untyped-call]
    return layer


@torch.no_grad()
def draw_weights(layer: nn.Module, deviation: float, stream: Stream) -> None:
    """Normal weights and no biases, in place."""
    weight: Tensor = layer.weight  # type: ignore[assignment]
    u = kernels.uniforms(stream.advance(), len(weight), weight[0].numel(), torch.float64, weight.device)
    weight.copy_((deviation * torch.special.ndtri(u)).view_as(weight))
    if layer.bias is not None:
        layer.bias.zero_()  # type: ignore[operator]


def check_hidden(hidden: Sequence[int]) -> tuple[int, ...]:
    """Sizes of hidden layers as a tuple.

    Raises:
        ValueError: for no layer, or one without units.
    """
    if not isinstance(hidden, (list, tuple)) or not hidden or not all(_positive(units) for units in hidden):
        raise ValueError(f"hidden must be a list of layer sizes of at least 1, such as (500, 500), found {hidden!r}")
    return tuple(hidden)


def _positive(units: object) -> bool:
    return isinstance(units, int) and not isinstance(units, bool) and units >= 1


def build_network(config: dict[str, Any], outputs: Conditional) -> MaskedNetwork:
    """The network that a ``config()`` describes, for an output layer."""
    arguments = dict(config)
    if arguments.pop("type") == "DenseNetwork":
        return DenseNetwork(outputs.units.size, outputs.units.columns, outputs.width, **arguments)
    from harmonium.models.convnade import ConvolutionalNetwork

    return ConvolutionalNetwork(outputs, **arguments)
