"""Networks of a VAE: dense or convolutional, each built from a short description."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from harmonium.core.checks import check_int
from harmonium.core.random import Stream
from harmonium.core.registry import Registered
from harmonium.models.initial import glorot_, uninitialised

__all__ = ["Architecture", "Convolutional", "Dense", "as_architecture", "draw_glorot"]


class Architecture(Registered):
    """Builds the two networks of a VAE, functions of (..., features) whose parameters are uninitialised."""

    def encoder(self, shape: tuple[int, ...], size: int, width: int, dtype: torch.dtype) -> nn.Module:
        """Build a network from a layer of ``size`` units, whose variables have this ``shape``, to ``width`` outputs."""
        raise NotImplementedError

    def decoder(self, width: int, shape: tuple[int, ...], size: int, bias: bool, dtype: torch.dtype) -> nn.Module:
        """Build a network from ``width`` latent units to ``size`` outputs for variables of this ``shape``."""
        raise NotImplementedError


@dataclass(frozen=True)
class Dense(Architecture):
    """Layers of tanh units with ``widths`` from the data up, mirrored in the decoder (Burda et al. 2016)."""

    widths: tuple[int, ...] = (200, 200)

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", tuple(self.widths))
        _positive("hidden", self.widths)

    def encoder(self, shape: tuple[int, ...], size: int, width: int, dtype: torch.dtype) -> nn.Module:
        return _dense([size, *self.widths, width], True, dtype)

    def decoder(self, width: int, shape: tuple[int, ...], size: int, bias: bool, dtype: torch.dtype) -> nn.Module:
        return _dense([width, *reversed(self.widths), size], bias, dtype)


@dataclass(frozen=True)
class Convolutional(Architecture):
    """Convolutions 3 x 3 that halve the image, then a dense layer; mirrored in the decoder.

    For visible units of shape (height, width) or (colours, height, width).

    Args:
        channels: output channels of each convolution, from the data up.
        width: width of the dense layer between them and the latent units.

    >>> import harmonium as hm
    >>> vae = hm.VAE((8, 8), latent=5, hidden=hm.models.Convolutional((8, 16), 32))
    >>> vae.encode([[0] * 64])[0].shape
    torch.Size([1, 5])
    """

    channels: tuple[int, ...] = (32, 64)
    width: int = 256

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))
        _positive("channels", self.channels)
        _positive("width", (self.width,))
        if not self.channels:
            raise ValueError("channels is empty: give those of at least one convolution, such as (32, 64)")

    def encoder(self, shape: tuple[int, ...], size: int, width: int, dtype: torch.dtype) -> nn.Module:
        sides, channels = self._sides(shape), size // math.prod(shape)
        ends = _image(shape, channels)
        layers: list[nn.Module] = [ToImage(shape, channels)]
        for above, below in itertools.pairwise((ends[0], *self.channels)):
            layers += [uninitialised(nn.Conv2d, above, below, 3, stride=2, padding=1, dtype=dtype), nn.ELU()]
        flat = self.channels[-1] * math.prod(sides[-1])
        layers += [nn.Flatten(), uninitialised(nn.Linear, flat, self.width, dtype=dtype), nn.Tanh()]
        return Batched(nn.Sequential(*layers, uninitialised(nn.Linear, self.width, width, dtype=dtype)))

    def decoder(self, width: int, shape: tuple[int, ...], size: int, bias: bool, dtype: torch.dtype) -> nn.Module:
        sides, channels = self._sides(shape), size // math.prod(shape)
        ends = _image(shape, channels)
        flat = self.channels[-1] * math.prod(sides[-1])
        layers: list[nn.Module] = [
            uninitialised(nn.Linear, width, self.width, dtype=dtype), nn.Tanh(),
            uninitialised(nn.Linear, self.width, flat, dtype=dtype), nn.ELU(),
            nn.Unflatten(-1, (self.channels[-1], *sides[-1])),
        ]  # fmt: skip
        steps = itertools.pairwise(reversed((ends[0], *self.channels)))
        for k, (above, below) in enumerate(steps, start=1):
            # A side of 2n - 1 or 2n was halved to n: output_padding distinguishes them.
            odd = tuple(big - (2 * small - 1) for small, big in zip(sides[-k], sides[-k - 1], strict=True))
            last = k == len(self.channels)
            up = uninitialised(
                nn.ConvTranspose2d, above, below, 3,
                stride=2, padding=1, output_padding=odd, bias=bias or not last, dtype=dtype,
            )  # fmt: skip
            layers += [up] if last else [up, nn.ELU()]
        return Batched(nn.Sequential(*layers, FromImage(shape, channels)))

    def _sides(self, shape: tuple[int, ...]) -> list[tuple[int, int]]:
        """(height, width) of the image before the first convolution and after each."""
        if len(shape) not in (2, 3):
            raise ValueError(
                f"visible units have shape {shape}; convolutions need (height, width) or (colours, height, width)"
            )
        sides = [(shape[-2], shape[-1])]
        for _ in self.channels:
            sides.append(((sides[-1][0] + 1) // 2, (sides[-1][1] + 1) // 2))
        return sides


class Batched(nn.Module):
    """A network of (batch, features) applied to (..., features)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.network(x.reshape(-1, x.shape[-1]))
        return out.view(*x.shape[:-1], -1)


class ToImage(nn.Module):
    """States (batch, size), the columns of each variable side by side, as images (batch, channels, height, width)."""

    def __init__(self, shape: tuple[int, ...], channels: int) -> None:
        super().__init__()
        self.shape, self.channels = shape, channels

    def forward(self, x: Tensor) -> Tensor:
        image = x.view(x.shape[0], -1, *self.shape[-2:], self.channels)
        return image.permute(0, 1, 4, 2, 3).flatten(1, 2)


class FromImage(ToImage):
    """Images (batch, channels, height, width) back to states (batch, size)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.view(x.shape[0], -1, self.channels, *self.shape[-2:]).permute(0, 1, 3, 4, 2).flatten(1)


def as_architecture(hidden: Architecture | Sequence[int]) -> Architecture:
    """Return an architecture as it is; widths become a `Dense` one.

    Raises:
        TypeError: for anything else.
        ValueError: if a width is not positive.
    """
    if isinstance(hidden, Architecture):
        return hidden
    if isinstance(hidden, (str, int)) or not isinstance(hidden, Sequence):
        raise TypeError(f"hidden must be widths such as (200, 200), or hm.models.Convolutional(...), found {hidden!r}")
    return Dense(tuple(hidden))


@torch.no_grad()
def draw_glorot(network: nn.Module, stream: Stream) -> None:
    """Draw all weights as `glorot_` does and set biases to 0, in place."""
    for name, parameter in network.named_parameters():
        if parameter.dim() > 1:
            glorot_(parameter, stream.child(name))
        elif name.rpartition(".")[2] == "bias":
            parameter.zero_()


def _dense(widths: Sequence[int], bias: bool, dtype: torch.dtype) -> nn.Module:
    layers: list[nn.Module] = []
    for k, (n, m) in enumerate(itertools.pairwise(widths), start=2):
        last = k == len(widths)
        layers.append(uninitialised(nn.Linear, n, m, bias=bias or not last, dtype=dtype))
        if not last:
            layers.append(nn.Tanh())
    return nn.Sequential(*layers)


def _image(shape: tuple[int, ...], channels: int) -> tuple[int, int, int]:
    return (shape[0] if len(shape) == 3 else 1) * channels, shape[-2], shape[-1]


def _positive(name: str, widths: Sequence[object]) -> None:
    for width in widths:
        check_int(name, width)
