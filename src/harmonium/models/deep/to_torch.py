"""Plain torch layers from the parameters of machines: what networks that start from a machine are made of."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harmonium import kernels
from harmonium.core.checks import check_int
from harmonium.core.random import Stream, as_stream
from harmonium.units import Bernoulli, Units

__all__ = ["linear", "need_bernoulli", "to_classes"]


@torch.no_grad()
def linear(weights: Tensor, bias: Tensor) -> nn.Linear:
    """x W + b as a `torch.nn.Linear`, which keeps the transpose of W; copies."""
    layer: nn.Linear = nn.utils.skip_init(  # type: ignore[no-untyped-call]  # draws nothing from a global generator
        nn.Linear, *weights.shape, device=weights.device, dtype=weights.dtype
    )
    layer.weight.copy_(weights.mT)
    layer.bias.copy_(bias)
    return layer


def to_classes(features: Tensor, n_classes: int, seed: int | Stream) -> nn.Linear:
    """The last layer of a classifier that has learned no class yet: weights of standard deviation 0.01, no biases.

    Args:
        features: any tensor (..., n) with the width, dtype and device of what the layer takes.
        n_classes: how many logits it gives.
        seed: of the weights.

    Raises:
        ValueError: for fewer than two classes.
    """
    n_classes = check_int("n_classes", n_classes, least=2)
    draw = as_stream(seed).child("classes").advance()
    u = kernels.uniforms(draw, features.shape[-1], n_classes, torch.float64, torch.device("cpu"))
    weights = (0.01 * torch.special.ndtri(u)).to(features)
    return linear(weights, weights.new_zeros(n_classes))


def need_bernoulli(method: str, *layers: Units) -> None:
    """Raise ValueError unless all layers are Bernoulli, whose means are sigmoids."""
    for units in layers:
        if type(units) is not Bernoulli:
            raise ValueError(f"{method} makes sigmoid layers, whose units are Bernoulli, found {units!r}")
