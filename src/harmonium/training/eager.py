"""Optimizers of torch without the import of its compiler."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import torch

__all__ = ["Eager", "eager"]


class Eager(torch.optim.Optimizer):
    """A base class beside an optimizer of torch: the same steps, without the import of torch's compiler.

    torch wraps the methods of its optimizers for `torch.compile`.  Their first call imports the compiler, which takes
    seconds, and nothing here is compiled by it.
    """

    add_param_group = inspect.unwrap(torch.optim.Optimizer.add_param_group)
    state_dict = inspect.unwrap(torch.optim.Optimizer.state_dict)
    zero_grad = inspect.unwrap(torch.optim.Optimizer.zero_grad)


@functools.cache
def eager(kind: type[torch.optim.Optimizer]) -> Any:
    """Return the subclass of an optimizer of torch that does the same without the import of torch's compiler."""
    if issubclass(kind, Eager):
        return kind
    return type(kind.__name__, (Eager, kind), {"step": torch.no_grad()(inspect.unwrap(kind.step))})
