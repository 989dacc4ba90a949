"""Batched models: several machines of one architecture as one, with a leading dimension of all parameters."""

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
    """Return the machine with other parameters, which are not copied.

    Args:
        machine: any machine; its buffers are shared.
        parameters: tensors by the names of ``named_parameters()``. Leading dimensions make a batched model.

    Returns:
        The new machine.
    """
    # deepcopy takes parameters and buffers from its memo instead of copying them.
    memo: dict[int, object] = {
        id(old): nn.Parameter(parameters[name], requires_grad=False) for name, old in machine.named_parameters()
    }
    memo |= {id(buffer): buffer for buffer in machine.buffers()}
    return copy.deepcopy(machine, memo)


def stack(models: Sequence[Machine]) -> Machine:
    """Combine machines of one architecture into a batched model, along the first dimension of all parameters.

    Args:
        models: the machines, in order.

    Returns:
        The batched model.

    Raises:
        ValueError: if there are no models, if one of them is batched, or if they differ in more than parameters.

    >>> import harmonium as hm
    >>> stack([hm.RBM(4, 2), hm.RBM(4, 2, seed=1)]).couplings["weights"].shape
    torch.Size([2, 4, 2])
    """
    if not models:
        raise ValueError("models is empty: give at least one")
    first = models[0]
    for index, model in enumerate(models):
        model.refuse_batched("stack")
        if model.config() != first.config():
            raise ValueError(f"models[{index}] is {model!r}, models[0] {first!r}; expected one architecture")
    named = [dict(model.named_parameters()) for model in models]
    return with_parameters(first, {name: torch.stack([each[name].detach() for each in named]) for name in named[0]})
