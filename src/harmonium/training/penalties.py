"""Penalties: what an update follows besides the likelihood."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from harmonium.core.checks import check_non_negative, check_number
from harmonium.core.registry import Registered
from harmonium.models.machine.machine import Machine, as_machine
from harmonium.models.model import Model
from harmonium.objectives import Phases
from harmonium.objectives.many_updates import UpdateRule

__all__ = ["Penalty", "Sparsity", "WeightDecay", "check_penalties"]


class Penalty(Registered, ABC):
    """A term that is added to the gradient of minus the log-likelihood, or a step after that of the optimizer."""

    def init_state(self, model: Any) -> dict[str, Tensor]:
        """Return the tensors that the penalty carries from update to update."""
        return {}

    @abstractmethod
    def add_to_gradients(self, model: Any, phases: Phases | None, state: dict[str, Tensor]) -> None:
        """Add to ``.grad`` in place.

        Args:
            model: the model.
            phases: both phases of the gradient, or None for an objective that has none.
            state: what `init_state` returned, changed in place.
        """

    def after_step(self, model: Any, rate: float) -> None:
        """Change the parameters after the step of the optimizer, in place (see `harmonium.training.proximal`).

        Args:
            model: the model.
            rate: learning rate of the step.
        """

    def add_to_rule(self, rule: UpdateRule) -> UpdateRule | None:
        """Add the penalty to a rule for compiled updates; None (the default) if a rule cannot say it."""
        return None


@dataclass(frozen=True)
class WeightDecay(Penalty):
    """``l2`` / 2 times the squared weights plus ``l1`` times their absolute values, never on biases (Hinton 2010)."""

    l2: float = 0.0
    l1: float = 0.0

    def __post_init__(self) -> None:
        for name, value in (("l2", self.l2), ("l1", self.l1)):
            check_non_negative(f"WeightDecay({name}=...)", value)

    def add_to_gradients(self, model: Model, phases: Phases | None, state: dict[str, Tensor]) -> None:
        for weights in model.weights_to_decay():
            assert weights.grad is not None
            if self.l2:
                weights.grad.add_(weights.detach(), alpha=self.l2)
            if self.l1:
                weights.grad.add_(torch.sign(weights.detach()), alpha=self.l1)

    def add_to_rule(self, rule: UpdateRule) -> UpdateRule | None:
        return rule._replace(l2=rule.l2 + self.l2, l1=rule.l1 + self.l1) if type(self) is WeightDecay else None


@dataclass(frozen=True)
class Sparsity(Penalty):
    """Pull the mean activity of every hidden unit towards ``target`` (Hinton 2010, section 11).

    The cross-entropy between the target and a running mean q of the activity has the derivative q - target in the total
    input, which is added to the hidden biases and, times the mean visible states, to the weights.

    Args:
        target: desired mean activity, between 0 and 1.
        cost: strength of the penalty.
        decay: of the running mean.
    """

    target: float = 0.1
    cost: float = 0.01
    decay: float = 0.9

    def __post_init__(self) -> None:
        between = "a number between 0 and 1"
        check_number("Sparsity(target=...)", self.target, between, lambda target: 0 < target < 1)
        check_non_negative("Sparsity(cost=...)", self.cost)
        check_number("Sparsity(decay=...)", self.decay, between, lambda decay: 0 <= decay < 1)

    def init_state(self, model: Any) -> dict[str, Tensor]:
        as_machine(model, "the penalty Sparsity")
        return {
            name: torch.full_like(model.units(layer).natural()[0], self.target)
            for layer, name in enumerate(model.names[1:], 1)
        }

    def add_to_gradients(self, model: Machine, phases: Phases | None, state: dict[str, Tensor]) -> None:
        assert phases is not None
        parameters = model.parameters_by_name()
        means = model.mean_states(phases.positive)
        force: dict[int, Tensor] = {}
        for layer, name in enumerate(model.names[1:], 1):
            state[name].lerp_(means[layer], 1 - self.decay)
            force[layer] = self.cost * (state[name] - self.target)
            for field, part in model.split_by_field(layer, force[layer], parameters):
                assert field.grad is not None
                field.grad.add_(part)
        for name, (a, b) in model.edges.items():
            grad = parameters[name].grad
            assert grad is not None
            # The derivative of a hidden unit's input is the state at the coupling's other end.
            form = model.form(name)
            if b:
                form.add_outer_(grad, means[a].unsqueeze(-2), force[b].unsqueeze(-2))
            if a:
                form.add_outer_(grad, force[a].unsqueeze(-2), means[b].unsqueeze(-2))


def check_penalties(penalties: Sequence[Any]) -> None:
    """Raise TypeError unless all are penalties."""
    for penalty in penalties:
        if not isinstance(penalty, Penalty):
            example = f"WeightDecay({penalty!r})" if isinstance(penalty, (int, float)) else "WeightDecay(0.001)"
            raise TypeError(f"penalties holds {penalty!r}, which is no penalty: pass [harmonium.training.{example}]")
