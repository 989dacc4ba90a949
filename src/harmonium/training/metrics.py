"""Metrics: the coordinates in which the optimizer steps.

The model stores plain parameters.  What other libraries keep as centered or standardised models is here a change of
the direction of the update (Melchior, Fischer & Wiskott 2016; Montavon & Mueller 2012).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from harmonium import kernels
from harmonium.core.registry import Registered
from harmonium.models.machine.forms import Matrix
from harmonium.models.machine.machine import Machine, as_machine, joined
from harmonium.objectives import Phases
from harmonium.objectives.many_updates import UpdateRule

__all__ = ["Centered", "Diagonal", "Metric", "Plain", "as_metric"]

MetricState = dict[str, Tensor]

_NAMED: dict[str, type[Metric]] = {}


class Metric(Registered, ABC):
    """Coordinates in which the optimizer steps.  Momentum and adaptive rates live in these coordinates too.

    ``class MyMetric(Metric, word="mine")`` can be chosen by its word: ``fit(..., metric="mine")``.
    """

    def __init_subclass__(cls, word: str = "", **options: Any) -> None:
        super().__init_subclass__(**options)
        if word:
            _NAMED[word] = cls

    def init_state(self, model: Any, mean: Tensor, variance: Tensor) -> MetricState:
        """Return the state before the first update.

        Args:
            model: the model to train.
            mean: means of the training data, (n_visible,).
            variance: variances of the training data, (n_visible,).
        """
        return {}

    @abstractmethod
    def coordinates(self, model: Any, phases: Any, state: MetricState) -> AbstractContextManager[None]:
        """A context for one step of the optimizer.

        On entry ``.grad`` becomes the gradient in these coordinates, in place; on exit the step that the optimizer took
        becomes a step of the plain parameters.

        Args:
            model: the model.
            phases: both phases of the gradient, or None for an objective that has none.
            state: the state of the metric, changed in place.
        """

    def check_parts(self) -> None:
        """Refuse updates that are computed in shards, whose phases are averages of layers.

        Raises:
            ValueError: if the metric needs the states of a phase, or averages of couplings.
        """

    def add_to_rule(self, rule: UpdateRule, state: MetricState) -> UpdateRule | None:
        """Add what the metric does to a rule for compiled updates; None (the default) if a rule cannot say it."""
        return None


@dataclass(frozen=True)
class Plain(Metric, word="plain"):
    """The gradient as it is."""

    def coordinates(self, model: Any, phases: Any, state: MetricState) -> AbstractContextManager[None]:
        return nullcontext()

    def add_to_rule(self, rule: UpdateRule, state: MetricState) -> UpdateRule | None:
        return rule if type(self) is Plain else None


@dataclass(frozen=True)
class Centered(Metric, word="centered"):
    """The gradient of a model in centered states v - m and h - l (Melchior, Fischer & Wiskott 2016).

    With offsets m and l, the running means of the positive phase,

        dW = <(v - m)(h - l)'>_data - <(v - m)(h - l)'>_model,   db = d<v> - dW l,   dc = d<h> - dW' m,

    which is the plain gradient minus m d<h>' + d<v> l': closer to the natural gradient, and the same for a data set and
    its negative.

    Args:
        rate: how fast the offsets follow the batch means (0: they stay where they began).
    """

    rate: float = 0.01

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1:
            raise ValueError(f"{type(self).__name__}(rate=...) must be between 0 and 1, found {self.rate!r}")

    def init_state(self, model: Any, mean: Tensor, variance: Tensor) -> MetricState:
        as_machine(model, f"the metric {type(self).__name__}")
        v = mean.to(model.device, model.dtype)
        means = model.infer(v.unsqueeze(-2)).means
        return {f"offset.{name}": m.squeeze(-2).clone() for name, m in zip(model.names, means, strict=True)}

    @contextmanager
    def coordinates(self, model: Machine, phases: Phases, state: MetricState) -> Iterator[None]:
        offsets = [state[f"offset.{name}"] for name in model.names]
        if self.rate:
            for offset, mean in zip(offsets, model.mean_states(phases.positive), strict=True):
                offset.lerp_(mean, self.rate)
        parameters = model.parameters_by_name()
        slopes = [joined([_grad(p) for p in model.fields(layer, parameters)]) for layer in range(len(offsets))]
        for name, (a, b) in model.edges.items():
            left = torch.stack((offsets[a].expand_as(slopes[a]), slopes[a]), -2)
            right = torch.stack((slopes[b], offsets[b].expand_as(slopes[b])), -2)
            model.form(name).add_outer_(_grad(parameters[name]), left, right, scale=-1.0)
        self._scale(model, parameters, state)
        before = {name: _sent(model.matrix(name), offsets[a], offsets[b]) for name, (a, b) in model.edges.items()}
        yield
        # The optimizer has moved the centered biases b + W l and c + W' m: the change of W l and W' m comes off again.
        for name, (a, b) in model.edges.items():
            after = _sent(model.matrix(name), offsets[a], offsets[b])
            # A lateral coupling (a == b) sends the same both ways, and counts once.
            for layer, (was, now) in dict(zip((a, b), zip(before[name], after, strict=True), strict=True)).items():
                for field, part in model.split_by_field(layer, now - was, parameters):
                    field.detach().sub_(part)

    def add_to_rule(self, rule: UpdateRule, state: MetricState) -> UpdateRule | None:
        if type(self) is not Centered:
            return None
        offsets = {name.removeprefix("offset."): offset for name, offset in state.items()}
        return rule._replace(offsets=offsets, offset_rate=self.rate)

    def _scale(self, model: Machine, parameters: dict[str, nn.Parameter], state: MetricState) -> None:
        """Hook for metrics that scale the centered gradient, in place."""


@dataclass(frozen=True)
class Diagonal(Centered, word="diagonal"):
    """The gradient of a model in standardised states (v - m) / sigma_v and (h - l) / sigma_h.

    That is `Centered`, with every direction divided by the variances of the states that it joins.  Visible variances
    are those of the data, hidden ones the conditional variances at the offsets.  All are taken relative to the mean
    variance of their layer, so that learning rates keep their meaning, and are at least ``floor``; constant units are
    not scaled.

    Args:
        rate: how fast the offsets follow the batch means.
        floor: smallest relative variance.
    """

    floor: float = 0.1

    def init_state(self, model: Machine, mean: Tensor, variance: Tensor) -> MetricState:
        state = super().init_state(model, mean, variance)
        state[f"variance.{model.names[0]}"] = variance.to(model.device, model.dtype).clone()
        return state

    def _scale(self, model: Machine, parameters: dict[str, nn.Parameter], state: MetricState) -> None:
        offsets = tuple(state[f"offset.{name}"].unsqueeze(-2) for name in model.names)
        scales = []
        for layer, name in enumerate(model.names):
            if layer:
                variance = model.units(layer).variance(model.inputs(layer, offsets)).squeeze(-2)
            else:
                variance = state[f"variance.{name}"]
            relative = variance / variance.mean(-1, keepdim=True)
            scale = torch.where(variance > 0, relative.clamp(min=self.floor), 1.0)
            for field, part in model.split_by_field(layer, scale, parameters):
                _grad(field).div_(part)
            scales.append(scale)
        for name, (a, b) in model.edges.items():
            model.form(name).divide_(_grad(parameters[name]), scales[a], scales[b])


def _sent(weights: Matrix, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """What offsets send through a coupling: (W right, W' left)."""
    if isinstance(weights, Tensor):
        weights = weights.detach()
        return (weights @ right.unsqueeze(-1)).squeeze(-1), (weights.mT @ left.unsqueeze(-1)).squeeze(-1)
    weights = weights.detach()
    to_left = kernels.product(right.unsqueeze(-2), weights.mT)
    return to_left.squeeze(-2), kernels.product(left.unsqueeze(-2), weights).squeeze(-2)


def _grad(parameter: nn.Parameter) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


def as_metric(metric: Metric | str) -> Metric:
    """Return a metric unchanged, or build the one of this name ("plain", "centered", "diagonal", "natural").

    Raises:
        ValueError: for an unknown name.
    """
    if isinstance(metric, Metric):
        return metric
    if not isinstance(metric, str) or metric not in _NAMED:
        raise ValueError(f"metric must be one of {', '.join(_NAMED)} or a harmonium metric, found {metric!r}")
    return _NAMED[metric]()
