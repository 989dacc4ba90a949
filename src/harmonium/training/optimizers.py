"""Optimizers by name: those of torch.optim, and Muon."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from harmonium.models.model import Model
from harmonium.objectives.many_updates import UpdateRule
from harmonium.training.eager import Eager, eager
from harmonium.training.muon import Muon, matrices_of

__all__ = ["OptimizerFactory", "check_optimizer", "make_optimizer", "optimizer_rule", "set_learning_rate"]

OptimizerFactory = Callable[[list[Tensor]], torch.optim.Optimizer]
"""A function from the parameters of a model to an optimizer of them."""


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
    """Check that an optimizer is a factory or has a known name.

    Raises:
        ValueError: if it is neither.
    """
    if not callable(optimizer) and str(optimizer).lower() not in _optimizers():
        raise ValueError(
            f"optimizer must be one of {', '.join(sorted(_optimizers()))} or a factory, found {optimizer!r}"
        )


def make_optimizer(optimizer: str | OptimizerFactory, model: Model, rate: float) -> torch.optim.Optimizer:
    """Make an optimizer of the parameters of a model, by name or by a factory.

    Raises:
        TypeError: for "muon" and a model that is no machine.
        ValueError: for "muon" and a machine without a matrix.
    """
    parameters: list[Tensor] = list(model.parameters())
    if callable(optimizer):
        return _with_ratios(optimizer(parameters))
    kind = _optimizers()[optimizer.lower()]
    if kind is Muon:
        return Muon(parameters, rate, matrices_of(model))
    # Decay is the business of penalties, which spare the biases.
    no_decay = dict.fromkeys({"weight_decay", "lambd"} & inspect.signature(kind).parameters.keys(), 0.0)
    # One pass over the parameters rather than one for each operation: Adam takes a quarter of the time.
    on_cpu = all(parameter.device.type == "cpu" for parameter in parameters)
    fused = {"fused": True} if on_cpu and kind in (torch.optim.Adam, torch.optim.AdamW) else {}
    made: torch.optim.Optimizer = eager(kind)(parameters, lr=rate, **no_decay, **fused)
    return made


def _with_ratios(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """Note the learning rates of groups of parameters relative to the first."""
    first = float(optimizer.param_groups[0]["lr"])
    for group in optimizer.param_groups[1:]:
        group["ratio"] = float(group["lr"]) / first if first else 1.0
    return optimizer


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of the first group of parameters; those of others keep their ratios to it."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("ratio", 1.0)


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
    return known | {"sgd": Descent, "muon": Muon}
