"""Several machines of one kind as one: parameters with a leading dimension, so that a product serves all of them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from harmonium.models.machine.machine import Machine

__all__ = ["stack", "with_parameters"]

M = TypeVar("M", bound=Machine)


def with_parameters(machine: M, parameters: Mapping[str, Tensor]) -> M:
    """The same machine on other parameters, by the names of ``named_parameters()``, which are taken without a copy.

    Leading dimensions make it a stack.  What training left in the machine is shared.
    """
    # A copy that is told in advance what becomes of the parameters copies none of them.
    known: dict[int, object] = {
        id(old): nn.Parameter(parameters[name], requires_grad=False) for name, old in machine.named_parameters()
    }
    known |= {id(buffer): buffer for buffer in machine.buffers()}
    return copy.deepcopy(machine, known)


def stack(models: Sequence[Machine]) -> Machine:
    """Machines of the same layers as one machine, in their order along the first dimension of all parameters.

    Raises:
        ValueError: for no models, for a stack among them, or for models that differ in more than parameters.

    >>> import harmonium as hm
    >>> stack([hm.RBM(4, 2), hm.RBM(4, 2, seed=1)]).couplings["weights"].shape
    torch.Size([2, 4, 2])
    """
    if not models:
        raise ValueError("models is empty: a stack needs at least one")
    first = models[0]
    for index, model in enumerate(models):
        model.refuse_batched("a stack")
        if model.config() != first.config():
            raise ValueError(f"models[{index}] is {model!r}, models[0] {first!r}: a stack has one architecture")
    named = [dict(model.named_parameters()) for model in models]
    return with_parameters(first, {name: torch.stack([each[name].detach() for each in named]) for name in named[0]})
