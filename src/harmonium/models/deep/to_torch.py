"""Plain torch layers built from the parameters of machines."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harmonium.core.checks import check_int
from harmonium.core.random import Stream, as_stream
from harmonium.models.initial import normal_, uninitialised
from harmonium.units import Bernoulli, Units

__all__ = ["linear", "need_bernoulli", "to_classes"]


@torch.no_grad()
def linear(weights: Tensor, bias: Tensor) -> nn.Linear:
    """Build x W + b as a `torch.nn.Linear`, which stores the transpose of W; parameters are copied."""
    layer: nn.Linear = uninitialised(nn.Linear, *weights.shape, device=weights.device, dtype=weights.dtype)
    layer.weight.copy_(weights.mT)
    layer.bias.copy_(bias)
    return layer


def to_classes(features: Tensor, n_classes: int, seed: int | Stream) -> nn.Linear:
    """Build the untrained last layer of a classifier: normal weights of standard deviation 0.01, biases 0.

    Args:
        features: any tensor (..., n) with the width, dtype and device of the layer's input.
        n_classes: number of logits.
        seed: of the weights.

    Raises:
        ValueError: for fewer than two classes.
    """
    n_classes = check_int("n_classes", n_classes, least=2)
    weights = features.new_empty(features.shape[-1], n_classes)
    normal_(weights, 0.01, as_stream(seed).child("classes"))
    return linear(weights, weights.new_zeros(n_classes))


def need_bernoulli(method: str, *layers: Units) -> None:
    """Raise ValueError unless all layers are Bernoulli, whose means are sigmoids."""
    for units in layers:
        if type(units) is not Bernoulli:
            raise ValueError(f"{method} builds sigmoid layers and needs Bernoulli units, found {units!r}")
