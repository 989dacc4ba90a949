"""Networks of order-agnostic models: they see some of the variables and predict all of them.

The input of such a network is (v * m, m): the values of the observed variables, zero elsewhere, and the mask m that
distinguishes an observed zero from an unknown value (Uria, Murray & Larochelle 2014, section 4).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from harmonium import kernels
from harmonium.core.checks import check_int, check_number
from harmonium.core.random import Stream
from harmonium.core.registry import Registered
from harmonium.models.conditionals import Conditional
from harmonium.models.initial import he_deviation, normal_, uninitialised

__all__ = [
    "DenseNetwork", "IncrementalPass", "MaskedNetwork", "check_dropout", "check_hidden", "draw_layers", "draw_weights",
    "layers", "linears", "rectified",
]  # fmt: skip


class IncrementalPass(ABC):
    """A network to which variables are revealed one after the other, in each row separately."""

    @abstractmethod
    def logits(self, outputs: slice) -> Tensor:
        """A slice of the outputs given the variables revealed so far: (batch, outputs)."""

    @abstractmethod
    def set_units(self, column: int, units: slice, values: Tensor, rows: Tensor) -> None:
        """Reveal a variable to some rows.

        Args:
            column: number of the variable.
            units: its columns in an encoded state.
            values: its encoded values (batch, units).
            rows: rows to which it is revealed, bool (batch,).
        """


class MaskedNetwork(Registered, nn.Module, ABC):
    """A function of (v * m, m) (see `harmonium.models.autoregressive.observed_mask`).

    Attributes:
        dropout: probability with which each hidden unit is left out of a case in training.
    """

    dropout: float = 0.0

    @abstractmethod
    def forward(self, v: Tensor, mask: Tensor) -> Tensor:
        """All outputs, (batch, width).

        Args:
            v: encoded values (batch, size), zero for variables that are not observed.
            mask: which variables are observed, (batch, columns).
        """

    def training_forward(self, v: Tensor, mask: Tensor, noise: Stream) -> Tensor:
        """The outputs in training, (batch, width): with dropout, where the network has it."""
        return self(v, mask)  # type: ignore[no-any-return]

    @abstractmethod
    def initialise(self, stream: Stream) -> None:
        """Draw initial parameters; those of the last layer are small, so that units start nearly independent."""

    def config(self) -> dict[str, Any]:
        """Describe the network: a JSON-able dict of its type and the arguments that `for_outputs` takes."""
        raise TypeError(
            f"a model with a {type(self).__name__} cannot be written to a file: only networks of the library can be "
            "built again from their description; keep its state_dict() yourself"
        )

    @classmethod
    def for_outputs(cls, outputs: Conditional, **arguments: Any) -> Self:
        """Build the network that `config` described, for an output layer."""
        raise NotImplementedError

    def incremental(self, v: Tensor, mask: Tensor) -> IncrementalPass:
        """Start a pass from rows in which some variables are observed already (see `forward`)."""
        return _Recomputed(self, v, mask)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class _Recomputed(IncrementalPass):
    """An incremental pass that evaluates the whole network at every step."""

    def __init__(self, network: MaskedNetwork, v: Tensor, mask: Tensor) -> None:
        self.network, self.v, self.mask = network, v, mask

    def logits(self, outputs: slice) -> Tensor:
        return self.network(self.v, self.mask)[:, outputs]  # type: ignore[no-any-return]

    def set_units(self, column: int, units: slice, values: Tensor, rows: Tensor) -> None:
        self.v, self.mask = self.v.clone(), self.mask.clone()
        self.v[:, units] = torch.where(rows.unsqueeze(-1), values, self.v[:, units])
        self.mask[:, column] = torch.where(rows, 1.0, self.mask[:, column])


class DenseNetwork(MaskedNetwork):
    """Layers of rectified linear units: h_1 = relu((v * m) W + m U + c), ..., outputs h_L V.

    Args:
        size: number of visible units, the width of v.
        columns: number of visible variables, the width of the mask.
        width: number of outputs.
        hidden: units of each hidden layer, at least one layer.
        dropout: probability with which each hidden unit is left out of a case in training (Srivastava et al. 2014).
        dtype: float32 or float64.

    Revealing one variable changes the inputs of the first layer by a row of W and one of U, so a step of an incremental
    pass costs the products between hidden layers but none with the input (Uria et al. 2016, section 5.1).
    """

    def __init__(
        self, size: int, columns: int, width: int, hidden: Sequence[int], dropout: float = 0.0, *,
        dtype: torch.dtype = torch.float32,
    ) -> None:  # fmt: skip
        super().__init__()
        self.size, self.hidden, self.dropout = size, check_hidden(hidden), check_dropout(dropout)
        self.layers = layers((size + columns, *self.hidden, width), dtype)

    def forward(self, v: Tensor, mask: Tensor) -> Tensor:
        return rectified(self.layers, torch.cat((v, mask), -1))

    def training_forward(self, v: Tensor, mask: Tensor, noise: Stream) -> Tensor:
        return rectified(self.layers, torch.cat((v, mask), -1), self.dropout, noise)

    def initialise(self, stream: Stream) -> None:
        draw_layers(self.layers, stream)

    def incremental(self, v: Tensor, mask: Tensor) -> IncrementalPass:
        return _DensePass(self, v, mask)

    def config(self) -> dict[str, Any]:
        return Registered.config(self) | {"hidden": list(self.hidden), "dropout": self.dropout}

    @classmethod
    def for_outputs(cls, outputs: Conditional, **arguments: Any) -> Self:
        return cls(outputs.units.size, outputs.units.columns, outputs.width, **arguments)

    def __repr__(self) -> str:
        return f"DenseNetwork(hidden={self.hidden})"


class _DensePass(IncrementalPass):
    """An incremental pass of a dense network, which keeps the inputs of its first layer."""

    def __init__(self, network: DenseNetwork, v: Tensor, mask: Tensor) -> None:
        first, *self.middle, self.last = linears(network.layers)
        self.inputs = first(torch.cat((v, mask), -1))
        self.of_values, self.of_mask = first.weight.mT[: network.size], first.weight.mT[network.size :]

    def logits(self, outputs: slice) -> Tensor:
        h = torch.relu(self.inputs)
        for layer in self.middle:
            h = torch.relu(layer(h))
        return functional.linear(h, self.last.weight[outputs])

    def set_units(self, column: int, units: slice, values: Tensor, rows: Tensor) -> None:
        seen = rows.to(values.dtype).unsqueeze(-1)
        self.inputs = torch.addmm(self.inputs, torch.cat((values * seen, seen), -1),
                                  torch.cat((self.of_values[units], self.of_mask[column : column + 1])))  # fmt: skip


def layers(sides: Sequence[int], dtype: torch.dtype) -> nn.ModuleList:
    """Linear layers from the first width to the last, uninitialised (see `draw_layers`).

    The last one has no biases: those of the outputs belong to the output layer, which knows the base rate.
    """
    return nn.ModuleList(
        uninitialised(nn.Linear, below, above, bias=i + 2 < len(sides)).to(dtype)
        for i, (below, above) in enumerate(pairwise(sides))
    )


def linears(modules: nn.ModuleList) -> list[nn.Linear]:
    """The modules that `layers` has built, as linear layers."""
    return [layer for layer in modules if isinstance(layer, nn.Linear)]


def rectified(modules: nn.ModuleList, x: Tensor, dropout: float = 0.0, noise: Stream | None = None) -> Tensor:
    """The outputs of linear layers with rectified linear units between them.

    Args:
        modules: what `layers` has built.
        x: inputs, (batch, width of the first layer).
        dropout: probability with which each hidden unit is left out; the others count for more.
        noise: where to draw it from.
    """
    for layer in modules[:-1]:
        x = torch.relu(layer(x))
        if dropout and noise is not None:
            u = kernels.uniforms(noise.advance(), len(x), x.shape[1], x.dtype, x.device)
            x = x * (u >= dropout) / (1 - dropout)
    return modules[-1](x)  # type: ignore[no-any-return]


def draw_layers(modules: nn.ModuleList, stream: Stream) -> None:
    """Draw weights for rectified linear units (He et al. 2015), small ones in the last layer; in place."""
    *rectified, last = linears(modules)
    for layer in rectified:
        draw_weights(layer, he_deviation(layer.in_features), stream)
    draw_weights(last, 0.01, stream)


@torch.no_grad()
def draw_weights(layer: nn.Module, deviation: float, stream: Stream) -> None:
    """Draw normal weights of this standard deviation and set biases to 0, in place."""
    for name, parameter in layer.named_parameters():
        if name == "bias":
            parameter.zero_()
        else:
            normal_(parameter, deviation, stream)


def check_dropout(dropout: float) -> float:
    """Return a probability of dropout.

    Raises:
        ValueError: unless it is at least 0 and below 1.
    """
    return check_number("dropout", dropout, "a probability from 0 to below 1", lambda p: 0 <= p < 1)


def check_hidden(hidden: Sequence[int]) -> tuple[int, ...]:
    """Return sizes of hidden layers as a tuple.

    Raises:
        ValueError: if there is no layer, or one without units.
    """
    if not isinstance(hidden, (list, tuple)) or not hidden:
        raise ValueError(f"hidden must be a list of layer sizes such as (500, 500), found {hidden!r}")
    return tuple(check_int("hidden", units) for units in hidden)
