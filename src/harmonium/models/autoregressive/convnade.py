"""Convolutional networks for order-agnostic NADE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from harmonium.core.checks import check_int
from harmonium.core.random import Stream
from harmonium.core.registry import Registered
from harmonium.models.autoregressive.observed_mask import DenseNetwork, MaskedNetwork, draw_weights
from harmonium.models.autoregressive.orderless import OrderlessNADE
from harmonium.models.conditionals import Conditional
from harmonium.models.directed import as_outputs
from harmonium.models.initial import he_deviation, uninitialised
from harmonium.units import Units

__all__ = ["ConvNADE", "ConvolutionalNetwork"]

_KERNELS, _SIDE = (8, 4, 6, 7), 28  # of the paper, for images of 28 x 28


class ConvolutionalNetwork(MaskedNetwork):
    """Convolutions down and up again, plus a dense network (Uria et al. 2016, section 5.2).

    The observed pixels and the mask are channels of one image.  "Valid" convolutions shrink it, "full" ones bring it
    back to its size; the last of them predicts every pixel.  A dense network adds its own outputs.

    Args:
        outputs: the output layer, whose visible units have the shape of an image, (height, width).
        channels: channels of every hidden layer of convolutions.
        kernels: sides of the kernels on the way down; the way up has them in reverse.  Default: 8, 4, 6, 7 for 28 x 28
            pixels as in the paper, proportionally smaller for smaller images.
        hidden: units of the layers of the dense network; empty for none.

    Raises:
        ValueError: if the units are not an image, or the kernels do not fit into it.
    """

    def __init__(
        self,
        outputs: Conditional,
        channels: int = 64,
        kernels: Sequence[int] | None = None,
        hidden: Sequence[int] = (500, 500),
    ) -> None:
        super().__init__()
        units = outputs.units
        if len(units.shape) != 2:
            raise ValueError(f"a convolutional network needs an image, units of shape (height, width), found {units!r}")
        channels = check_int("channels", channels)
        side = min(units.shape)
        if kernels is None:
            kernels = [max(2, round(kernel * side / _SIDE)) for kernel in _KERNELS][: side - 1]
        left = side - sum(kernel - 1 for kernel in kernels)
        if not kernels or min(kernels) < 1 or left < 1:
            raise ValueError(f"kernels {list(kernels)} do not fit into an image of {units.shape}: their sides less 1 "
                             f"must sum to less than {side}")  # fmt: skip
        self.shape, self.channels, self.kernels, self.hidden = units.shape, channels, tuple(kernels), tuple(hidden)
        down = [units.size // units.columns + 1] + [channels] * len(self.kernels)
        up = [channels] * len(self.kernels) + [outputs.width // units.columns]
        self.down = nn.ModuleList(
            uninitialised(nn.Conv2d, *sides) for sides in zip(down[:-1], down[1:], self.kernels, strict=True)
        )
        self.up = nn.ModuleList(  # a transposed valid convolution is a full one
            uninitialised(nn.ConvTranspose2d, *sides, bias=i < len(self.kernels))
            for i, sides in enumerate(zip(up[:-1], up[1:], self.kernels[::-1], strict=True), 1)
        )
        self.dense = DenseNetwork(units.size, units.columns, outputs.width, hidden) if hidden else None

    def forward(self, v: Tensor, mask: Tensor) -> Tensor:
        image = torch.cat((self._image(v), self._image(mask)), 1)
        for layer in [*self.down, *self.up[:-1]]:
            image = torch.relu(layer(image))
        x: Tensor = self.up[-1](image).movedim(1, -1).flatten(1)
        return x if self.dense is None else x + self.dense(v, mask)

    def _image(self, x: Tensor) -> Tensor:
        return x.view(x.shape[0], *self.shape, -1).movedim(-1, 1)

    def initialise(self, stream: Stream) -> None:
        for layer in [*self.down, *self.up[:-1]]:
            # Fan in of both kinds of convolution (away from the border).
            draw_weights(layer, he_deviation(layer.in_channels * layer.kernel_size[0] ** 2), stream)
        draw_weights(self.up[-1], 0.01 / self.kernels[0], stream)
        if self.dense is not None:
            self.dense.initialise(stream)

    def config(self) -> dict[str, Any]:
        return Registered.config(self) | {
            "channels": self.channels,
            "kernels": list(self.kernels),
            "hidden": list(self.hidden),
        }

    @classmethod
    def for_outputs(cls, outputs: Conditional, **arguments: Any) -> Self:
        return cls(outputs, **arguments)

    def __repr__(self) -> str:
        return f"ConvolutionalNetwork(channels={self.channels}, kernels={self.kernels}, hidden={self.hidden})"


def ConvNADE(  # noqa: N802  # builds a model, as a class would
    visible: Units | tuple[int, int] | None = None,
    channels: int = 64,
    kernels: Sequence[int] | None = None,
    hidden: Sequence[int] = (500, 500),
    *,
    outputs: Conditional | None = None,
    dtype: torch.dtype = torch.float32,
    seed: int | Stream = 0,
) -> OrderlessNADE:
    """Build an `OrderlessNADE` of images with a `ConvolutionalNetwork` (Uria et al. 2016, section 5.2).

    The paper trains it by Adam with a learning rate of 1e-4 and 100 cases per update.

    Args:
        visible: units of shape (height, width), or that shape for `Bernoulli` pixels.
        channels: see `ConvolutionalNetwork`.
        kernels: see `ConvolutionalNetwork`.
        hidden: see `ConvolutionalNetwork`.
        outputs: see `OrderlessNADE`.
        dtype: float32 or float64.
        seed: of the initial parameters.

    Returns:
        The untrained model.

    Raises:
        ValueError: if the units are not an image, or the kernels do not fit into it.

    >>> import harmonium as hm
    >>> model = hm.models.ConvNADE((8, 8), channels=4, hidden=(16,))
    >>> hm.sample(model, 2).shape
    torch.Size([2, 64])
    """
    outputs = as_outputs(visible, outputs)
    network = ConvolutionalNetwork(outputs, channels, kernels, hidden)
    return OrderlessNADE(network=network, outputs=outputs, dtype=dtype, seed=seed)
