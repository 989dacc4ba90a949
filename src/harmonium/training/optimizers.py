"""Optimizers by name, from torch.optim."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from harmonium.objectives.many_updates import UpdateRule

__all__ = ["OptimizerFactory", "check_optimizer", "eager", "make_optimizer", "optimizer_rule", "set_learning_rate"]

OptimizerFactory = Callable[[list[Tensor]], torch.optim.Optimizer]
"""A function from the parameters of a model to an optimizer of them."""


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


class Descent(Eager, torch.optim.SGD):
    """Plain gradient descent, the steps of `torch.optim.SGD`, without what surrounds them there.

    For small models that takes ten times as long as the steps.
    """

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.add_(parameter.grad, alpha=-group["lr"])

    step.hooked = True  # type: ignore[attr-defined]  # else the base class wraps it


def check_optimizer(optimizer: str | OptimizerFactory) -> None:
    """Check that an optimizer is a factory or has a name that torch.optim knows.

    Raises:
        ValueError: if it is neither.
    """
    if not callable(optimizer) and str(optimizer).lower() not in _optimizers():
        raise ValueError(
            f"optimizer must be one of {', '.join(sorted(_optimizers()))} or a factory, found {optimizer!r}"
        )


def make_optimizer(optimizer: str | OptimizerFactory, parameters: list[Tensor], rate: float) -> torch.optim.Optimizer:
    """Make an optimizer of these parameters, by name or by a factory."""
    if callable(optimizer):
        return optimizer(parameters)
    kind = _optimizers()[optimizer.lower()]
    # Decay is the business of penalties, which spare the biases.
    no_decay = dict.fromkeys({"weight_decay", "lambd"} & inspect.signature(kind).parameters.keys(), 0.0)
    # One pass over the parameters rather than one for each operation: Adam takes a quarter of the time.
    on_cpu = all(parameter.device.type == "cpu" for parameter in parameters)
    fused = {"fused": True} if on_cpu and kind in (torch.optim.Adam, torch.optim.AdamW) else {}
    made: torch.optim.Optimizer = eager(kind)(parameters, lr=rate, **no_decay, **fused)
    return made


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of all parameters."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def optimizer_rule(
    optimizer: torch.optim.Optimizer, parameters: Sequence[Tensor], rule: UpdateRule
) -> UpdateRule | None:
    """Add what an optimizer does to a rule for compiled updates; None unless it is descent with plain momentum.

    Args:
        optimizer: the optimizer; what its momentum remembers is made if it is not there yet.
        parameters: of the model.
        rule: what other parts of the update do.
    """
    group, *others = optimizer.param_groups
    usual = {"dampening": 0, "weight_decay": 0, "nesterov": False, "maximize": False}
    if (
        type(optimizer) not in (Descent, torch.optim.SGD, eager(torch.optim.SGD))
        or others
        or any(group[name] != value for name, value in usual.items())
        or [id(parameter) for parameter in group["params"]] != [id(parameter) for parameter in parameters]
    ):
        return None
    momentum = float(group["momentum"])
    if not momentum:
        return rule
    velocities = {}
    for parameter in parameters:
        state = optimizer.state[parameter]
        if state.get("momentum_buffer") is None:
            state["momentum_buffer"] = torch.zeros_like(parameter.detach(), memory_format=torch.contiguous_format)
        velocities[parameter] = state["momentum_buffer"]
    return rule._replace(momentum=momentum, velocities=velocities)


def _optimizers() -> dict[str, Any]:
    unfit = ("Optimizer", "LBFGS", "Muon", "SparseAdam")  # closures, matrices only, sparse gradients only
    known = {
        name.lower(): kind
        for name, kind in vars(torch.optim).items()
        if isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer) and name not in unfit
    }
    return known | {"sgd": Descent}
